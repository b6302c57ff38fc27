package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/store"
)

// wipeCommand destroys a profile: by its daemon if one runs, whether it is locked or not,
// else by itself. It asks for no passphrase: whoever may remove the files may do this.
func (c *cli) wipeCommand() *cobra.Command {
	var now bool
	cmd := c.command("wipe", c.exactly(0), func(ctx context.Context, _ []string) error {
		name := cmp.Or(c.flags.profile, defaultProfile)
		daemon, err := c.connect()
		if err != nil && !errors.Is(err, profile.ErrNone) {
			return err
		}
		if err == nil {
			name = cmp.Or(c.daemon.Name, name)
		}
		paths, err := c.places().Paths(name)
		if err != nil {
			return err
		}
		if daemon == nil && store.Emptied(paths.Data) {
			return fail(exitNotFound, "no_profile", speech.NoProfileHere, screen.Line(name))
		}
		if err := c.confirm(now, c.text(speech.WipeConfirm, screen.Line(name))); err != nil {
			return err
		}
		if daemon != nil {
			if err := daemon.Wipe(ctx); err != nil {
				return connectionError(err)
			}
			c.say(speech.Wiped, screen.Line(name))
			return nil
		}
		held, err := c.holdProfile()
		if err != nil {
			return daemonError(err)
		}
		if err := errors.Join(held.Wipe(), held.Close()); err != nil {
			return err
		}
		c.say(speech.Wiped, screen.Line(name))
		return nil
	})
	cmd.Flags().BoolVar(&now, "now", false, "")
	return withExample(cmd, `  pabal wipe --now`)
}
