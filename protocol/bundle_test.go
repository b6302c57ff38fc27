package protocol

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// apart returns two who are contacts and have no connection any more.
func apart(t *testing.T) (w *town, a, b *side) {
	w, all := newTown(t, "Mina", "Jiwoo")
	a, b = all[0], all[1]
	w.meet(a, b)
	w.pass(5 * time.Second)
	w.switchOff(a)
	w.switchOff(b)
	return w, a, b
}

// writes has one write texts to another.
func (w *town) writes(from, to *side, n int) {
	for range n {
		from.step(w.now, SendText{Contact: from.of(to).row.ID, Text: fmt.Sprint("text ", from.of(to).conv.row.OwnSequence+1)})
	}
	w.run()
}

// file has one export a file for another.
func (w *town) file(from, to *side) BundleExported {
	w.t.Helper()
	from.out.Replies = nil
	from.step(w.now, ExportBundle{Ref: 7, Contact: from.of(to).row.ID})
	w.run()
	for _, r := range from.out.Replies {
		if r.Ref == 7 {
			return r.Result.(BundleExported)
		}
	}
	w.t.Fatal("no file is made")
	return BundleExported{}
}

// takes has one import a file, and leaves the file as it is.
func (w *town) takes(s *side, file []byte) BundleImported {
	w.t.Helper()
	out := s.step(w.now, ImportBundle{Ref: 8, File: bytes.Clone(file)})
	w.run()
	return out.Replies[0].Result.(BundleImported)
}

// refuses has one import a file that must be refused.
func (w *town) refuses(s *side, file []byte, code string) {
	w.t.Helper()
	out, err := s.p.Step(w.now, ImportBundle{File: bytes.Clone(file)})
	if p, ok := errors.AsType[*Problem](err); !ok || p.Code != code {
		w.t.Errorf("%v, want %s", err, code)
	}
	if len(out.Writes)+len(out.Sends)+len(out.Events)+len(out.Jobs) > 0 {
		w.t.Errorf("%s, but it has effects", code)
	}
}

// rows are what a side has written of the conversation with its contacts.
type rows struct {
	self          PutSelf
	contacts      map[ContactID]PutContact
	sessions      map[[32]byte]PutSession
	conversations map[ConversationID]PutConversation
	outbox        map[[36]byte]PutOutbox
	own           []PutMessage
	groups        map[ConversationID]PutGroup
	members       map[ConversationID]map[identity.MemberKey]PutMember
	shared        []PutShared
}

func newRows() *rows {
	return &rows{
		contacts: make(map[ContactID]PutContact), sessions: make(map[[32]byte]PutSession),
		conversations: make(map[ConversationID]PutConversation), outbox: make(map[[36]byte]PutOutbox),
		groups: make(map[ConversationID]PutGroup), members: make(map[ConversationID]map[identity.MemberKey]PutMember),
	}
}

func (r *rows) clone() *rows {
	c := &rows{
		r.self, maps.Clone(r.contacts), maps.Clone(r.sessions), maps.Clone(r.conversations), maps.Clone(r.outbox), slices.Clone(r.own),
		maps.Clone(r.groups), make(map[ConversationID]map[identity.MemberKey]PutMember), slices.Clone(r.shared),
	}
	for id, members := range r.members {
		c.members[id] = maps.Clone(members)
	}
	return c
}

func outboxKeyOf(sid [32]byte, index uint32) (key [36]byte) {
	copy(key[:], sid[:])
	binary.BigEndian.PutUint32(key[32:], index)
	return key
}

func (r *rows) keep(w Write) {
	switch w := w.(type) {
	case PutSelf:
		r.self = w
	case PutContact:
		r.contacts[w.ID] = w
	case PutSession:
		r.sessions[w.SID] = w
	case EraseSession:
		delete(r.sessions, w.SID)
		maps.DeleteFunc(r.outbox, func(_ [36]byte, o PutOutbox) bool { return o.SID == w.SID })
	case PutGroup:
		r.groups[w.Conversation] = w
	case PutMember:
		if r.members[w.Conversation] == nil {
			r.members[w.Conversation] = make(map[identity.MemberKey]PutMember)
		}
		r.members[w.Conversation][w.Key] = w
	case PutShared:
		if w.Kind == SharedLeave || w.Kind == SharedProfile {
			r.shared = slices.DeleteFunc(slices.Clone(r.shared), func(s PutShared) bool {
				return s.Conversation == w.Conversation && s.Kind == w.Kind && s.Member == w.Member
			})
		}
		r.shared = append(r.shared, w)
	case PutConversation:
		r.conversations[w.ID] = w
	case EraseConversation:
		delete(r.conversations, w.ID)
		r.own = slices.DeleteFunc(slices.Clone(r.own), func(m PutMessage) bool { return m.Conversation == w.ID })
	case EraseContact:
		delete(r.contacts, w.ID)
		maps.DeleteFunc(r.sessions, func(_ [32]byte, s PutSession) bool { return s.Contact == w.ID })
		maps.DeleteFunc(r.outbox, func(_ [36]byte, o PutOutbox) bool { return o.Contact == w.ID })
	case PutOutbox:
		r.outbox[outboxKeyOf(w.SID, w.Index)] = w
	case EraseOutbox:
		for i := w.First; i <= w.Last; i++ {
			delete(r.outbox, outboxKeyOf(w.SID, i))
		}
	case PutMessage:
		if w.Direction == Out {
			r.own = append(r.own, w)
		}
	}
}

// state is what a side is loaded from again.
func (r *rows) state(s *side) State {
	self, err := s.p.encode.Marshal(s.p.self.state)
	if err != nil {
		s.t.Fatal(err)
	}
	state := State{
		Self:     PutSelf{Name: s.p.self.name, State: self},
		Contacts: slices.Collect(maps.Values(r.contacts)), Sessions: slices.Collect(maps.Values(r.sessions)),
		Conversations: slices.Collect(maps.Values(r.conversations)), Outbox: slices.Collect(maps.Values(r.outbox)),
	}
	for _, m := range r.own {
		if v := r.conversations[m.Conversation]; m.Sequence > v.SealedUpTo && v.Kind != ConversationGroup {
			state.Waiting = append(state.Waiting, Waiting{ID: m.ID, Conversation: m.Conversation, Sequence: m.Sequence, SizeBytes: len(m.Content)})
		}
	}
	state.Groups = slices.Collect(maps.Values(r.groups))
	for _, members := range r.members {
		state.Members = append(state.Members, slices.Collect(maps.Values(members))...)
	}
	for _, shared := range r.shared {
		if shared.Kind != SharedMessage {
			state.Shared = append(state.Shared, shared)
		}
	}
	return state
}

// reload makes a Peer anew from what a side has written: nothing is in memory.
func (s *side) reload(now time.Time, state State) {
	s.t.Helper()
	p, err := Load(rand.Reader, Config{BootID: [32]byte{1}, Groups: true}, state)
	if err != nil {
		s.t.Fatal(err)
	}
	s.p = p
	s.step(now, Woke{})
}

// inOrder fails the test unless a side has n texts, each once and in order.
func (w *town) inOrder(s *side, n int) {
	w.t.Helper()
	if len(s.incoming()) != n {
		w.t.Fatalf("%d of %d texts arrived", len(s.incoming()), n)
	}
	position := uint64(0)
	for i, m := range s.incoming() {
		if m.Sequence != uint64(i+1) || m.Position <= position {
			w.t.Fatalf("text %d has sequence %d, position %d", i+1, m.Sequence, m.Position)
		}
		position = m.Position
	}
}

func (s *side) incoming() []PutMessage {
	return slices.DeleteFunc(slices.Clone(s.history), func(m PutMessage) bool { return m.Direction == Out })
}

// TestBundleThereAndBack has two who are never on together exchange a thousand texts by
// file, and the acknowledgement by another.
func TestBundleThereAndBack(t *testing.T) {
	w, a, b := apart(t)
	const n = 1000
	w.writes(a, b, n)
	there := w.file(a, b)
	if there.Messages != n || there.Waiting != 0 || len(there.File) > 256<<10 {
		t.Fatalf("%d in the file, %d are not, %d bytes", there.Messages, there.Waiting, len(there.File))
	}
	if d := a.of(b).conv.row.Delivered; len(d) > 0 || a.of(b).queue.Empty() {
		t.Fatalf("the export clears: delivered %v", d)
	}
	if in := w.takes(b, there.File); in.Messages != n || in.Contact != b.of(a).row.ID || in.At != w.now.Unix() {
		t.Errorf("imported %+v", in)
	}
	w.inOrder(b, n)
	back := w.file(b, a)
	if in := w.takes(a, back.File); in.Delivered != n || in.Messages != 0 {
		t.Errorf("acknowledged %+v", in)
	}
	if d := a.of(b).conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, n}) || !a.of(b).queue.Empty() {
		t.Errorf("delivered %v", d)
	}
}

// TestBundleAgain imports files twice, in the wrong order, and leaves some out.
func TestBundleAgain(t *testing.T) {
	w, a, b := apart(t)
	var files [][]byte
	for range 5 {
		w.writes(a, b, 3)
		files = append(files, w.file(a, b).File)
	}
	w.takes(b, files[3])
	w.inOrder(b, 12)
	for _, i := range []int{3, 0, 1, 3} {
		if in := w.takes(b, files[i]); in.Messages != 0 {
			t.Errorf("file %d: %+v", i, in)
		}
	}
	w.takes(b, files[4])
	w.inOrder(b, 15)
	back := w.file(b, a).File
	w.takes(a, back)
	if in := w.takes(a, back); in.Delivered != 0 {
		t.Errorf("again: %+v", in)
	}
	for i := range files { // long after they have been acknowledged
		if in := w.takes(b, files[i]); in.Messages != 0 {
			t.Errorf("file %d: %+v", i, in)
		}
	}
	w.inOrder(b, 15)
	w.switchOn(a)
	w.switchOn(b)
	w.pass(time.Minute)
	w.inOrder(b, 15)
	if !a.of(b).queue.Empty() {
		t.Error("something waits")
	}
}

// TestBundleBesideTheNetwork carries by file what then comes live, and the other way
// round.
func TestBundleBesideTheNetwork(t *testing.T) {
	w, a, b := apart(t)
	w.writes(a, b, 10)
	file := w.file(a, b).File
	w.switchOn(a)
	w.switchOn(b)
	w.pass(time.Minute)
	w.inOrder(b, 10)
	if in := w.takes(b, file); in.Messages != 0 {
		t.Errorf("imported %+v", in)
	}
	w.switchOff(b)
	w.writes(a, b, 5)
	w.takes(b, w.file(a, b).File)
	w.inOrder(b, 15)
	w.switchOn(b)
	w.pass(time.Minute)
	w.inOrder(b, 15)
	if d := a.of(b).conv.row.Delivered; len(d) != 1 || d[0] != (Range{1, 15}) {
		t.Errorf("delivered %v", d)
	}
}

// TestBundleWeeksOld imports a file long after every day key of its day is erased.
func TestBundleWeeksOld(t *testing.T) {
	w, a, b := apart(t)
	w.writes(a, b, 2)
	file := w.file(a, b).File
	for range 10 { // they go on meeting, and write
		w.now = w.now.Add(10 * 24 * time.Hour)
		w.switchOn(a)
		w.switchOn(b)
		w.pass(20 * time.Second)
		w.writes(b, a, 1)
		w.switchOff(a)
		w.switchOff(b)
	}
	if in := w.takes(b, file); in.Messages != 0 {
		t.Errorf("imported %+v", in)
	}
	w.inOrder(b, 2)
}

// TestBundleFromHistory exports after a restart: no content is in memory.
func TestBundleFromHistory(t *testing.T) {
	w, a, b := apart(t)
	for i := range 40 {
		a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: fmt.Sprint(i, strings.Repeat("x", 20000))})
	}
	w.run()
	w.file(a, b)
	w.writes(a, b, 5)
	a.reload(w.now, w.rows[a].state(a))
	w.off[a] = true
	out := w.file(a, b)
	if out.Messages != 45 || out.Waiting != 0 {
		t.Fatalf("%d in the file, %d not", out.Messages, out.Waiting)
	}
	w.takes(b, out.File)
	w.inOrder(b, 45)
}

// TestBundleWhileReading has something else happen while what belongs into a file is read.
func TestBundleWhileReading(t *testing.T) {
	w, a, b := apart(t)
	w.writes(a, b, 3)
	w.file(a, b)
	a.reload(w.now, w.rows[a].state(a))
	w.off[a] = true
	a.out.Replies = nil
	a.step(w.now, ExportBundle{Ref: 7, Contact: a.of(b).row.ID})
	if len(a.jobs) == 0 {
		t.Fatal("nothing is read")
	}
	a.step(w.now, SetAlias{Contact: a.of(b).row.ID, Alias: "J"})
	w.run()
	for _, r := range a.out.Replies {
		if r.Ref == 7 {
			if out := r.Result.(BundleExported); out.Messages != 3 || out.Waiting != 0 {
				t.Errorf("%d in the file, %d not", out.Messages, out.Waiting)
			}
			return
		}
	}
	t.Error("no file is made")
}

// TestBundleWindow writes more than may be unacknowledged.
func TestBundleWindow(t *testing.T) {
	w, a, b := apart(t)
	var file BundleExported
	const n = 520
	for range n { // an envelope each
		w.writes(a, b, 1)
		file = w.file(a, b)
	}
	if file.Waiting == 0 || file.Messages+file.Waiting != n {
		t.Fatalf("%d in the file, %d not", file.Messages, file.Waiting)
	}
	w.takes(b, file.File)
	w.takes(a, w.file(b, a).File)
	file = w.file(a, b)
	w.takes(b, file.File)
	w.inOrder(b, n)
}

// TestBundleTakenBack takes a message back that lies in a file.
func TestBundleTakenBack(t *testing.T) {
	w, a, b := apart(t)
	sent := a.step(w.now, SendText{Contact: a.of(b).row.ID, Text: "one"}).Replies[0].Result.(Sent)
	file := w.file(a, b).File
	why, _ := a.p.Why(w.now, a.of(b).row.ID, &sent.ID)
	if !why.ExportedAt.Equal(w.now.Truncate(time.Second)) || why.Reason == "" {
		t.Errorf("why %+v", why)
	}
	a.step(w.now, TakeBack{ID: sent.ID, Conversation: sent.Conversation, Sequence: 1})
	w.writes(a, b, 1)
	if in := w.takes(b, w.file(a, b).File); in.Messages != 1 {
		t.Errorf("imported %+v", in)
	}
	if in := w.takes(b, file); in.Messages != 0 { // what was declared void does not come back
		t.Errorf("the old file: %+v", in)
	}
	if gaps := b.of(a).conv.have.Gaps; len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
}

func TestBundleRefused(t *testing.T) {
	w, all := newTown(t, "Mina", "Jiwoo", "Hana")
	a, b, other := all[0], all[1], all[2]
	w.meet(a, b)
	w.meet(a, other)
	w.pass(5 * time.Second)
	for _, s := range all {
		w.switchOff(s)
	}
	w.writes(a, b, 3)
	file := w.file(a, b).File
	w.refuses(other, file, CodeBundleNotForYou)
	w.refuses(a, file, CodeBundleOwn)
	for _, n := range []int{0, 1, 100, len(file) / 2, len(file) - 1} {
		w.refuses(b, file[:n], CodeBundleMalformed)
	}
	w.refuses(b, append(bytes.Clone(file), 0), CodeBundleMalformed)
	w.refuses(b, make([]byte, wire.BundleFileBytesMax), CodeBundleNotForYou)
	w.refuses(b, make([]byte, 64<<10), CodeBundleNotForYou)
	for at, code := range map[int]string{0: CodeBundleNotForYou, 40: CodeBundleNotForYou, 48: CodeBundleMalformed, len(file) - 1: CodeBundleMalformed} {
		changed := bytes.Clone(file)
		changed[at] ^= 1
		w.refuses(b, changed, code)
	}
	b.step(w.now, SetBlocked{Contact: b.of(a).row.ID, Blocked: true})
	w.refuses(b, file, CodeBlocked)
	if _, err := b.p.Step(w.now, ExportBundle{Contact: b.of(a).row.ID}); err == nil {
		t.Error("a file is made for somebody blocked")
	}
	b.step(w.now, SetBlocked{Contact: b.of(a).row.ID, Blocked: false})
	w.takes(b, file)
	w.inOrder(b, 3)
	b.step(w.now, RemoveContact{Contact: b.of(a).row.ID})
	w.refuses(b, file, CodeBundleNotForYou)
	if _, err := b.p.Step(w.now, ExportBundle{Contact: ContactID{9}}); err == nil {
		t.Error("a file is made for nobody")
	}
}

// TestBundleOfHostileContact: whoever holds the secret fills a file with anything.
func TestBundleOfHostileContact(t *testing.T) {
	w, a, b := apart(t)
	secret, maker := a.of(b).secrets()[0], a.p.self.account
	make := func(envelopes ...[]byte) []byte {
		f := wire.BundleFile{Envelopes: envelopes}
		file, err := f.Seal(secret, maker, [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	noise := bytes.Repeat([]byte{1}, 512)
	w.refuses(b, make(), CodeBundleOutdated)
	w.refuses(b, make(noise, []byte{1}), CodeBundleOutdated)
	w.refuses(b, make(append([]byte{2}, noise[1:]...)), CodeBundleUnsupported)
	w.refuses(b, make(slices.Repeat([][]byte{noise}, wire.BundleFileEnvelopesMax)...), CodeBundleOutdated)
	sync, err := a.of(b).first().s.Sync(rand.Reader, 0)
	if err != nil {
		t.Fatal(err)
	}
	if in := w.takes(b, make(noise, sync, noise)); in.Messages != 0 || in.Renewal {
		t.Errorf("imported %+v", in)
	}
}

// TestBundleOfAnOldSession imports a file after the session was renewed: it is
// recognised, and what was in it comes in the new one.
func TestBundleOfAnOldSession(t *testing.T) {
	w, a, b := apart(t)
	w.writes(a, b, 3)
	file := w.file(a, b).File
	a.p.fork(w.now, a.of(b), a.of(b).first())
	if _, err := a.p.Step(w.now, ExportBundle{Contact: a.of(b).row.ID}); err == nil {
		t.Error("a file is made in a session that is over")
	}
	w.switchOn(a)
	w.switchOn(b)
	w.pass(time.Minute)
	w.inOrder(b, 3)
	w.refuses(b, file, CodeBundleOutdated)
	w.writes(a, b, 2)
	w.takes(b, w.file(a, b).File)
	w.inOrder(b, 5)
}

// TestBundleProvesNothingOfToday: after the disk was put back, a file from before does
// not count as a sign that both sides agree.
func TestBundleProvesNothingOfToday(t *testing.T) {
	w, a, b := apart(t)
	w.writes(b, a, 2)
	before := w.rows[a].clone()
	file := w.file(b, a).File
	w.switchOn(a)
	w.switchOn(b)
	w.pass(30 * time.Second)
	w.writes(a, b, 4) // b gets these, and a will not know of it
	w.pass(5 * time.Second)
	w.inOrder(b, 4)
	w.switchOff(a)
	w.switchOff(b)
	w.rows[a] = before
	a.reload(w.now, before.state(a))
	a.history = nil
	w.off[a] = true
	w.takes(a, file)
	if a.of(b).state.Apart == 0 {
		t.Error("an old file ends the time apart")
	}
	w.writes(a, b, 2)
	w.switchOn(a)
	w.switchOn(b)
	w.pass(time.Minute)
	w.inOrder(b, 6)
}

// failing is a random source that has run dry.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestBundleTwiceAtOnce asks for two files before one is made: they have nothing in common.
func TestBundleTwiceAtOnce(t *testing.T) {
	w, a, b := apart(t)
	w.writes(a, b, 2)
	if _, err := a.p.Step(w.now, ExportBundle{Ref: 6, Contact: a.of(b).row.ID}); err != nil {
		t.Fatal(err)
	}
	out := a.step(w.now, ExportBundle{Ref: 7, Contact: a.of(b).row.ID}).Replies
	first, second := out[0].Result.(BundleExported).File, out[1].Result.(BundleExported).File
	if out[0].Ref != 6 || out[1].Ref != 7 || bytes.Equal(first[:32], second[:32]) || bytes.Equal(first[32:], second[32:]) {
		t.Error("two who ask get the same file")
	}
	w.takes(b, second)
	w.inOrder(b, 2)
	w.takes(b, first)
	w.inOrder(b, 2)
}

// TestBundleEndsWithTheContact removes the contact while a file is being made.
func TestBundleEndsWithTheContact(t *testing.T) {
	w, a, b := apart(t)
	w.writes(a, b, 3)
	id := a.of(b).row.ID
	if _, err := a.p.Step(w.now, ExportBundle{Ref: 7, Contact: id}); err != nil {
		t.Fatal(err)
	}
	out := a.step(w.now, RemoveContact{Ref: 8, Contact: id})
	if r := out.Replies[0]; r.Ref != 7 || r.Result.(*Problem).Code != CodeNotFound {
		t.Errorf("answered %+v", r)
	}
	b.p.random = failing{}
	if _, err := b.p.Step(w.now, ExportBundle{Ref: 7, Contact: b.of(a).row.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.p.Step(w.now, Flush{}); err == nil {
		t.Error("a file is made without randomness")
	}
}
