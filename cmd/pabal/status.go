package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) statusCommand() *cobra.Command {
	return c.command("status", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		status, err := daemon.Status(ctx)
		if err != nil {
			return err
		}
		return c.show(status, func() error { return c.printStatus(status) })
	}))
}

func (c *cli) printStatus(s api.Status) error {
	rows := [][]string{
		{c.text(speech.LabelProfile), dash(s.Profile)},
		{c.text(speech.LabelState), c.word("daemon", string(s.State))},
	}
	if s.Lock != nil {
		rows = append(rows, []string{c.text(speech.LabelLock), c.word("lock", *s.Lock)})
	}
	if s.State == api.StateReady || s.State == api.StateReadOnly {
		rows = append(rows,
			[]string{c.text(speech.LabelUnread), strconv.Itoa(s.UnreadTotal)},
			[]string{c.text(speech.LabelOutbox), strconv.Itoa(s.OutboxTotal)},
			[]string{c.text(speech.LabelReach), c.word("reach", s.Network.Reachability)},
			[]string{c.text(speech.LabelLive), strconv.Itoa(s.Network.Peers)},
		)
	}
	rows = append(rows, []string{c.text(speech.LabelVersion), dash(s.Version)})
	for _, w := range s.Warnings {
		rows = append(rows, []string{c.text(speech.LabelWarning), c.warning(w)})
		for _, way := range c.ways(w.Params) {
			rows = append(rows, []string{c.text(speech.LabelWay), way})
		}
	}
	return c.table(rows)
}

// summary is what the bare program prints: the state, and what to do next.
func (c *cli) summary(ctx context.Context) error {
	return c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		status, err := daemon.Status(ctx)
		if err != nil {
			return err
		}
		if c.flags.json {
			return c.printJSON(status)
		}
		if err := c.printStatus(status); err != nil {
			return err
		}
		c.say(speech.NextHeading)
		for _, hint := range c.hints(ctx, daemon, status) {
			if !c.flags.quiet {
				_, _ = c.talk.Write([]byte("  " + hint + "\n")) // talk only
			}
		}
		return nil
	})(ctx, nil)
}

// hints returns at most three commands that make sense now.
func (c *cli) hints(ctx context.Context, daemon *api.Client, s api.Status) []string {
	switch s.State {
	case api.StateUninitialised:
		return []string{"pabal setup"}
	case api.StateLocked:
		return []string{"pabal unlock"}
	case api.StateStarting, api.StateStopping:
		return []string{"pabal status"}
	}
	contacts, err := daemon.Contacts(ctx, api.ContactQuery{State: api.ContactEstablished})
	if err != nil || len(contacts) == 0 {
		return []string{"pabal invite create", "pabal add --help", "pabal doctor"}
	}
	name := shellWord(screen.Line(contactName(contacts[0])))
	return []string{"pabal chat list", "pabal send " + name + " TEXT", "pabal read " + name}
}

// shellWord quotes a word for a POSIX shell if it needs to be.
func shellWord(s string) string {
	for _, r := range s {
		if r <= ' ' || r < 0x80 && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.') {
			return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
		}
	}
	if s == "" {
		return "''"
	}
	return s
}
