package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) lockCommand() *cobra.Command {
	var screenOnly bool
	cmd := c.command("lock", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		if screenOnly {
			if err := daemon.LockScreen(ctx); err != nil {
				return err
			}
			c.say(speech.LockedScreen)
			return nil
		}
		if err := daemon.Lock(ctx); err != nil {
			return err
		}
		c.say(speech.Locked)
		return nil
	}))
	cmd.Flags().BoolVar(&screenOnly, "screen", false, "")
	return withExample(cmd, `  pabal lock
  pabal lock --screen`)
}
