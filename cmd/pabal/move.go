package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
	"pabal/node/httpd"
	"pabal/store"
)

func (c *cli) moveCommand() *cobra.Command {
	return c.group("move", c.moveOut(), c.moveIn())
}

// moveOut seals the profile in a file and erases it here. It goes on with one that was cut
// short.
func (c *cli) moveOut() *cobra.Command {
	var file, own string
	cmd := c.command("out <file>", c.exactly(1), func(ctx context.Context, args []string) error {
		held, err := c.holdToMove()
		if err != nil {
			return err
		}
		if held != nil {
			_, _, err := held.Exists()
			if errors.Is(err, store.ErrDeparting) {
				err = held.FinishMove(args[0])
				return c.sayMovedOut(args[0], nil, errors.Join(err, held.Close()))
			}
			if err = errors.Join(err, held.Close()); err != nil { // a person may take long to answer
				return daemonError(err)
			}
		}
		if _, err := os.Lstat(args[0]); err == nil {
			return fail(exitConflict, "file_exists", speech.BundleFileExists, screen.Line(args[0]))
		}
		passphrase, err := c.passphraseTwice(ctx, file, speech.AskNewPassphrase)
		if err != nil {
			return err
		}
		return c.moveOutTo(ctx, args[0], passphrase, own)
	})
	cmd.Flags().StringVar(&file, "passphrase-file", "", "")
	cmd.Flags().StringVar(&own, "profile-passphrase-file", "", "")
	return withExample(cmd, `  pabal move out /media/stick/pabal.move
  pabal move out --passphrase-file FILE --profile-passphrase-file FILE pabal.move`)
}

// holdToMove takes the lock of a profile that no daemon serves; nil if one does.
func (c *cli) holdToMove() (*store.Profile, error) {
	if c.flags.socket != "" {
		return nil, fail(exitUsage, "usage", speech.MoveByProfile)
	}
	_, err := c.connect()
	if err == nil {
		c.flags.profile = c.daemon.Name
		return nil, nil
	}
	if !errors.Is(err, profile.ErrNone) {
		return nil, err
	}
	held, err := c.holdProfile()
	if err != nil {
		return nil, daemonError(err)
	}
	return held, nil
}

// moveOutTo stops the daemon, if there is one, and moves the profile.
func (c *cli) moveOutTo(ctx context.Context, name, passphrase, own string) error {
	if c.client != nil {
		if err := c.stop(ctx); err != nil {
			return err
		}
	}
	held, err := c.holdProfile()
	if err != nil {
		return daemonError(err)
	}
	s, err := c.openToMove(ctx, held, own)
	if err != nil {
		return errors.Join(daemonError(err), held.Close())
	}
	done, err := s.MoveOut(name, store.MoveOptions{Passphrase: []byte(passphrase), Now: time.Now()})
	return c.sayMovedOut(name, &done, errors.Join(err, held.Close()))
}

// stop ends the daemon that is connected to, and waits for it.
func (c *cli) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	before, err := api.ReadDiscovery(c.discoveryFile())
	if err != nil {
		return err
	}
	if err := c.client.Shutdown(ctx); err != nil {
		return connectionError(err)
	}
	return waitGone(ctx, c.discoveryFile(), before.PID)
}

// openToMove opens the profile by its keyfile, or by the passphrase in file, or what a person
// types.
func (c *cli) openToMove(ctx context.Context, held *store.Profile, file string) (*store.Store, error) {
	exists, keyfile, err := held.Exists()
	switch {
	case err != nil:
		return nil, err
	case !exists:
		return nil, fail(exitNotFound, "no_profile", speech.MoveNothing)
	case keyfile && file != "":
		return nil, fail(exitUsage, "passphrase_unfit", speech.ProfileHasNone)
	case keyfile:
		return held.Open(store.Unlock{})
	case file == "" && !c.terminal():
		return nil, fail(exitUsage, api.CodePassphraseRequired, speech.PassphraseFileMissing)
	}
	var passphrase string
	if file != "" {
		passphrase, err = c.readPassphraseFile(file)
	} else {
		passphrase, err = c.askPassphrase(ctx, speech.AskProfilePassphrase)
	}
	if err != nil {
		return nil, err
	}
	return held.Open(store.Unlock{Passphrase: []byte(passphrase)})
}

// sayMovedOut says how moving out ended.
func (c *cli) sayMovedOut(name string, done *store.Archived, err error) error {
	switch {
	case errors.Is(err, store.ErrOtherFile), errors.Is(err, fs.ErrNotExist) && errors.Is(err, store.ErrDeparting):
		return fail(exitConflict, "other_file", speech.MoveOtherFile, screen.Line(name))
	case errors.Is(err, store.ErrDeparting):
		return fail(exitError, "move_unfinished", speech.MoveOutUnfinished, screen.Line(name))
	case errors.Is(err, fs.ErrExist):
		return fail(exitConflict, "file_exists", speech.BundleFileExists, screen.Line(name+".part"))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrInvalid):
		return fail(exitError, "file_not_written", speech.BundleNotWritten, screen.Line(name))
	case err != nil:
		return daemonError(err)
	case done == nil:
		c.say(speech.MovedOutAtLast, screen.Line(name))
		return nil
	}
	shown := struct {
		Contacts int `json:"contacts"`
		Messages int `json:"messages"`
	}{done.Contacts, done.Messages}
	return c.show(shown, func() error {
		c.say(speech.MovedOut, screen.Line(name), strconv.Itoa(done.Contacts), strconv.Itoa(done.Messages))
		return nil
	})
}

// moveIn makes the profile that is in a file, and destroys the file.
func (c *cli) moveIn() *cobra.Command {
	flags := restoreFlags{}
	cmd := c.command("in <file>", c.exactly(1), func(ctx context.Context, args []string) error {
		if flags.none && flags.newFile != "" {
			return fail(exitUsage, "usage", speech.BothPassphraseFlags)
		}
		held, err := c.holdProfile()
		if err != nil {
			return daemonError(err)
		}
		exists, _, err := held.Exists()
		again := errors.Is(err, store.ErrArriving)
		if again || errors.Is(err, store.ErrMoved) {
			err = nil
		}
		if exists {
			err = store.ErrExists
		}
		var o httpd.Restore
		if err == nil && !again {
			if o, err = c.moveInOptions(ctx, flags); err != nil {
				return errors.Join(err, held.Close())
			}
		}
		if err == nil {
			err = held.MoveIn(args[0], store.RestoreOptions{
				Archive: o.Archive, Options: store.Options{Passphrase: o.Passphrase}, Now: time.Now(),
			})
		}
		return c.sayMovedIn(args[0], errors.Join(err, held.Close()))
	})
	cmd.Flags().StringVar(&flags.file, "passphrase-file", "", "")
	cmd.Flags().StringVar(&flags.newFile, "new-passphrase-file", "", "")
	cmd.Flags().BoolVar(&flags.none, "no-passphrase", false, "")
	return withExample(cmd, `  pabal move in /media/stick/pabal.move
  pabal move in --passphrase-file FILE --new-passphrase-file FILE pabal.move`)
}

func (c *cli) moveInOptions(ctx context.Context, flags restoreFlags) (httpd.Restore, error) {
	in, err := c.restoreRequest(ctx, flags)
	if err != nil {
		return httpd.Restore{}, err
	}
	return httpd.RestoreOf(in)
}

func (c *cli) sayMovedIn(name string, err error) error {
	switch {
	case errors.Is(err, store.ErrOtherFile), errors.Is(err, fs.ErrNotExist) && errors.Is(err, store.ErrArriving):
		return fail(exitConflict, "other_file", speech.MoveOtherFile, screen.Line(name))
	case errors.Is(err, store.ErrArriving):
		return fail(exitError, "move_unfinished", speech.MoveInUnfinished, screen.Line(name))
	case errors.Is(err, fs.ErrNotExist):
		return fail(exitNotFound, "file_not_read", speech.BundleNotRead, screen.Line(name))
	case errors.Is(err, fs.ErrPermission):
		return fail(exitError, "file_not_written", speech.BundleNotWritten, screen.Line(name))
	case err != nil:
		return daemonError(httpd.ArchiveProblem(err))
	}
	c.say(speech.MovedIn, screen.Line(name))
	return nil
}
