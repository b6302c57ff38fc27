package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pabal/node/egress"
	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/store"
)

// core is one unlocked stretch of a profile's life: the Peer, the store and the
// network host, and the one goroutine that owns them.
type core struct {
	config *Config
	log    *slog.Logger
	store  *store.Store
	events publisher

	requests chan request  // queueLen; a caller waits when it is full
	putOff   []request     // deletions for the next batches, at most queueLen
	results  chan finished // of jobs, queueLen; a job waits when it is full
	done     chan struct{} // closed when the loop has ended
	stepped  atomic.Int64  // Unix nanoseconds of the last commit that worked
	readOnly atomic.Bool   // the disk is full
	left     atomic.Bool   // the screen was locked: the Peer is to hear that the user has gone, before anything else
	seen     atomic.Pointer[glance]
	jobs     sync.WaitGroup // jobs under way
	stamps   chan struct{}  // stampsMax
	files    *files         // its methods may be called by anybody

	// Owned by run.
	lastRef       uint64                   // of inputs that somebody waits for; never used twice
	late          map[uint64]chan<- answer // of those whose Reply comes in a later Output, by ref
	peer          *protocol.Peer
	machine       protocol.Config
	host          *p2p.Host        // under the transport key of the day
	arrivals      <-chan p2p.Event // of host; nil while there is none
	older         *p2p.Host        // under the key before that, while connections go on there; else nil
	remains       <-chan p2p.Event // of older
	lost          []uint64         // conns that ended with older, of which the Peer has not heard
	ledger        *egress.Ledger   // its methods may be called by anybody
	local         local
	seeking       *seeking // in a public DHT; nil = off
	conns         *atomic.Uint64
	open          map[uint64]*p2p.Host // conns that the Peer knows, by their hosts
	dials         map[uint64]uint64    // by the host's number, the Peer's of dials without an answer
	lastDial      uint64               // the host's; a Peer that is made anew begins at 1 again
	hostDay       uint32
	hostStays     bool                    // its key is for every day
	lookedAt      time.Time               // for contacts without a path
	lookAgain     time.Time               // zero: what was seen then is still so
	place         protocol.NetworkChanged // as the host told last
	anew          bool                    // the Peer was made anew, and does not know place
	wake          *time.Timer
	fullUntil     time.Time // a full disk is believed so long, whatever small row finds room
	expire        time.Time // when the store is asked what is due
	unindexed     bool
	rotationAsked time.Time // when it was looked whether the key is old
	unscrubbed    bool      // what was deleted may still be found in a file: tried again at every tick
}

// publisher is told what happened; package httpd's server is one.
type publisher interface {
	// Notify says that events were logged or that the state changed.
	Notify()
	// Announce passes on an event that is not logged.
	Announce(protocol.Event)
}

// request is something for the loop: an input for the core, rows of the
// daemon's own, or a look at the Peer.
type request struct {
	input  func(ref uint64) protocol.Input
	after  func(result any) []store.Row
	rows   []store.Row
	events []protocol.Event // about rows
	view   func(*protocol.Peer)
	glance func(*core)
	act    func(*core, *batch) (any, error)
	answer chan<- answer // capacity 1
}

type answer struct {
	result any
	err    error
}

// batch is what one commit covers.
type batch struct {
	inputs, frames int
	deletions      int // of requests and timers: at most store.DeleteBatchMax
	textsGone      int // by contacts: no more input is taken behind store.DeleteBatchMax
	out            protocol.Output
	rows           []store.Row
	asked          []pending
}

type pending struct {
	request request
	result  any
}

func newCore(config *Config, st *store.Store, peer *protocol.Peer, machine protocol.Config, events publisher) (*core, error) {
	c := &core{
		config: config, log: config.Log, store: st, events: events, peer: peer, machine: machine,
		requests: make(chan request, queueLen), results: make(chan finished, queueLen),
		done: make(chan struct{}), stamps: make(chan struct{}, stampsMax),
		ledger: egress.New(nil), conns: new(atomic.Uint64), open: make(map[uint64]*p2p.Host), dials: make(map[uint64]uint64), unindexed: true,
		late: make(map[uint64]chan<- answer),
	}
	c.files = newFiles(c)
	c.stepped.Store(c.config.now().UnixNano())
	c.look()
	if err := c.openDHT(); err != nil {
		return nil, err
	}
	if err := c.openLocal(); err != nil {
		return nil, err
	}
	if err := c.openHost(nil); err != nil {
		return nil, errors.Join(err, c.local.lan.Close())
	}
	return c, nil
}

// begin steps what the host and the local networks say first, where we are, and commits
// it: what is asked for next may need our addresses.
func (c *core) begin(ctx context.Context) error {
	var b batch
	c.network(&b, c.host, <-c.arrivals)
	c.sound(&b, <-c.local.sounds)
	c.tellDHT(&b)
	return c.commit(ctx, &b)
}

// run is the loop. It returns when ctx ends or the store fails, with everything
// closed but the store.
func (c *core) run(ctx context.Context) error {
	c.wake = time.NewTimer(0)
	defer c.wake.Stop()
	err := c.begin(ctx)
	if err == nil {
		c.jobs.Go(func() { c.files.run(ctx) })
		err = c.loop(ctx)
	}
	close(c.done) // what asks now waits for nobody: the jobs do, too
	c.files.end()
	c.leaveDHT()
	c.jobs.Wait()
	return errors.Join(err, c.endOlder(), c.host.Close(), c.local.lan.Close())
}

func (c *core) loop(ctx context.Context) error {
	idle := time.NewTimer(indexDelay)
	defer idle.Stop()
	for {
		var b batch
		select {
		case <-ctx.Done():
			return nil
		case <-idle.C:
			c.whenIdle(ctx, idle)
			continue
		case <-c.more():
		case r := <-c.requests:
			c.take(&b, r)
		case f := <-c.results:
			c.finish(&b, f)
		case e := <-c.arrivals:
			c.network(&b, c.host, e)
		case e := <-c.remains:
			c.network(&b, c.older, e)
		case e := <-c.local.sounds:
			c.sound(&b, e)
		case <-c.wake.C:
			c.step(&b, protocol.Woke{})
			c.tick(&b)
		}
		c.gather(&b)
		if err := c.commit(ctx, &b); err != nil {
			return err
		}
		if c.unindexed {
			idle.Reset(indexDelay)
		}
	}
}

// more returns what is ready while deletions were put off.
func (c *core) more() <-chan struct{} {
	if len(c.putOff) == 0 {
		return nil
	}
	ready := make(chan struct{})
	close(ready)
	return ready
}

// gather takes every input that waits, up to the bounds of one commit.
func (c *core) gather(b *batch) {
	if c.anew {
		c.anew = false
		c.step(b, c.place)
		c.step(b, protocol.NearChanged{Near: c.local.near()})
		c.tellDHT(b)
	}
	for _, conn := range c.lost {
		c.step(b, protocol.ConnClosed{Conn: protocol.ConnID(conn)})
	}
	c.lost = nil
	for len(c.putOff) > 0 && b.deletions < store.DeleteBatchMax {
		r := c.putOff[0]
		c.putOff = c.putOff[1:]
		c.take(b, r)
	}
	for b.inputs < store.BatchMax && b.frames < batchFramesMax && len(c.putOff) < queueLen && b.textsGone < store.DeleteBatchMax {
		select {
		case r := <-c.requests:
			c.take(b, r)
		case f := <-c.results:
			c.finish(b, f)
		case e := <-c.arrivals:
			c.network(b, c.host, e)
		case e := <-c.remains:
			c.network(b, c.older, e)
		case e := <-c.local.sounds:
			c.sound(b, e)
		default:
			return
		}
	}
}

// step steps one input that nobody waits for. A refusal changes nothing: it is
// noted for whoever debugs, without what was in it.
func (c *core) step(b *batch, in protocol.Input) {
	b.inputs++
	out, err := c.peer.Step(c.config.now(), in)
	if err != nil {
		c.log.Debug("input refused", "code", code(err))
		return
	}
	if _, ok := in.(protocol.FrameReceived); ok {
		b.textsGone += textsGone(out.Writes)
	}
	b.add(out)
}

// textsGone counts the writes that take a message out of the search index: each costs as much as
// hundreds of others. An edit does not: the index follows it when nothing else is to be done.
func textsGone(writes []protocol.Write) (n int) {
	for _, w := range writes {
		switch w.(type) {
		case protocol.StubMessage, protocol.EraseMessage:
			n++
		}
	}
	return n
}

func (b *batch) add(out protocol.Output) {
	b.out.Writes = append(b.out.Writes, out.Writes...)
	b.out.Sends = append(b.out.Sends, out.Sends...)
	for _, e := range out.Events {
		b.event(e)
	}
	b.out.Replies = append(b.out.Replies, out.Replies...)
	b.out.Jobs = append(b.out.Jobs, out.Jobs...)
}

// event adds an event; neighbours of one kind are one row of the log.
func (b *batch) event(e protocol.Event) {
	if n := len(b.out.Events); n > 0 && e.Count > 0 {
		last := &b.out.Events[n-1]
		next := *last
		next.First, next.Count = e.First, e.Count
		if next == e && last.First+last.Count == e.First {
			last.Count += e.Count
			return
		}
	}
	b.out.Events = append(b.out.Events, e)
}

// leave has the Peer know that the user has gone, if the screen was locked.
func (c *core) leave(b *batch) {
	if c.left.Swap(false) {
		c.step(b, protocol.SetPresence{})
	}
}

// take handles one request. Refusals are answered at once, results after the
// commit.
func (c *core) take(b *batch, r request) {
	c.leave(b)
	switch {
	case r.view != nil:
		r.view(c.peer)
		r.answer <- answer{}
		return
	case r.glance != nil:
		r.glance(c)
		r.answer <- answer{}
		return
	case c.readOnly.Load() && !frees(r):
		r.answer <- answer{err: store.ErrFull}
		return
	case deletes(r):
		if b.deletions >= store.DeleteBatchMax { // what is sent meanwhile must not wait for all of them
			c.putOff = append(c.putOff, r)
			return
		}
		b.deletions++
	}
	b.inputs++
	p := pending{request: r}
	if r.input != nil {
		c.lastRef++
		in := r.input(c.lastRef)
		out, err := c.peer.Step(c.config.now(), in)
		if err != nil {
			r.answer <- answer{err: err}
			return
		}
		b.add(out)
		if _, later := in.(protocol.ExportBundle); later {
			c.late[c.lastRef] = r.answer
			return
		}
		for _, reply := range out.Replies {
			if reply.Ref == c.lastRef {
				p.result = reply.Result
			}
		}
	}
	if r.act != nil {
		result, err := r.act(c, b)
		if err != nil {
			r.answer <- answer{err: err}
			return
		}
		p.result = result
	}
	b.rows = append(b.rows, r.rows...)
	b.out.Events = append(b.out.Events, r.events...)
	if r.after != nil {
		b.rows = append(b.rows, r.after(p.result)...)
	}
	b.asked = append(b.asked, p)
}

// frees reports whether a request is let through on a full disk: what deletes.
func frees(r request) bool {
	if r.input == nil {
		return len(r.rows) > 0 && !slices.ContainsFunc(r.rows, func(row store.Row) bool { return !store.Frees(row) })
	}
	switch r.input(0).(type) {
	case protocol.DeleteMessage, protocol.DeleteForEveryone, protocol.TakeBack, protocol.RemoveContact, protocol.RevokeInvite:
		return true
	}
	return false
}

// deletes reports whether a request erases a message, which costs as much as many others.
func deletes(r request) bool {
	if r.input == nil {
		return false
	}
	switch r.input(0).(type) {
	case protocol.DeleteMessage, protocol.DeleteForEveryone, protocol.TakeBack:
		return true
	}
	return false
}

// commit ends a batch: flush, commit, and only then everything else.
func (c *core) commit(ctx context.Context, b *batch) error {
	c.leave(b) // nobody hears any more that the user is here
	now := c.config.now()
	out, err := c.peer.Step(now, protocol.Flush{})
	if err != nil {
		return fmt.Errorf("end a batch: %w", err)
	}
	b.add(out)
	if len(b.out.Writes) > 0 || len(b.rows) > 0 || durable(b.out.Events) {
		done, err := c.store.Commit(store.Batch{Now: now, Writes: b.out.Writes, Events: b.out.Events, Rows: b.rows})
		if errors.Is(err, store.ErrFull) {
			return c.full(ctx, b, err)
		}
		if err != nil {
			b.answer(err)
			c.answerLate(err)
			return fmt.Errorf("commit: %w", err)
		}
		c.expireBy(b.out.Writes)
		c.unscrubbed = !done.Scrubbed && c.store.Scrub() != nil
		if c.unscrubbed {
			c.log.Warn("deleted data is not scrubbed yet")
		}
		c.unindexed = true
	}
	c.stepped.Store(now.UnixNano())
	c.look()
	if !now.Before(c.fullUntil) && c.readOnly.CompareAndSwap(true, false) {
		c.events.Notify()
	}
	c.sends(ctx, b.out.Sends)
	c.publish(b.out.Events)
	c.files.noticed(b)
	b.answer(nil)
	c.replies(b.out.Replies)
	for _, j := range b.out.Jobs {
		c.start(ctx, j)
	}
	c.setWake(now, out.Wake)
	return nil
}

func durable(events []protocol.Event) bool {
	for _, e := range events {
		if e.Type.Durable() {
			return true
		}
	}
	return false
}

func (b *batch) answer(err error) {
	for _, p := range b.asked {
		if err != nil {
			p.request.answer <- answer{err: err}
			continue
		}
		p.request.answer <- answer{result: p.result}
	}
	b.asked = nil
}

// replies answers those whose Reply did not come with the Step of their input.
func (c *core) replies(replies []protocol.Reply) {
	for _, r := range replies {
		waits, ok := c.late[r.Ref]
		if !ok {
			continue
		}
		delete(c.late, r.Ref)
		if p, failed := r.Result.(*protocol.Problem); failed {
			waits <- answer{err: p}
			continue
		}
		waits <- answer{result: r.Result}
	}
}

// answerLate tells those who wait for a later Reply that the Peer is no more.
func (c *core) answerLate(err error) {
	for ref, waits := range c.late {
		delete(c.late, ref)
		waits <- answer{err: err}
	}
}

func (c *core) publish(events []protocol.Event) {
	logged := false
	for _, e := range events {
		if e.Type.Durable() {
			logged = true
			continue
		}
		c.events.Announce(e)
	}
	if logged {
		c.events.Notify()
	}
}

// full handles a disk without room: what was stepped is not saved, so the Peer
// that knows of it is dropped and built anew from the store. Reading and
// deleting go on; the next commit is tried after a while.
func (c *core) full(ctx context.Context, b *batch, cause error) error {
	c.fullUntil = c.config.now().Add(retryFull)
	if !c.readOnly.Swap(true) { // before the answers: whoever gets one sees the state
		c.log.Warn("disk full, read only")
		c.events.Notify()
	}
	b.answer(cause)
	c.answerLate(cause)
	peer, err := loadPeer(c.store, c.machine)
	if err != nil {
		return fmt.Errorf("load after a full disk: %w", err)
	}
	if c.local.trusted, err = loadTrusted(c.store); err != nil {
		return err
	}
	c.leaveDHT()
	if err := c.openDHT(); err != nil {
		return err
	}
	c.peer, c.anew = peer, true
	for conn, host := range c.open {
		host.Hangup(conn)
	}
	clear(c.open)
	if err := c.endOlder(); err != nil {
		c.log.Warn("closing the network of the day before", "error", err)
	}
	c.lost = nil
	clear(c.dials)
	c.setWake(c.config.now(), c.fullUntil)
	return nil
}

// setWake arms the timer.
func (c *core) setWake(now, core time.Time) {
	c.wake.Reset(max(c.nextWake(now, core).Sub(now), 0))
}

// nextWake is when the loop must do something by itself: what comes first of the core,
// a message's end, the next transport key. On a full disk it is the next try.
func (c *core) nextWake(now, core time.Time) time.Time {
	if c.readOnly.Load() {
		return now.Add(retryFull)
	}
	next := now.Add(expiryEvery)
	if !core.IsZero() && core.Before(next) {
		next = core
	}
	if c.expire.Before(next) {
		next = c.expire
	}
	if !c.lookAgain.IsZero() && c.lookAgain.Before(next) {
		next = c.lookAgain
	}
	return next
}

// whenIdle uses a pause for a new key, whatever there is to index, and to index for search, a
// step at a time.
func (c *core) whenIdle(ctx context.Context, idle *time.Timer) {
	c.rotateIfDue(ctx)
	indexed, err := c.store.IndexStep(store.IndexStepMax)
	switch {
	case err != nil:
		c.log.Warn("indexing stands still", "error", err)
		c.unindexed = false
	case indexed > 0:
		idle.Reset(time.Millisecond)
	default:
		c.unindexed = false
	}
}

func code(err error) string {
	if p, ok := errors.AsType[*protocol.Problem](err); ok {
		return p.Code
	}
	return "internal"
}
