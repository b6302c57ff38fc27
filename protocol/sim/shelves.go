package sim

import (
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol"
	"pabal/protocol/mailbox"
	"pabal/protocol/wire"
)

// This file is what the simulation checks of couriers: that what they hold is bounded,
// for somebody, and gone when it was collected, and that what is called carried is.

// boxState mirrors where a mailbox of ours is.
type boxState struct {
	Courier protocol.ContactID `cbor:"1,keyasint"`
	ID      wire.MailboxID     `cbor:"2,keyasint"`
}

// helpState mirrors what of a contact's state is of couriers.
type helpState struct {
	Helping  *mailbox.Terms   `cbor:"32,keyasint"`
	Courier  *mailbox.Terms   `cbor:"27,keyasint"`
	Declined bool             `cbor:"28,keyasint"`
	Boxes    []boxState       `cbor:"29,keyasint"`
	Accepts  []boxState       `cbor:"42,keyasint"`
	Closing  []wire.MailboxID `cbor:"30,keyasint"`
	Parting  int64            `cbor:"34,keyasint"`
}

func (w *World) helpOf(c protocol.PutContact) (st helpState) {
	if err := cbor.Unmarshal(c.State, &st); err != nil {
		w.fail("contact's state: %v", err)
	}
	return st
}

// noteQuota takes note of what a machine offers to keep for somebody.
func (w *World) noteQuota(m *machine, c protocol.PutContact) {
	if h := w.helpOf(c).Helping; h != nil {
		m.quotas[c.ID] = max(m.quotas[c.ID], h.QuotaBytes)
	}
}

// checkShelves checks that everything that a courier holds is for somebody whom it helps,
// and no more than it offered.
func (w *World) checkShelves(m *machine) {
	for _, id := range keysInOrder(m.disk.mailboxes) {
		if c, known := m.disk.contacts[m.disk.mailboxes[id].Owner]; !known || w.helpOf(c).Helping == nil {
			w.fail("%v: keeps a mailbox for nobody whom it helps", m)
		}
	}
	used := make(map[protocol.ContactID]uint64)
	for k, h := range m.disk.held {
		used[m.disk.mailboxes[k.mailbox].Owner] += uint64(len(h.Body))
	}
	for _, id := range keysInOrder(used) {
		if used[id] > m.quotas[id] {
			w.fail("%v: holds %d bytes for somebody to whom it offered %d", m, used[id], m.quotas[id])
		}
	}
}

// kept takes note of an item that is on a courier's disk.
func (t *truth) kept(m *machine, h protocol.PutHeld) {
	at := protocol.Stored{Mailbox: h.Mailbox, Hash: h.Hash}
	if t.stored[at] == nil {
		t.stored[at] = make(map[*machine]bool)
	}
	t.stored[at][m] = true
}

// carried checks what a commit newly calls carried by a number of couriers: on that many
// disks the envelope is at this moment, or was until it was handed over, taken back or
// expired, or the disk was put back.
func (t *truth) carried(m *machine, v protocol.PutConversation, before [3][]protocol.Range, writes []protocol.Write) {
	for i, ranges := range v.Carried {
		if slices.Equal(ranges, before[i]) {
			continue
		}
		for _, msg := range m.disk.threads[v.ID] {
			if msg.Direction != protocol.Out || !within(ranges, msg.Sequence) || within(before[i], msg.Sequence) {
				continue
			}
			t.carries++
			if n := t.couriersOf(m, msg, writes); n < i+1 {
				t.w.fail("%v: %s is called carried by %d couriers, %d had it", m, short(msg.text), i+1, n)
			}
		}
	}
}

// couriersOf counts the couriers that have had the envelope of a message on their disks.
func (t *truth) couriersOf(m *machine, msg *message, writes []protocol.Write) (n int) {
	count := func(r protocol.PutOutbox) {
		if !slices.ContainsFunc(r.Contents, func(c protocol.OutboxContent) bool { return c.Message == msg.ID }) {
			return
		}
		have := make(map[*machine]bool)
		for _, at := range r.Stored {
			for courier := range t.stored[at] {
				have[courier] = true
			}
		}
		n = max(n, len(have))
	}
	for _, r := range m.disk.outbox {
		count(r)
	}
	for _, write := range writes { // the row may have gone again in the same batch
		if r, ok := write.(protocol.PutOutbox); ok {
			count(r)
		}
	}
	return n
}

// unsettledHelp says what of the help of one side for the other is unfinished.
func (w *World) unsettledHelp(m *machine, c protocol.PutContact, other *machine) string {
	st := w.helpOf(c)
	if st.Parting != 0 {
		return fmt.Sprintf("the pairing with %v is ending", other)
	}
	for _, h := range m.peer.Helps() {
		if h.Contact != c.ID || h.Taken == nil || h.Declined {
			continue
		}
		if !h.Ready {
			return fmt.Sprintf("the mailboxes at %v do not stand", other)
		}
		if h.Standing == 0 {
			continue // nothing is asked of it, and so it is not told
		}
		if theirs := other.contactWith(m); theirs != nil && w.helpOf(*theirs).Helping == nil {
			return fmt.Sprintf("%v helps no longer, and we do not know", other)
		}
	}
	if c.Role == protocol.RoleHome && st.Courier == nil {
		return fmt.Sprintf("home node %v does not help", other)
	}
	return ""
}

// unsettledShelves says whether a courier holds something that ought to be gone. An old
// disk, on either side, may know of mailboxes that the other has forgotten, with whatever
// lies in them: it goes when it expires.
func (w *World) unsettledShelves(m *machine) string {
	for _, id := range keysInOrder(m.disk.mailboxes) {
		c := m.disk.contacts[m.disk.mailboxes[id].Owner]
		owner := w.truth.accounts[c.Account]
		if w.truth.skewed[m] || w.truth.skewed[owner] {
			continue // by a wrong clock one of them has forgotten what would long be over: seeds 81, 218
		}
		if m.lie != honest {
			continue // on a connection that stands it has handed over something else, or nothing
		}
		if owner == nil || owner.gone || m.epoch+owner.epoch > 0 || m.removed[owner] || owner.removed[m] {
			continue
		}
		if c.Role != protocol.RolePerson && owner.contactWith(m) == nil {
			continue // a pairing that has ended, of which a home node that has moved was not told in time
		}
		if !owner.boxes()[id] {
			return fmt.Sprintf("keeps a mailbox that %v has forgotten", owner)
		}
		for k, h := range m.disk.held {
			if k.mailbox == id && h.Type == wire.TypeEnvelope {
				return fmt.Sprintf("holds mail that %v has not collected", owner)
			}
		}
	}
	return ""
}

// boxes returns the mailboxes of a machine, wherever they are, but those that it has
// given up.
func (m *machine) boxes() map[wire.MailboxID]bool { return m.w.boxesOn(m.disk) }

func (w *World) boxesOn(d *disk) map[wire.MailboxID]bool {
	out := make(map[wire.MailboxID]bool)
	add := func(err error, boxes []boxState) {
		if err != nil {
			w.fail("a row's state: %v", err)
		}
		for _, b := range boxes {
			out[b.ID] = true
		}
	}
	for _, c := range d.contacts {
		add(nil, w.helpOf(c).Boxes)
		add(nil, w.helpOf(c).Accepts)
	}
	for _, v := range d.invites {
		var st struct {
			Boxes []boxState `cbor:"6,keyasint"`
		}
		add(cbor.Unmarshal(v.State, &st), st.Boxes)
	}
	for _, r := range d.requests {
		var st struct {
			Boxes []boxState `cbor:"8,keyasint"`
		}
		add(cbor.Unmarshal(r.State, &st), st.Boxes)
	}
	return out
}
