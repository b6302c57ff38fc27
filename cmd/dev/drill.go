package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/node"
	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
)

const (
	drillMessages = 20_000
	drillLater    = 400 // commits after which all is looked for again
	drillClients  = 32
	drillFiles    = 8
	drillEdits    = 8 // of so many messages one is edited

	drillFileBytes = 3 << 20 // three chunks each

	// Words found nowhere else. A text that is deleted has the first, one that ends by its
	// timer the second, in the middle and so also as terms of the search index; the third is
	// a contact's name.
	drillDeleted = "xqzjvkwpt"
	drillExpired = "뷁쉛꿳뢟"
	drillName    = "쮉뚊쾳퀡"
)

// drill has two nodes talk, deletes half of what they said or has it expire, and attacks the
// profile as pabal drill does: with the key, also after more commits and after the contact
// is removed, and without the key.
func drill(ctx context.Context, t tree, args []string) (err error) {
	var messages int
	var dir string
	flags := flag.NewFlagSet("drill", flag.ContinueOnError)
	flags.IntVar(&messages, "messages", drillMessages, "`messages` of the profile, half of which go")
	flags.StringVar(&dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if dir, err = realDisk(dir); err != nil {
		return err
	}
	if dir, err = os.MkdirTemp(dir, "drill-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &drilling{tree: t}
	if d.both, err = newCouple(ctx, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.both.close()) }()
	return d.run(ctx, messages)
}

// drilling is one run of drill. The profile of the left node is attacked.
type drilling struct {
	tree
	both   couple
	doomed []string // ids of messages that are deleted, so far those with files
}

func (d *drilling) run(ctx context.Context, messages int) error {
	left := d.both[0]
	if err := d.talk(ctx, messages); err != nil {
		return fmt.Errorf("talk: %w", err)
	}
	before, err := d.copies()
	if err != nil {
		return err
	}
	d.note("drill: %d, %d and %d copies of what will be deleted, expire, and be removed", before[0], before[1], before[2])
	if before[0] < messages/4 || before[1] < messages/4 || before[2] == 0 {
		return errors.New("too few copies of what will go are found: the drill sees nothing")
	}
	if err := d.erase(ctx); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := d.expire(ctx); err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	if err := d.gone("deleted and expired", 2); err != nil {
		return err
	}
	for range drillLater {
		if err := left.send(ctx); err != nil {
			return err
		}
	}
	if err := d.gone(fmt.Sprintf("%d commits later", drillLater), 2); err != nil {
		return err
	}
	if err := left.client.RemoveContact(ctx, left.contact.String()); err != nil {
		return err
	}
	if err := d.gone("the contact removed", 3); err != nil {
		return err
	}
	if err := left.close(); err != nil {
		return err
	}
	return d.attack(ctx, left.config.DataDir)
}

// talk has the two write to each other, until all is delivered and indexed.
func (d *drilling) talk(ctx context.Context, messages int) error {
	_, err := d.both[1].node.Submit(ctx, func(ref uint64) protocol.Input {
		return protocol.SetName{Ref: ref, Name: "right " + drillName}
	}, nil)
	if err != nil {
		return err
	}
	var next atomic.Int64
	group, talking := errgroup.WithContext(ctx)
	for range drillClients {
		group.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= messages {
					return nil
				}
				if err := d.say(talking, d.both[n/4%2], n); err != nil {
					return err
				}
			}
		})
	}
	if err := errors.Join(group.Wait(), d.sendFiles(ctx)); err != nil {
		return err
	}
	for _, e := range d.both {
		if err := e.delivered(ctx); err != nil {
			return err
		}
	}
	return d.both.settle()
}

// sendFiles sends files whose names have a sentinel.
func (d *drilling) sendFiles(ctx context.Context) error {
	left := d.both[0]
	for n := range drillFiles {
		content := strings.NewReader(strings.Repeat(drillDeleted+" ", drillFileBytes/(len(drillDeleted)+1)))
		file, err := left.client.UploadFile(ctx, api.FileUpload{
			Name: fmt.Sprintf("plan %s %d.txt", drillDeleted, n), MediaType: "text/plain", Size: content.Size(),
		}, content)
		if err != nil {
			return err
		}
		m, err := left.client.SendMessage(ctx, left.conversation.String(), api.MessageRequest{Files: []string{file.ID}}, api.SendOptions{})
		if err != nil {
			return err
		}
		d.doomed = append(d.doomed, *m.ID)
	}
	return nil
}

// say writes message n: every other one will go, by deleting or by its timer.
func (d *drilling) say(ctx context.Context, e *end, n int) error {
	in := protocol.SendText{Conversation: e.conversation, Text: fmt.Sprintf("회의 %d stays", n)}
	switch n % 4 {
	case 0:
		in.Text = fmt.Sprintf("점심 %d %s lunch", n, drillDeleted)
	case 2:
		in.Text = fmt.Sprintf("저녁 %d %s dinner", n, drillExpired)
		in.Timer = &wire.Timer{Mode: wire.TimerFromSent, Seconds: 3600}
	}
	sent, err := e.node.Submit(ctx, func(ref uint64) protocol.Input {
		in.Ref = ref
		return in
	}, nil)
	if err != nil || n/8%drillEdits > 0 {
		return err
	}
	_, err = e.client.EditMessage(ctx, sent.(protocol.Sent).ID.String(), in.Text+", edited")
	return err
}

// erase deletes what is to be deleted, by the API.
func (d *drilling) erase(ctx context.Context) error {
	left := d.both[0]
	doomed := d.doomed
	for query := (api.MessageQuery{Limit: 200}); ; {
		page, err := left.client.Messages(ctx, left.conversation.String(), query)
		if err != nil {
			return err
		}
		for _, m := range page.Items {
			if m.ID != nil && m.Body != nil && strings.Contains(m.Body.Text, drillDeleted) {
				doomed = append(doomed, *m.ID)
			}
		}
		if !page.HasBefore {
			break
		}
		query.Before = page.Items[0].Position
	}
	start := time.Now()
	var next atomic.Int64
	group, erasing := errgroup.WithContext(ctx)
	for range drillClients {
		group.Go(func() error {
			client := api.NewUnixClient(left.socket)
			defer client.Close()
			for {
				n := int(next.Add(1)) - 1
				if n >= len(doomed) {
					return nil
				}
				if err := client.DeleteMessage(erasing, doomed[n]); err != nil {
					return err
				}
			}
		})
	}
	err := group.Wait()
	d.note("drill: %d deleted in %v", len(doomed), time.Since(start).Round(time.Millisecond))
	return err
}

// expire stops the node and starts it two hours later.
func (d *drilling) expire(ctx context.Context) error {
	left := d.both[0]
	if err := left.close(); err != nil {
		return err
	}
	left.config.Clock = func() time.Time { return time.Now().Add(2 * time.Hour) }
	start := time.Now()
	err := left.start(ctx)
	d.note("drill: the node is ready %v behind a start with all that fell due", time.Since(start).Round(time.Millisecond))
	return err
}

// copies counts the sentinels in all that can be decrypted of the running profile.
func (d *drilling) copies() ([]int, error) {
	sight, err := d.both[0].node.Store().Look([]byte(drillDeleted), []byte(drillExpired), []byte(drillName))
	return sight.Hits, err
}

// gone fails unless the first sentinels are gone.
func (d *drilling) gone(when string, sentinels int) error {
	hits, err := d.copies()
	if err != nil {
		return err
	}
	for _, n := range hits[:sentinels] {
		if n > 0 {
			return fmt.Errorf("%s: %v copies are found", when, hits[:sentinels])
		}
	}
	fmt.Fprintf(d.stdout, "%s: 0 copies\n", when)
	return nil
}

// attack runs pabal drill's own attack on the stopped profile, with the key and without.
func (d *drilling) attack(ctx context.Context, dataDir string) error {
	for _, a := range []struct {
		how string
		run func() (api.DrillReport, error)
	}{
		{"with the key", func() (api.DrillReport, error) { return node.Drill(ctx, dataDir, nil, nil) }},
		{"without the key", func() (api.DrillReport, error) { return node.DrillOutside(ctx, dataDir) }},
	} {
		report, err := a.run()
		if err != nil {
			return err
		}
		for _, r := range report.Rows {
			if r.Verdict == api.VerdictHit {
				return fmt.Errorf("%s: %s: %d %s", a.how, r.Code, r.Count, r.Detail)
			}
		}
		fmt.Fprintf(d.stdout, "pabal drill %s: %d hits\n", a.how, report.Hits)
	}
	return nil
}
