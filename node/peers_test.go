package node_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
	"pabal/store"
)

// peerNoon is when the tests of bare Peers begin.
var peerNoon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// source is a random source that can be exchanged.
type source struct{ io.Reader }

func sourceOf(name string) io.Reader {
	var seed [32]byte
	copy(seed[:], name)
	return rand.NewChaCha8(seed)
}

// bare is a Peer without a node around it: the tests play network and clock.
type bare struct {
	t      *testing.T
	p      *protocol.Peer
	random *source
	sends  []protocol.Send // not done yet

	early []protocol.Write // before there is a store
	store *store.Store     // nil unless keep was called
	keys  [][]byte         // the body key of every envelope sealed
}

// newBare makes a Peer that listens on a port of loopback. Its keys come from
// random; what it draws later, from what random is set to.
func newBare(t *testing.T, name string, port uint16, random *source) *bare {
	t.Helper()
	p, out, err := protocol.Create(random, protocol.Config{BootID: [32]byte{1}}, peerNoon, name)
	if err != nil {
		t.Fatal(err)
	}
	b := &bare{t: t, p: p, random: random, early: out.Writes}
	b.step(peerNoon, protocol.NetworkChanged{Own: []wire.Address{{Network: wire.QUIC, IP: netip.MustParseAddr("127.0.0.1"), Port: port}}})
	return b
}

// step steps an input and ends the batch.
func (b *bare) step(now time.Time, in protocol.Input) protocol.Output {
	b.t.Helper()
	out := must[protocol.Output](b.t)(b.p.Step(now, in))
	rest := must[protocol.Output](b.t)(b.p.Step(now, protocol.Flush{}))
	out.Writes = append(out.Writes, rest.Writes...)
	out.Sends = append(out.Sends, rest.Sends...)
	out.Events = append(out.Events, rest.Events...)
	b.sends = append(b.sends, out.Sends...)
	b.commit(now, out.Writes)
	return out
}

// keep gives the Peer a store, which has all rows from the first one on.
func (b *bare) keep() {
	b.t.Helper()
	profile := must[*store.Profile](b.t)(store.Lock(b.t.TempDir(), store.Self("")))
	early := b.early
	b.store = must[*store.Store](b.t)(profile.Create(store.Options{}))
	b.t.Cleanup(func() {
		if err := errors.Join(b.store.Close(), profile.Close()); err != nil {
			b.t.Error(err)
		}
	})
	b.commit(peerNoon, early)
}

func (b *bare) commit(now time.Time, writes []protocol.Write) {
	b.t.Helper()
	if b.store == nil {
		b.early = append(b.early, writes...)
		return
	}
	for _, w := range writes {
		if row, ok := w.(protocol.PutOutbox); ok {
			const bodyKey = 32 // where session.Sealed.Parts has it
			b.keys = append(b.keys, row.Envelope[bodyKey:bodyKey+32])
		}
	}
	must[store.Committed](b.t)(b.store.Commit(store.Batch{Now: now, Writes: writes}))
}

func (b *bare) key(now time.Time) identity.TransportKey { return b.p.Transport(now).Public() }

// pair is two Peers and the connections between them.
type pair struct {
	t       *testing.T
	ends    [2]*bare
	fixed   [2]*identity.TransportKey // in place of the keys of the day
	last    protocol.ConnID
	dialer  map[protocol.ConnID]int // which of the two
	hellos  []shownHello
	contact [2]protocol.ContactID // what each calls the other

	record func(from int, f protocol.SendFrame) // unless nil, sees every frame
}

// shownHello is a hello as it passed, and where.
type shownHello struct {
	tag              identity.HelloTag
	day              int
	dialer, listener identity.TransportKey
	direction        identity.Direction
}

// place is a hello without its tag.
func (s shownHello) place() shownHello {
	s.tag = identity.HelloTag{}
	return s
}

// meet makes two Peers contacts by a one-time invite of the first.
func meet(t *testing.T, now time.Time, a, b *bare) *pair {
	t.Helper()
	p := newPair(t, a, b)
	p.join(now)
	return p
}

func newPair(t *testing.T, a, b *bare) *pair {
	return &pair{t: t, ends: [2]*bare{a, b}, dialer: map[protocol.ConnID]int{}}
}

func (p *pair) join(now time.Time) (link string) {
	p.t.Helper()
	link = p.ends[0].invite(now, protocol.InviteOnce).Link
	added := p.ends[1].step(now, protocol.AddContact{Link: link}).Replies[0].Result.(protocol.Added)
	p.contact[1] = added.Contact
	p.carry(now)
	for _, l := range p.ends[0].p.Live() {
		p.contact[0] = l.Contact
	}
	if p.contact[0] == (protocol.ContactID{}) {
		p.t.Fatal("the two have not met")
	}
	return link
}

func (b *bare) invite(now time.Time, kind protocol.InviteKind) protocol.InviteCreated {
	b.t.Helper()
	return b.step(now, protocol.CreateInvite{Kind: kind}).Replies[0].Result.(protocol.InviteCreated)
}

func (p *pair) key(end int, now time.Time) identity.TransportKey {
	if p.fixed[end] != nil {
		return *p.fixed[end]
	}
	return p.ends[end].key(now)
}

// carry does what the two want of the network until both are silent.
func (p *pair) carry(now time.Time) {
	p.t.Helper()
	for range 1000 {
		moved := false
		for i, from := range p.ends {
			sends := from.sends
			from.sends = nil
			for _, s := range sends {
				moved = true
				p.do(now, i, s)
			}
		}
		if !moved {
			return
		}
	}
	p.t.Fatal("the two never fall silent")
}

func (p *pair) do(now time.Time, from int, s protocol.Send) {
	to := p.ends[1-from]
	switch s := s.(type) {
	case protocol.Dial:
		if !slices.Contains(s.Keys, p.ends[1-from].key(now)) {
			p.t.Fatal("the key of the day is not dialled")
		}
		p.last++
		p.dialer[p.last] = from
		local, remote := p.key(from, now), p.key(1-from, now)
		to.step(now, protocol.ConnOpened{Conn: p.last, Local: remote, Remote: local, Inbound: true})
		p.ends[from].step(now, protocol.ConnOpened{Conn: p.last, Local: local, Remote: remote, Dial: s.Dial})
	case protocol.SendFrame:
		if s.Type == wire.TypeHello {
			p.shown(now, from, s)
		}
		if p.record != nil {
			p.record(from, protocol.SendFrame{Type: s.Type, Body: slices.Clone(s.Body)})
		}
		to.step(now, protocol.FrameReceived{Conn: s.Conn, Type: s.Type, Body: s.Body})
	case protocol.Hangup:
		to.step(now, protocol.ConnClosed{Conn: s.Conn})
	}
}

// shown notes a hello.
func (p *pair) shown(now time.Time, from int, s protocol.SendFrame) {
	dialer := p.dialer[s.Conn]
	h := shownHello{tag: identity.HelloTag(s.Body), day: int(now.Unix() / 86400), direction: identity.FromDialer,
		dialer: p.key(dialer, now), listener: p.key(1-dialer, now)}
	if from != dialer {
		h.direction = identity.FromListener
	}
	p.hellos = append(p.hellos, h)
}

// part ends every connection.
func (p *pair) part(now time.Time) {
	for conn := range p.last {
		for _, e := range p.ends {
			e.step(now, protocol.ConnClosed{Conn: conn + 1})
		}
	}
	for _, e := range p.ends {
		e.sends = slices.DeleteFunc(e.sends, func(s protocol.Send) bool {
			_, dial := s.(protocol.Dial)
			return !dial
		})
	}
}
