package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) tokenCommand() *cobra.Command {
	return c.group("token", c.tokenCreate(), c.tokenList(), c.tokenRevoke())
}

// tokenFlags describe a new token.
type tokenFlags struct {
	preset  string
	scopes  []string
	chats   []string
	origins []string
	expires durationValue
	unix    bool
	meta    bool
	waits   bool // for the owner
}

func (c *cli) tokenCreate() *cobra.Command {
	flags := tokenFlags{}
	cmd := c.command("create <name>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		if (flags.preset == "") == (len(flags.scopes) == 0) {
			return fail(exitUsage, "usage", speech.TokenNeedsRights)
		}
		request, err := flags.request(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		token, err := daemon.CreateToken(ctx, request)
		if err != nil {
			return err
		}
		c.say(speech.TokenShownOnce)
		return c.show(token, func() error { return c.print(token.Secret) })
	}))
	f := cmd.Flags()
	f.StringVar(&flags.preset, "preset", "", "")
	f.StringSliceVar(&flags.scopes, "scope", nil, "")
	f.StringSliceVar(&flags.chats, "chat", nil, "")
	f.StringSliceVar(&flags.origins, "origin", nil, "")
	f.Var(&flags.expires, "expires", "")
	f.BoolVar(&flags.unix, "unix", false, "")
	f.BoolVar(&flags.meta, "meta", false, "")
	f.BoolVar(&flags.waits, "approval", false, "")
	return withExample(cmd, `  pabal token create my-bot --preset bot --chat Mina --unix
  pabal token create my-ui --preset frontend --origin http://localhost:5173`)
}

func (f *tokenFlags) request(ctx context.Context, daemon *api.Client, name string) (api.TokenRequest, error) {
	request := api.TokenRequest{Name: name, Preset: api.Preset(f.preset)}
	for _, s := range f.scopes {
		request.Scopes = append(request.Scopes, api.Scope(s))
	}
	limits := &request.Constraints
	for _, word := range f.chats {
		conversation, err := findConversation(ctx, daemon, word)
		if err != nil {
			return request, err
		}
		limits.Conversations = append(limits.Conversations, conversation.ID)
	}
	limits.Origins, limits.Approval = f.origins, f.waits
	if f.expires > 0 {
		at := api.Milli(time.Now().Add(time.Duration(f.expires)).UnixMilli())
		limits.ExpiresAt = &at
	}
	if f.unix {
		limits.Transports = []string{api.TransportUnix}
	}
	if f.meta {
		limits.Content = api.ContentMeta
	}
	return request, nil
}

func (c *cli) tokenList() *cobra.Command {
	return c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		tokens, err := daemon.Tokens(ctx)
		if err != nil {
			return err
		}
		return showList(c, tokens, speech.NoTokens, func(t api.Token) []string {
			scopes := make([]string, len(t.Scopes))
			for i, s := range t.Scopes {
				scopes[i] = string(s)
			}
			return []string{t.ID, t.Name, localTime(&t.CreatedAt), localTime(t.LastUsedAt), strings.Join(scopes, ",")}
		})
	}))
}

func (c *cli) tokenRevoke() *cobra.Command {
	return c.command("revoke <token>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		if err := daemon.RevokeToken(ctx, args[0]); err != nil {
			return err
		}
		c.say(speech.TokenRevoked)
		return nil
	}))
}
