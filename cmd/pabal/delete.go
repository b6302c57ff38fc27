package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// deleteCommand deletes here only; one that is still queued is never delivered.
func (c *cli) deleteCommand() *cobra.Command {
	return c.command("delete <message>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		if err := daemon.DeleteMessage(ctx, args[0]); err != nil {
			return err
		}
		c.say(speech.MessageDeleted)
		return nil
	}))
}
