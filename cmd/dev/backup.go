package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/node"
	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

const (
	backupMessages  = 10_000
	backupClients   = 32
	backupOffLimit  = 2 * time.Minute
	backupSentences = 50 // each way, with a contact behind the restore
	backupWords     = "a passphrase of the backup"
)

// backup has a profile of many messages, half of which go, backed up, lost and restored on a
// clean machine, and then moved to another one while its contacts write.
func backup(ctx context.Context, t tree, args []string) (err error) {
	var messages int
	var dir string
	flags := flag.NewFlagSet("backup", flag.ContinueOnError)
	flags.IntVar(&messages, "messages", backupMessages, "`messages` of the profile, half of which go")
	flags.StringVar(&dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if dir, err = realDisk(dir); err != nil {
		return err
	}
	if dir, err = os.MkdirTemp(dir, "backup-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &backingUp{tree: t, dir: dir, told: map[*friend][]string{}}
	defer func() { err = errors.Join(err, b.close()) }()
	return b.run(ctx, messages)
}

// friend is a contact of the owner's, and the owner's conversation with it.
type friend struct {
	*end
	name         string
	conversation string // the owner's
	here         string // the friend's
}

// backingUp is one run of backup.
type backingUp struct {
	tree
	dir     string
	ahead   atomic.Int64 // of everybody's clock, nanoseconds
	owner   *end
	friends []*friend

	mu   sync.Mutex           // guards told
	told map[*friend][]string // what stays of each conversation, in no order
}

func (b *backingUp) clock() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }

// person starts a node; one without a name waits for its profile.
func (b *backingUp) person(ctx context.Context, place, name string) (*end, error) {
	home := filepath.Join(b.dir, place)
	e := &end{config: node.Config{
		Profile: place, DataDir: filepath.Join(home, "data"), RuntimeDir: filepath.Join(home, "run"),
		Listen: []string{"127.0.0.1:0"}, Clock: b.clock,
	}}
	if name != "" {
		e.config.Create = &node.NewProfile{Name: name}
	}
	return e, e.start(ctx)
}

func (b *backingUp) close() (all error) {
	for _, f := range b.friends {
		all = errors.Join(all, f.close())
	}
	return errors.Join(all, b.owner.close())
}

func (b *backingUp) run(ctx context.Context, messages int) (err error) {
	if b.owner, err = b.person(ctx, "old", "owner"); err != nil {
		return err
	}
	for _, name := range []string{"stays on", "is off"} {
		if err := b.meet(ctx, name); err != nil {
			return fmt.Errorf("become contacts: %w", err)
		}
	}
	if err := b.talk(ctx, messages); err != nil {
		return fmt.Errorf("talk: %w", err)
	}
	if err := b.erase(ctx); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"back up and restore", b.lose}, {"after the restore", b.examine}, {"go on", b.goOn}, {"after going on", b.examine},
		{"move", b.move}, {"after the move", b.examine},
	} {
		start := time.Now()
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		b.note("backup: %s in %.1f s", step.name, time.Since(start).Seconds())
	}
	if err := b.owner.close(); err != nil {
		return err
	}
	return (&drilling{tree: b.tree}).attack(ctx, b.owner.config.DataDir)
}

// meet makes a new contact of the owner.
func (b *backingUp) meet(ctx context.Context, name string) error {
	e, err := b.person(ctx, name, name)
	if err != nil {
		return err
	}
	f := &friend{end: e, name: name}
	b.friends = append(b.friends, f)
	if err := (couple{b.owner, e}).befriend(ctx); err != nil {
		return err
	}
	f.here = e.conversation.String()
	return b.owner.until(ctx, benchStartLimit, "knowing the contact", func(v *store.View) (bool, error) {
		contacts, err := v.Contacts()
		for _, c := range contacts {
			if c.Name == name && c.Phase == protocol.ContactEstablished {
				f.conversation = c.Conversation.String()
			}
		}
		return f.conversation != "", err
	})
}

// each runs something for the numbers below count, some at once.
func each(ctx context.Context, count int, do func(ctx context.Context, n int) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range backupClients {
		group.Go(func() error {
			for n := int(next.Add(1)) - 1; n < count; n = int(next.Add(1)) - 1 {
				if err := do(ctx, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// talk has the owner and the friends write to each other: of four messages one will be deleted
// and one expire.
func (b *backingUp) talk(ctx context.Context, messages int) error {
	err := each(ctx, messages, func(ctx context.Context, n int) error {
		f := b.friends[n/4%len(b.friends)]
		who, where := b.owner, f.conversation
		if n/8%2 == 1 {
			who, where = f.end, f.here
		}
		in := api.MessageRequest{Text: fmt.Sprintf("회의 %d stays", n)}
		switch n % 4 {
		case 0:
			in.Text = fmt.Sprintf("점심 %d %s lunch", n, drillDeleted)
		case 2:
			in.Text = fmt.Sprintf("저녁 %d %s dinner", n, drillExpired)
			in.Disappearing = api.Some(&api.Disappearing{Mode: api.DisappearFromSent, Seconds: 3600})
		default:
			b.stays(f, in.Text)
		}
		_, err := who.client.SendMessage(ctx, where, in, api.SendOptions{})
		return err
	})
	if err == nil {
		err = b.calm(ctx, b.friends...)
	}
	return err
}

// stays notes a text that both sides are to have in the end.
func (b *backingUp) stays(f *friend, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told[f] = append(b.told[f], text)
}

// calm waits until nothing that the owner and these friends wrote to each other is under way.
func (b *backingUp) calm(ctx context.Context, friends ...*friend) error {
	ctx, cancel := context.WithTimeout(ctx, backupOffLimit)
	defer cancel()
	for {
		waiting := 0
		for _, e := range append([]*friend{{end: b.owner}}, friends...) {
			s, err := e.client.Status(ctx)
			if err != nil {
				return err
			}
			waiting += s.OutboxTotal
		}
		if waiting == 0 {
			return nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			return fmt.Errorf("%d messages do not arrive", waiting)
		}
	}
}

// texts returns the texts of a conversation, in order.
func texts(ctx context.Context, client *api.Client, conversation string, see func(m *api.Message)) error {
	for query := (api.MessageQuery{Limit: 200, First: true}); ; query.First = false {
		page, err := client.Messages(ctx, conversation, query)
		if err != nil {
			return err
		}
		for i := range page.Items {
			see(&page.Items[i])
		}
		if !page.HasAfter {
			return nil
		}
		query.After = page.Items[len(page.Items)-1].Position
	}
}

// erase deletes what is to be deleted at the owner's.
func (b *backingUp) erase(ctx context.Context) error {
	var doomed []string
	for _, f := range b.friends {
		err := texts(ctx, b.owner.client, f.conversation, func(m *api.Message) {
			if m.Body != nil && strings.Contains(m.Body.Text, drillDeleted) {
				doomed = append(doomed, *m.ID)
			}
		})
		if err != nil {
			return err
		}
	}
	start := time.Now()
	err := each(ctx, len(doomed), func(ctx context.Context, n int) error { return b.owner.client.DeleteMessage(ctx, doomed[n]) })
	b.note("backup: %d deleted in %.1f s", len(doomed), time.Since(start).Seconds())
	return err
}

// lose backs the profile up, lets both sides write on, loses the profile and restores it on a
// clean machine, when what was to expire has. One friend is off from the backup on.
func (b *backingUp) lose(ctx context.Context) error {
	var file bytes.Buffer
	if err := b.owner.client.Backup(ctx, api.BackupRequest{Passphrase: backupWords, Messages: true}, &file); err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "the backup has %.1f MiB\n", float64(file.Len())/(1<<20))
	on, off := b.friends[0], b.friends[1]
	if err := off.close(); err != nil {
		return err
	}
	for n := range backupSentences { // what a friend wrote behind the backup comes again
		text := fmt.Sprintf("behind the backup %d", n)
		b.stays(on, text)
		if _, err := on.client.SendMessage(ctx, on.here, api.MessageRequest{Text: text}, api.SendOptions{}); err != nil {
			return err
		}
	}
	if err := b.calm(ctx, on); err != nil {
		return err
	}
	if err := b.owner.close(); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "old")); err != nil {
		return err
	}
	b.ahead.Add(int64(2 * time.Hour))
	var err error
	if b.owner, err = b.person(ctx, "new", ""); err != nil {
		return err
	}
	_, err = b.owner.client.Restore(ctx, api.RestoreRequest{Passphrase: backupWords, Keyfile: true}, &file)
	return err
}

// goOn has everybody write again: first the owner, while one friend is still off.
func (b *backingUp) goOn(ctx context.Context) error {
	for _, f := range b.friends {
		for n := range backupSentences {
			text := fmt.Sprintf("on the new machine %d", n)
			b.stays(f, text)
			if _, err := b.owner.client.SendMessage(ctx, f.conversation, api.MessageRequest{Text: text}, api.SendOptions{}); err != nil {
				return err
			}
		}
	}
	if err := b.friends[1].start(ctx); err != nil {
		return err
	}
	for _, f := range b.friends {
		for n := range backupSentences {
			text := fmt.Sprintf("to the new machine %d", n)
			b.stays(f, text)
			if _, err := f.client.SendMessage(ctx, f.here, api.MessageRequest{Text: text}, api.SendOptions{}); err != nil {
				return err
			}
		}
	}
	return b.calm(ctx, b.friends...)
}

// move has the running profile move to another machine while both friends write to it, and it
// to them.
func (b *backingUp) move(ctx context.Context) error {
	moved := make(chan struct{})
	group, writing := errgroup.WithContext(ctx)
	var sent atomic.Int64
	for _, f := range b.friends {
		group.Go(func() error {
			for n := 0; ; n++ {
				text := fmt.Sprintf("during the move %d", n)
				if _, err := f.client.SendMessage(writing, f.here, api.MessageRequest{Text: text}, api.SendOptions{}); err != nil {
					return err
				}
				b.stays(f, text)
				sent.Add(1)
				select {
				case <-moved:
					return nil
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	err := b.carry(ctx)
	close(moved)
	if err := errors.Join(err, group.Wait()); err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "%d messages came to the profile while it moved\n", sent.Load())
	return b.calm(ctx, b.friends...)
}

// carry stops the owner's node under load and starts it elsewhere.
func (b *backingUp) carry(ctx context.Context) error {
	for _, f := range b.friends {
		for n := range backupSentences {
			text := fmt.Sprintf("before the move %d", n)
			b.stays(f, text)
			if _, err := b.owner.client.SendMessage(ctx, f.conversation, api.MessageRequest{Text: text}, api.SendOptions{}); err != nil {
				return err
			}
		}
	}
	if err := b.owner.close(); err != nil {
		return err
	}
	old, err := store.Lock(b.owner.config.DataDir, store.Self(""))
	if err != nil {
		return err
	}
	st, err := old.Open(store.Unlock{})
	if err != nil {
		return errors.Join(err, old.Close())
	}
	file := filepath.Join(b.dir, "moving")
	_, err = st.MoveOut(file, store.MoveOptions{Passphrase: []byte(backupWords), Now: b.clock()})
	if err = errors.Join(err, old.Close()); err != nil {
		return err
	}
	there, err := store.Lock(filepath.Join(b.dir, "there", "data"), store.Self(""))
	if err != nil {
		return err
	}
	err = there.MoveIn(file, store.RestoreOptions{Archive: []byte(backupWords), Now: b.clock()})
	if err = errors.Join(err, there.Close()); err != nil {
		return err
	}
	b.owner, err = b.person(ctx, "there", "")
	return err
}

// errUnderWay says that something has not come yet.
var errUnderWay = errors.New("under way")

// examine waits until the owner has what stays, each once, and looks for what went.
func (b *backingUp) examine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, backupOffLimit)
	defer cancel()
	err := b.compare(ctx)
	for errors.Is(err, errUnderWay) && pause(ctx, 50*time.Millisecond) {
		if next := b.compare(ctx); next == nil || ctx.Err() == nil {
			err = next
		}
	}
	if err != nil {
		return err
	}
	sight, err := b.owner.node.Store().Look([]byte(drillDeleted), []byte(drillExpired))
	if err != nil {
		return err
	}
	if sight.Hits[0]+sight.Hits[1] > 0 {
		return fmt.Errorf("%v copies of what was deleted and of what expired", sight.Hits)
	}
	all := 0
	for _, f := range b.friends {
		all += len(b.told[f])
	}
	fmt.Fprintf(b.stdout, "%d messages, each once; 0 copies of what is gone\n", all)
	return nil
}

// compare says how what either side has differs from what stays. Who is off is not asked.
func (b *backingUp) compare(ctx context.Context) error {
	for _, f := range b.friends {
		if err := b.compareOne(ctx, f, b.owner, f.conversation); err != nil {
			return fmt.Errorf("with the friend that %s: %w", f.name, err)
		}
		if f.stop == nil {
			continue
		}
		if err := b.compareOne(ctx, f, f.end, f.here); err != nil {
			return fmt.Errorf("at the friend that %s: %w", f.name, err)
		}
	}
	return nil
}

// compareOne does it for one side. What the owner deleted here only, a friend still has.
func (b *backingUp) compareOne(ctx context.Context, f *friend, side *end, conversation string) error {
	counts, missing := map[string]int{}, 0
	err := texts(ctx, side.client, conversation, func(m *api.Message) {
		missing += int(m.Count)
		if m.Body != nil && (side == b.owner || !strings.Contains(m.Body.Text, drillDeleted)) {
			counts[m.Body.Text]++
		}
	})
	if err != nil {
		return err
	}
	for _, text := range b.told[f] {
		switch n := counts[text]; {
		case n > 1:
			return fmt.Errorf("a message is there %d times", n)
		case n == 0:
			missing++
		}
		delete(counts, text)
	}
	switch {
	case len(counts) > 0:
		return fmt.Errorf("%w: %d messages too many", errUnderWay, len(counts)) // what expired goes a few at a time
	case missing > 0:
		return fmt.Errorf("%w: %d messages are missing", errUnderWay, missing)
	}
	return nil
}
