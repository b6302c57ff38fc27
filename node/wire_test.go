package node_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/protocol/wire"
)

// longText is longer than any frame but the largest, so that it shows in sizes.
var longText = strings.Repeat("a long text of the wire; ", 1000)

// TestWireShowsNothing watches the line between two nodes while one invites the
// other, they talk, and both restart. It looks for whatever names a person, a
// device, a message or this program.
func TestWireShowsNothing(t *testing.T) {
	for name, network := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watchTheLine(t, network)
		})
	}
}

func watchTheLine(t *testing.T, network wire.Network) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	hidden := needles{}
	mina, jiwoo := newPerson(t, "Mina of the wire"), newPerson(t, "Jiwoo of the wire")
	for _, p := range []*person{mina, jiwoo} {
		p.end()
		hidden.profile(p.config.Profile, peek(p))
	}
	ports := [4]uint16{freePort(t), freePort(t), freePort(t), freePort(t)}
	mina.startAt(ports[0])
	jiwoo.startAt(ports[1])
	at := freePort(t)
	taps := []*tap{tapped(t, network, at, ports[0])}
	contact := hidden.befriend(ctx, mina, jiwoo, network, at)
	hidden.talk(ctx, mina, jiwoo, contact, mina.onlyContact(ctx))
	if n := taps[0].size(); n < 2*wire.RequestSize+2*len(longText) {
		t.Fatalf("only %d bytes went through the tap", n)
	}

	// Each knows the port that the other had: a tap takes its place.
	mina.end()
	jiwoo.end()
	taps = append(taps, tapped(t, network, ports[0], ports[2]), tapped(t, network, ports[1], ports[3]))
	mina.startAt(ports[2])
	jiwoo.startAt(ports[3])
	hidden.talk(ctx, mina, jiwoo, contact, mina.onlyContact(ctx))
	if n := taps[1].size() + taps[2].size(); n < 2*len(longText) {
		t.Fatalf("only %d bytes went through the taps", n)
	}
	mina.end()
	jiwoo.end()
	var blobs [][]byte
	for _, p := range taps {
		p.close()
		blobs = append(blobs, p.captured()...)
	}
	hidden.check(t, "on the wire", blobs...)
	hellos := checkConstants(t, network, blobs)
	hidden.check(t, "in the TLS hellos", hellos...)
}

// checkConstants checks that the capture shows what an observer is known to see:
// that libp2p runs. It returns what can be read of QUIC's first packets.
func checkConstants(t *testing.T, network wire.Network, blobs [][]byte) (hellos [][]byte) {
	t.Helper()
	constants, seen := []string{"/multistream/1.0.0\n", "/noise\n"}, blobs
	if network == wire.QUIC {
		hellos = tlsHellos(t, blobs)
		constants, seen = []string{"libp2p"}, hellos
	}
	for _, c := range constants {
		if !bytes.Contains(bytes.Join(seen, nil), []byte(c)) {
			t.Errorf("%q of libp2p is not in the capture: is it one?", c)
		}
	}
	return hellos
}

// befriend makes two people contacts by a link whose only address is a port of
// loopback where something stands between them. It returns jiwoo's contact.
func (n needles) befriend(ctx context.Context, mina, jiwoo *person, network wire.Network, at uint16) api.Contact {
	t := mina.t
	t.Helper()
	const note, alias, greeting = "a note of the wire", "an alias of the wire", "a greeting of the wire"
	n.text("note", note)
	n.text("alias", alias)
	n.text("greeting", greeting)
	invite := inviteOf(ctx, mina, api.InviteRequest{Note: note})
	link := must[wire.Link](t)(wire.ParseLink(*invite.URI))
	n.link("link", *invite.URI, link)
	n.id("invite id", invite.ID)
	link.Addresses = link.Addresses[:1]
	link.Addresses[0].Network, link.Addresses[0].Port = network, at
	uri := must[string](t)(link.Encode())
	accepted := must[api.Accepted](t)(jiwoo.AcceptInvite(ctx, api.AcceptRequest{URI: uri, Alias: alias, Greeting: greeting}))
	n.id("contact id", accepted.ContactID)
	var contact api.Contact
	jiwoo.until(ctx, func() bool {
		contact = must[api.Contact](t)(jiwoo.Contact(ctx, accepted.ContactID))
		return contact.State == api.ContactEstablished && contact.Name != ""
	})
	return contact
}

// talk sends short and long texts both ways and gives one of the two a new name.
func (n needles) talk(ctx context.Context, mina, jiwoo *person, ofMina, ofJiwoo api.Contact) {
	t := mina.t
	t.Helper()
	n.id("other contact id", ofJiwoo.ID)
	n.tell(ctx, jiwoo, ofMina.ID, "안녕, a short text of the wire")
	n.tell(ctx, mina, ofJiwoo.ID, "반가워요, another text of the wire")
	name := "Jiwoo renamed at " + time.Now().Format("15:04:05.000000")
	n.text("new name "+name, name)
	must[api.Self](t)(jiwoo.UpdateSelf(ctx, api.SelfPatch{DisplayName: &name}))
	n.tell(ctx, jiwoo, ofMina.ID, longText)
	n.tell(ctx, mina, ofJiwoo.ID, longText)
	mina.until(ctx, func() bool { return must[api.Contact](t)(mina.Contact(ctx, ofJiwoo.ID)).Name == name })
}
