package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) warrantCommand() *cobra.Command {
	var diff durationValue
	cmd := c.command("warrant", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		since := time.Time{}
		if diff > 0 {
			since = time.Now().Add(-time.Duration(diff))
		}
		report, err := daemon.Warrant(ctx, since)
		if err != nil {
			return err
		}
		return c.show(report, func() error { return c.printWarrant(report) })
	}))
	cmd.Flags().Var(&diff, "diff", "")
	return withExample(cmd, `  pabal warrant
  pabal warrant --diff 7d`)
}

func (c *cli) printWarrant(report api.Warrant) error {
	c.say(speech.WarrantHeading)
	if report.Since != nil {
		c.say(speech.WarrantSince, localTime(report.Since))
	}
	rows := make([][]string, len(report.Targets))
	for i, t := range report.Targets {
		who := c.holder("target", t.Target, t.Name)
		what := make([]string, len(t.Obtains))
		for j, code := range t.Obtains {
			what[j] = c.word("obtains", code)
		}
		obtains := strings.Join(what, ", ")
		if obtains == "" {
			obtains = c.text(speech.WarrantNothing)
		}
		rows[i] = []string{who, c.amount(t, report.Since != nil), c.word("key", t.Key), obtains}
	}
	return c.table(rows)
}

// holder calls a machine or a program by its code and the name of whom it is of.
func (c *cli) holder(kind, code, name string) string {
	switch {
	case name == "":
		return c.word(kind, code)
	case code == api.TargetContact, code == api.CopyContactDevice:
		return c.text(speech.DeviceOf, name)
	}
	return c.word(kind, code) + " " + name
}

// amount says how much would be obtained.
func (c *cli) amount(t api.WarrantTarget, fresh bool) string {
	var parts []string
	if t.Messages > 0 {
		parts = append(parts, c.text(speech.WarrantCount, strconv.FormatUint(t.Messages, 10), localTime(t.Oldest)))
	}
	if fresh && t.Messages > 0 {
		parts = append(parts, c.text(speech.WarrantFresh, strconv.FormatUint(t.Fresh, 10)))
	}
	if t.Sealed > 0 {
		parts = append(parts, c.text(speech.WarrantSealed, strconv.FormatUint(t.Sealed, 10)))
	}
	return dash(strings.Join(parts, ", "))
}
