package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// reactCommand puts an emoji on a message, or takes it off.
func (c *cli) reactCommand() *cobra.Command {
	remove := false
	cmd := c.command("react <message> <emoji>", c.exactly(2), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		set, said := daemon.React, speech.Reacted
		if remove {
			set, said = daemon.Unreact, speech.Unreacted
		}
		if err := set(ctx, args[0], args[1]); err != nil {
			return err
		}
		c.say(said, screen.Line(args[1]))
		return nil
	}))
	cmd.Flags().BoolVar(&remove, "remove", false, "")
	return withExample(cmd, `  pabal react ms_… 👍
  pabal react ms_… 👍 --remove`)
}
