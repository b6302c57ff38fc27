package session

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

var updateFlag = flag.Bool("update", false, "rewrite the test vectors")

// hexBytes shows bytes in hexadecimal in a vector.
type hexBytes []byte

// MarshalText makes JSON show hexadecimal.
func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// sessionVector is the story of a session: both sides start with the root, and each
// event happens to the side it names; a frame then reaches the other side.
type sessionVector struct {
	Secret  hexBytes      `json:"secret"` // P of the handshake
	SID     hexBytes      `json:"sid"`
	Ratchet hexBytes      `json:"inviter_ratchet_seed"`
	Root    hexBytes      `json:"root_320"`
	Events  []vectorEvent `json:"events"`
}

// vectorEvent is a step, a frame, or a message declared void.
type vectorEvent struct {
	Event string `json:"event"` // step, message, ack, sync, void
	Side  string `json:"side"`  // inviter, invitee
	Lost  bool   `json:"lost,omitempty"`

	// Of a step: what its maker took at random, and what it leads to.
	Step       uint32   `json:"step,omitempty"`
	Ciphertext hexBytes `json:"ciphertext,omitempty"`
	Shared     hexBytes `json:"ss,omitempty"`
	Seed       hexBytes `json:"ratchet_seed,omitempty"`
	Root       hexBytes `json:"root,omitempty"`
	Chain      hexBytes `json:"chain,omitempty"`
	Ack        hexBytes `json:"ack,omitempty"`
	Header     hexBytes `json:"header_key,omitempty"` // of chain step+2
	Check      hexBytes `json:"check,omitempty"`

	// Of a frame.
	Nonce    hexBytes `json:"nonce,omitempty"`
	Opened   hexBytes `json:"header,omitempty"`
	Contents hexBytes `json:"contents,omitempty"`
	BodyKey  hexBytes `json:"body_key,omitempty"`
	Frame    hexBytes `json:"frame,omitempty"`
	Acked    []uint32 `json:"acked,omitempty"`   // of the receiver's messages, for the first time
	Cleared  []uint32 `json:"cleared,omitempty"` // from, to

	// Of a message and of a message declared void: its place and its tag, and what
	// the receiver counts afterwards.
	Index  *uint32  `json:"index,omitempty"`
	Tag    hexBytes `json:"tag,omitempty"`
	Cum    *uint32  `json:"cum,omitempty"`
	Digest hexBytes `json:"digest,omitempty"`
}

// stage plays a vector: recorded, or made anew.
type stage struct {
	t      *testing.T
	sides  map[string]*Session
	script []vectorEvent
}

func newStage(t *testing.T, v *sessionVector) *stage {
	t.Helper()
	root := SplitRoot([32]byte(v.Secret), [32]byte(v.SID))
	invitee, err := NewInvitee(root, identity.KEMSeed(v.Ratchet).Public())
	if err != nil {
		t.Fatal(err)
	}
	v.Root = identity.Expand([32]byte(v.Secret), identity.LabelRoot.Join(v.SID), rootBytes)
	return &stage{t: t, sides: map[string]*Session{
		"inviter": NewInviter(root, identity.KEMSeed(v.Ratchet), day), "invitee": invitee,
	}}
}

func (g *stage) peer(side string) *Session {
	if side == "inviter" {
		return g.sides["invitee"]
	}
	return g.sides["inviter"]
}

// play lets an event happen and fills in what follows from it.
func (g *stage) play(e vectorEvent) {
	switch e.Event {
	case "step":
		g.step(&e)
	case "void":
		g.peer(e.Side).Void(*e.Index, [16]byte(e.Tag))
		g.count(&e)
	default:
		g.frame(&e)
	}
	g.script = append(g.script, e)
}

func (g *stage) step(e *vectorEvent) {
	s := g.sides[e.Side]
	seed := identity.KEMSeed(e.Seed)
	keys := &wire.EnvelopeKeys{Ratchet: seed.Public(), Ciphertext: [identity.KEMCiphertextSize]byte(e.Ciphertext)}
	st := s.derive([32]byte(e.Shared), *s.peer, keys)
	st.seed = &seed
	s.beginChain(st, day)
	tag := check(s.root)
	e.Step, e.Root, e.Chain, e.Ack, e.Header, e.Check = s.step, st.root[:], st.chain[:], st.ack[:], st.header[:], tag[:]
}

func (g *stage) frame(e *vectorEvent) {
	s := g.sides[e.Side]
	random := bytes.NewReader(e.Nonce)
	nonce := [12]byte(e.Nonce)
	var key [32]byte
	var err error
	var contents [][]byte
	if len(e.Contents) > 0 {
		contents = append(contents, e.Contents)
	}
	h := wire.EnvelopeHeader{Chain: s.send.number, First: s.send.first, Index: s.out.next}
	if s.keys != nil {
		h.Flags = wire.FlagKeys
	}
	switch e.Event {
	case "message":
		key = bodyKey(messageKey(s.send.chain), nonce)
		var m Sealed
		m, err = s.Seal(day, random, contents, 0)
		e.Frame, e.Tag, e.Index = m.Frame, m.Tag[:], &m.Index
	case "ack":
		h.Flags |= wire.FlagAck
		key = bodyKey(s.send.ack, nonce)
		e.Frame, err = s.Ack(day, random, contents, 0)
	case "sync":
		h = wire.EnvelopeHeader{}
		key = bodyKey(s.syncOurs, nonce)
		e.Frame, err = s.Sync(random, 0)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	e.BodyKey, e.Opened = key[:], h.Append(nil)
	if !e.Lost {
		g.receive(e)
	}
}

func (g *stage) receive(e *vectorEvent) {
	kind := map[string]Kind{"message": KindMessage, "ack": KindAck, "sync": KindSync}[e.Event]
	o := open(g.t, g.peer(e.Side), e.Frame, kind)
	if !bytes.Equal(o.Contents, e.Contents) {
		g.t.Errorf("contents %x", o.Contents)
	}
	e.Acked = o.Acked
	if o.Cleared.From < o.Cleared.To {
		e.Cleared = []uint32{o.Cleared.From, o.Cleared.To}
	}
	if kind == KindMessage {
		g.count(e)
	}
}

// count notes what the receiver counts.
func (g *stage) count(e *vectorEvent) {
	in := g.peer(e.Side).in
	e.Cum, e.Digest = &in.cum, in.digest[:]
}

// newSessionVector makes a session with all there is: a lost and a void message, acks
// beyond a gap, four steps, sync frames.
func newSessionVector(t *testing.T) *sessionVector {
	v := &sessionVector{
		Secret: bytes.Repeat([]byte{0x11}, 32), SID: bytes.Repeat([]byte{0x22}, 32), Ratchet: bytes.Repeat([]byte{0x33}, 32),
	}
	g := newStage(t, v)
	n := uint32(0)
	nonce := func() hexBytes {
		n++
		return binary.BigEndian.AppendUint32([]byte{0, 1, 2, 3, 4, 5, 6, 7}, n)
	}
	say := func(side, event, contents string) {
		g.play(vectorEvent{Event: event, Side: side, Nonce: nonce(), Contents: []byte(contents)})
	}
	step := func(side string) {
		s := g.sides[side]
		ct, ss, err := Encapsulate(*s.peer, purposeTurn, s.stepContext())
		if err != nil {
			t.Fatal(err)
		}
		g.play(vectorEvent{Event: "step", Side: side, Ciphertext: ct[:], Shared: ss[:], Seed: bytes.Repeat([]byte{byte(s.step)}, 32)})
	}
	say("inviter", "message", "\x01")
	step("invitee")
	say("invitee", "ack", "")
	say("invitee", "message", "\x02")
	say("inviter", "ack", "\x18\x2a")
	g.play(vectorEvent{Event: "message", Side: "invitee", Nonce: nonce(), Contents: []byte("\x03"), Lost: true})
	lost := g.script[len(g.script)-1]
	say("invitee", "message", "\x04\x05")
	say("inviter", "ack", "")
	step("inviter")
	say("inviter", "message", "\x06")
	g.play(vectorEvent{Event: "void", Side: "invitee", Index: lost.Index, Tag: lost.Tag})
	say("inviter", "message", "\x07")
	say("invitee", "sync", "")
	step("invitee")
	say("invitee", "message", "\x08")
	say("inviter", "ack", "")
	say("invitee", "message", "\x09")
	step("inviter")
	say("inviter", "ack", "")
	say("inviter", "sync", "")
	v.Events = g.script
	return v
}

func TestSessionVectors(t *testing.T) {
	path := filepath.Join("..", "doc", "vectors", "session.json")
	if *updateFlag {
		b, err := json.MarshalIndent(newSessionVector(t), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	recorded, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v sessionVector
	if err := json.Unmarshal(recorded, &v); err != nil {
		t.Fatal(err)
	}
	g := newStage(t, &v)
	for _, e := range v.Events {
		g.play(vectorEvent{
			Event: e.Event, Side: e.Side, Lost: e.Lost, Ciphertext: e.Ciphertext, Shared: e.Shared, Seed: e.Seed,
			Nonce: e.Nonce, Contents: e.Contents, Index: e.Index, Tag: e.Tag,
		})
	}
	v.Events = g.script
	again, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	was, is := bytes.Split(recorded, []byte("\n")), bytes.Split(append(again, '\n'), []byte("\n"))
	for i := range min(len(was), len(is)) {
		if !bytes.Equal(was[i], is[i]) {
			t.Fatalf("line %d of the vectors: %.100s, now %.100s", i+1, was[i], is[i])
		}
	}
	if len(was) != len(is) {
		t.Fatalf("%d lines of vectors, now %d", len(was), len(is))
	}
}
