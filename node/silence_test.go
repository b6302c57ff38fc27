package node_test

import (
	"bytes"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// strangerConn is the number of the connection that a stranger has in these tests.
const strangerConn = 1 << 20

// comes lets somebody with a transport key connect and send frames, and returns
// all that came of it.
func (b *bare) comes(now time.Time, who identity.TransportKey, frames ...protocol.FrameReceived) (out protocol.Output) {
	b.t.Helper()
	gather := func(in protocol.Input) {
		o := b.step(now, in)
		out.Writes, out.Sends = append(out.Writes, o.Writes...), append(out.Sends, o.Sends...)
		out.Events, out.Jobs = append(out.Events, o.Events...), append(out.Jobs, o.Jobs...)
	}
	gather(protocol.ConnOpened{Conn: strangerConn, Local: b.key(now), Remote: who, Inbound: true})
	for _, f := range frames {
		f.Conn = strangerConn
		f.Body = bytes.Clone(f.Body)
		gather(f)
	}
	b.step(now, protocol.ConnClosed{Conn: strangerConn})
	b.sends = nil
	return out
}

// ignored reports whether nothing came of it: nothing is sent, written or told.
func ignored(out protocol.Output) bool {
	return len(out.Sends) == 0 && len(out.Writes) == 0 && len(out.Events) == 0 && len(out.Jobs) == 0
}

// helloOf returns the hello that a Peer would show on a connection it made.
func helloOf(t *testing.T, b *bare, now time.Time, contact protocol.ContactID, local, remote identity.TransportKey) protocol.FrameReceived {
	t.Helper()
	b.step(now, protocol.SendText{Contact: contact, Text: "hello"})
	b.step(now, protocol.Reconnect{}) // whatever the pace is
	for _, s := range b.sends {
		d, ok := s.(protocol.Dial)
		if !ok {
			continue
		}
		b.sends = nil
		out := b.step(now, protocol.ConnOpened{Conn: strangerConn, Local: local, Remote: remote, Dial: d.Dial})
		b.step(now, protocol.ConnClosed{Conn: strangerConn})
		b.sends = nil
		return protocol.FrameReceived{Type: wire.TypeHello, Body: out.Sends[0].(protocol.SendFrame).Body}
	}
	t.Fatal("nobody is dialled")
	return protocol.FrameReceived{}
}

// linkHello is the hello of whoever holds a link.
func linkHello(t *testing.T, link string, stranger, node identity.TransportKey) protocol.FrameReceived {
	t.Helper()
	l := must[wire.Link](t)(wire.ParseLink(link))
	tag := identity.NewHelloTag(identity.LinkHelloKey(l.Secret), identity.FromDialer, stranger, node)
	return protocol.FrameReceived{Type: wire.TypeHello, Body: tag[:]}
}

// TestPeerIgnoresStrangers lets strangers say everything to a Peer that has a
// contact and open invites, and to a fresh one: nothing at all comes of it.
func TestPeerIgnoresStrangers(t *testing.T) {
	mina, jiwoo := newBare(t, "Mina", 1001, &source{sourceOf("a")}), newBare(t, "Jiwoo", 1002, &source{sourceOf("b")})
	fresh := newBare(t, "Fresh", 1003, &source{sourceOf("c")})
	p := meet(t, peerNoon, mina, jiwoo)
	mina.invite(peerNoon, protocol.InviteOnce)
	mina.invite(peerNoon, protocol.InviteCard)
	p.part(peerNoon)
	stranger := identity.TransportSeed{9}.Public()
	hello := helloOf(t, jiwoo, peerNoon, p.contact[1], jiwoo.key(peerNoon), mina.key(peerNoon))
	tries := map[string][]protocol.FrameReceived{
		"nothing":                 nil,
		"a recorded hello":        {hello},
		"a recorded hello, twice": {hello, hello, {Type: wire.TypeEnvelope, Body: make([]byte, 512)}},
		"a random hello":          {{Type: wire.TypeHello, Body: randomBytes(16)}},
		"a short hello":           {{Type: wire.TypeHello, Body: randomBytes(15)}},
		"an empty hello":          {{Type: wire.TypeHello}},
	}
	for kind := range wire.Type(20) {
		if kind != wire.TypeHello {
			body := randomBytes(min(kind.BodyBytesMax(), 16<<10))
			tries["a frame "+kind.Name()] = []protocol.FrameReceived{{Type: kind, Body: body}, {Type: kind, Body: body[:len(body)/2]}}
		}
	}
	for name, frames := range tries {
		for _, b := range []*bare{mina, fresh} {
			if !ignored(b.comes(peerNoon, stranger, frames...)) {
				t.Errorf("%s has an effect on %s", name, b.p.Name())
			}
		}
	}
	if ignored(mina.comes(peerNoon, jiwoo.key(peerNoon), hello)) {
		t.Error("the recorded hello is none: it means nothing from its owner either")
	}
}

// TestTagOpensOnlyItsDay takes the hello of a contact, which is good on its day
// and the day beside it, to later days.
func TestTagOpensOnlyItsDay(t *testing.T) {
	mina, jiwoo := newBare(t, "Mina", 1001, &source{sourceOf("a")}), newBare(t, "Jiwoo", 1002, &source{sourceOf("b")})
	p := meet(t, peerNoon, mina, jiwoo)
	p.part(peerNoon)
	local, remote := jiwoo.key(peerNoon), mina.key(peerNoon)
	p.fixed = [2]*identity.TransportKey{&remote, &local} // so that only the day is another one
	hello := helloOf(t, jiwoo, peerNoon, p.contact[1], local, remote)
	meetings := []time.Time{peerNoon.AddDate(0, 0, 3), peerNoon.AddDate(0, 0, 30)}
	for _, at := range meetings {
		mina.step(at, protocol.SendText{Contact: p.contact[0], Text: "on the way"})
		p.carry(at) // both have reached the day: its elders' keys are erased
		p.part(at)
		mina.step(at, protocol.ConnOpened{Conn: strangerConn, Local: remote, Remote: local, Inbound: true})
		out := mina.step(at, protocol.FrameReceived{Conn: strangerConn, Type: wire.TypeHello, Body: hello.Body})
		if !ignored(out) {
			t.Errorf("a tag of %v is known at %v", peerNoon, at)
		}
		mina.step(at, protocol.ConnClosed{Conn: strangerConn})
	}
}

// TestBlockedSeesNothing blocks a contact and later removes it: to its own hello
// nothing is answered.
func TestBlockedSeesNothing(t *testing.T) {
	mina, jiwoo := newBare(t, "Mina", 1001, &source{sourceOf("a")}), newBare(t, "Jiwoo", 1002, &source{sourceOf("b")})
	p := meet(t, peerNoon, mina, jiwoo)
	p.part(peerNoon)
	hello := helloOf(t, jiwoo, peerNoon, p.contact[1], jiwoo.key(peerNoon), mina.key(peerNoon))
	answered := func() bool { return !ignored(mina.comes(peerNoon, jiwoo.key(peerNoon), hello)) }
	if !answered() {
		t.Fatal("the hello means nothing even before")
	}
	mina.step(peerNoon, protocol.SetBlocked{Contact: p.contact[0], Blocked: true})
	if answered() {
		t.Error("a blocked contact is answered")
	}
	mina.step(peerNoon, protocol.SetBlocked{Contact: p.contact[0]})
	if !answered() {
		t.Error("a contact that is not blocked any more is not answered")
	}
	mina.step(peerNoon, protocol.RemoveContact{Contact: p.contact[0]})
	if answered() {
		t.Error("a removed contact is answered")
	}
}

// TestOldLinkOpensNothing comes with links that are used up, revoked or expired.
// The bundle and a request, asked for with the right capabilities, are not answered,
// and nothing is stored; of a used one the user is told. Whoever holds the link is still
// answered with a hello: this much of what a stranger must not learn it does learn, see
// threat-model.md.
func TestOldLinkOpensNothing(t *testing.T) {
	mina, jiwoo := newBare(t, "Mina", 1001, &source{sourceOf("a")}), newBare(t, "Jiwoo", 1002, &source{sourceOf("b")})
	open := mina.invite(peerNoon, protocol.InviteOnce)
	revoked := mina.invite(peerNoon, protocol.InviteOnce)
	mina.step(peerNoon, protocol.RevokeInvite{ID: revoked.ID})
	expired := mina.step(peerNoon, protocol.CreateInvite{Kind: protocol.InviteOnce, Lifetime: time.Minute}).Replies[0].Result.(protocol.InviteCreated)
	p := newPair(t, mina, jiwoo)
	used := p.join(peerNoon)
	p.part(peerNoon)
	now := peerNoon.Add(time.Hour)
	mina.step(now, protocol.Woke{})
	if n, _ := answersToLink(t, mina, now, open.Link); n != 2 {
		t.Fatalf("%d frames answer the holder of an open link, want hello and bundle", n)
	}
	old := map[string]string{"used": used, "revoked": revoked.Link, "expired": expired.Link}
	for name, link := range old {
		n, told := answersToLink(t, mina, now, link)
		if n != 0 {
			t.Errorf("%d frames answer the holder of a %s link", n, name)
		}
		if told != (name == "used") {
			t.Errorf("the user is told of a second use of a %s link: %v", name, told)
		}
	}
	gone := now.AddDate(0, 0, 63)
	mina.step(gone, protocol.Woke{})
	for name, link := range old {
		if n, _ := answersToLink(t, mina, gone, link); n != 0 {
			t.Errorf("%d frames answer the holder of a %s link two months later", n, name)
		}
	}
}

// answersToLink counts the frames that the holder of a link gets for its hello, the
// fetch of the bundle and a request, and reports whether the user is told of a second
// use. It checks that nothing is stored.
func answersToLink(t *testing.T, b *bare, now time.Time, link string) (frames int, told bool) {
	t.Helper()
	l := must[wire.Link](t)(wire.ParseLink(link))
	stranger, node := identity.TransportSeed{9}.Public(), b.key(now)
	fetch := identity.ExpandKey(l.Secret, identity.LabelFetch.Join(node[:]))
	request := wire.DepositedRequest{Capability: wire.Capability(identity.ExpandKey(l.Secret, identity.LabelDeposit.Join(node[:])))}
	out := b.comes(now, stranger, linkHello(t, link, stranger, node),
		protocol.FrameReceived{Type: wire.TypeBundleFetch, Body: fetch[:]},
		protocol.FrameReceived{Type: wire.TypeRequest, Body: request.Append(nil)})
	for _, s := range out.Sends {
		if _, ok := s.(protocol.SendFrame); ok {
			frames++
		}
	}
	for _, e := range out.Events {
		told = told || e.Type == protocol.InviteSecondUse
	}
	if len(out.Writes) > 0 {
		t.Errorf("%T and other rows, %d in all, are written for the holder of a link", out.Writes[0], len(out.Writes))
	}
	return frames, told
}
