package sim

import (
	"bytes"
	"slices"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// letter is a text that was committed by its author, and what became of it.
type letter struct {
	author *machine
	to     identity.AccountPublic // zero: it was not known yet
	from   protocol.ConversationID
	id     [16]byte
	text   string
	says   []byte // its content, but for its number
	epoch  int    // of the author, when it was written
	order  int    // among all letters

	promised   bool // the author was told that it is sent
	withdrawn  bool // the author took it back, deleted it or removed the contact
	lost       bool // the author's disk was put back to a state before it
	renumbered bool
	voided     bool // it was withdrawn once, whatever disk was put back since: the reader drops it

	reader  *machine                // where it arrived
	in      protocol.ConversationID // there
	arrived bool                    // on the reader's disk, once at least
	gone    bool                    // from there: deleted, removed, or put back to a state before it
	deleted int                     // 1 + epoch in which it was deleted there; 0 = never
	forAll  bool                    // its author has asked to delete it for everyone
	removed bool                    // the reader has removed the contact, and the conversation with it, or left it out of a backup
	once    bool                    // it was removed at some time, whatever disk was put back since
}

// asking is a contact that somebody added by a link.
type asking struct {
	m       *machine
	contact protocol.ContactID
}

// truth is what the simulation knows and the peers do not.
type truth struct {
	w        *World
	accounts map[identity.AccountPublic]*machine
	letters  map[[16]byte]*letter
	invites  []invitation
	asked    map[asking]invitation
	seals    map[seal][16]byte     // body tags
	keys     map[[32]byte][16]byte // body tags by body key
	marks    map[[8]byte]bool      // that beacons had
	hellos   map[identity.HelloTag]hello
	stored   map[protocol.Stored]map[*machine]bool // which couriers had an item on their disks

	said     map[[16]byte]*said     // operations
	editing  map[edit][]newText     // what authors have asked for
	read     map[[2]*machine]uint64 // up to which sequence of whom somebody says to have read, by reader and author
	erasing  map[erasure]bool       // messages that somebody asked to delete
	removing map[asking]bool        // contacts that somebody asked to remove
	skewed   map[*machine]bool      // their clocks were off by more than a day once

	typing  map[[2]*machine]bool // who wrote to whom at any time
	here    map[[2]*machine]bool // who let whom know of being here
	signals int                  // heard

	written, names, thumbnails              int
	arrivals, deliveries, crashes, restores int
	relayed, punched, carries, thirds       int
	forwards, replies                       int

	groups   int // that people began
	spoken   int // messages that people wrote there
	inGroups int // messages that came there, and those of people's own
}

type erasure struct {
	m  *machine
	id protocol.MessageID
}

// seal is the place of an envelope: one chain key.
type seal struct {
	m     *machine
	epoch int
	sid   [32]byte
	index uint32
}

func newTruth(w *World) *truth {
	return &truth{
		w: w, accounts: make(map[identity.AccountPublic]*machine), letters: make(map[[16]byte]*letter),
		asked: make(map[asking]invitation), seals: make(map[seal][16]byte), keys: make(map[[32]byte][16]byte), marks: make(map[[8]byte]bool),
		hellos:  make(map[identity.HelloTag]hello),
		stored:  make(map[protocol.Stored]map[*machine]bool),
		said:    make(map[[16]byte]*said),
		editing: make(map[edit][]newText), typing: make(map[[2]*machine]bool), here: make(map[[2]*machine]bool), read: make(map[[2]*machine]uint64),
		erasing: make(map[erasure]bool), removing: make(map[asking]bool), skewed: make(map[*machine]bool),
	}
}

// stepped notes what somebody asks for, so that nothing else is ever erased.
func (t *truth) stepped(m *machine, in protocol.Input) {
	switch in := in.(type) {
	case protocol.EditMessage:
		t.editing[edit{m, in.ID, in.Revision + 1}] = append(t.editing[edit{m, in.ID, in.Revision + 1}], newText{in.Text, in.Mentions})
	case protocol.MarkRead:
		t.reading(m, in)
	case protocol.SetTyping, protocol.SetPresence:
		t.signalled(m, in)
	case protocol.TakeBack:
		t.erasing[erasure{m, in.ID}] = true
	case protocol.DeleteMessage:
		t.erasing[erasure{m, in.ID}] = true
	case protocol.DeleteForEveryone:
		t.erasing[erasure{m, in.ID}] = true
		if l := t.letters[in.ID]; l != nil {
			l.forAll = true
		}
	case protocol.RemoveContact:
		t.removing[asking{m, in.Contact}] = true
	}
}

// refused is told that a link was refused.
func (t *truth) refused(m *machine, i invitation, code string) {
	own := i.by == m && code == protocol.CodeInviteOwn
	if i.home && (code == protocol.CodeInviteIsHome || code == protocol.CodeInviteWrongKind) {
		t.w.fail("%v: a home node's link refused as %s", m, code)
	}
	if i.by == m && !own && m.epoch == 0 && code != protocol.CodeInviteExpired && code != protocol.CodeAlreadyContact {
		t.w.fail("%v: own link refused as %s", m, code)
	}
}

// promised is told that somebody was told that what he had asked for is sent.
func (t *truth) promised(m *machine, sent protocol.Sent, asked protocol.SendText) {
	if l := t.letters[sent.ID]; l != nil {
		l.promised = true
		if msg := m.disk.messages[sent.ID]; msg != nil {
			t.checkAsked(m, msg, asked)
		}
		return
	}
	if t.w.plan.Mutation == AckBeforeCommit {
		t.letters[sent.ID] = &letter{author: m, id: sent.ID, text: asked.Text, promised: true, epoch: m.epoch}
		return
	}
	t.w.fail("%v: a text was called sent that is not on the disk", m)
}

// past is what the truth wants to know of a disk before a commit.
type past struct {
	delivered map[protocol.ConversationID][]protocol.Range
	carried   map[protocol.ConversationID][3][]protocol.Range
	erased    []*message
	stubbed   []*message
	removed   map[protocol.ConversationID]bool // with the contact, as somebody asked
	contacts  []protocol.PutContact            // that are erased
}

func (t *truth) watch(m *machine, writes []protocol.Write) past {
	before := past{
		delivered: make(map[protocol.ConversationID][]protocol.Range), carried: make(map[protocol.ConversationID][3][]protocol.Range),
		removed: make(map[protocol.ConversationID]bool),
	}
	for _, w := range writes {
		switch r := w.(type) {
		case protocol.PutConversation:
			before.delivered[r.ID], before.carried[r.ID] = m.disk.conversations[r.ID].Delivered, m.disk.conversations[r.ID].Carried
		case protocol.PutMessage:
			if r.Sender == (protocol.ContactID{}) {
				t.watchArrival(m, r, writes)
			}
		case protocol.EraseContact:
			before.contacts = append(before.contacts, m.disk.contacts[r.ID])
		case protocol.EraseMessage:
			msg := m.disk.messages[r.ID]
			if msg == nil {
				continue
			}
			if !t.erasing[erasure{m, r.ID}] {
				t.w.fail("%v: a message was erased that nobody deleted: %s", m, short(msg.text))
			}
			before.erased = append(before.erased, msg)
		case protocol.StubMessage:
			before.stubbed = append(before.stubbed, t.watchStub(m, r)...)
		case protocol.EraseConversation:
			before.erased = append(before.erased, m.disk.threads[r.ID]...)
			v, known := m.disk.conversations[r.ID]
			asked := t.removing[asking{m, v.Contact}]
			if !asked && len(m.disk.threads[r.ID]) > 0 {
				t.w.fail("%v: a conversation was erased that nobody removed", m)
			}
			before.removed[r.ID] = asked || !known // one that began in this batch
		}
	}
	return before
}

// watchArrival checks that nothing is stored twice.
func (t *truth) watchArrival(m *machine, r protocol.PutMessage, writes []protocol.Write) {
	content, _, err := wire.DecodeContent(r.Content)
	if err != nil || r.Direction != protocol.In || m.disk.hadBefore(r) {
		return
	}
	id, twice := m.disk.arrived[content.ID]
	if !twice || slices.ContainsFunc(writes, func(w protocol.Write) bool { return erases(w, m.disk.messages[id]) }) {
		return
	}
	t.w.fail("%v: got %s twice", m, short(content.Text))
}

// later returns how many letters of the same author, written later than one, have come
// where it has: who has seen so many does not remember it, should its author send it
// again that lost its state.
func (t *truth) later(l *letter) (n int) {
	for _, o := range t.letters {
		if o.author == l.author && o.reader == l.reader && o.order > l.order {
			n++
		}
	}
	return n
}

// erases reports whether a message is gone after a write.
func erases(w protocol.Write, msg *message) bool {
	switch r := w.(type) {
	case protocol.EraseMessage:
		return r.ID == msg.ID
	case protocol.EraseConversation:
		return r.ID == msg.Conversation
	}
	return false
}

// committed compares a commit with the truth.
func (t *truth) committed(m *machine, writes []protocol.Write, before past) {
	for _, msg := range before.erased {
		t.erased(m, msg, before)
	}
	for _, msg := range before.stubbed {
		t.erased(m, msg, before)
	}
	t.checkGoneThumbnails(m, before.erased)
	t.checkGoneThumbnails(m, before.stubbed)
	t.checkGoneParts(m, before.erased)
	t.checkGoneParts(m, before.stubbed)
	for _, c := range before.contacts {
		t.forgot(m, c)
	}
	for _, w := range writes {
		switch r := w.(type) {
		case protocol.PutMessage:
			msg := m.disk.messages[r.ID]
			if m.disk.conversations[r.Conversation].Kind == protocol.ConversationGroup {
				if msg != nil {
					t.w.checkGroupMessage(m, msg)
				}
				continue
			}
			_, knew := m.disk.knew[r.ID]
			switch {
			case knew:
			case msg != nil && msg.state != protocol.MessageErased:
				t.put(m, msg)
			default:
				t.erasedAtOnce(m, r, before)
			}
		case protocol.RenumberMessage:
			if msg := m.disk.messages[r.ID]; msg != nil {
				t.letters[msg.wire].renumbered = true
			}
		case protocol.PutConversation:
			if r.Kind == protocol.ConversationGroup {
				continue
			}
			t.delivered(m, r, before.delivered[r.ID])
			t.carried(m, r, before.carried[r.ID], writes)
		case protocol.PutOperation:
			t.say(m, r)
			t.edited(m, r)
		case protocol.PutHeld:
			t.kept(m, r)
		}
	}
	t.w.checkCommit(m, writes)
}

// erasedAtOnce takes note of a message that one batch wrote and erased: somebody wrote
// it and then, before the commit, deleted it or removed the contact.
func (t *truth) erasedAtOnce(m *machine, r protocol.PutMessage, before past) {
	l := t.letters[r.Wire]
	if !t.erasing[erasure{m, r.ID}] && !before.removed[r.Conversation] && (l == nil || !l.forAll) {
		t.w.fail("%v: a message was written and erased that nobody deleted", m)
	}
	if r.Direction == protocol.Out {
		t.letters[r.ID] = &letter{author: m, id: r.ID, epoch: m.epoch, order: len(t.letters), withdrawn: true, voided: true}
	}
}

func (t *truth) erased(m *machine, msg *message, before past) {
	l := t.letters[msg.wire]
	switch {
	case l == nil:
	case msg.Direction == protocol.Out:
		l.withdrawn, l.voided = true, true
	default:
		l.gone, l.removed = true, before.removed[msg.Conversation]
		l.once = l.once || l.removed
		if t.erasing[erasure{m, msg.ID}] || l.forAll {
			l.deleted = 1 + m.epoch
		}
	}
}

// forgot takes note that somebody has removed a contact: with it went the memory of
// what was deleted, which may come back, and the secret of a repair.
func (t *truth) forgot(m *machine, c protocol.PutContact) {
	o := t.accounts[c.Account]
	if o == nil || !t.removing[asking{m, c.ID}] {
		return
	}
	m.removed[o] = true
	for _, l := range t.letters {
		if l.reader == m && l.author == o {
			l.deleted, l.removed = 0, l.removed || l.gone
			l.once = l.once || l.removed
		}
	}
}

func (t *truth) put(m *machine, msg *message) {
	v := m.disk.conversations[msg.Conversation]
	if v.Kind == protocol.ConversationSelf {
		return
	}
	l := t.letters[msg.wire]
	if msg.Direction == protocol.Out {
		if l != nil && t.w.plan.Mutation == Faithful {
			t.w.fail("%v: message id used twice", m)
		}
		if l == nil {
			l = &letter{}
			t.letters[msg.wire] = l
		}
		l.author, l.id, l.text, l.epoch, l.order = m, msg.wire, msg.text, m.epoch, len(t.letters)
		l.from, l.says = msg.Conversation, saying(msg.Content)
		l.to = m.disk.contacts[v.Contact].Account
		return
	}
	t.w.log("%v   got %s at %d, sequence %d", m, short(msg.text), msg.Position, msg.Sequence)
	author := t.accounts[m.disk.contacts[v.Contact].Account]
	switch {
	case l == nil:
		t.w.fail("%v: got a text that nobody committed: %s", m, short(msg.text))
		return
	case l.author != author:
		t.w.fail("%v: got %s, but of %v", m, short(msg.text), author)
	case l.text != msg.text:
		t.w.fail("%v: got another text than %s", m, short(l.text))
	case !bytes.Equal(l.says, saying(msg.Content)):
		t.w.fail("%v: got %s otherwise than it was written", m, short(l.text))
	case l.deleted == 1+m.epoch:
		t.w.fail("%v: a deleted message came back: %s", m, short(l.text))
	}
	l.reader, l.in, l.arrived, l.gone, l.removed = m, msg.Conversation, true, false, false
	t.arrivals++
	t.checkReply(m, msg, author)
	t.w.checkOrder(m, msg)
}

// delivered checks what a commit newly calls delivered.
func (t *truth) delivered(m *machine, v protocol.PutConversation, before []protocol.Range) {
	if v.Kind == protocol.ConversationSelf || slices.Equal(v.Delivered, before) {
		return
	}
	for _, msg := range m.disk.threads[v.ID] {
		if msg.Direction != protocol.Out || !within(v.Delivered, msg.Sequence) || within(before, msg.Sequence) {
			continue
		}
		t.deliveries++
		l := t.letters[msg.wire]
		switch {
		case l.voided:
		case !l.arrived:
			t.w.fail("%v: %s is called delivered and never arrived", m, short(l.text))
		case !l.gone && !l.reader.disk.holds(msg.wire):
			t.w.fail("%v: %s is called delivered and is not there", m, short(l.text))
		}
	}
}

func (d *disk) holds(wireID [16]byte) bool {
	_, ok := d.arrived[wireID]
	return ok
}

func within(ranges []protocol.Range, n uint64) bool {
	return slices.ContainsFunc(ranges, func(r protocol.Range) bool { return r.First <= n && n <= r.Last })
}

// restored excuses what an older disk does not have. What it has is there again.
func (t *truth) restored(m *machine, old *disk) {
	t.restores++
	for _, c := range inOrder(m.disk.contacts) { // whom it did not know then it has forgotten
		if o := t.accounts[c.Account]; o != nil && !old.knows(o) {
			m.removed[o] = true
		}
	}
	for _, id := range keysInOrder(m.disk.messages) {
		msg := m.disk.messages[id]
		l := t.letters[msg.wire]
		if l == nil || old.messages[id] != nil {
			continue
		}
		if msg.Direction == protocol.Out {
			l.lost = true
		} else {
			l.gone = true
		}
	}
	for id := range old.leftOut {
		switch l := t.letters[id]; {
		case l == nil:
		case l.author == m:
			l.lost = true
		case l.reader == m:
			l.removed, l.once = true, true
		}
	}
	for _, l := range t.letters { // before it knew the author, or in another conversation, it has forgotten this one
		if _, there := old.conversations[l.in]; l.reader == m && l.gone && !(there && old.knows(l.author)) {
			l.removed, l.once = true, true
		}
	}
	for _, id := range keysInOrder(old.messages) {
		msg := old.messages[id]
		l := t.letters[msg.wire]
		switch {
		case l == nil:
		case msg.Direction == protocol.Out:
			l.lost, l.withdrawn = false, msg.state == protocol.MessageErased
		default:
			l.gone, l.removed, l.in = msg.state == protocol.MessageErased, false, msg.Conversation
		}
	}
	t.unsaid(m, old)
}

// knows reports whether the disk holds an established contact with a machine.
func (d *disk) knows(o *machine) bool {
	for _, c := range d.contacts {
		if c.Account == o.account && c.Phase == protocol.ContactEstablished {
			return true
		}
	}
	return false
}

// clockJumped notes whose clock was off by days: what is due by the clock happened
// there too early.
func (t *truth) clockJumped(m *machine, skew time.Duration) {
	if skew.Abs() > 24*time.Hour {
		t.skewed[m] = true
	}
}

func short(text string) string {
	if len(text) > len(marker)+16 {
		text = text[:len(marker)+16]
	}
	return text
}
