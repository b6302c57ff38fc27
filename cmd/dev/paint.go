package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"path/filepath"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

const (
	paintShort  = 100 // messages of the short history
	paintTurns  = 15  // times that both pages are opened
	paintTyped  = 100 // messages that are typed
	paintBar    = 1.5
	bubbleBar   = 3
	bubbleShare = 0.95
)

// paintOptions are the flags of paint.
type paintOptions struct {
	stored      int
	binary, dir string
	tools       string
	optional    bool
	gate        bool
}

// paint measures in a real browser how long a page with a long history takes until it shows a
// conversation's newest message, beside the same page with a short one, and how long a message
// takes from the key that sends it until it is on the screen, beside an empty page that does nothing else.
func paint(ctx context.Context, t tree, args []string) error {
	var o paintOptions
	flags := flag.NewFlagSet("paint", flag.ContinueOnError)
	flags.IntVar(&o.stored, "stored", 1_000_000, "`messages` of the long history")
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.StringVar(&o.dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.StringVar(&o.tools, "tools", "", toolsUsage)
	flags.BoolVar(&o.optional, "optional", false, "without node, npm or Chromium say NOT RUN and succeed")
	flags.BoolVar(&o.gate, "gate", false, "fail if a figure misses its bar")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if o.stored < paintShort {
		return fmt.Errorf("-stored is at least %d, the messages of the short history", paintShort)
	}
	browser, err := t.browser(ctx, o.tools)
	if o.optional && errors.Is(err, errNoBrowser) {
		fmt.Fprintf(t.stdout, "NOT RUN: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	return t.withProfiles(ctx, "paint-", o.binary, o.dir, func(c *cast) error {
		figures, err := t.painted(ctx, c, o.stored, browser)
		if err != nil {
			return err
		}
		return t.print(figures, o.gate)
	})
}

// painted makes two profiles that differ in their histories only, and has a browser open both.
func (t tree) painted(ctx context.Context, c *cast, stored int, browser []string) ([]figure, error) {
	peer, err := c.begin(ctx, "peer")
	if err != nil {
		return nil, err
	}
	var both []*side
	for name, messages := range map[string]int{"long": stored, "short": paintShort} {
		s, err := c.begin(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := befriend(ctx, peer, s); err != nil {
			return nil, err
		}
		if err := s.Stop(ctx); err != nil {
			return nil, err
		}
		t.note("paint: a history of %d messages", messages)
		if err := remember(ctx, filepath.Join(s.Home, name, "data"), messages); err != nil {
			return nil, fmt.Errorf("make a history: %w", err)
		}
		if err := s.Start(ctx); err != nil {
			return nil, err
		}
		both = append(both, s)
	}
	links := make(map[string]string) // last: they are good for some minutes
	for _, s := range both {
		link, err := s.Client.CreateLoginLink(ctx, api.LoginLinkRequest{ClientName: "paint", TTLSeconds: 300})
		if err != nil {
			return nil, err
		}
		links[s.Name] = link.URL
	}
	order, err := json.Marshal(map[string]any{"links": links, "who": peer.Name, "turns": paintTurns, "typed": paintTyped})
	if err != nil {
		return nil, err
	}
	cmd := t.command(ctx, "node", filepath.Join("node", "httpd", "uitest", "browser", "paint.mjs"))
	cmd.Env = append(browser, "PABAL_PAINT="+string(order))
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("measure in the browser: %w", err)
	}
	var took struct{ Long, Short, Bubble, Empty []float64 } // milliseconds
	if err := json.Unmarshal(out, &took); err != nil {
		return nil, fmt.Errorf("read what the browser measured: %w", err)
	}
	if len(took.Long) < paintTurns || len(took.Short) < paintTurns || len(took.Bubble) < paintTyped || len(took.Empty) < paintTyped {
		return nil, errors.New("the browser has measured less than it was to")
	}
	return []figure{
		{name: "paint_ms", value: quantile(took.Long, 0.5), limit: quantile(took.Short, 0.5), bar: paintBar},
		{name: "bubble_p95_ms", value: quantile(took.Bubble, bubbleShare), limit: quantile(took.Empty, bubbleShare), bar: bubbleBar},
	}, nil
}

// remember puts messages that have come and were read into the one conversation of a profile whose
// daemon is off, and indexes them.
func remember(ctx context.Context, dataDir string, messages int) (err error) {
	st, err := store.Open(dataDir, store.Unlock{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	h := newWriter(st)
	err = st.View(func(v *store.View) error {
		contacts, err := v.Contacts()
		if err == nil && len(contacts) != 1 {
			err = fmt.Errorf("the profile has %d contacts", len(contacts))
		}
		if err != nil {
			return err
		}
		talk, err := v.Conversation(contacts[0].Conversation)
		h.talks = []protocol.PutConversation{talk}
		return err
	})
	if err != nil {
		return err
	}
	for h.made < int64(messages) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := h.batch(min(store.BatchMax, messages-int(h.made)))
		if err != nil {
			return err
		}
		for i := range b.Writes {
			if talk, ok := b.Writes[i].(protocol.PutConversation); ok {
				talk.ReadUpTo, talk.LastAt = talk.LastPosition, h.ids.now.UnixMilli()
				b.Writes[i] = talk
			}
		}
		if _, err := st.Commit(b); err != nil {
			return err
		}
	}
	return h.fillTo(messages)
}
