package node

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// silentPublisher is a publisher that nobody listens to.
type silentPublisher struct{}

func (silentPublisher) Notify()                 {}
func (silentPublisher) Announce(protocol.Event) {}

// newTestCore makes a core whose loop does not run: the test is its goroutine.
func newTestCore(t *testing.T, listen ...string) *core {
	t.Helper()
	profile, err := store.Lock(t.TempDir(), store.Self(""))
	if err != nil {
		t.Fatal(err)
	}
	st, err := profile.Create(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	machine := peerConfig(false)
	peer, out, err := protocol.Create(randomness{}, machine, time.Now(), "Mina")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(store.Batch{Now: time.Now(), Writes: out.Writes}); err != nil {
		t.Fatal(err)
	}
	config := &Config{Profile: "mina", DataDir: t.TempDir(), RuntimeDir: t.TempDir(), Listen: listen}
	if err := config.prepare(); err != nil {
		t.Fatal(err)
	}
	c, err := newCore(config, st, peer, machine, silentPublisher{})
	if err != nil {
		t.Fatal(err)
	}
	c.wake = time.NewTimer(time.Hour)
	t.Cleanup(func() {
		c.jobs.Wait()
		if err := errors.Join(c.endOlder(), c.host.Close(), c.local.lan.Close(), st.Close(), profile.Close()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// batch does something and commits it, as the loop does.
func (c *core) batch(t *testing.T, do func(*batch)) {
	t.Helper()
	var b batch
	do(&b)
	if err := c.commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

// linkToNowhere returns the link of somebody at an address of this machine where
// nothing ever answers.
func linkToNowhere(t *testing.T, machine protocol.Config) string {
	t.Helper()
	hole, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hole.Close() })
	at := hole.LocalAddr().(*net.UDPAddr).AddrPort()
	now := time.Now()
	peer, _, err := protocol.Create(randomness{}, machine, now, "Jiwoo")
	if err != nil {
		t.Fatal(err)
	}
	own := []wire.Address{{Network: wire.QUIC, IP: at.Addr().Unmap(), Port: at.Port()}}
	if _, err := peer.Step(now, protocol.NetworkChanged{Own: own}); err != nil {
		t.Fatal(err)
	}
	out, err := peer.Step(now, protocol.CreateInvite{Kind: protocol.InviteOnce})
	if err != nil {
		t.Fatal(err)
	}
	return out.Replies[0].Result.(protocol.InviteCreated).Link
}

// TestRotationAnswersDials changes the transport key while a contact is dialled:
// the new host must dial it again, since the old one will never answer.
func TestRotationAnswersDials(t *testing.T) {
	c := newTestCore(t, "127.0.0.1:0")
	c.batch(t, func(b *batch) { c.network(b, c.host, <-c.arrivals) })
	var contact protocol.ContactID
	c.batch(t, func(b *batch) {
		out, err := c.peer.Step(time.Now(), protocol.AddContact{Link: linkToNowhere(t, c.machine)})
		if err != nil {
			t.Fatal(err)
		}
		b.add(out)
		contact = out.Replies[0].Result.(protocol.Added).Contact
	})
	why, _ := c.peer.Why(time.Now(), contact, nil)
	if !why.NextTry.IsZero() || why.LastError != "" { // a dial under way has no next time
		t.Fatalf("the contact is not dialled: %+v", why)
	}
	port := c.keptPort()
	c.batch(t, c.change)
	if e := (<-c.arrivals).(p2p.Addresses); port == 0 || e.Own[0].Port != port {
		t.Errorf("the port was %d, with the new key it is %d", port, e.Own[0].Port)
	}
	why, _ = c.peer.Why(time.Now(), contact, nil)
	if why.LastError == "" {
		t.Error("an answer of the host that is gone is still waited for")
	}
	if !why.NextTry.IsZero() {
		t.Errorf("the new host does not dial: %+v", why)
	}
}

// TestRotationWithoutPort changes the transport key at a moment when no host can be
// opened: the loop must go on serving, and open one when it can.
func TestRotationWithoutPort(t *testing.T) {
	c := newTestCore(t, "127.0.0.1:0")
	c.batch(t, func(b *batch) { c.network(b, c.host, <-c.arrivals) })
	listen := c.config.Listen
	c.config.Listen = []string{"nowhere"}
	c.batch(t, c.change)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.loop(ctx) }()
	reply := make(chan answer, 1)
	c.requests <- request{rows: []store.Row{store.PutSetting{Name: "test", Value: []byte("x")}}, answer: reply}
	if a := <-reply; a.err != nil {
		t.Errorf("without a network nothing is saved: %v", a.err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	c.config.Listen = listen
	c.batch(t, c.change)
	if e, ok := (<-c.arrivals).(p2p.Addresses); !ok || len(e.Own) == 0 {
		t.Error("there is no network when there could be one")
	}
}

// TestFullDiskIsTriedAgainSoon deletes on a full disk: that works, and is no reason to
// wait longer for room.
func TestFullDiskIsTriedAgainSoon(t *testing.T) {
	now := time.Now()
	c := &core{expire: now.Add(expiryEvery)}
	c.readOnly.Store(true)
	for _, core := range []time.Time{{}, now, now.Add(time.Hour)} {
		if got := c.nextWake(now, core).Sub(now); got != retryFull {
			t.Errorf("the next try is in %v", got)
		}
	}
}

// TestDeletionsLeaveRoom asks for many deletions at once, and for a message behind them: it is
// committed with the first of them, and every batch deletes as much as it may.
func TestDeletionsLeaveRoom(t *testing.T) {
	c := newTestCore(t, "127.0.0.1:0")
	var self protocol.ConversationID
	c.batch(t, func(b *batch) {
		out, err := c.peer.Step(time.Now(), protocol.OpenConversation{Ref: 1})
		if err != nil {
			t.Fatal(err)
		}
		self = out.Replies[0].Result.(protocol.Opened).Conversation
		b.add(out)
	})
	send := func(ref uint64) protocol.Input {
		return protocol.SendText{Ref: ref, Conversation: self, Text: "x"}
	}
	ask := func(input func(uint64) protocol.Input) chan answer {
		reply := make(chan answer, 1)
		c.requests <- request{input: input, answer: reply}
		return reply
	}
	const deletions = 10
	var ids []protocol.MessageID
	var sent []chan answer
	for range deletions {
		sent = append(sent, ask(send))
	}
	c.batch(t, c.gather)
	for _, reply := range sent {
		ids = append(ids, (<-reply).result.(protocol.Sent).ID)
	}
	var gone []chan answer
	for _, id := range ids {
		gone = append(gone, ask(func(ref uint64) protocol.Input {
			return protocol.DeleteMessage{Ref: ref, ID: id, Conversation: self}
		}))
	}
	message := ask(send)
	answered := func() (n int) {
		for _, reply := range gone {
			n += len(reply)
		}
		return n
	}
	for batches := 1; answered() < deletions; batches++ {
		c.batch(t, c.gather)
		if want := min(batches*store.DeleteBatchMax, deletions); answered() != want {
			t.Fatalf("%d are deleted by %d batches, want %d", answered(), batches, want)
		}
		if len(message) == 0 {
			t.Fatalf("the message waits for more than %d batches", batches)
		}
		if waits := c.more() != nil; waits != (answered() < deletions) {
			t.Errorf("with %d of %d deleted the loop goes on: %v", answered(), deletions, waits)
		}
	}
}

// deleter is somebody whom a core knows, without a daemon: its frames are given to the core, and
// it takes those of the core, in turns.
type deleter struct {
	t    *testing.T
	c    *core
	peer *protocol.Peer
	own  []protocol.Send // to the core, which has not got them
}

const deleterConn = 77

func (d *deleter) step(in protocol.Input) protocol.Output {
	d.t.Helper()
	out, err := d.peer.Step(time.Now(), in)
	if err != nil {
		d.t.Fatal(err)
	}
	flushed, err := d.peer.Step(time.Now(), protocol.Flush{})
	if err != nil {
		d.t.Fatal(err)
	}
	d.own = append(append(d.own, out.Sends...), flushed.Sends...)
	return out
}

// frames returns what waits for the core.
func (d *deleter) frames() (frames []p2p.Frame) {
	for _, s := range d.own {
		if f, ok := s.(protocol.SendFrame); ok {
			frames = append(frames, p2p.Frame{Type: f.Type, Body: f.Body})
		}
	}
	d.own = nil
	return frames
}

// talk goes on until neither side has anything to say.
func (d *deleter) talk() {
	d.t.Helper()
	for frames := d.frames(); len(frames) > 0; frames = d.frames() {
		var answers []protocol.Send
		d.c.batch(d.t, func(b *batch) {
			d.c.network(b, d.c.host, p2p.Received{Conn: deleterConn, Frames: frames})
			out, err := d.c.peer.Step(time.Now(), protocol.Flush{})
			if err != nil {
				d.t.Fatal(err)
			}
			b.add(out)
			answers = b.out.Sends
		})
		for _, s := range answers {
			if f, ok := s.(protocol.SendFrame); ok && f.Conn == deleterConn {
				d.step(protocol.FrameReceived{Conn: deleterConn, Type: f.Type, Body: f.Body})
			}
		}
	}
}

// meetDeleter has somebody follow a link of a core, on a connection that is not there.
func meetDeleter(t *testing.T, c *core) (d *deleter, contact protocol.ContactID) {
	t.Helper()
	c.batch(t, func(b *batch) { c.network(b, c.host, <-c.arrivals) })
	peer, _, err := protocol.Create(randomness{}, c.machine, time.Now(), "Jiwoo")
	if err != nil {
		t.Fatal(err)
	}
	d = &deleter{t: t, c: c, peer: peer}
	var link string
	c.batch(t, func(b *batch) {
		out, err := c.peer.Step(time.Now(), protocol.CreateInvite{Kind: protocol.InviteOnce})
		if err != nil {
			t.Fatal(err)
		}
		b.add(out)
		link = out.Replies[0].Result.(protocol.InviteCreated).Link
	})
	contact = d.step(protocol.AddContact{Link: link}).Replies[0].Result.(protocol.Added).Contact
	local, remote := peer.Transport(time.Now()).Public(), c.peer.Transport(time.Now()).Public()
	for _, s := range d.own {
		if dial, ok := s.(protocol.Dial); ok {
			d.own = nil
			c.batch(t, func(b *batch) {
				c.network(b, c.host, p2p.Opened{Conn: deleterConn, Local: remote, Remote: local, Inbound: true})
			})
			d.step(protocol.ConnOpened{Conn: deleterConn, Local: local, Remote: remote, Dial: dial.Dial})
			d.talk()
			return d, contact
		}
	}
	t.Fatal("the link leads nowhere")
	return nil, contact
}

// TestDeletionsOfAContact has a contact delete many messages for everyone at once, each in frames
// of its own, and edit many: a batch takes no more out of the search index than it may, and leaves
// the rest to the next; edits take nothing out of it.
func TestDeletionsOfAContact(t *testing.T) {
	c := newTestCore(t, "127.0.0.1:0")
	d, contact := meetDeleter(t, c)
	const messages = 3 * store.DeleteBatchMax
	var sent []protocol.Sent
	for range messages {
		sent = append(sent, d.step(protocol.SendText{Contact: contact, Text: "to be deleted"}).Replies[0].Result.(protocol.Sent))
		d.talk()
	}
	arrivals := make(chan p2p.Event, messages)
	c.arrivals = arrivals
	batches := func(what string, step func(s protocol.Sent, sequence uint64) protocol.Input) (sizes []int) {
		t.Helper()
		for i, s := range sent {
			d.step(step(s, uint64(i)+1))
			frames := d.frames()
			if len(frames) == 0 {
				t.Fatalf("%s: nothing is sent", what)
			}
			arrivals <- p2p.Received{Conn: deleterConn, Frames: frames}
		}
		for len(arrivals) > 0 {
			before := len(arrivals)
			c.batch(t, c.gather)
			sizes = append(sizes, before-len(arrivals))
		}
		return sizes
	}
	edits := batches("edits", func(s protocol.Sent, sequence uint64) protocol.Input {
		return protocol.EditMessage{ID: s.ID, Conversation: s.Conversation, Direction: protocol.Out, Sequence: sequence, Text: "edited"}
	})
	if len(edits) != 1 || edits[0] != messages {
		t.Errorf("edits are taken in batches of %d", edits)
	}
	for _, n := range batches("deletions", func(s protocol.Sent, sequence uint64) protocol.Input {
		return protocol.DeleteForEveryone{ID: s.ID, Conversation: s.Conversation, Position: s.Position, Sequence: sequence, Direction: protocol.Out}
	}) {
		if n != store.DeleteBatchMax {
			t.Errorf("a batch has %d deletions, want %d", n, store.DeleteBatchMax)
		}
	}
	err := c.store.View(func(v *store.View) error {
		found, err := v.Search(store.SearchQuery{Text: "edited"})
		if n := len(found.Messages); n > 0 {
			t.Errorf("%d messages are still there", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
