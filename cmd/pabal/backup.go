package main

import (
	"cmp"
	"context"
	"errors"
	"io"
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

func (c *cli) backupCommand() *cobra.Command {
	return c.group("backup", c.backupCreate(), c.backupCheck(), c.backupRestore())
}

// backupCreate writes a backup and reads it again before it says so: a backup that nobody
// has tried is none.
func (c *cli) backupCreate() *cobra.Command {
	var file string
	var messages bool
	cmd := c.command("create <file>", c.exactly(1), func(ctx context.Context, args []string) error {
		if _, err := os.Lstat(args[0]); err == nil {
			return fail(exitConflict, "file_exists", speech.BundleFileExists, screen.Line(args[0]))
		}
		passphrase, err := c.passphraseTwice(ctx, file, speech.AskNewPassphrase)
		if err != nil {
			return err
		}
		return c.remote(followForever, func(ctx context.Context, daemon *api.Client, args []string) error {
			in, err := writeArchive(args[0], passphrase, func(to io.Writer) error {
				return daemon.Backup(ctx, api.BackupRequest{Passphrase: passphrase, Messages: messages}, to)
			})
			if err != nil {
				return err
			}
			return c.sayArchive(in)
		})(ctx, args)
	})
	cmd.Flags().StringVar(&file, "passphrase-file", "", "")
	cmd.Flags().BoolVar(&messages, "messages", false, "")
	return withExample(cmd, `  pabal backup create /media/stick/pabal.backup
  pabal backup create --messages --passphrase-file FILE pabal.backup`)
}

// writeArchive has a new backup written beside its place, which nobody else may read, reads it
// to its end, and moves it there once it is on the medium: what has the name of a backup is one.
// Of one that failed nothing is left.
func writeArchive(name, passphrase string, write func(io.Writer) error) (in readArchive, err error) {
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return in, fail(exitConflict, "file_exists", speech.BundleFileExists, screen.Line(part))
	}
	notWritten := fail(exitError, "file_not_written", speech.BundleNotWritten, screen.Line(name))
	if err != nil {
		return in, notWritten
	}
	if err = write(f); err == nil && f.Sync() != nil {
		err = notWritten
	}
	if err == nil {
		in, err = checkArchive(f, passphrase)
	}
	if f.Close() != nil && err == nil {
		err = notWritten
	}
	if err == nil && os.Rename(part, name) != nil {
		err = notWritten
	}
	if err != nil {
		os.Remove(part)
		return in, err
	}
	if store.SyncParent(name) != nil { // it is whole, and lies there
		return in, fail(exitError, "file_not_durable", speech.BackupNotDurable, screen.Line(name))
	}
	return in, nil
}

// readArchive is what is in a backup that was read to its end.
type readArchive struct {
	store.Archived
	bytes int64
}

func checkArchive(f *os.File, passphrase string) (in readArchive, err error) {
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return in, err
	}
	if in.Archived, err = store.CheckArchive(f, []byte(passphrase)); err != nil {
		return in, httpd.ArchiveProblem(err)
	}
	in.bytes, err = f.Seek(0, io.SeekEnd)
	return in, err
}

func (c *cli) sayArchive(in readArchive) error {
	at := api.NewTime(in.MadeAt)
	shown := struct {
		MadeAt   api.Time `json:"made_at"`
		Contacts int      `json:"contacts"`
		Messages int      `json:"messages"`
		Bytes    int64    `json:"bytes"`
	}{at, in.Contacts, in.Messages, in.bytes}
	return c.show(shown, func() error {
		key := speech.BackupHolds
		if !in.History {
			key = speech.BackupHoldsNoMessages
		}
		c.say(key, localTime(&at), strconv.Itoa(in.Contacts), strconv.Itoa(in.Messages), size(uint64(in.bytes)))
		return nil
	})
}

// backupCheck tells whether a backup is whole, and whether one still knows its passphrase.
func (c *cli) backupCheck() *cobra.Command {
	var file string
	cmd := c.command("check <file>", c.exactly(1), func(ctx context.Context, args []string) error {
		passphrase, err := c.passphraseOnce(ctx, file, speech.AskArchivePassphrase)
		if err != nil {
			return err
		}
		f, err := os.Open(args[0])
		if err != nil {
			return fail(exitNotFound, "file_not_read", speech.BundleNotRead, screen.Line(args[0]))
		}
		defer f.Close()
		in, err := checkArchive(f, passphrase)
		if err != nil {
			return err
		}
		return c.sayArchive(in)
	})
	cmd.Flags().StringVar(&file, "passphrase-file", "", "")
	return cmd
}

// restoreFlags are how a backup is opened and the new profile sealed.
type restoreFlags struct {
	file, newFile string
	none          bool
}

// backupRestore makes a profile of a backup: by the daemon, if one waits for a profile, else
// by itself.
func (c *cli) backupRestore() *cobra.Command {
	flags := restoreFlags{}
	cmd := c.command("restore <file>", c.exactly(1), func(ctx context.Context, args []string) error {
		if flags.none && flags.newFile != "" {
			return fail(exitUsage, "usage", speech.BothPassphraseFlags)
		}
		in, err := c.restoreRequest(ctx, flags)
		if err != nil {
			return err
		}
		f, err := os.Open(args[0])
		if err != nil {
			return fail(exitNotFound, "file_not_read", speech.BundleNotRead, screen.Line(args[0]))
		}
		defer f.Close()
		daemon, err := c.connect()
		if errors.Is(err, profile.ErrNone) {
			return c.restoreHere(in, f)
		}
		if err != nil {
			return err
		}
		out, err := daemon.Restore(ctx, in, f)
		if err != nil {
			return connectionError(err)
		}
		return c.sayRestored(out.MadeAt, out.Contacts, out.Messages)
	})
	cmd.Flags().StringVar(&flags.file, "passphrase-file", "", "")
	cmd.Flags().StringVar(&flags.newFile, "new-passphrase-file", "", "")
	cmd.Flags().BoolVar(&flags.none, "no-passphrase", false, "")
	return withExample(cmd, `  pabal backup restore /media/stick/pabal.backup
  pabal backup restore --passphrase-file FILE --new-passphrase-file FILE pabal.backup`)
}

func (c *cli) restoreRequest(ctx context.Context, flags restoreFlags) (in api.RestoreRequest, err error) {
	in.Keyfile = flags.none
	if in.Passphrase, err = c.passphraseOnce(ctx, flags.file, speech.AskArchivePassphrase); err == nil && flags.newFile != "" {
		in.NewPassphrase, err = c.passphraseTwice(ctx, flags.newFile, speech.AskNewPassphrase)
	}
	if in.Keyfile {
		c.say(speech.NoPassphraseMeans)
	}
	return in, err
}

// restoreHere restores a profile that no daemon serves.
func (c *cli) restoreHere(in api.RestoreRequest, from io.Reader) error {
	o, err := httpd.RestoreOf(in)
	if err != nil {
		return err
	}
	held, err := c.holdProfile()
	if err != nil {
		return daemonError(err)
	}
	s, done, err := held.Restore(from, store.RestoreOptions{
		Archive: o.Archive, Options: store.Options{Passphrase: o.Passphrase}, Now: time.Now(),
	})
	if err != nil {
		return errors.Join(httpd.ArchiveProblem(err), held.Close())
	}
	if err := errors.Join(s.Close(), held.Close()); err != nil {
		return err
	}
	return c.sayRestored(api.NewTime(done.MadeAt), done.Contacts, done.Messages)
}

// holdProfile takes the lock of the profile that is meant.
func (c *cli) holdProfile() (*store.Profile, error) {
	paths, err := c.places().Paths(cmp.Or(c.flags.profile, defaultProfile))
	if err != nil {
		return nil, err
	}
	return store.Lock(paths.Data, store.Self(""))
}

func (c *cli) sayRestored(at api.Time, contacts, messages int) error {
	shown := struct {
		MadeAt   api.Time `json:"made_at"`
		Contacts int      `json:"contacts"`
		Messages int      `json:"messages"`
	}{at, contacts, messages}
	return c.show(shown, func() error {
		c.say(speech.BackupRestored, localTime(&at), strconv.Itoa(contacts), strconv.Itoa(messages))
		return nil
	})
}
