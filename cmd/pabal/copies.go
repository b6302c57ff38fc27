package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) copiesCommand() *cobra.Command {
	return c.command("copies <message>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		copies, err := daemon.Copies(ctx, args[0])
		if err != nil {
			return err
		}
		return c.show(copies, func() error { return c.printCopies(copies) })
	}))
}

// printCopies prints a line for each place, and what cannot be known.
func (c *cli) printCopies(copies api.Copies) error {
	var rows [][]string
	for _, k := range copies.Items {
		place := c.holder("copy", k.Place, k.Name)
		content, certainty := c.word("copy", k.Content), c.word("copy", k.Certainty)
		if k.Deletion != nil {
			certainty = c.word("copy", *k.Deletion)
		}
		if k.Content == api.CopyNone {
			content = "-"
		}
		rows = append(rows, []string{place, content, certainty, localTime(k.At)})
	}
	if err := c.table(rows); err != nil {
		return err
	}
	unknown := make([]string, len(copies.Unknown))
	for i, code := range copies.Unknown {
		unknown[i] = c.word("unknown", code)
	}
	c.say(speech.CopiesUnknown, strings.Join(unknown, "; "))
	return nil
}
