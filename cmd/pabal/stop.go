package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// stopPoll is how often stop looks whether the daemon is gone.
const stopPoll = 20 * time.Millisecond

func (c *cli) stopCommand() *cobra.Command {
	return c.command("stop", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		before, err := api.ReadDiscovery(c.discoveryFile())
		if err != nil {
			return err
		}
		if err := daemon.Shutdown(ctx); err != nil {
			return err
		}
		if err := waitGone(ctx, c.discoveryFile(), before.PID); err != nil {
			return err
		}
		c.say(speech.Stopped)
		return nil
	}))
}

// discoveryFile is that of the daemon: with --socket it is beside the socket.
func (c *cli) discoveryFile() string {
	if c.daemon.API != "" {
		return c.daemon.API
	}
	return filepath.Join(filepath.Dir(c.daemon.Socket), api.DiscoveryFile)
}

// waitGone returns when the daemon of that process has closed everything: then it
// takes its discovery file away.
func waitGone(ctx context.Context, file string, pid int) error {
	tick := time.NewTicker(stopPoll)
	defer tick.Stop()
	for {
		d, err := api.ReadDiscovery(file)
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.PID != pid {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
