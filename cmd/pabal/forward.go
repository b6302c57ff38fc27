package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// forwardCommand sends what a message says, and its files, to others.
func (c *cli) forwardCommand() *cobra.Command {
	cmd := c.command("forward <message> <contact>...", c.between(2, 1+api.ForwardMax), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		to := make([]string, len(args)-1)
		for i, name := range args[1:] {
			conversation, err := findConversation(ctx, daemon, name)
			if err != nil {
				return err
			}
			to[i] = conversation.ID
		}
		sent, err := daemon.ForwardMessage(ctx, args[0], to...)
		if err != nil {
			return err
		}
		return showList(c, sent, speech.NothingFound, func(m api.Message) []string { return []string{*m.ID, c.word("state", m.Status.State)} })
	}))
	return withExample(cmd, `  pabal forward ms_… Mina
  pabal forward ms_… Mina self`)
}
