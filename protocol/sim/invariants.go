package sim

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// checkFrame checks a frame that a machine sends: nothing but hellos before the
// other end has proved itself, and nothing readable in it.
func (w *World) checkFrame(m *machine, e *end, s protocol.SendFrame) {
	switch {
	case e.other().finder && e.helloSeen && (ofLink(s.Type) || e.other().replays):
		// If the first frame of a session was recorded and did not arrive, whoever brings it
		// with the link is taken for the contact, and gets what only that one can open.
	case e.other().m == nil:
		w.fail("%v: answers a stranger with %s", m, s.Type.Name())
	case s.Type == wire.TypeHello:
		if e.helloSent || e.inbound && !e.helloSeen {
			w.fail("%v: a hello out of turn", m)
		}
	case !e.helloSeen || !e.authenticated:
		w.fail("%v: sends %s to somebody who has proved nothing", m, s.Type.Name())
	}
	if len(s.Body) > s.Type.BodyBytesMax() {
		w.fail("%v: %s of %d bytes", m, s.Type.Name(), len(s.Body))
	}
	if s.Type == wire.TypeHello && len(s.Body) == identity.HelloTagSize {
		w.checkHello(m, e, s)
	}
	if s.Type == wire.TypeEnvelope || s.Type == wire.TypeDeposit {
		w.checkResent(m, s.Type.Name(), s.Body)
	}
	w.checkOpaque(m, s.Type.Name(), s.Body)
}

// resent counts how often a machine has done the same in a minute.
type resent struct {
	minute int64
	times  map[uint64]int // by a hash
}

// hashSeed is of this process: no outcome depends on it.
var hashSeed = maphash.MakeSeed()

// checkResent notices a machine that sends the same time and again to somebody who does not answer,
// or reads the same for it: whoever has lost a session would never be left alone.
func (w *World) checkResent(m *machine, what string, of ...[]byte) {
	if minute := w.now.Unix() / 60; minute != m.again.minute || m.again.times == nil {
		m.again = resent{minute, make(map[uint64]int)}
	}
	var h maphash.Hash
	h.SetSeed(hashSeed)
	h.WriteString(what)
	for _, b := range of {
		h.Write(b)
	}
	if m.again.times[h.Sum64()]++; m.again.times[h.Sum64()] > resentMax {
		w.fail("%v: the same %s more than %d times in a minute", m, what, resentMax)
	}
}

// checkJob does the same for what is read for envelopes.
func (w *World) checkJob(m *machine, j protocol.Job) {
	switch j := j.(type) {
	case protocol.FetchContents:
		ids := [][]byte{j.Contact[:]}
		for i := range j.Messages {
			ids = append(ids, j.Messages[i][:])
		}
		w.checkResent(m, "FetchContents", ids...)
	case protocol.FetchParts:
		parts := [][]byte{j.Contact[:]}
		for i := range j.Parts {
			parts = append(parts, j.Parts[i].Message[:], []byte{j.Parts[i].Item, j.Parts[i].Index})
		}
		w.checkResent(m, "FetchParts", parts...)
	}
}

// helloDays is how long a hello tag may be seen: by the clocks of both ends it is of one
// day, and each may be a day off and take another for today's.
const helloDays = 4 * 24 * time.Hour

// hello is a tag as it was first sent.
type hello struct {
	local, remote identity.TransportKey
	at            time.Time
}

// checkHello checks that a tag says nothing about any other: it is of one day and of two
// transport keys. A clock that is a year off and comes back may live through a day twice.
func (w *World) checkHello(m *machine, e *end, s protocol.SendFrame) {
	tag := identity.HelloTag(s.Body)
	first, known := w.truth.hellos[tag]
	switch {
	case !known:
		w.truth.hellos[tag] = hello{e.local, e.remote, w.now}
	case first.local != e.local || first.remote != e.remote:
		w.fail("%v: two hellos between others are equal", m)
	case w.now.Sub(first.at) > helloDays && (w.plan.Clock == 0 || w.plan.ClockMost > 0) && !w.linkHello(tag, e):
		w.fail("%v: a hello of %v ago is sent again", m, w.now.Sub(first.at))
	}
}

// linkHello reports whether a tag is of a link: that is of no day, only of the transport keys,
// which couriers keep.
func (w *World) linkHello(tag identity.HelloTag, e *end) bool {
	direction, dialer, listener := identity.FromDialer, e.local, e.remote
	if e.inbound {
		direction, dialer, listener = identity.FromListener, e.remote, e.local
	}
	return slices.ContainsFunc(w.truth.invites, func(i invitation) bool {
		link, err := wire.ParseLink(i.link)
		return err == nil && identity.NewHelloTag(identity.LinkHelloKey(link.Secret), direction, dialer, listener) == tag
	})
}

const (
	opaqueSize = 4 << 10 // from which on it is remembered that nothing is readable in what is sent
	opaqueSeen = 1 << 12 // of how much
)

// checkOpaque checks that nothing is readable in what a machine sends. What is large and was sent
// before has been looked at.
func (w *World) checkOpaque(m *machine, what string, sent []byte) {
	if len(sent) >= opaqueSize {
		hash := maphash.Bytes(hashSeed, sent)
		if w.opaque[hash] {
			return
		}
		if len(w.opaque) >= opaqueSeen || w.opaque == nil {
			w.opaque = make(map[uint64]bool)
		}
		w.opaque[hash] = true
	}
	if bytes.Contains(sent, []byte(marker)) {
		w.fail("%v: a text or a name is readable in %s", m, what)
	}
	if o := w.secrets.in(sent); o != nil {
		w.fail("%v: a key of %v is readable in %s", m, o, what)
	}
}

// secretPart is how many bytes of a secret are looked for.
const secretPart = 16

// secrets finds what must never be seen among all that is sent: by its first two bytes,
// and then by more.
type secrets struct {
	begin [1 << 16]bool
	of    map[[secretPart]byte]*machine
}

func (s *secrets) add(m *machine) {
	if s.of == nil {
		s.of = make(map[[secretPart]byte]*machine)
	}
	for _, secret := range m.secrets {
		s.begin[binary.BigEndian.Uint16(secret)] = true
		s.of[[secretPart]byte(secret)] = m
	}
}

// in returns whose secret can be read, nil if none can.
func (s *secrets) in(sent []byte) *machine {
	for i := 0; i+secretPart <= len(sent); i++ {
		if s.begin[binary.BigEndian.Uint16(sent[i:])] {
			if m := s.of[[secretPart]byte(sent[i:])]; m != nil {
				return m
			}
		}
	}
	return nil
}

// checkBeacon checks a datagram that a machine sends to everybody near: it is like every
// other in size, and like none in what is in it.
func (w *World) checkBeacon(m *machine, datagram []byte) {
	b, err := wire.ParseBeacon(datagram)
	if err != nil {
		w.fail("%v: %v", m, err)
		return
	}
	w.checkOpaque(m, "a beacon", datagram)
	for _, part := range [][8]byte{[8]byte(b.Nonce[:]), [8]byte(b.Nonce[8:]), b.Marks[0].Tag, b.Marks[1].Tag, b.Marks[wire.BeaconMarksMax-1].Tag} {
		if w.truth.marks[part] {
			w.fail("%v: two beacons have something in common", m)
		}
		w.truth.marks[part] = true
	}
}

// ofLink reports whether the holder of a link may get frames of a type: who asked by
// it takes the holder for the inviter, too.
func ofLink(t wire.Type) bool {
	switch t {
	case wire.TypeHello, wire.TypeBundleFetch, wire.TypeBundleAnswer, wire.TypeRequest, wire.TypeAccept:
		return true
	}
	return false
}

// bodyKeyAt and tagAt say where session.Sealed.Parts keeps them.
const (
	bodyKeyAt = 32
	tagAt     = 64
)

// sealed checks the envelopes of a batch whose frames leave now: no chain key and
// no body key seals twice.
func (t *truth) sealed(m *machine, writes []protocol.Write) {
	for _, write := range writes {
		r, ok := write.(protocol.PutOutbox)
		if !ok {
			continue
		}
		if len(r.Envelope) < tagAt+wire.BodyTagSize {
			t.w.fail("%v: an envelope's row is too short", m)
			return
		}
		key, tag := [32]byte(r.Envelope[bodyKeyAt:]), [16]byte(r.Envelope[tagAt:])
		if old, used := t.keys[key]; used && old != tag {
			t.w.fail("%v: a body key sealed two texts", m)
		}
		t.keys[key] = tag
		place := seal{m, m.epoch, r.SID, r.Index}
		if old, used := t.seals[place]; used && old != tag {
			t.w.fail("%v: one chain key sealed two envelopes, index %d", m, r.Index)
		}
		t.seals[place] = tag
	}
}

// checkCommit checks the rows of a commit.
func (w *World) checkCommit(m *machine, writes []protocol.Write) {
	for _, write := range writes {
		switch r := write.(type) {
		case protocol.PutConversation:
			if n := len(m.disk.threads[r.ID]); n > 0 && m.disk.threads[r.ID][n-1].Position > r.LastPosition {
				w.fail("%v: a message lies behind the last position", m)
			}
			if r.SealedUpTo > r.OwnSequence {
				w.fail("%v: sealed up to %d of %d", m, r.SealedUpTo, r.OwnSequence)
			}
		case protocol.PutSession:
			if len(r.State) > sessionStateBytesMax {
				w.fail("%v: a session of %d bytes", m, len(r.State))
			}
			if _, known := m.disk.contacts[r.Contact]; !known {
				w.fail("%v: a session without a contact", m)
			}
		case protocol.PutContact:
			w.noteQuota(m, r)
			if len(r.State) > contactStateBytesMax {
				w.fail("%v: a contact's state of %d bytes", m, len(r.State))
			}
		case protocol.PutOutbox:
			if _, known := m.disk.sessions[sessionKey{r.Contact, r.SID}]; !known && m.disk.holdsOutbox(r) {
				w.fail("%v: an envelope without a session", m)
			}
			w.checkCopies(m, r)
		}
	}
}

// checkCopies checks that no more couriers have an envelope than may, of those that the
// contact names.
func (w *World) checkCopies(m *machine, r protocol.PutOutbox) {
	if len(r.Stored) <= outbox.CopiesUsual {
		return
	}
	var st contactState
	if err := cbor.Unmarshal(m.disk.contacts[r.Contact].State, &st); err != nil || st.Record == nil {
		return
	}
	copies := 0
	for _, at := range r.Stored {
		if slices.ContainsFunc(st.Record.Mailboxes, func(b wire.Mailbox) bool { return b.ID == at.Mailbox }) {
			copies++
		}
	}
	if copies > outbox.CopiesMax {
		w.fail("%v: %d couriers have an envelope", m, copies)
	}
	w.truth.thirds++
}

func (d *disk) holdsOutbox(r protocol.PutOutbox) bool {
	_, ok := d.outbox[outboxKey{sessionKey{r.Contact, r.SID}, r.Index}]
	return ok
}

// checkOrder checks that a message that has just arrived lies, by position, where
// its author wrote it.
func (w *World) checkOrder(m *machine, msg *message) {
	t := m.disk.threads[msg.Conversation]
	mine := w.truth.letters[msg.wire]
	if mine.author.epoch > 0 && t.usedAgain(msg) {
		return // it goes behind everything
	}
	i, _ := t.find(msg.Position)
	comparable := func(o *message) bool {
		if o.Direction != protocol.In || mine.author.epoch > 0 && t.usedAgain(o) {
			return false
		}
		// One that its author has lost it has not written before the others. Who removes a contact and
		// goes on with it in another conversation, which had waited for an answer, begins the numbers
		// anew: what waited there is not placed among what had come before, which is not known to
		// be of later (spec, "Delivery": only the sequence orders the messages of an author).
		l := w.truth.letters[o.wire]
		return l.epoch == mine.epoch && l.from == mine.from && !l.renumbered && !mine.renumbered && !l.lost
	}
	for j := i - 1; j >= 0; j-- {
		if comparable(t[j]) {
			if w.truth.letters[t[j].wire].order > mine.order {
				w.fail("%v: %s lies behind %s", m, short(mine.text), short(t[j].text))
			}
			break
		}
	}
	for j := i + 1; j < len(t); j++ {
		if comparable(t[j]) {
			if w.truth.letters[t[j].wire].order < mine.order {
				w.fail("%v: %s lies before %s", m, short(mine.text), short(t[j].text))
			}
			break
		}
	}
}

// usedAgain reports whether a message lies behind one whose number is not below its own: its author
// has lost its state and used a number again, perhaps that of an edit, which lies nowhere; so it went
// behind everything.
func (t thread) usedAgain(msg *message) bool {
	i, _ := t.find(msg.Position)
	return slices.ContainsFunc(t[:i], func(o *message) bool {
		return o.Direction == protocol.In && o.Sequence >= msg.Sequence
	})
}

// have mirrors the have vector in a conversation's state.
type have struct {
	Next uint64 `cbor:"1,keyasint"`
	Gaps []struct {
		First    uint64 `cbor:"1,keyasint"`
		Count    uint64 `cbor:"2,keyasint"`
		Position uint64 `cbor:"3,keyasint"`
	} `cbor:"2,keyasint"`
	Told uint64 `cbor:"6,keyasint"` // up to which its messages are said to be read
}

func (h *have) missing(sequence uint64) bool {
	for _, g := range h.Gaps {
		if sequence >= g.First && sequence-g.First < g.Count {
			return true
		}
	}
	return sequence >= h.Next
}

// contactState mirrors what of a contact's state says that something is unfinished.
type contactState struct {
	Recovery  [32]byte            `cbor:"4,keyasint"`
	Record    *wire.AddressRecord `cbor:"6,keyasint"`
	Renewals  []int64             `cbor:"10,keyasint"` // Unix seconds of the last day's
	Pleaded   int64               `cbor:"43,keyasint"` // Unix seconds: when a renewal was asked for because of mail that did not open
	NotOpened int64               `cbor:"54,keyasint"` // Unix seconds: since when some does not
	Inline    [][]byte            `cbor:"7,keyasint"`
	Repair    cbor.RawMessage     `cbor:"9,keyasint"`
	Forked    bool                `cbor:"20,keyasint"`
	Renumber  uint64              `cbor:"21,keyasint"`
}

// checkAll checks all letters, and everything on each disk on which anything was committed
// since it last did.
func (w *World) checkAll() {
	if w.commits == w.checked {
		return
	}
	w.checked = w.commits
	for _, id := range keysInOrder(w.truth.letters) {
		w.checkLetter(w.truth.letters[id])
	}
	for _, m := range w.machines {
		if m.touched {
			m.touched = false
			w.checkDisk(m)
		}
	}
}

// checkLetter checks that nothing is lost.
func (w *World) checkLetter(l *letter) {
	if l.promised && !l.withdrawn && !l.lost {
		if m := l.author.disk.messages[l.id]; m == nil || m.text != l.text {
			w.fail("%v: %s was called sent and is not on the disk", l.author, short(l.text))
		}
	}
	if l.arrived && !l.gone && !l.reader.disk.holds(l.id) {
		w.fail("%v: %s arrived and is not on the disk", l.reader, short(l.text))
	}
}

// checkDisk checks the rows of one machine against each other.
func (w *World) checkDisk(m *machine) {
	d := m.disk
	perContact := make(map[protocol.ContactID]int)
	for k := range d.sessions {
		perContact[k.contact]++
	}
	for _, r := range d.requests { // each accept that waits for its first frame has one
		if r.Phase == protocol.RequestAccepted {
			perContact[r.Contact]--
		}
	}
	for _, c := range inOrder(d.contacts) {
		if perContact[c.ID] > sessionsPerContactMax {
			w.fail("%v: %d sessions with one contact", m, perContact[c.ID])
		}
		if c.Conversation != (protocol.ConversationID{}) && d.conversations[c.Conversation].Contact != c.ID {
			w.fail("%v: a contact whose conversation is another's", m)
		}
	}
	perSession := make(map[sessionKey]int)
	for k := range d.outbox {
		perSession[k.sessionKey]++
	}
	for _, k := range slices.SortedFunc(mapKeys(perSession), compareSessions) {
		if perSession[k] > envelopesPerSession {
			w.fail("%v: %d envelopes wait in one session", m, perSession[k])
		}
	}
	w.checkRoles(m)
	w.checkShelves(m)
	w.checkParts(m)
	for _, v := range inOrder(d.conversations) {
		w.checkConversation(m, v)
	}
	for _, k := range slices.SortedFunc(mapKeys(d.outbox), compareOutbox) {
		w.checkEnvelope(m, d.outbox[k])
	}
}

// checkEnvelope checks that an envelope's row still makes the frame that was sent,
// byte for byte, as long as its texts are there.
func (w *World) checkEnvelope(m *machine, r protocol.PutOutbox) {
	contents := make([][]byte, len(r.Contents))
	for i, c := range r.Contents {
		contents[i] = c.Inline
		if c.Part != (outbox.Part{}) {
			if contents[i] = m.disk.partContent(c.Part); contents[i] == nil {
				w.fail("%v: an envelope's part is of a message that is gone", m)
				return
			}
		}
		if c.Message != (protocol.MessageID{}) {
			if contents[i] = m.disk.contents([]protocol.MessageID{c.Message})[c.Message]; contents[i] == nil {
				w.fail("%v: an envelope's text is gone", m)
				return
			}
		}
	}
	if _, err := session.Rebuild(r.Envelope, contents); err != nil {
		w.fail("%v: an envelope cannot be built again: %v", m, err)
	}
}

func (w *World) checkConversation(m *machine, v protocol.PutConversation) {
	d := m.disk
	if v.Kind != protocol.ConversationDirect {
		return
	}
	if _, known := d.contacts[v.Contact]; !known {
		w.fail("%v: a conversation without its contact", m)
		return
	}
	var h have
	if err := cbor.Unmarshal(v.State, &h); err != nil {
		w.fail("%v: have vector: %v", m, err)
		return
	}
	for _, g := range h.Gaps {
		if d.gaps[gapKey{v.ID, g.Position}] != g.Count {
			w.fail("%v: a gap of %d at %d is not shown", m, g.Count, g.Position)
		}
		if i, found := d.threads[v.ID].find(g.Position); found || i < len(d.threads[v.ID]) && d.threads[v.ID][i].Position < g.Position+g.Count {
			w.fail("%v: a message lies in a gap", m)
		}
		if h.Told >= g.First {
			w.fail("%v says that %d is read, but %d has not come", m, h.Told, g.First)
		}
	}
	if v.ReadUpTo > v.LastPosition || v.PeerReadUpTo > v.OwnSequence {
		w.fail("%v: read up to %d of %d, by the peer %d of %d", m, v.ReadUpTo, v.LastPosition, v.PeerReadUpTo, v.OwnSequence)
	}
	w.checkGaps(m, v, &h)
}

// checkGaps checks that every message below the highest that came is here, or
// known to be missing, or withdrawn.
func (w *World) checkGaps(m *machine, v protocol.PutConversation, h *have) {
	author := w.truth.accounts[m.disk.contacts[v.Contact].Account]
	if author == nil || author.epoch > 0 || m.epoch > 0 {
		return // their have vectors may differ until the renewal
	}
	for _, c := range inOrder(author.disk.contacts) {
		if c.Account != m.account || c.Phase != protocol.ContactEstablished || renumbers(c) {
			continue
		}
		for _, msg := range author.disk.threads[c.Conversation] {
			if msg.Direction == protocol.Out && msg.state != protocol.MessageErased && !w.truth.letters[msg.wire].arrived && !h.missing(msg.Sequence) && msg.At >= v.CreatedAt {
				w.fail("%v: %s is neither here nor missed", m, short(msg.text))
			}
		}
	}
}

// renumbers reports whether what waits for a contact gets other numbers before it is sealed: that
// waits, too, while the contact is blocked.
func renumbers(c protocol.PutContact) bool {
	var st contactState
	return cbor.Unmarshal(c.State, &st) == nil && st.Renumber > 0
}

func mapKeys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
