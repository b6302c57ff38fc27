package node

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pabal/node/httpd"
	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/store"
)

// files moves chunks of files between the disk and contacts, beside the loop. The loop is
// asked for what the Peer decides, by which connection and for whom, and for every commit.
type files struct {
	core  *core
	wake  chan struct{} // 1 slot; full means that run will look anyway
	ended chan struct{} // closed by end: the loop answers no more

	mu        sync.Mutex
	transfers map[*transfer]bool            // both directions, under way
	waiting   map[protocol.FileID]waiting   // wanted files that are not fetched now
	fetching  map[protocol.FileID]*transfer // of transfers, those to us
	turns     uint64                        // transfers to us that have begun
}

// transfer is a file on its way.
type transfer struct {
	file    protocol.FileID
	contact protocol.ContactID
	out     bool // from us
	total   uint64
	began   time.Time
	start   uint64        // bytes that lay there before
	moved   atomic.Uint64 // bytes since
	stop    context.CancelFunc
	yields  atomic.Bool // it was stopped for others

	// When others waited and it was looked at last, and what had moved by then.
	looked time.Time
	seen   uint64

	// Of those to us.
	turn uint64  // of two, the one that began first has the lower
	last waiting // before the transfer; zero: it did not wait
}

// yield stops a transfer that has held its place for turnTime and moved little: who sends or
// takes a byte now and then must not keep everybody else's files from coming.
func (t *transfer) yield(now time.Time) {
	if now.Sub(t.looked) < turnTime {
		return
	}
	moved := t.moved.Load()
	if moved-t.seen < turnBytesMin {
		t.yields.Store(true)
		t.stop()
	}
	t.looked, t.seen = now, moved
}

// waiting says why a wanted file is not fetched, and until when.
type waiting struct {
	reason  string
	tries   int
	until   time.Time
	contact protocol.ContactID
	have    uint64 // bytes of the file that lie here
	total   uint64
}

// The reasons for which a wanted file waits.
const (
	waitsPath   = "no_path"      // there is no connection with the contact
	waitsDirect = "no_direct"    // there is a relayed one only, and the file is large
	waitsBroken = "interrupted"  // the last try was cut off
	waitsBusy   = "busy"         // the contact sends as much as it can
	waitsRoom   = "storage_full" // there is no room for it here
	waitsTurn   = "queued"       // others are fetched first
)

func newFiles(c *core) *files {
	return &files{
		core: c, wake: make(chan struct{}, 1), ended: make(chan struct{}), transfers: make(map[*transfer]bool),
		waiting: make(map[protocol.FileID]waiting), fetching: make(map[protocol.FileID]*transfer),
	}
}

// end has nothing more asked of the loop.
func (f *files) end() { close(f.ended) }

// poke has run look for what is to be fetched.
func (f *files) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// noticed looks at a batch that was committed for what concerns files.
func (f *files) noticed(b *batch) {
	look := false
	for _, w := range b.out.Writes {
		m, ok := w.(protocol.PutMessage)
		_, part := w.(protocol.PutPart)
		look = look || part || ok && m.Direction == protocol.In && len(m.Files) > 0
	}
	for _, r := range b.rows {
		set, ok := r.(store.SetWanted)
		look = look || ok
		if ok {
			f.decided(set)
		}
	}
	for _, e := range b.out.Events {
		if e.Type == protocol.PeerState && e.Code == "live" {
			look = true
			f.hasten(func(id protocol.FileID) bool { return f.waiting[id].reason != waitsBusy })
		}
	}
	if look {
		f.poke()
	}
}

// decided ends the transfer of a file that is not wanted any more, or has it wait no longer.
func (f *files) decided(set store.SetWanted) {
	if set.Wanted == store.WantedNow {
		f.hasten(func(id protocol.FileID) bool { return id == set.File })
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.fetching[set.File]; t != nil {
		t.stop()
	}
}

// hasten has files wait no longer.
func (f *files) hasten(which func(protocol.FileID) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for id, w := range f.waiting {
		if which(id) {
			w.until = now
			f.waiting[id] = w
		}
	}
}

// run fetches what is wanted until ctx ends, and then until all that is over.
func (f *files) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	again := time.NewTimer(0)
	defer again.Stop()
	stale := time.NewTicker(staleEvery)
	defer stale.Stop()
	f.dropStale(ctx)
	for {
		f.join(ctx)
		f.begin(ctx, &running)
		if next := f.next(); !next.IsZero() {
			again.Reset(time.Until(next))
		}
		select {
		case <-f.wake:
		case <-again.C:
		case <-stale.C:
			f.dropStale(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// dropStale erases what was brought for a message that was never sent.
func (f *files) dropStale(ctx context.Context) {
	if _, err := f.core.ask(ctx, request{rows: []store.Row{store.EraseStaleUploads{}}}); err != nil {
		f.core.log.Debug("stale uploads stay", "code", code(err))
	}
}

// begin starts to fetch what is wanted, as much as may be at once.
func (f *files) begin(ctx context.Context, running *sync.WaitGroup) {
	var wanted []store.Fetch
	err := f.core.store.View(func(v *store.View) (err error) {
		wanted, err = v.Wanted(wantedPerContactMax, wantedMax)
		return err
	})
	if err != nil {
		return // closed, or tried again at the next tick
	}
	now := time.Now()
	f.forget(wanted)
	for _, want := range wanted {
		ctx, stop := context.WithCancel(ctx)
		t := f.take(&want, now, stop)
		if t == nil {
			stop()
			continue
		}
		running.Go(func() {
			defer stop()
			reason := f.fetch(ctx, &want, t)
			f.leave(t)
			f.wait(&want, t, reason)
			f.poke()
		})
	}
}

// next returns when a file has waited long enough, or for its turn and it is time to look for
// one that yields; zero: none waits.
func (f *files) next() (first time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sooner := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	queued := false
	for _, w := range f.waiting {
		if w.reason == waitsTurn {
			queued = true
		} else {
			sooner(w.until)
		}
	}
	for _, t := range f.fetching {
		if queued && !t.yields.Load() {
			sooner(t.looked.Add(turnTime))
		}
	}
	return first
}

// forget drops what is known of files that are not wanted any more.
func (f *files) forget(wanted []store.Fetch) {
	known := make(map[protocol.FileID]bool, len(wanted))
	for _, w := range wanted {
		known[w.File] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.waiting {
		if !known[id] {
			delete(f.waiting, id)
		}
	}
}

// take begins a transfer to us, which stop ends, or returns nil if it is not the file's turn.
func (f *files) take(want *store.Fetch, now time.Time, stop context.CancelFunc) *transfer {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := 0
	for _, t := range f.fetching {
		if t.contact == want.Contact {
			same++
		}
	}
	switch w := f.waiting[want.File]; {
	case f.fetching[want.File] != nil || w.until.After(now):
		return nil
	case len(f.fetching) >= fetchesMax || same >= fetchesPerContactMax:
		w.reason, w.contact, w.total = waitsTurn, want.Contact, want.Info.SizeBytes
		f.waiting[want.File] = w
		for _, t := range f.fetching {
			t.yield(now)
		}
		return nil
	}
	t := &transfer{file: want.File, contact: want.Contact, total: want.Info.SizeBytes, began: now, looked: now,
		start: min(uint64(want.Chunks)<<20, want.Info.SizeBytes), stop: stop, last: f.waiting[want.File]}
	delete(f.waiting, want.File)
	f.turns++
	t.turn = f.turns
	f.transfers[t], f.fetching[want.File] = true, t
	return t
}

// left is for how many bytes there must be room so that a transfer to us can end: what it
// and those that began before it have not brought yet.
func (f *files) left(t *transfer) (n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range f.fetching {
		if other.turn <= t.turn {
			n += other.total - min(other.start+other.moved.Load(), other.total)
		}
	}
	return n
}

// offer begins a transfer from us, which stop ends, or returns nil if there are too many.
func (f *files) offer(contact protocol.ContactID, now time.Time, stop context.CancelFunc) *transfer {
	f.mu.Lock()
	defer f.mu.Unlock()
	same, all := 0, 0
	for t := range f.transfers {
		if t.out {
			all++
			if t.contact == contact {
				same++
			}
		}
	}
	if all >= servesMax || same >= servesPerContactMax {
		for t := range f.transfers {
			if t.out {
				t.yield(now)
			}
		}
		return nil
	}
	t := &transfer{contact: contact, out: true, began: now, looked: now, stop: stop}
	f.transfers[t] = true
	return t
}

func (f *files) leave(t *transfer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.transfers, t)
	if f.fetching[t.file] == t {
		delete(f.fetching, t.file)
	}
}

// wait notes why a file is not fetched; an empty reason is none.
func (f *files) wait(want *store.Fetch, t *transfer, reason string) {
	id := want.File
	f.mu.Lock()
	defer f.mu.Unlock()
	if reason == "" {
		return
	}
	w := t.last
	w.contact, w.have, w.total = want.Contact, t.start+t.moved.Load(), t.total
	w.tries++
	if w.reason != reason {
		w.tries = 1
	}
	w.reason = reason
	most := fetchAgainMax
	if reason == waitsPath || reason == waitsDirect { // a new path hastens it
		most = pathAgainMax
	}
	w.until = time.Now().Add(min(fetchAgainMin<<min(w.tries-1, 16), most))
	if t.yields.Load() { // those it has yielded to are first
		w.until = time.Now().Add(turnTime)
	}
	f.waiting[id] = w
}

// filePath is where a contact's files are asked for.
type filePath struct {
	protocol.FilePath
	host *p2p.Host
	ok   bool
}

// pathTo asks the loop for a path to a contact; if there is none, one is looked for.
func (f *files) pathTo(ctx context.Context, contact protocol.ContactID) (filePath, error) {
	seen := make(chan filePath, 1) // filled before ask returns without an error
	_, err := f.core.ask(ctx, request{glance: func(c *core) {
		var p filePath
		p.FilePath, p.ok = c.peer.FilePathTo(contact)
		p.host = c.open[uint64(p.Conn)]
		p.ok = p.ok && p.host != nil
		seen <- p
	}})
	if err != nil {
		return filePath{}, err
	}
	p := <-seen
	if !p.ok || p.Relayed {
		err = f.stir(ctx, contact, 0)
	}
	return p, err
}

// stir says that files are on their way on a conn, or wait for one.
func (f *files) stir(ctx context.Context, contact protocol.ContactID, conn protocol.ConnID) error {
	_, err := f.core.ask(ctx, request{input: func(uint64) protocol.Input {
		return protocol.FilesStir{Contact: contact, Conn: conn}
	}})
	return err
}

// keepUsed keeps a conn from counting as idle until ctx ends.
func (f *files) keepUsed(ctx context.Context, contact protocol.ContactID, conn protocol.ConnID) {
	ticker := time.NewTicker(stirEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if f.stir(ctx, contact, conn) != nil {
				return
			}
		}
	}
}

// untilEnded returns a context that ends when the loop answers no more.
func (f *files) untilEnded() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-f.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Transfers returns the files that are on their way, and those that wait for that.
func (n *Node) Transfers() []httpd.Transfer {
	c := n.running()
	if c == nil {
		return nil
	}
	f := c.files
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []httpd.Transfer
	for t := range f.transfers {
		if t.file == (protocol.FileID{}) {
			continue // nothing was asked for yet
		}
		moved := t.moved.Load()
		rate := uint64(float64(moved) / max(time.Since(t.began).Seconds(), 0.001))
		out = append(out, httpd.Transfer{
			File: t.file, Contact: t.contact, Out: t.out, Bytes: min(t.start+moved, t.total), Total: t.total, Rate: rate,
		})
	}
	for id, w := range f.waiting {
		if f.fetching[id] == nil {
			out = append(out, httpd.Transfer{File: id, Contact: w.contact, Reason: w.reason, Bytes: w.have, Total: w.total, NextTry: w.until})
		}
	}
	slices.SortFunc(out, func(a, b httpd.Transfer) int { return slices.Compare(a.File[:], b.File[:]) })
	return out
}
