package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// message is a row of the history.
type message struct {
	protocol.PutMessage
	state protocol.MessageState
	code  string
	wire  [16]byte // the id inside the content: the author's
	text  string
}

type sessionKey struct {
	contact protocol.ContactID
	sid     [32]byte
}

type outboxKey struct {
	sessionKey
	index uint32
}

type gapKey struct {
	conversation protocol.ConversationID
	position     uint64
}

// thread is the history of one conversation, by position.
type thread []*message

func (t thread) find(position uint64) (int, bool) {
	return slices.BinarySearchFunc(t, position, func(m *message, p uint64) int { return cmp.Compare(m.Position, p) })
}

// disk is what one machine has committed: protocol's rows, kept as package store
// keeps them. Rows are never changed in place, so that a copy of the maps is a
// snapshot.
type disk struct {
	self          protocol.PutSelf
	contacts      map[protocol.ContactID]protocol.PutContact
	sessions      map[sessionKey]protocol.PutSession
	invites       map[protocol.InviteID]protocol.PutInvite
	requests      map[protocol.RequestID]protocol.PutRequest
	conversations map[protocol.ConversationID]protocol.PutConversation
	outbox        map[outboxKey]protocol.PutOutbox
	gaps          map[gapKey]uint64
	mailboxes     map[wire.MailboxID]protocol.PutMailbox
	held          map[heldKey]protocol.PutHeld
	pictures      map[protocol.ContactID]protocol.PutPicture // our own by the zero id

	operations map[protocol.MessageID]*operation
	messages   map[protocol.MessageID]*message
	threads    map[protocol.ConversationID]thread
	timed      int                             // messages that were ever given a time to go
	arrived    map[[16]byte]protocol.MessageID // incoming messages by their author's id
	graves     map[[16]byte]bool               // messages that were erased, by their author's id

	knew map[protocol.MessageID]protocol.ConversationID // messages of the last batch that had come before

	groups  map[protocol.ConversationID]protocol.PutGroup
	members map[memberKey]protocol.PutMember
	shared  map[[16]byte]protocol.PutShared
	said    [][16]byte // the names of what is shared, in order

	parts     map[partKey]protocol.PutPart
	remote    map[fileKey]bool // small files of contacts that are not here
	byCourier int              // files that have come in parts

	leftOut map[[16]byte]bool // the messages of a backup without its history, by their authors' ids or by their names in groups; never changed
}

func newDisk() *disk {
	return &disk{
		contacts:      make(map[protocol.ContactID]protocol.PutContact),
		sessions:      make(map[sessionKey]protocol.PutSession),
		invites:       make(map[protocol.InviteID]protocol.PutInvite),
		requests:      make(map[protocol.RequestID]protocol.PutRequest),
		conversations: make(map[protocol.ConversationID]protocol.PutConversation),
		outbox:        make(map[outboxKey]protocol.PutOutbox),
		gaps:          make(map[gapKey]uint64),
		mailboxes:     make(map[wire.MailboxID]protocol.PutMailbox),
		held:          make(map[heldKey]protocol.PutHeld),
		pictures:      make(map[protocol.ContactID]protocol.PutPicture),
		operations:    make(map[protocol.MessageID]*operation),
		messages:      make(map[protocol.MessageID]*message),
		threads:       make(map[protocol.ConversationID]thread),
		arrived:       make(map[[16]byte]protocol.MessageID),
		graves:        make(map[[16]byte]bool),
		groups:        make(map[protocol.ConversationID]protocol.PutGroup),
		members:       make(map[memberKey]protocol.PutMember),
		shared:        make(map[[16]byte]protocol.PutShared),
		parts:         make(map[partKey]protocol.PutPart),
		remote:        make(map[fileKey]bool),
	}
}

// snapshot returns a copy that later commits do not change.
func (d *disk) snapshot() *disk {
	s := &disk{
		self: d.self, contacts: maps.Clone(d.contacts), sessions: maps.Clone(d.sessions),
		invites: maps.Clone(d.invites), requests: maps.Clone(d.requests),
		conversations: maps.Clone(d.conversations), outbox: maps.Clone(d.outbox), gaps: maps.Clone(d.gaps),
		mailboxes: maps.Clone(d.mailboxes), held: maps.Clone(d.held), operations: maps.Clone(d.operations),
		messages: maps.Clone(d.messages), threads: make(map[protocol.ConversationID]thread, len(d.threads)), timed: d.timed,
		arrived: maps.Clone(d.arrived), graves: maps.Clone(d.graves), pictures: maps.Clone(d.pictures), parts: maps.Clone(d.parts), remote: maps.Clone(d.remote), byCourier: d.byCourier,
	}
	for id, t := range d.threads {
		s.threads[id] = slices.Clone(t)
	}
	s.groups, s.members, s.shared, s.said = maps.Clone(d.groups), maps.Clone(d.members), maps.Clone(d.shared), slices.Clone(d.said)
	s.leftOut = d.leftOut
	return s
}

// backup returns what a backup of the disk brings back: no session, no envelope, no mail of
// others, and the history only if it is wanted.
func (d *disk) backup(history bool) (*disk, error) {
	state, err := protocol.Backup(d.state(), history)
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	b := newDisk()
	b.self, b.timed, b.pictures, b.graves = state.Self, d.timed, maps.Clone(d.pictures), maps.Clone(d.graves)
	b.invites, b.requests, b.mailboxes, b.gaps = maps.Clone(d.invites), maps.Clone(d.requests), maps.Clone(d.mailboxes), maps.Clone(d.gaps)
	for _, c := range state.Contacts {
		b.contacts[c.ID] = c
	}
	for _, v := range state.Conversations {
		b.conversations[v.ID] = v
	}
	b.groups, b.members = maps.Clone(d.groups), maps.Clone(d.members)
	for _, name := range d.said {
		if row := d.shared[name]; history || row.Kind != protocol.SharedMessage {
			b.shared[name], b.said = row, append(b.said, name)
		}
	}
	b.leftOut = d.leftOut // nor has it what an earlier one left out
	if !history {
		b.leftOut = make(map[[16]byte]bool, len(d.leftOut)+len(d.messages))
		maps.Copy(b.leftOut, d.leftOut)
		for _, msg := range d.messages {
			b.leftOut[msg.wire] = true
		}
		for _, name := range d.said {
			b.leftOut[name] = d.shared[name].Kind == protocol.SharedMessage
		}
		return b, nil
	}
	b.remote = maps.Clone(d.remote)
	b.messages, b.arrived, b.operations = maps.Clone(d.messages), maps.Clone(d.arrived), maps.Clone(d.operations)
	for id, t := range d.threads {
		b.threads[id] = slices.Clone(t)
	}
	return b, nil
}

// commit applies a batch. An error is a broken promise of the core: the real
// store would refuse the transaction, or lose something.
func (d *disk) commit(writes []protocol.Write) error {
	d.knew = make(map[protocol.MessageID]protocol.ConversationID)
	for _, w := range writes {
		if err := d.apply(w); err != nil {
			return fmt.Errorf("commit %T: %w", w, err)
		}
	}
	return nil
}

func (d *disk) apply(w protocol.Write) error {
	switch r := w.(type) {
	case protocol.PutSelf:
		d.self = r
	case protocol.PutContact:
		d.contacts[r.ID] = r
	case protocol.PutPicture:
		d.pictures[r.Contact] = r
	case protocol.PutSession:
		d.sessions[sessionKey{r.Contact, r.SID}] = r
	case protocol.PutInvite:
		d.invites[r.ID] = r
	case protocol.PutRequest:
		d.requests[r.ID] = r
	case protocol.PutConversation:
		d.conversations[r.ID] = r
	case protocol.PutOutbox:
		d.outbox[outboxKey{sessionKey{r.Contact, r.SID}, r.Index}] = r
	case protocol.PutGap:
		d.gaps[gapKey{r.Conversation, r.Position}] = r.Count
	case protocol.EraseGap:
		delete(d.gaps, gapKey{r.Conversation, r.Position})
	case protocol.PutMessage:
		return d.insert(r)
	case protocol.SetMessageState, protocol.SetMessageExpiry, protocol.RenumberMessage:
		return d.change(w)
	case protocol.EraseMessage:
		d.forget(r.ID)
	case protocol.StubMessage, protocol.SetDeletion, protocol.PutOperation, protocol.EraseWaiting:
		return d.operate(w)
	case protocol.PutPart:
		return d.putPart(r)
	case protocol.PutGroup, protocol.PutMember, protocol.PutShared:
		return d.putGroup(w)
	case protocol.PutTombstone:
	case protocol.PutMailbox, protocol.EraseMailbox, protocol.PutHeld, protocol.EraseHeld:
		return d.keep(w)
	default:
		return d.erase(w)
	}
	return nil
}

func (d *disk) erase(w protocol.Write) error {
	switch r := w.(type) {
	case protocol.EraseContact:
		maps.DeleteFunc(d.sessions, func(k sessionKey, _ protocol.PutSession) bool { return k.contact == r.ID })
		maps.DeleteFunc(d.outbox, func(k outboxKey, _ protocol.PutOutbox) bool { return k.contact == r.ID })
		delete(d.contacts, r.ID)
		delete(d.pictures, r.ID)
	case protocol.EraseSession:
		key := sessionKey{r.Contact, r.SID}
		maps.DeleteFunc(d.outbox, func(k outboxKey, _ protocol.PutOutbox) bool { return k.sessionKey == key })
		delete(d.sessions, key)
	case protocol.EraseOutbox:
		key := sessionKey{r.Contact, r.SID}
		maps.DeleteFunc(d.outbox, func(k outboxKey, _ protocol.PutOutbox) bool {
			return k.sessionKey == key && k.index >= r.First && k.index <= r.Last
		})
	case protocol.EraseInvite:
		delete(d.invites, r.ID)
	case protocol.EraseRequest:
		delete(d.requests, r.ID)
	case protocol.EraseConversation:
		for _, m := range d.threads[r.ID] {
			delete(d.messages, m.ID)
			delete(d.arrived, m.wire)
		}
		maps.DeleteFunc(d.operations, func(_ protocol.MessageID, o *operation) bool { return o.Conversation == r.ID })
		maps.DeleteFunc(d.parts, func(k partKey, _ protocol.PutPart) bool { return k.conversation == r.ID })
		maps.DeleteFunc(d.remote, func(k fileKey, _ bool) bool { return k.conversation == r.ID })
		d.eraseGroup(r.ID)
		delete(d.threads, r.ID)
		delete(d.conversations, r.ID)
		maps.DeleteFunc(d.gaps, func(k gapKey, _ uint64) bool { return k.conversation == r.ID })
	default:
		return fmt.Errorf("no row of the store")
	}
	return nil
}

func (d *disk) insert(r protocol.PutMessage) error {
	content, rest, err := wire.DecodeContent(r.Content)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("content does not parse: %w", err)
	}
	if len(r.Files) != len(content.Files) {
		return fmt.Errorf("%d files have names here, the manifest has %d", len(r.Files), len(content.Files))
	}
	if d.hadBefore(r) {
		d.knew[r.ID] = r.Conversation
		found := r.Wire
		if _, here := d.arrived[r.Wire]; !here {
			found = [16]byte{}
		}
		d.release(r.Conversation, r.Sequence, found)
		return d.releaseParts(r.Conversation, r.Sequence, found)
	}
	t := d.threads[r.Conversation]
	i, taken := t.find(r.Position)
	if taken {
		return fmt.Errorf("position %d is taken", r.Position)
	}
	if d.messages[r.ID] != nil {
		return fmt.Errorf("id is taken")
	}
	if r.Direction == protocol.In && r.Sender == (protocol.ContactID{}) && r.Wire != content.ID {
		return fmt.Errorf("a message under another's id")
	}
	m := &message{PutMessage: r, wire: content.ID, text: content.Text}
	d.timed += min(int(r.ExpiresAt), 1)
	d.messages[r.ID] = m
	d.threads[r.Conversation] = slices.Insert(t, i, m)
	if r.Direction == protocol.In {
		d.arrived[m.wire] = r.ID
		d.release(r.Conversation, r.Sequence, m.wire)
		d.wantFiles(m)
		return d.releaseParts(r.Conversation, r.Sequence, m.wire)
	}
	return nil
}

// hadBefore reports whether a message that may have come before has.
func (d *disk) hadBefore(r protocol.PutMessage) bool {
	if !r.Doubted {
		return false
	}
	there := d.messages[d.arrived[r.Wire]]
	return there != nil && there.Conversation == r.Conversation || d.graves[r.Wire]
}

// heldKey names an item that a courier holds.
type heldKey struct {
	mailbox wire.MailboxID
	hash    wire.ItemHash
}

// keep applies what a courier writes. An item has a mailbox, and nothing in it can be read.
func (d *disk) keep(w protocol.Write) error {
	switch r := w.(type) {
	case protocol.PutMailbox:
		d.mailboxes[r.ID] = r
	case protocol.EraseMailbox:
		delete(d.mailboxes, r.ID)
		maps.DeleteFunc(d.held, func(k heldKey, _ protocol.PutHeld) bool { return k.mailbox == r.ID })
	case protocol.PutHeld:
		if _, ok := d.mailboxes[r.Mailbox]; !ok {
			return fmt.Errorf("an item without a mailbox")
		}
		if bytes.Contains(r.Body, []byte(marker)) {
			return fmt.Errorf("a courier can read what it holds")
		}
		d.held[heldKey{r.Mailbox, r.Hash}] = r
	case protocol.EraseHeld:
		delete(d.held, heldKey{r.Mailbox, r.Hash})
	}
	return nil
}

// heldItems returns items of a mailbox that are still there.
func (d *disk) heldItems(id wire.MailboxID, hashes []wire.ItemHash) (items []wire.Item) {
	for _, hash := range hashes {
		if h, ok := d.held[heldKey{id, hash}]; ok {
			items = append(items, wire.Item{Type: h.Type, Body: slices.Clone(h.Body)})
		}
	}
	return items
}

// change replaces a message by a changed copy. One that is gone is no error.
func (d *disk) change(w protocol.Write) error {
	var id protocol.MessageID
	switch r := w.(type) {
	case protocol.SetMessageState:
		id = r.ID
	case protocol.SetMessageExpiry:
		id = r.ID
	case protocol.RenumberMessage:
		id = r.ID
	}
	old := d.messages[id]
	if r, ok := w.(protocol.RenumberMessage); ok && old == nil {
		return d.renumber(r)
	}
	if old == nil {
		return nil
	}
	m := *old
	switch r := w.(type) {
	case protocol.SetMessageState:
		m.state = r.State
	case protocol.SetMessageExpiry:
		m.ExpiresAt = r.ExpiresAt
		d.timed++
	case protocol.RenumberMessage:
		m.Sequence, m.Content = r.Sequence, r.Content
	}
	return d.replace(&m)
}

// replace puts a changed copy of a message in its place.
func (d *disk) replace(m *message) error {
	t := d.threads[m.Conversation]
	i, found := t.find(m.Position)
	if !found {
		return fmt.Errorf("message without a place")
	}
	t[i] = m
	d.messages[m.ID] = m
	return nil
}

func (d *disk) forget(id protocol.MessageID) {
	m := d.messages[id]
	if m == nil {
		delete(d.operations, id)
		return
	}
	d.forgetAbout(m.Conversation, m.wire, m.Direction == protocol.Out)
	delete(d.messages, id)
	d.graves[m.wire] = true
	if m.Direction == protocol.In {
		delete(d.arrived, m.wire)
	}
	t := d.threads[m.Conversation]
	if i, found := t.find(m.Position); found {
		d.threads[m.Conversation] = slices.Delete(t, i, i+1)
	}
	d.forgetParts(m.Conversation, m.wire)
}

// state returns what protocol.Load needs, as store.Load does.
func (d *disk) state() protocol.State {
	st := protocol.State{
		Self:          d.self,
		Contacts:      inOrder(d.contacts),
		Invites:       inOrder(d.invites),
		Requests:      inOrder(d.requests),
		Conversations: inOrder(d.conversations),
		Mailboxes:     inOrder(d.mailboxes),
	}
	for _, h := range d.held {
		st.Held = append(st.Held, protocol.Held{Mailbox: h.Mailbox, Hash: h.Hash, Number: h.Number, Expires: h.Expires, SizeBytes: len(h.Body)})
	}
	slices.SortFunc(st.Held, func(a, b protocol.Held) int { return cmp.Compare(a.Number, b.Number) })
	for _, k := range slices.SortedFunc(maps.Keys(d.sessions), compareSessions) {
		st.Sessions = append(st.Sessions, d.sessions[k])
	}
	for _, k := range slices.SortedFunc(maps.Keys(d.outbox), compareOutbox) {
		st.Outbox = append(st.Outbox, d.outbox[k])
	}
	d.groupState(&st)
	for i := range st.Conversations {
		v := &st.Conversations[i]
		v.Delivered = slices.Clone(v.Delivered) // the Peer changes its own
		for n := range v.Carried {
			v.Carried[n] = slices.Clone(v.Carried[n])
		}
		st.Waiting = append(st.Waiting, d.ownMessages(v.ID, v.SealedUpTo+1, ^uint64(0))...)
	}
	return st
}

// ownMessages returns our messages first..last of a conversation that have no
// final state, by sequence.
func (d *disk) ownMessages(id protocol.ConversationID, first, last uint64) []protocol.Waiting {
	var out []protocol.Waiting
	for _, m := range d.threads[id] {
		if m.Direction == protocol.Out && m.state == "" && m.Sequence >= first && m.Sequence <= last {
			out = append(out, protocol.Waiting{ID: m.ID, Conversation: id, Sequence: m.Sequence, SizeBytes: len(m.Content)})
		}
	}
	for _, key := range keysInOrder(d.operations) {
		if o := d.operations[key]; o.Conversation == id && o.Direction == protocol.Out && o.Sequence >= first && o.Sequence <= last {
			out = append(out, protocol.Waiting{ID: o.ID, Conversation: id, Sequence: o.Sequence, SizeBytes: len(o.Content), About: o.About()})
		}
	}
	slices.SortStableFunc(out, func(a, b protocol.Waiting) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return out
}

// unread returns how many incoming messages lie above a position.
func (d *disk) unread(id protocol.ConversationID, position uint64) uint64 {
	n := uint64(0)
	for _, m := range d.threads[id] {
		if m.Direction == protocol.In && m.Position > position {
			n++
		}
	}
	return n
}

// contents returns the contents that the history still has.
func (d *disk) contents(ids []protocol.MessageID) map[protocol.MessageID][]byte {
	out := make(map[protocol.MessageID][]byte, len(ids))
	for _, id := range ids {
		if content := d.content(id); content != nil {
			out[id] = slices.Clone(content)
		} else if whole := d.whole(id); whole != nil {
			out[id] = whole
		}
	}
	return out
}

// due returns at most n messages whose timers ran out by now, in Unix milliseconds.
func (d *disk) due(now int64, n int) []*message {
	if d.timed == 0 {
		return nil
	}
	var out []*message
	for _, id := range keysInOrder(d.threads) {
		for _, m := range d.threads[id] {
			if m.ExpiresAt != 0 && m.ExpiresAt <= now && len(out) < n {
				out = append(out, m)
			}
		}
	}
	return out
}

func keysInOrder[K ~[16]byte, V any](m map[K]V) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int { return bytes.Compare(a[:], b[:]) })
}

func inOrder[K ~[16]byte, V any](m map[K]V) []V {
	out := make([]V, 0, len(m))
	for _, k := range keysInOrder(m) {
		out = append(out, m[k])
	}
	return out
}

func compareSessions(a, b sessionKey) int {
	return cmp.Or(bytes.Compare(a.contact[:], b.contact[:]), bytes.Compare(a.sid[:], b.sid[:]))
}

func compareOutbox(a, b outboxKey) int {
	return cmp.Or(compareSessions(a.sessionKey, b.sessionKey), cmp.Compare(a.index, b.index))
}
