package main

import (
	"context"
	"strconv"
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
		reason = c.reason(w.Reason) + " (" + w.Reason + ")"
	}
	rows := [][]string{
		{"id", w.Subject},
		{c.text(speech.LabelState), state},
		{c.text(speech.LabelReason), reason},
	}
	for _, way := range c.ways(w.Params) {
		rows = append(rows, []string{c.text(speech.LabelWay), way})
	}
	rows = append(rows, [][]string{
		{c.text(speech.LabelPath), orDash(w.Path)},
		{c.text(speech.LabelLastTry), localTime(w.LastTryAt)},
		{c.text(speech.LabelLastError), orDash(w.LastError)},
		{c.text(speech.LabelNextTry), localTime(w.NextTryAt)},
	}...)
	if w.ExportedAt != nil {
		rows = append(rows, []string{c.text(speech.LabelExported), localTime(w.ExportedAt)})
	}
	for i := range w.Rungs {
		rows = append(rows, []string{c.word("rung", w.Rungs[i].Rung), c.attempt(&w.Rungs[i])})
	}
	for i := range w.Couriers {
		rows = append(rows, []string{c.text(speech.LabelCourier, strconv.Itoa(i+1)), c.courierState(&w.Couriers[i])})
	}
	return c.table(rows)
}

// courierState says how a courier of a contact stands, and what speaks against it.
func (c *cli) courierState(k *api.TriedCourier) string {
	var parts []string
	if k.Holds {
		parts = append(parts, c.text(speech.CourierHolds))
	}
	if k.Reached {
		parts = append(parts, c.word("courier", api.CourierLive))
	}
	if k.Trouble != nil {
		parts = append(parts, c.word("trouble", *k.Trouble)+" ("+*k.Trouble+")")
	}
	return dash(strings.Join(parts, ", "))
}

// attempt says how one way to reach a contact stands.
func (c *cli) attempt(a *api.Attempt) string {
	var parts []string
	if a.LastError != nil {
		parts = append(parts, *a.LastError+" ("+localTime(a.LastTryAt)+")")
	}
	if a.Trying {
		parts = append(parts, c.text(speech.Trying))
	}
	if a.DeadlineAt != nil {
		parts = append(parts, c.text(speech.TryEnds, localTime(a.DeadlineAt)))
	}
	if a.AloneUntil != nil {
		parts = append(parts, c.text(speech.NextWay, localTime(a.AloneUntil)))
	}
	if a.NextTryAt != nil {
		parts = append(parts, c.text(speech.LabelNextTry)+" "+localTime(a.NextTryAt))
	}
	return dash(strings.Join(parts, ", "))
}
