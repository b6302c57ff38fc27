package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) passphraseCommand() *cobra.Command {
	var file, next string
	var none bool
	cmd := c.command("passphrase", c.exactly(0), c.remote(followForever, func(ctx context.Context, daemon *api.Client, _ []string) error {
		if none && next != "" {
			return fail(exitUsage, "usage", speech.BothPassphraseFlags)
		}
		in, err := c.passphraseChange(ctx, daemon, file, next, none)
		if err != nil {
			return err
		}
		job, err := daemon.ChangePassphrase(ctx, in)
		if err != nil {
			return err
		}
		if in.New == nil {
			c.say(speech.PassphraseGone)
		} else {
			c.say(speech.PassphraseChanged)
		}
		return c.rotated(ctx, daemon, job)
	}))
	cmd.Flags().StringVar(&file, "passphrase-file", "", "")
	cmd.Flags().StringVar(&next, "new-passphrase-file", "", "")
	cmd.Flags().BoolVar(&none, "none", false, "")
	return withExample(cmd, `  pabal passphrase
  pabal passphrase --passphrase-file old --new-passphrase-file new`)
}

// passphraseChange asks for the passphrase so far, if there is one, and for the next.
func (c *cli) passphraseChange(ctx context.Context, daemon *api.Client, file, next string, none bool) (in api.PassphraseRequest, err error) {
	status, err := daemon.Status(ctx)
	if err != nil {
		return in, err
	}
	bare := false
	for _, w := range status.Warnings {
		bare = bare || w.Code == api.WarningNoPassphrase
	}
	if !bare {
		old, err := c.passphraseOnce(ctx, file, speech.AskProfilePassphrase)
		if err != nil {
			return in, err
		}
		in.Old = &old
	}
	if none {
		return in, nil
	}
	passphrase, err := c.passphraseTwice(ctx, next, speech.AskNextPassphrase)
	in.New = &passphrase
	return in, err
}

func (c *cli) rotateCommand() *cobra.Command {
	return c.command("rotate", c.exactly(0), c.remote(followForever, func(ctx context.Context, daemon *api.Client, _ []string) error {
		job, err := daemon.StartRotation(ctx)
		if err != nil {
			return err
		}
		return c.rotated(ctx, daemon, job)
	}))
}

// rotated waits until the database has a new key.
func (c *cli) rotated(ctx context.Context, daemon *api.Client, job api.Job) (err error) {
	for job.State == api.JobRunning {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(drillPoll):
		}
		if job, err = daemon.Job(ctx, job.ID); err != nil {
			return err
		}
	}
	if job.Error != nil {
		return job.Error
	}
	c.say(speech.Rotated)
	return nil
}
