package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) requestCommand() *cobra.Command {
	return c.group("request",
		c.requestList(),
		c.requestAnswer("accept", speech.RequestAccepted, (*api.Client).AcceptRequest),
		c.requestAnswer("decline", speech.RequestDeclined, (*api.Client).DeclineRequest),
		c.requestAnswer("block", speech.RequestBlocked, (*api.Client).BlockRequest),
	)
}

func (c *cli) requestList() *cobra.Command {
	var state string
	cmd := c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		requests, err := daemon.Requests(ctx, state)
		if err != nil {
			return err
		}
		for _, r := range requests {
			if err := c.warnOfNames(ctx, daemon, r.Name, r.Warnings); err != nil {
				return err
			}
		}
		return showList(c, requests, speech.NoRequests, func(r api.Request) []string {
			return []string{r.ID, localTime(&r.At), c.word("request", r.State), dash(r.Name), dash(r.Greeting)}
		})
	}))
	cmd.Flags().StringVar(&state, "state", "", "")
	return cmd
}

func (c *cli) requestAnswer(verb string, done speech.Key, answer func(*api.Client, context.Context, string) (api.Request, error)) *cobra.Command {
	return c.command(verb+" <request>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		request, err := answer(daemon, ctx, args[0])
		if err != nil {
			return err
		}
		c.say(done, dash(request.Name))
		return c.show(request, func() error { return nil })
	}))
}
