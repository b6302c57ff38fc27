package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) whyCommand() *cobra.Command {
	cmd := c.command("why <message|contact>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		why, err := whyOf(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		return c.show(why, func() error { return c.printWhy(why) })
	}))
	cmd.ValidArgsFunction = c.completeContacts
	return cmd
}

func whyOf(ctx context.Context, daemon *api.Client, word string) (api.Why, error) {
	if strings.HasPrefix(word, "ms_") {
		return daemon.WhyMessage(ctx, word)
	}
	contact, err := findContact(ctx, daemon, word)
	if err != nil {
		return api.Why{}, err
	}
	return daemon.WhyContact(ctx, contact.ID)
}

func (c *cli) printWhy(w api.Why) error {
	state := c.word("state", w.State)
	if n, ok := w.Params["couriers"].(float64); ok { // a number of JSON
		state = c.messageState(&api.MessageState{State: w.State, Carriers: int(n)})
	}
	if !strings.HasPrefix(w.Subject, "ms_") {
		state = c.word("contact", w.State)
	}
	reason := c.text(speech.WaitsForNothing)
	if w.Reason != "" {
		reason = c.word("why", w.Reason) + " (" + w.Reason + ")"
	}
	rows := [][]string{
		{"id", w.Subject},
		{c.text(speech.LabelState), state},
		{c.text(speech.LabelReason), reason},
		{c.text(speech.LabelPath), orDash(w.Path)},
		{c.text(speech.LabelLastTry), localTime(w.LastTryAt)},
		{c.text(speech.LabelLastError), orDash(w.LastError)},
		{c.text(speech.LabelNextTry), localTime(w.NextTryAt)},
	}
	if w.ExportedAt != nil {
		rows = append(rows, []string{c.text(speech.LabelExported), localTime(w.ExportedAt)})
	}
	return c.table(rows)
}
