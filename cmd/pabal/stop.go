package main

import (
	"context"
	"net"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// stopPoll is how often stop looks whether the daemon is gone.
const stopPoll = 20 * time.Millisecond

func (c *cli) stopCommand() *cobra.Command {
	return c.command("stop", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		if err := daemon.Shutdown(ctx); err != nil {
			return err
		}
		if err := waitGone(ctx, c.daemon.Socket); err != nil {
			return err
		}
		c.say(speech.Stopped)
		return nil
	}))
}

// waitGone returns when nobody accepts connections on the socket any more.
func waitGone(ctx context.Context, socket string) error {
	tick := time.NewTicker(stopPoll)
	defer tick.Stop()
	for {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil
		}
		conn.Close()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
