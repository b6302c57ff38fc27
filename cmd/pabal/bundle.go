package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) bundleCommand() *cobra.Command {
	return c.group("bundle", c.bundleExport(), c.bundleImport())
}

// bundleExport writes the file, or standard output if none is named. A file that is there
// already is never written over: it may be the only copy on its way.
func (c *cli) bundleExport() *cobra.Command {
	cmd := c.onContact("export <contact> [file]", c.between(1, 2), func(ctx context.Context, daemon *api.Client, k api.Contact, args []string) error {
		name := "-"
		if len(args) > 0 {
			name = args[0]
		}
		if name == "-" && c.toTerminal() {
			return fail(exitUsage, "file_required", speech.BundleToTerminal)
		}
		if name != "-" {
			if _, err := os.Lstat(name); err == nil {
				return fail(exitConflict, "file_exists", speech.BundleFileExists, screen.Line(name))
			}
		}
		bundle, err := daemon.ExportBundle(ctx, k.ID)
		if err != nil {
			return err
		}
		if err := c.writeBundle(name, bundle.File); err != nil {
			return err
		}
		key := speech.BundleExported
		if bundle.Messages == 0 {
			key = speech.BundleConfirms
		}
		c.say(key, screen.Line(contactName(k)), strconv.Itoa(bundle.Messages), size(uint64(len(bundle.File))))
		if bundle.Waiting > 0 {
			c.say(speech.BundleWaiting, strconv.Itoa(bundle.Waiting))
		}
		return nil
	})
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return nil, cobra.ShellCompDirectiveDefault // a file
		}
		return c.completeContacts(cmd, args, typed)
	}
	return withExample(cmd, `  pabal bundle export Jiwoo /media/stick/holiday.bin
  pabal bundle export Jiwoo > mail.bin`)
}

// toTerminal reports whether standard output is a terminal.
func (c *cli) toTerminal() bool {
	f, ok := c.out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}

// writeBundle writes the file and waits until it is on the medium, which may be pulled out.
func (c *cli) writeBundle(name string, file []byte) error {
	if name == "-" {
		_, err := c.out.Write(file)
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitConflict, "file_exists", speech.BundleFileExists, screen.Line(name))
	}
	if err != nil {
		return fail(exitError, "file_not_written", speech.BundleNotWritten, screen.Line(name))
	}
	_, err = f.Write(file)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(name)
		return fail(exitError, "file_not_written", speech.BundleNotWritten, screen.Line(name))
	}
	return nil
}

func (c *cli) bundleImport() *cobra.Command {
	cmd := c.command("import <file>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		file, err := c.readBundle(args[0])
		if err != nil {
			return err
		}
		in, err := daemon.ImportBundle(ctx, file)
		if err != nil {
			return err
		}
		return c.show(in, func() error {
			byID, err := names(ctx, daemon)
			if err != nil {
				return err
			}
			c.say(speech.BundleImported, screen.Line(dash(byID[in.ContactID])), localTime(&in.MadeAt),
				strconv.Itoa(in.Messages), strconv.Itoa(in.Delivered))
			if in.Renewal {
				c.say(speech.BundleRenewal)
			}
			return nil
		})
	}))
	return withExample(cmd, `  pabal bundle import /media/stick/holiday.bin`)
}

// readBundle reads a file, or standard input. What is larger than any bundle file is not
// read to its end.
func (c *cli) readBundle(name string) ([]byte, error) {
	from := c.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fail(exitNotFound, "file_not_read", speech.BundleNotRead, screen.Line(name))
		}
		defer f.Close()
		from = f
	}
	var file bytes.Buffer
	n, err := io.Copy(&file, io.LimitReader(from, api.BundleBytesMax+1))
	switch {
	case err != nil:
		return nil, fail(exitError, "file_not_read", speech.BundleNotRead, screen.Line(name))
	case n == 0 || n > api.BundleBytesMax:
		return nil, api.NewProblem(api.CodeBundleMalformed)
	}
	return file.Bytes(), nil
}
