package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) outboxCommand() *cobra.Command {
	return c.command("outbox", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		waiting, err := daemon.Outbox(ctx)
		if err != nil {
			return err
		}
		byID, err := names(ctx, daemon)
		if err != nil {
			return err
		}
		return showList(c, waiting, speech.OutboxEmpty, func(o api.OutboxItem) []string {
			text := "-"
			if o.Message.Body != nil {
				text = o.Message.Body.Text
			}
			return []string{
				orDash(o.Message.ID), dash(byID[orDash(o.ContactID)]), c.messageState(o.Message.Status),
				c.word("why", o.Why.Reason), localTime(o.Why.NextTryAt), text,
			}
		})
	}))
}
