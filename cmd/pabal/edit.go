package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// editCommand gives a message of ours a new text, or shows what any message said.
func (c *cli) editCommand() *cobra.Command {
	history, named := false, false
	cmd := c.command("edit <message> [text|-]", c.between(1, 2), func(ctx context.Context, args []string) error {
		if history && len(args) > 1 {
			return fail(exitUsage, "usage", speech.HistoryTakesNoText)
		}
		if history {
			return c.remote(callTimeout, c.printHistory)(ctx, args[:1])
		}
		request, err := c.messageRequest(args[1:], false)
		if err != nil {
			return err
		}
		return c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
			if named {
				if request.Mentions, err = mentionsOf(ctx, daemon, args[0], request.Text); err != nil {
					return err
				}
			}
			message, err := daemon.EditMessage(ctx, args[0], request.Text, request.Mentions...)
			if err != nil {
				return err
			}
			return c.show(message, func() error { c.say(speech.MessageEdited); return nil })
		})(ctx, args[:1])
	})
	cmd.Flags().BoolVar(&history, "history", false, "")
	cmd.Flags().BoolVar(&named, "mention", false, "")
	return withExample(cmd, `  pabal edit ms_… "일곱 시에 봐요"
  pabal edit ms_… --history`)
}

// printHistory prints when a message got each of its texts, oldest first.
func (c *cli) printHistory(ctx context.Context, daemon *api.Client, args []string) error {
	history, err := daemon.MessageHistory(ctx, args[0])
	if err != nil {
		return err
	}
	return c.show(history, func() error {
		for _, v := range history.Items {
			text := "-"
			if v.Text != nil {
				text = screen.Line(*v.Text)
			}
			if err := c.print(c.paint(dim, localTime(&v.At)) + " " + text); err != nil {
				return err
			}
		}
		return nil
	})
}
