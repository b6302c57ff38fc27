package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) webhookCommand() *cobra.Command {
	return c.group("webhook", c.webhookCreate(), c.webhookList(),
		c.command("enable <webhook>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
			if _, err := daemon.EnableWebhook(ctx, args[0]); err != nil {
				return err
			}
			c.say(speech.WebhookEnabled)
			return nil
		})),
		c.command("delete <webhook>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
			if err := daemon.DeleteWebhook(ctx, args[0]); err != nil {
				return err
			}
			c.say(speech.WebhookDeleted)
			return nil
		})))
}

func (c *cli) webhookCreate() *cobra.Command {
	rights, types := tokenFlags{}, []string(nil)
	cmd := c.command("create <name> <url>", c.exactly(2), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		if (rights.preset == "") == (len(rights.scopes) == 0) {
			return fail(exitUsage, "usage", speech.TokenNeedsRights)
		}
		as, err := rights.request(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		hook, err := daemon.CreateWebhook(ctx, api.WebhookRequest{
			Name: as.Name, URL: args[1], Preset: as.Preset, Scopes: as.Scopes, Types: types,
			Conversations: as.Constraints.Conversations, Content: as.Constraints.Content,
		})
		if err != nil {
			return err
		}
		c.say(speech.WebhookShown)
		return c.show(hook, func() error { return c.print(hook.Secret) })
	}))
	f := cmd.Flags()
	f.StringVar(&rights.preset, "preset", "", "")
	f.StringSliceVar(&rights.scopes, "scope", nil, "")
	f.StringSliceVar(&rights.chats, "chat", nil, "")
	f.StringSliceVar(&types, "types", nil, "")
	f.BoolVar(&rights.meta, "meta", false, "")
	return withExample(cmd, `  pabal webhook create blinker http://127.0.0.1:8400/ --preset notifier
  pabal webhook create archive http://127.0.0.1:8401/in --preset reader --chat Mina --types 'message.*'`)
}

func (c *cli) webhookList() *cobra.Command {
	return c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		hooks, err := daemon.Webhooks(ctx)
		if err != nil {
			return err
		}
		return showList(c, hooks, speech.NoWebhooks, func(h api.Webhook) []string {
			return []string{h.ID, h.Name, h.URL, c.word("webhook", h.State), strconv.FormatUint(h.Lag, 10), localTime(h.LastDeliveredAt), dashOf(h.LastError)}
		})
	}))
}
