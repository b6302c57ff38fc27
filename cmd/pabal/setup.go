package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// setupFlags are what a new profile needs.
type setupFlags struct {
	name         string
	passphrase   passphraseFlags
	disappearing string
}

func (f *setupFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "name", "", "")
	cmd.Flags().BoolVar(&f.passphrase.none, "no-passphrase", false, "")
	cmd.Flags().StringVar(&f.passphrase.file, "passphrase-file", "", "")
	cmd.Flags().StringVar(&f.disappearing, "disappear", "", "")
}

func (c *cli) setupCommand() *cobra.Command {
	flags := &setupFlags{}
	cmd := c.command("setup", c.exactly(0), func(ctx context.Context, _ []string) error {
		if err := flags.passphrase.check(); err != nil {
			return err
		}
		daemon, err := c.connect()
		if err != nil {
			return err
		}
		status, err := daemon.Status(ctx)
		if err != nil {
			return connectionError(err)
		}
		if status.State != api.StateUninitialised {
			return api.NewProblem(api.CodeAlreadyInitialised)
		}
		request, err := c.setupRequest(ctx, flags) // may wait for a person: no time limit before
		if err != nil {
			return err
		}
		return c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
			made, err := daemon.Setup(ctx, request)
			if err != nil {
				return err
			}
			c.say(speech.SetupDone, made.Self.DisplayName)
			return c.show(made, func() error { return nil })
		})(ctx, nil)
	})
	flags.add(cmd)
	return withExample(cmd, `  pabal setup
  pabal setup --name Mina --passphrase-file FILE --disappear 1w:read`)
}

// setupRequest builds the request from the flags and asks for what they lack.
// Off a terminal the name and one of the two passphrase flags must be given.
func (c *cli) setupRequest(ctx context.Context, flags *setupFlags) (api.SetupRequest, error) {
	request := api.SetupRequest{DisplayName: flags.name}
	if !c.terminal() && (flags.name == "" || !flags.passphrase.given()) {
		return request, fail(exitUsage, "usage", speech.SetupFlagsMissing)
	}
	var err error
	if request.DisplayName == "" {
		if request.DisplayName, err = c.askLine(c.text(speech.AskName)); err != nil {
			return request, err
		}
	}
	switch {
	case flags.passphrase.none:
		request.Keyfile = true
	case flags.passphrase.file != "":
		request.Passphrase, err = c.readPassphraseFile(flags.passphrase.file)
	default:
		request.Passphrase, err = c.askNewPassphrase(ctx)
		request.Keyfile = request.Passphrase == ""
	}
	if err != nil {
		return request, err
	}
	if request.Keyfile {
		c.say(speech.NoPassphraseMeans)
	}
	request.Disappearing, err = c.setupTimer(flags.disappearing)
	return request, err
}

// setupTimer returns the timer of new conversations. On a terminal none is
// preselected: it is asked for. Off a terminal it is never.
func (c *cli) setupTimer(flag string) (*api.Disappearing, error) {
	switch {
	case flag != "":
		return parseDisappearing(flag)
	case !c.terminal():
		return nil, nil
	}
	for range passphraseTries {
		answer, err := c.askLine(c.text(speech.AskTimer))
		if err != nil {
			return nil, err
		}
		switch answer {
		case "1":
			answer = "1w:read"
		case "2":
			answer = "1d:read"
		case "3":
			answer = timerNever
		}
		if timer, err := parseDisappearing(answer); err == nil {
			return timer, nil
		}
	}
	return nil, fail(exitUsage, api.CodeInvalidTimer, speech.TimerInvalid)
}
