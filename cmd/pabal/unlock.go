package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) unlockCommand() *cobra.Command {
	var file string
	cmd := c.command("unlock", c.exactly(0), func(ctx context.Context, _ []string) error {
		daemon, err := c.connect()
		if err != nil {
			return err
		}
		if err := connectionError(c.unlock(ctx, daemon, file)); err != nil {
			return err
		}
		c.say(speech.Unlocked)
		return nil
	})
	cmd.Flags().StringVar(&file, "passphrase-file", "", "")
	return cmd
}

// unlock opens a locked profile with the passphrase in file, or with its
// keyfile, or with what a person types.
func (c *cli) unlock(ctx context.Context, daemon *api.Client, file string) error {
	if file != "" {
		passphrase, err := c.readPassphraseFile(file)
		if err != nil {
			return err
		}
		return daemon.Unlock(ctx, passphrase)
	}
	err := daemon.Unlock(ctx, "") // by the keyfile, if there is one
	if !needsPassphrase(err) {
		return err
	}
	if !c.terminal() {
		return fail(exitUsage, api.CodePassphraseRequired, speech.PassphraseFileMissing)
	}
	return c.unlockAsking(ctx, daemon)
}

func (c *cli) unlockAsking(ctx context.Context, daemon *api.Client) error {
	var err error
	for range passphraseTries {
		var passphrase string
		if passphrase, err = c.askPassphrase(ctx, speech.AskPassphrase); err != nil {
			return err
		}
		if err = daemon.Unlock(ctx, passphrase); !errors.Is(err, &api.Problem{Code: api.CodeBadPassphrase}) {
			return err
		}
		c.say("problem.bad_passphrase")
	}
	return err
}

func needsPassphrase(err error) bool {
	return errors.Is(err, &api.Problem{Code: api.CodePassphraseRequired}) ||
		errors.Is(err, &api.Problem{Code: api.CodeBadPassphrase})
}
