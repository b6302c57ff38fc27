package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// converge waits until everything has arrived, or fails.
func (w *World) converge() {
	deadline := w.now.Add(convergeWithin)
	w.breakSilence()
	for w.failure == nil {
		for _, m := range w.machines {
			if m.present() {
				w.answerAll(m, protocol.PutContact{})
			}
		}
		w.runUntil(w.now.Add(convergeEvery))
		left := w.unsettled()
		if left == "" {
			break
		}
		w.log("unsettled: %s", left)
		if w.now.After(deadline) {
			w.fail("%v after healing: %s", convergeWithin, left)
		}
	}
	w.checkAll()
}

// breakSilence has people write to those whose old disk or backup knows no transport key any more that
// they have: these can reach nobody, and hear of their new record within weeks otherwise.
func (w *World) breakSilence() {
	for _, m := range w.machines {
		for _, c := range inOrder(m.disk.contacts) {
			other := w.truth.accounts[c.Account]
			if !m.present() || c.Role != protocol.RolePerson || c.Phase != protocol.ContactEstablished || other == nil || other.epoch == 0 || !knowsWay(c, other) {
				continue
			}
			if theirs := other.contactWith(m); theirs != nil && theirs.Phase == protocol.ContactEstablished && !knowsWay(*theirs, m) {
				w.sendTo(m, c.ID)
			}
		}
	}
}

// unsettled says what is not yet as it must become, or nothing.
func (w *World) unsettled() string {
	for i := range w.machines {
		at := (w.waitedFor + i) % len(w.machines)
		if left := w.unsettledMachine(w.machines[at]); left != "" {
			w.waitedFor = at // it is the first to be looked at again
			return fmt.Sprintf("%v: %s", w.machines[at], left)
		}
	}
	return ""
}

func (w *World) unsettledMachine(m *machine) string {
	if m.gone {
		return ""
	}
	if m.busy {
		return "has something to do"
	}
	for _, c := range inOrder(m.disk.contacts) {
		if left := w.unsettledContact(m, c); left != "" {
			return left
		}
	}
	if left := m.unsettledSignals(); left != "" {
		return left
	}
	if left := w.unsettledGroups(m); left != "" {
		return left
	}
	return w.unsettledShelves(m)
}

func (w *World) unsettledContact(m *machine, c protocol.PutContact) string {
	if c.Phase == protocol.ContactFailed || c.Blocked {
		return ""
	}
	other := w.truth.accounts[c.Account]
	if other == nil || c.Phase == protocol.ContactRequested {
		return w.unsettledRequest(m, c)
	}
	if other.gone {
		return ""
	}
	theirs := other.contactWith(m)
	if theirs == nil || theirs.Blocked || theirs.Phase == protocol.ContactRequested {
		return "" // they do not know us any more, or not yet
	}
	if (m.epoch+other.epoch > 0 || m.removed[other] || other.removed[m]) && !sameSecret(c, *theirs) && !sameSession(m, c, other, *theirs) {
		return "" // one has forgotten what the other's old disk knows: they need a new link
	}
	stale := w.plan.Life > rendezvous.RecordRefresh || w.truth.skewed[m] && w.truth.skewed[other] || m.epoch+other.epoch > 0
	if stale && !knowsWay(c, other) && !knowsWay(*theirs, m) {
		return "" // too long ago, by wrong clocks, or before a disk was put back, they told each other where they are
	}
	if c.Phase != protocol.ContactEstablished {
		return fmt.Sprintf("%v is %s", other, c.Phase)
	}
	if other.epoch == 0 && m.epoch == 0 && other.present() && c.Name != other.peer.Name() {
		return fmt.Sprintf("%v has another name", other)
	}
	if left := w.unsettledPicture(m, c, other); left != "" {
		return left
	}
	if left := w.unsettledHelp(m, c, other); left != "" {
		return left
	}
	if left := w.unsettledFiles(m, c, other); left != "" {
		return left
	}
	return w.unsettledMail(m, c, other)
}

// knowsWay reports whether a contact's record has the transport key that the other
// side has now.
func knowsWay(c protocol.PutContact, other *machine) bool {
	var st contactState
	return cbor.Unmarshal(c.State, &st) == nil && st.Record != nil && slices.Contains(st.Record.Keys, other.hostKey)
}

// sameSecret reports whether two sides of a pair have the secret of a repair in common.
func sameSecret(a, b protocol.PutContact) bool {
	var x, y contactState
	return cbor.Unmarshal(a.State, &x) == nil && cbor.Unmarshal(b.State, &y) == nil && x.Recovery == y.Recovery
}

// sameSession reports whether two sides of a pair hold one session, by which each knows
// the other.
func sameSession(m *machine, c protocol.PutContact, o *machine, theirs protocol.PutContact) bool {
	for k := range m.disk.sessions {
		if _, both := o.disk.sessions[sessionKey{theirs.ID, k.sid}]; both && k.contact == c.ID {
			return true
		}
	}
	return false
}

// contactWith returns a machine's contact with another, if it has one.
func (m *machine) contactWith(o *machine) *protocol.PutContact {
	for _, c := range inOrder(m.disk.contacts) {
		if c.Account == o.account && c.Phase != protocol.ContactFailed {
			return &c
		}
	}
	return nil
}

// unsettledRequest says whether a request must still be answered.
func (w *World) unsettledRequest(m *machine, c protocol.PutContact) string {
	i, ok := w.truth.asked[asking{m, c.ID}]
	if !ok {
		return ""
	}
	v, known := i.by.disk.invites[i.id]
	if !known || i.by.gone {
		return ""
	}
	if age := w.healedAt.Sub(time.UnixMilli(v.CreatedAt)); age > 2*24*time.Hour || age < -time.Hour {
		return "" // the link's transport keys are of other days
	}
	parted := byCourierOnly(c) && !w.atCouriers(m, i.by, v) // the inviter and the couriers that the link names
	if print, asked := requestPrint(c); asked && taken(v, print) && !(parted && c.Phase == protocol.ContactRequested) {
		return unsettledTaken(m, i, print)
	}
	if parted {
		return ""
	}
	if !i.by.offers[i.id] || v.UsesLeft == 0 {
		return "" // it closed before they found each other
	}
	return fmt.Sprintf("request to %v is not answered", i.by)
}

// unsettledTaken says whether a request that the inviter has taken must still come to
// something.
func unsettledTaken(m *machine, i invitation, print [32]byte) string {
	for _, r := range i.by.disk.requests {
		var st struct {
			Print [32]byte `cbor:"2,keyasint"`
		}
		if cbor.Unmarshal(r.State, &st) != nil || st.Print != print {
			continue
		}
		if r.Phase == protocol.RequestDeclined {
			return ""
		}
		return fmt.Sprintf("request to %v is %s", i.by, r.Phase)
	}
	if theirs := i.by.contactWith(m); theirs == nil || theirs.Invite != i.id || m.epoch+i.by.epoch > 0 {
		return "" // it went with the invite or with the contact; or it was answered before a disk was put back
	}
	return fmt.Sprintf("request to %v was answered and forgotten", i.by)
}

// requestPrint returns the hash of the bytes by which a contact was asked.
func requestPrint(c protocol.PutContact) (print [32]byte, asked bool) {
	var st struct {
		Asking *struct {
			Request *invite.Asking `cbor:"2,keyasint"`
		} `cbor:"8,keyasint"`
	}
	if cbor.Unmarshal(c.State, &st) != nil || st.Asking == nil || st.Asking.Request == nil {
		return print, false
	}
	return identity.Hash(st.Asking.Request.Request), true
}

// byCourierOnly reports whether the link that a contact was asked by leads to couriers only.
func byCourierOnly(c protocol.PutContact) bool {
	var st struct {
		Asking *struct {
			Link wire.Link `cbor:"1,keyasint"`
		} `cbor:"8,keyasint"`
	}
	return cbor.Unmarshal(c.State, &st) == nil && st.Asking != nil && len(st.Asking.Link.Couriers) > 0 && len(st.Asking.Link.Addresses) == 0
}

// atCouriers reports whether a courier, not the one that asks, that the link of an invite
// names still helps whoever made it, and both know it.
func (w *World) atCouriers(asking, by *machine, v protocol.PutInvite) bool {
	var st struct {
		Boxes []struct {
			Courier protocol.ContactID `cbor:"1,keyasint"`
		} `cbor:"6,keyasint"`
	}
	if cbor.Unmarshal(v.State, &st) != nil {
		return false
	}
	for _, b := range st.Boxes {
		courier := by.disk.contacts[b.Courier]
		other := w.truth.accounts[courier.Account]
		if other == nil || other == asking || other.lie != honest {
			continue
		}
		theirs := other.contactWith(by)
		if theirs == nil || theirs.Blocked || !helping(*theirs) || !knowsWay(courier, other) {
			continue
		}
		if sameSession(by, courier, other, *theirs) {
			return true
		}
	}
	return false
}

// helping reports whether whoever has a contact keeps mail for it.
func helping(c protocol.PutContact) bool {
	var st struct {
		Helping cbor.RawMessage `cbor:"32,keyasint"`
	}
	return cbor.Unmarshal(c.State, &st) == nil && len(st.Helping) > 0
}

// taken reports whether an invite has taken a request.
func taken(v protocol.PutInvite, print [32]byte) bool {
	var st struct {
		Seen [][32]byte `cbor:"4,keyasint"`
	}
	return cbor.Unmarshal(v.State, &st) == nil && slices.Contains(st.Seen, print)
}

// forgotten reports whether the author takes it that the other has forgotten all up to a message, and
// does not want it again.
func forgotten(v protocol.PutConversation, sequence uint64) bool {
	var st struct {
		Gone []protocol.Range `cbor:"7,keyasint"`
	}
	return cbor.Unmarshal(v.State, &st) == nil && within(st.Gone, sequence)
}

func (w *World) unsettledMail(m *machine, c protocol.PutContact, other *machine) string {
	var st contactState
	if err := cbor.Unmarshal(c.State, &st); err != nil {
		return fmt.Sprintf("contact's state: %v", err)
	}
	switch {
	case st.Forked:
		return fmt.Sprintf("session with %v is forked", other)
	case len(st.Repair) > 0:
		return fmt.Sprintf("session with %v is being repaired", other)
	case len(st.Inline) > 0 || st.Renumber > 0:
		return fmt.Sprintf("%d contents wait for %v", len(st.Inline), other)
	case c.Verification == protocol.VerifiedChanged:
		return ""
	}
	for k := range m.disk.outbox {
		if k.contact == c.ID {
			return fmt.Sprintf("envelopes for %v wait", other)
		}
	}
	v := m.disk.conversations[c.Conversation]
	if left := w.unsettledGaps(m, v, other); left != "" {
		return left
	}
	if left := w.unsettledOperations(m, v, other); left != "" {
		return left
	}
	for _, msg := range m.disk.threads[c.Conversation] {
		if msg.Direction != protocol.Out || msg.state != "" {
			continue
		}
		l := w.truth.letters[msg.wire]
		switch {
		case !within(v.Delivered, msg.Sequence):
			return fmt.Sprintf("%s for %v is not delivered", short(msg.text), other)
		case l.voided:
		case m.epoch > 0 && l.once && forgotten(v, msg.Sequence): // as this disk of the author's knows, which may be put back behind another
		case m.epoch > 0 && other.epoch > 0 && w.truth.later(l) >= tagsRemembered: // other numbers than these are not told apart
		case !l.arrived || l.gone && l.deleted == 0 && !l.removed:
			return fmt.Sprintf("%s is delivered but %v has lost it", short(msg.text), other)
		}
	}
	return ""
}

// unsettledGaps says whether something is missed that will not come. What its author
// has lost, too, is missed for ever: an old disk does not know the texts behind it.
func (w *World) unsettledGaps(m *machine, v protocol.PutConversation, author *machine) string {
	missed, lost := uint64(0), uint64(0)
	for k, n := range m.disk.gaps {
		if k.conversation == v.ID {
			missed += n
		}
	}
	if missed == 0 {
		return ""
	}
	for _, l := range w.truth.letters {
		if l.author == author && l.to == m.account && l.lost {
			lost++
		}
	}
	for _, s := range w.truth.said {
		if s.author == author && s.to == m.account && s.lost {
			lost++
		}
	}
	if missed > lost {
		return fmt.Sprintf("%d messages of %v are missed, who has lost %d", missed, author, lost)
	}
	return ""
}
