package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) duressCommand() *cobra.Command {
	return c.group("duress", c.duressSet(), c.duressClear())
}

// duressFlags are what both commands take: the passphrase of what is open, and no question.
type duressFlags struct {
	file string
	yes  bool
}

func (f *duressFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "passphrase-file", "", "")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "")
}

// duressSet makes a decoy that a second passphrase opens. Inside a decoy it does the same to the
// profile that is hidden, and must look the same: so it always says what is destroyed.
func (c *cli) duressSet() *cobra.Command {
	var flags duressFlags
	var file, name string
	cmd := c.command("set", c.exactly(0), c.remote(followForever, func(ctx context.Context, daemon *api.Client, _ []string) error {
		if err := c.confirm(flags.yes, c.text(speech.DuressConfirm)); err != nil {
			return err
		}
		own, err := c.passphraseOnce(ctx, flags.file, speech.AskProfilePassphrase)
		if err != nil {
			return err
		}
		passphrase, err := c.passphraseTwice(ctx, file, speech.AskDuressPassphrase)
		if err != nil {
			return err
		}
		err = daemon.SetDuress(ctx, api.DuressRequest{Passphrase: own, DuressPassphrase: &passphrase, DisplayName: name})
		if err == nil {
			c.say(speech.DuressSet)
		}
		return err
	}))
	flags.add(cmd)
	cmd.Flags().StringVar(&file, "duress-passphrase-file", "", "")
	cmd.Flags().StringVar(&name, "name", "", "")
	return withExample(cmd, `  pabal duress set
  pabal duress set --name Mina`)
}

func (c *cli) duressClear() *cobra.Command {
	var flags duressFlags
	cmd := c.command("clear", c.exactly(0), c.remote(followForever, func(ctx context.Context, daemon *api.Client, _ []string) error {
		if err := c.confirm(flags.yes, c.text(speech.DuressConfirm)); err != nil {
			return err
		}
		own, err := c.passphraseOnce(ctx, flags.file, speech.AskProfilePassphrase)
		if err != nil {
			return err
		}
		if err = daemon.SetDuress(ctx, api.DuressRequest{Passphrase: own}); err == nil {
			c.say(speech.DuressCleared)
		}
		return err
	}))
	flags.add(cmd)
	return cmd
}
