package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/cmd/crash"
	"pabal/node/api"
)

const (
	offlineMessages    = 1000
	offlinePendingMB   = 100
	offlineTextBytes   = 100
	offlineSenders     = 4      // of pending mail: 512 envelopes of 64 KiB may be out for each
	offlinePendingText = 31_000 // two of these fill an envelope that has keys in it
	offlinePendingTail = 2      // the last of each sender, which may stay at home to gather for an envelope
	offlineCollectBar  = 0.25
	offlineStepLimit   = 2 * time.Minute
	offlineCarryLimit  = 10 * time.Minute
)

// offlineOptions are the flags of offline.
type offlineOptions struct {
	messages, pendingMB int
	dir, binary         string
	gate                bool
}

// offline has messages arrive at somebody who is off while they are sent, each way
// that there is, and measures how fast much mail is collected from a home node.
func offline(ctx context.Context, t tree, args []string) error {
	var o offlineOptions
	flags := flag.NewFlagSet("offline", flag.ContinueOnError)
	flags.IntVar(&o.messages, "messages", offlineMessages, "`messages` each way")
	flags.IntVar(&o.pendingMB, "pending", offlinePendingMB, "`megabytes` of mail to collect from a home node; 0 = do not measure")
	flags.StringVar(&o.dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.BoolVar(&o.gate, "gate", false, "fail if the collection misses its bar, too")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	parent, err := realDisk(o.dir)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "offline-")
	if err != nil {
		return err
	}
	if err := t.offline(ctx, o, dir); err != nil {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), os.RemoveAll(dir))
		}
		return fmt.Errorf("profiles and logs in %s: %w", dir, err)
	}
	return os.RemoveAll(dir)
}

func (t tree) offline(ctx context.Context, o offlineOptions, dir string) error {
	if o.binary == "" {
		o.binary = filepath.Join(dir, "pabal")
		if err := t.build(ctx, o.binary); err != nil {
			return err
		}
	}
	ways := []struct {
		name  string
		carry func(ctx context.Context, c *cast, messages int) (figure, error)
	}{{"home", byHome}, {"courier", byFriend}, {"bundle", byBundle}}
	for _, way := range ways {
		c := &cast{dir: filepath.Join(dir, way.name), binary: o.binary}
		err := t.stage(c, func() (figure, error) { return way.carry(ctx, c, o.messages) })
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
	}
	if o.pendingMB == 0 {
		return nil
	}
	c := &cast{dir: filepath.Join(dir, "collect"), binary: o.binary}
	err := t.stage(c, func() (figure, error) {
		f, err := c.collect(ctx, t, o.pendingMB)
		if err == nil && !f.met() {
			t.note("%s misses its bar of %v", f.name, f.bar)
			if o.gate {
				err = errors.New("a bar is missed")
			}
		}
		return f, err
	})
	if err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	return nil
}

// stage plays one scene, prints its figure and ends all daemons of it.
func (t tree) stage(c *cast, scene func() (figure, error)) error {
	defer c.close()
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	start := time.Now()
	f, err := scene()
	if f.name != "" {
		fmt.Fprintln(t.stdout, f)
		t.note("%s: %.1f s in all", f.name, time.Since(start).Seconds())
	}
	return err
}

// cast is the daemons of one scene.
type cast struct {
	dir, binary string
	all         []*side
}

// begin starts a new daemon.
func (c *cast) begin(ctx context.Context, name string, args ...string) (*side, error) {
	s := newSide(name, c.binary, c.dir)
	s.Args = args
	c.all = append(c.all, s)
	return s, s.Start(ctx)
}

func (c *cast) close() {
	for _, s := range c.all {
		s.Close()
	}
}

// senders starts people who are contacts of the owner.
func (c *cast) senders(ctx context.Context, owner *side, count int) ([]*side, error) {
	var out []*side
	for i := range count {
		s, err := c.begin(ctx, fmt.Sprint("sender", i+1))
		if err != nil {
			return nil, err
		}
		if err := befriend(ctx, owner, s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// letters makes texts of a size of which no two are equal.
func letters(sender *side, count, size int) []string {
	out := make([]string, count)
	for i := range out {
		text := fmt.Sprintf("letter %d of %s: ", i+1, sender.Name)
		text += strings.Repeat("the slow brown dog sleeps under the quick fox ", size/46+1)
		out[i] = text[:size]
	}
	return out
}

// write gives the daemon of each sender its texts, one after the other.
func write(ctx context.Context, senders []*side, texts [][]string) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, s := range senders {
		group.Go(func() error {
			for n, text := range texts[i] {
				if err := s.Say(ctx, text); err != nil {
					return fmt.Errorf("%s, message %d: %w", s.Name, n, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// carried waits until couriers have on their disks the first messages that the side was
// promised to send.
func (s *side) carried(ctx context.Context, count int, limit time.Duration) error {
	next := 0
	all := s.Said()[:count]
	return eventually(ctx, limit, s.Name+" having all its mail carried", func(ctx context.Context) (bool, error) {
		for ; next < len(all); next++ {
			m, err := s.Client.Message(ctx, all[next].ID)
			if err != nil || m.Status == nil || m.Status.State != api.StateCarried {
				return false, err
			}
		}
		return true, nil
	})
}

// arrived waits until the owner has as many texts of each sender as were sent, less a tail.
func (s *side) arrived(ctx context.Context, senders []*side, texts [][]string, tail int) error {
	return eventually(ctx, offlineStepLimit, s.Name+" having all mail", func(ctx context.Context) (bool, error) {
		for i, sender := range senders {
			contact, err := s.Contact(ctx, sender.Name)
			if err != nil || contact.ConversationID == nil {
				return false, err
			}
			conversation, err := s.Client.Conversation(ctx, *contact.ConversationID)
			if err != nil || conversation.Unread.Count < uint64(len(texts[i])-tail) {
				return false, err
			}
		}
		return true, nil
	})
}

// examine compares what the owner has of each sender with what was sent, and returns
// how many texts stand where they belong. Of a tail any part may have come.
func (s *side) examine(ctx context.Context, senders []*side, texts [][]string, tail int) (int, error) {
	right := 0
	var wrong []error
	for i, sender := range senders {
		contact, err := s.Contact(ctx, sender.Name)
		if err != nil {
			return right, err
		}
		if contact.ConversationID == nil {
			return right, fmt.Errorf("%s is no contact of %s any more", sender.Name, s.Name)
		}
		items, err := s.History(ctx, *contact.ConversationID)
		if err != nil {
			return right, err
		}
		came, all := incoming(items), len(texts[i])
		var sent []crash.Item
		for _, text := range texts[i][:min(max(came, all-tail), all)] {
			sent = append(sent, crash.Item{Text: text, Kind: api.MessageText, Direction: api.DirectionOut})
		}
		if err := crash.CheckReceived(sent, items); err != nil {
			wrong = append(wrong, fmt.Errorf("messages of %s: %w", sender.Name, err))
		}
		right += inPlace(texts[i], items)
	}
	return right, errors.Join(wrong...)
}

// incoming counts the texts of the other side.
func incoming(items []crash.Item) (n int) {
	for _, it := range items {
		if it.Kind == api.MessageText && it.Direction == api.DirectionIn {
			n++
		}
	}
	return n
}

// inPlace counts the texts that came in the place in which they were sent.
func inPlace(texts []string, items []crash.Item) (n int) {
	at := 0
	for _, it := range items {
		if it.Kind != api.MessageText || it.Direction != api.DirectionIn {
			continue
		}
		if at < len(texts) && it.Text == texts[at] {
			n++
		}
		at++
	}
	return n
}
