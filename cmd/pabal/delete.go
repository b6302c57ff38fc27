package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// deleteCommand deletes here only, where one that is still queued is never delivered, or
// for everyone.
func (c *cli) deleteCommand() *cobra.Command {
	target := "me"
	cmd := c.command("delete <message>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		remove, said := daemon.DeleteMessage, speech.MessageDeleted
		switch target {
		case "me":
		case "everyone":
			remove, said = daemon.DeleteForEveryone, speech.MessageDeletedForAll
		default:
			return fail(exitUsage, "usage", speech.DeleteForWhom)
		}
		if err := remove(ctx, args[0]); err != nil {
			return err
		}
		c.say(said)
		return nil
	}))
	cmd.Flags().StringVar(&target, "for", target, "")
	return withExample(cmd, `  pabal delete ms_…
  pabal delete ms_… --for everyone`)
}
