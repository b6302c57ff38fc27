package protocol

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// This file is for small files of which the contact can fetch nothing, as it is never on
// together with us: their parts go by courier (spec, "Attachments").

// fileParts is a small file of a message of ours, until the contact has all of it.
type fileParts struct {
	Message  [16]byte `cbor:"1,keyasint"`
	Sequence uint64   `cbor:"2,keyasint"` // of the message
	Item     uint8    `cbor:"3,keyasint"` // the place of the file in it
	Count    uint8    `cbor:"4,keyasint"` // of its parts
	Done     uint32   `cbor:"5,keyasint"` // bit n: the contact has acknowledged part n
}

// part names one part of the file.
func (f *fileParts) part(index uint8) outbox.Part {
	return outbox.Part{Message: f.Message, Sequence: f.Sequence, Item: f.Item, Index: index}
}

func (f *fileParts) of(part outbox.Part) bool {
	return f.Message == part.Message && f.Item == part.Item
}

// offerParts takes note of the small files of a message that is sent. Beyond partFilesMax the
// oldest go: the contact fetches them, if it ever does, on a connection.
func (p *Peer) offerParts(c *contact, content *wire.Content) {
	if c == nil {
		return // note to self
	}
	for i := range content.Files {
		if n := wire.Parts(content.Files[i].SizeBytes); n > 0 {
			c.state.Parts = append(c.state.Parts, fileParts{Message: content.ID, Sequence: content.Sequence, Item: uint8(i), Count: uint8(n)})
			p.touchContact(c)
		}
	}
	for len(c.state.Parts) > partFilesMax {
		oldest := c.state.Parts[0]
		p.dropParts(c, oldest.of)
	}
}

// partsToSeal returns the next parts that no envelope carries, at most n, and no more than may
// be under way.
func (c *contact) partsToSeal(n int) (parts []outbox.Part) {
	out := make(map[outbox.Part]bool)
	for _, e := range c.queue.Parts([16]byte{}) {
		part, _ := e.Part()
		out[part] = true
	}
	n = min(n, partsOutMax-len(out))
	for i := range c.state.Parts {
		f := &c.state.Parts[i]
		for index := uint8(0); index < f.Count && len(parts) < n; index++ {
			if part := f.part(index); f.Done>>index&1 == 0 && !out[part] {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

// partsDue returns when parts are to be sealed for couriers: once the contact has been off for a
// while, behind all that waits, and as long as they leave room for messages. Zero is never.
func (c *contact) partsDue(now time.Time) time.Time {
	if len(c.state.Parts) == 0 || c.live() != nil || !c.takesFiles() {
		c.partsSince = time.Time{}
		return time.Time{}
	}
	if c.partsSince.IsZero() {
		c.partsSince = now
	}
	ps := c.sending()
	if ps == nil || ps.s.WindowLeft() < session.Window/2 || c.queue.WaitingLen() > 0 || len(c.state.Voids) > 0 ||
		c.partsAsked != nil || c.refetching > 0 || c.state.Renumber > 0 || len(c.partsToSeal(1)) == 0 {
		return time.Time{}
	}
	return c.partsSince.Add(partsAfter)
}

// partsByCourier has the next parts made that are to go by courier.
func (p *Peer) partsByCourier(now time.Time, c *contact) {
	if due := c.partsDue(now); !due.IsZero() && !due.After(now) {
		p.fetchParts(c, nil, c.partsToSeal(outbox.FetchPartsMax), toCouriers)
	}
}

// fetchParts asks for parts: those of envelopes that are not in memory, and more.
func (p *Peer) fetchParts(c *contact, resend []*outbox.Entry, more []outbox.Part, to aim) {
	if parts := c.queue.FetchParts(resend, more); len(parts) > 0 {
		c.partsAsked, c.partsTo = parts, to
		p.out.Jobs = append(p.out.Jobs, FetchParts{Contact: c.row.ID, Parts: parts})
	}
}

// partsFetched goes on with envelopes that carry parts, and seals parts if the contact is still
// off. A file that is gone, or has changed, does not come.
func (p *Peer) partsFetched(now time.Time, in PartsFetched) error {
	c := p.contacts[in.Contact]
	if c == nil {
		return nil
	}
	asked, contents := c.partsAsked, make(map[outbox.Part][]byte, len(in.Parts))
	c.partsAsked = nil
	for part, sealed := range in.Parts {
		content := wire.Content{
			Type: wire.ContentPart, About: &wire.Reference{Own: true, Sequence: part.Sequence, ID: part.Message},
			Part: &wire.Part{Item: part.Item, Index: part.Index, Sealed: sealed},
		}
		if b, err := wire.AppendContent(nil, content); err == nil {
			contents[part] = b
		}
	}
	for _, w := range c.queue.PartsFetched(contents) {
		p.rebuilt(now, c, w, c.partsTo)
	}
	if in.Later {
		c.partsSince = now.Add(partsReadAgain)
		p.dueBy(c.partsSince)
	}
	for _, part := range asked {
		if contents[part] == nil && !in.Later {
			p.dropParts(c, (&fileParts{Message: part.Message, Item: part.Item}).of)
		}
	}
	p.touchContact(c)
	if due := c.partsDue(now); due.IsZero() || due.After(now) {
		return nil
	}
	for _, part := range c.partsToSeal(partsOutMax) {
		if content := contents[part]; content != nil {
			if err := p.sealPart(now, c, part, content); err != nil {
				return err
			}
		}
	}
	return nil
}

// sealPart puts a part into an envelope of its own, and leaves that with couriers.
func (p *Peer) sealPart(now time.Time, c *contact, part outbox.Part, content []byte) error {
	ps := c.sending()
	if ps == nil || ps.s.WindowLeft() < session.Window/2 {
		return nil
	}
	if err := p.declareWithdrawn(now, c, ps); err != nil {
		return err
	}
	e, frame, err := p.sealEntry(now, c, ps, []outbox.Item{{Size: len(content), Content: content, Part: part}}, session.CourierSizeMin)
	if e != nil {
		p.leaveRebuilt(now, c, e, frame)
	}
	return err
}

// partDelivered notes that the contact has a part on its disk.
func (p *Peer) partDelivered(c *contact, part outbox.Part) {
	i := slices.IndexFunc(c.state.Parts, func(f fileParts) bool { return f.of(part) })
	if i < 0 {
		return
	}
	f := &c.state.Parts[i]
	f.Done |= 1 << part.Index
	if f.Done == 1<<f.Count-1 {
		c.state.Parts = slices.Delete(c.state.Parts, i, i+1)
	}
	p.touchContact(c)
}

// dropParts has the parts of files go no further: what is with couriers is withdrawn. It
// reports whether there were any.
func (p *Peer) dropParts(c *contact, which func(outbox.Part) bool) (dropped bool) {
	before := len(c.state.Parts)
	c.state.Parts = slices.DeleteFunc(c.state.Parts, func(f fileParts) bool { return which(f.part(0)) })
	dropped = len(c.state.Parts) < before
	for _, e := range c.queue.Parts([16]byte{}) {
		if part, _ := e.Part(); which(part) {
			p.voidEnvelope(c, e, MessageID{})
			dropped = true
		}
	}
	if dropped {
		p.touchContact(c)
	}
	return dropped
}

// fileFetched notes that the contact has fetched the whole of a file on a connection.
func (p *Peer) fileFetched(in FileFetched) {
	if c := p.contacts[in.Contact]; c != nil {
		p.dropParts(c, (&fileParts{Message: in.Message, Item: in.Item}).of)
	}
}

// mailboxFull leaves a mailbox alone that takes no more of what was left there. Parts of files
// must not keep messages out: those that lie there make room, and messages are left again soon.
func (p *Peer) mailboxFull(now time.Time, c *contact, a wire.Acknowledge) {
	heard := c.dealingsWith(a.ID)
	heard.unanswered, heard.fullParts = 0, now.Add(fullAgain)
	messages := len(a.Items) == 0
	for _, hash := range a.Items {
		if e := c.queue.At(a.ID, hash); e != nil {
			_, part := e.Part()
			messages = messages || !part
		}
	}
	copies, of := c.queue.TakeParts(a.ID)
	for i, copy := range copies {
		if at := (Stored{Mailbox: copy.Mailbox, Hash: copy.Hash}); !slices.Contains(c.state.Withdraw, at) {
			c.state.Withdraw = append(c.state.Withdraw, at)
		}
		p.write(p.outboxRow(c, of[i]))
		heard.partsGone = now
	}
	c.queue.Unanswered(a.ID)
	p.touchContact(c)
	switch {
	case !messages:
	case now.Sub(heard.partsGone).Abs() < fullOfPartsKept:
		heard.full = now.Add(fullOfParts)
	default:
		heard.full = now.Add(fullAgain)
	}
}

// partCouriers counts the couriers that hold parts of the files of a message.
func (c *contact) partCouriers(message [16]byte) int {
	couriers := make(map[identity.TransportKey]bool)
	if c.state.Record != nil {
		for _, e := range c.queue.Parts(message) {
			for _, m := range c.state.Record.Mailboxes {
				if e.StoredIn(m.ID) {
					couriers[m.Courier] = true
				}
			}
		}
	}
	return len(couriers)
}

// partReceived keeps a part of a file of the contact's. Whether its message is here, and the
// file wanted, only the disk knows.
func (p *Peer) partReceived(now time.Time, c *contact, content *wire.Content) {
	v, about := c.conv, content.About
	if content.Raw != nil || v == nil || !c.takesFiles() {
		return
	}
	put := PutPart{
		Conversation: v.row.ID, Message: about.ID, Item: content.Part.Item, Index: content.Part.Index,
		At: now.UnixMilli(), Sealed: content.Part.Sealed,
	}
	if next := v.have.next(); v.have.inGap(about.Sequence) >= 0 || about.Sequence >= next && about.Sequence-next <= sequenceJumpMax {
		put.Waits = about.Sequence
	}
	p.write(put)
}

// renumberParts notes that a message of ours has got another sequence. No envelope carries it,
// or a part of its files: the session is new.
func (c *contact) renumberParts(message [16]byte, sequence uint64) {
	for i := range c.state.Parts {
		if f := &c.state.Parts[i]; f.Message == message {
			f.Sequence = sequence
		}
	}
}
