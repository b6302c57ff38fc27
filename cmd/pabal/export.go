package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) exportCommand() *cobra.Command {
	in := api.ExportRequest{}
	cmd := c.command("export <chat> <file>", c.exactly(2), c.remote(followForever, func(ctx context.Context, daemon *api.Client, args []string) error {
		conversation, err := findConversation(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		in.ConversationID = conversation.ID
		if args[1] == "-" {
			c.say(speech.ExportStays)
			return daemon.Export(ctx, in, c.out)
		}
		if err := exportFile(ctx, daemon, in, args[1]); err != nil {
			return err
		}
		c.say(speech.ExportStays)
		return nil
	}))
	cmd.Flags().StringVar(&in.Format, "format", api.ExportText, "")
	cmd.ValidArgsFunction = c.completeContacts
	return withExample(cmd, `  pabal export Mina mina.txt
  pabal export Mina mina.jsonl --format jsonl`)
}

// exportFile writes a new file that only its owner reads; of one that failed nothing is left.
func exportFile(ctx context.Context, daemon *api.Client, in api.ExportRequest, name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitConflict, "file_exists", speech.BundleFileExists, screen.Line(name))
	}
	notWritten := fail(exitError, "file_not_written", speech.BundleNotWritten, screen.Line(name))
	if err != nil {
		return notWritten
	}
	err = daemon.Export(ctx, in, f)
	if errors.Join(f.Sync(), f.Close()) != nil && err == nil {
		err = notWritten
	}
	if err != nil {
		os.Remove(name)
	}
	return err
}
