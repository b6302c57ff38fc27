package node_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// needles are the bytes that nobody else may see, each with what it is.
type needles map[string][]byte

// text adds a text.
func (n needles) text(what, text string) { n[what] = []byte(text) }

// secret adds bytes, raw and in the usual ways of writing them as text.
func (n needles) secret(what string, b []byte) {
	n[what] = b
	n[what+" in hexadecimal"] = []byte(hex.EncodeToString(b))
	n[what+" in base64"] = []byte(base64.RawStdEncoding.EncodeToString(b))
	n[what+" in base64url"] = []byte(base64.RawURLEncoding.EncodeToString(b))
}

// long adds bytes of which any part may show: parts of the first 1.5 KiB.
func (n needles) long(what string, b []byte) {
	const part = 24
	for i := 0; i+part <= len(b) && i < 64*part; i += part {
		n[fmt.Sprintf("%s, bytes from %d", what, i)] = b[i : i+part]
	}
}

// id adds an id of the API: its text, and the 16 bytes behind it.
func (n needles) id(what, text string) {
	n.text(what, text)
	if id, err := protocol.ParseMessageID("ms_" + text[strings.IndexByte(text, '_')+1:]); err == nil {
		n[what+", raw"] = id[:]
	}
}

// profile adds all that names a person or a device of theirs.
func (n needles) profile(who string, p *protocol.Peer) {
	account := p.Account()
	n.secret(who+"'s account key", account[:])
	for _, d := range p.Devices() {
		n.long(who+"'s device key", d.Key[:])
	}
	n.text(who+"'s name", p.Name())
	for day := range 4 { // the host may be up to three hours off our day, and some tests last two
		key := p.Transport(time.Now().AddDate(0, 0, day-1)).Public()
		n.secret(fmt.Sprintf("%s's transport key %d", who, day), key[:])
	}
}

// link adds what a link holds.
func (n needles) link(what, uri string, link wire.Link) {
	n.secret(what+"'s secret", link.Secret[:])
	n.secret(what+"'s pin", link.Pin[:])
	n.text(what, uri[strings.IndexByte(uri, '#')+1:])
}

// found returns which needles are in the blobs, and whether our name is there.
func (n needles) found(blobs ...[]byte) (what []string) {
	for _, b := range blobs {
		for name, needle := range n {
			if bytes.Contains(b, needle) {
				what = append(what, name)
			}
		}
		if bytes.Contains(bytes.ToLower(b), []byte("pabal")) {
			what = append(what, "our name")
		}
	}
	return what
}

// check fails the test if a needle is in the blobs. It looks into blobs with each
// needle added too, so that a search that cannot find fails as well.
func (n needles) check(t *testing.T, where string, blobs ...[]byte) {
	t.Helper()
	for name, needle := range n {
		if len(needle) < 8 {
			t.Fatalf("%s is too short to be looked for", name)
		}
		planted := append(append(make([]byte, 100), needle...), 1, 2, 3)
		if len(n.found(planted)) == 0 {
			t.Fatalf("%s would not be found", name)
		}
	}
	if len(n.found([]byte("/PaBaL/1"))) != 1 {
		t.Fatal("our name would not be found")
	}
	for _, what := range n.found(blobs...) {
		t.Errorf("%s: %s can be seen", where, what)
	}
}

// opened opens the store of a person whose node is off.
func opened(p *person, use func(*store.Store)) {
	p.t.Helper()
	profile := must[*store.Profile](p.t)(store.Lock(p.config.DataDir, store.Self("")))
	var unlock store.Unlock
	if _, keyfile, err := profile.Exists(); err == nil && !keyfile {
		unlock.Passphrase = []byte(passphrase)
	}
	st := must[*store.Store](p.t)(profile.Open(unlock))
	use(st)
	if err := errors.Join(st.Close(), profile.Close()); err != nil {
		p.t.Fatal(err)
	}
}

// peek returns the Peer of a person whose node is off.
func peek(p *person) (peer *protocol.Peer) {
	p.t.Helper()
	opened(p, func(st *store.Store) {
		state := must[protocol.State](p.t)(st.Load())
		peer = must[*protocol.Peer](p.t)(protocol.Load(rand.Reader, protocol.Config{}, state))
	})
	return peer
}

// startAt moves a node that is off to a port and starts it.
func (p *person) startAt(port uint16) {
	p.config.Listen = []string{loopbackPort(port).String()}
	p.start()
}

// placed waits until the node knows its own addresses, which it hears of a moment
// after it is ready: links name them.
func (p *person) placed(ctx context.Context) {
	p.t.Helper()
	for len(must[api.Network](p.t)(p.Network(ctx)).Listen) == 0 {
	}
}

// tell sends a text and waits until it is delivered; its id becomes a needle.
func (n needles) tell(ctx context.Context, from *person, contact, text string) {
	from.t.Helper()
	m := must[api.Message](from.t)(from.SendToContact(ctx, contact, api.MessageRequest{Text: text},
		api.SendOptions{Wait: api.StateDelivered, Timeout: api.WaitMax}))
	if m.Status.State != api.StateDelivered {
		from.t.Fatalf("state %q", m.Status.State)
	}
	n.long("text of message "+*m.ID, []byte(text))
	n.id("message "+*m.ID, *m.ID)
	n.id("conversation id", m.ConversationID)
}
