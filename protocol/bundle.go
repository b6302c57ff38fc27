package protocol

import (
	"errors"
	"io"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/outbox"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

// This file is for mail that goes past the network: what one device has for one contact
// in a file (spec, "Bundle files"). It has nothing to do with the bundle of a link.

// Codes of refused bundle files, and of contacts for whom none is made.
const (
	CodeBundleMalformed   = "bundle_malformed"
	CodeBundleNotForYou   = "bundle_not_for_you"
	CodeBundleOwn         = "bundle_own"
	CodeBundleOutdated    = "bundle_outdated"
	CodeBundleUnsupported = "bundle_unsupported"
	CodeSessionRenewal    = "session_renewal"
)

// export is a file that is being made: the contents of its envelopes may have to be read.
type export struct {
	refs   []uint64
	frames map[*outbox.Entry][]byte
	asked  map[*outbox.Entry]bool // their contents were read once: those without a frame have none
}

// exported is up to which envelope of a session a file holds what was not acknowledged.
type exported struct {
	SID  [32]byte `cbor:"1,keyasint"`
	Next uint32   `cbor:"2,keyasint"` // index behind the last one
	At   int64    `cbor:"3,keyasint"` // Unix seconds
}

// exportable returns why no file is made for the contact, or "".
func (c *contact) exportable() string {
	switch {
	case c.row.Blocked:
		return CodeBlocked
	case c.row.Phase == ContactFailed:
		return CodeContactFailed
	case c.row.Phase != ContactEstablished:
		return CodeNotEstablished
	case c.row.Verification == VerifiedChanged:
		return CodeDevicesChanged
	case c.sending() == nil:
		return CodeSessionRenewal
	}
	return ""
}

// exportBundle begins a file. It is answered once all contents are at hand.
func (p *Peer) exportBundle(in ExportBundle) error {
	c := p.contacts[in.Contact]
	if c == nil || c.row.Role != RolePerson {
		return refuse(CodeNotFound)
	}
	if code := c.exportable(); code != "" {
		return refuse(code)
	}
	if c.export == nil {
		c.export = &export{frames: make(map[*outbox.Entry][]byte), asked: make(map[*outbox.Entry]bool)}
	}
	c.export.refs = append(c.export.refs, in.Ref)
	p.stir(c)
	return nil
}

// endExport tells those who asked for a file why there is none.
func (p *Peer) endExport(c *contact, why error) {
	if c.export == nil {
		return
	}
	for _, ref := range c.export.refs {
		p.reply(ref, why)
	}
	c.export = nil
}

// exporting goes on with a file as far as it can without reading.
func (p *Peer) exporting(now time.Time, c *contact) error {
	if c.export == nil {
		return nil
	}
	sealed := false
	if c.exportable() == "" {
		var err error
		if sealed, err = p.sealForFile(now, c); err != nil {
			return err
		}
	}
	if code := c.exportable(); code != "" {
		p.endExport(c, refuse(code))
		return nil
	}
	if !sealed || !p.gatherFrames(c) {
		return nil // something is being read
	}
	return p.finishExport(now, c)
}

// sealForFile seals what waits as far as the window allows, and reports whether that is
// done.
func (p *Peer) sealForFile(now time.Time, c *contact) (bool, error) {
	if c.refetching > 0 || !p.renumber(now, c) {
		return false, nil
	}
	ps := c.sending()
	if err := p.sealAll(now, c, ps, session.CourierSizeMin); err != nil {
		return false, err
	}
	if c.queue.WaitingLen() > 0 && ps.s.WindowLeft() > 1 {
		p.fetch(c, true, nil, toCouriers)
		return false, nil
	}
	c.waitingSince = time.Time{}
	return true, nil
}

// gatherFrames collects the frames of all envelopes that are not acknowledged, and
// reports whether it has them. An envelope whose contents are damaged is left out.
func (p *Peer) gatherFrames(c *contact) bool {
	if c.asked != nil || c.partsAsked != nil {
		return false // what it brings may belong into the file
	}
	x, whole, bytes := c.export, true, 0
	var missing []*outbox.Entry
	parts := 0
	for _, e := range c.queue.Unacknowledged() {
		if x.frames[e] == nil {
			x.frames[e] = e.Frame
		}
		if x.frames[e] == nil {
			x.frames[e] = p.rebuildInline(c, e)
		}
		if x.frames[e] != nil || x.asked[e] {
			continue
		}
		whole = false
		if _, part := e.Part(); part {
			if parts++; parts > outbox.FetchPartsMax {
				continue
			}
		}
		if len(missing) < exportFetchMax && bytes <= outbox.FetchBytesMax {
			missing = append(missing, e)
			for _, it := range e.Items {
				bytes += it.Size
			}
		}
	}
	if !whole {
		for _, e := range missing {
			x.asked[e] = true
		}
		p.fetch(c, false, missing, toCouriers)
	}
	return whole
}

// finishExport makes the file: where the session is, what is not acknowledged, and what
// has come. It changes nothing of what waits.
func (p *Peer) finishExport(now time.Time, c *contact) error {
	first := c.sending()
	sync, err := first.s.Sync(p.random, 0)
	if err != nil {
		return errRandom
	}
	acks, err := p.acksForFile(now, c)
	if err != nil {
		return err
	}
	if code := c.exportable(); code != "" {
		p.endExport(c, refuse(code))
		return nil
	}
	file := wire.BundleFile{At: uint32(now.Unix()), Envelopes: [][]byte{sync}}
	result := BundleExported{Waiting: c.queue.WaitingMessages()}
	c.state.Exported = nil
	for _, e := range c.queue.Unacknowledged() {
		frame := c.export.frames[e]
		if frame == nil || len(file.Envelopes)+len(acks) == wire.BundleFileEnvelopesMax {
			result.Waiting += e.Messages()
			continue
		}
		file.Envelopes = append(file.Envelopes, frame)
		result.Messages += e.Messages()
		c.noteExported(e, now)
	}
	p.touchContact(c)
	file.Envelopes = append(file.Envelopes, acks...)
	for _, ref := range c.export.refs { // a file each: no two have anything in common
		var salt [32]byte
		if _, err := io.ReadFull(p.random, salt[:]); err != nil {
			return errRandom
		}
		if result.File, err = file.Seal(first.recovery, p.self.account, salt); err != nil {
			panic("protocol: a window does not fit a bundle file")
		}
		p.reply(ref, result)
	}
	c.export = nil
	return nil
}

// acksForFile seals a bare ack in each session. What they acknowledge they still owe: the
// file may never arrive.
func (p *Peer) acksForFile(now time.Time, c *contact) (acks [][]byte, err error) {
	for _, ps := range slices.Clone(c.sessions) {
		ack, err := ps.s.Ack(now, p.random, nil, 0)
		if errors.Is(err, session.ErrKEM) {
			p.fork(now, c, ps)
			continue
		}
		if err != nil {
			return nil, errRandom
		}
		ps.dirty = true
		acks = append(acks, ack)
	}
	return acks, nil
}

func (c *contact) noteExported(e *outbox.Entry, now time.Time) {
	i := slices.IndexFunc(c.state.Exported, func(x exported) bool { return x.SID == e.Session })
	if i < 0 {
		c.state.Exported = append(c.state.Exported, exported{SID: e.Session})
		i = len(c.state.Exported) - 1
	}
	x := &c.state.Exported[i]
	x.Next, x.At = max(x.Next, e.Index+1), now.Unix()
}

// exportedAt returns when the file was made that was the last to hold an envelope; zero
// is never.
func (c *contact) exportedAt(e *outbox.Entry) time.Time {
	for _, x := range c.state.Exported {
		if x.SID == e.Session && e.Index < x.Next {
			return time.Unix(x.At, 0)
		}
	}
	return time.Time{}
}

// importBundle takes what is in a file. If nothing in it opens, it is refused.
func (p *Peer) importBundle(now time.Time, in ImportBundle) error {
	sealed, err := wire.ParseBundleFile(in.File)
	if err != nil {
		return refuse(CodeBundleMalformed)
	}
	c, secret := p.bundleFrom(&sealed)
	switch {
	case c == nil && p.ownBundle(&sealed):
		return refuse(CodeBundleOwn)
	case c == nil:
		return refuse(CodeBundleNotForYou)
	case c.row.Blocked:
		return refuse(CodeBlocked)
	}
	file, err := sealed.Open(secret, c.row.Account)
	switch {
	case errors.Is(err, wire.ErrBundleFileVersion):
		return refuse(CodeBundleUnsupported)
	case err != nil:
		return refuse(CodeBundleMalformed)
	}
	delivered, wrote := c.deliveredCount(), len(p.out.Writes)
	known, suite := false, false
	for _, frame := range file.Envelopes {
		err := p.filedEnvelope(now, c, frame)
		switch {
		case err == nil:
			known = true
		case errors.Is(err, session.ErrSuite):
			suite = true
		case errors.Is(err, errRandom):
			return err
		}
	}
	switch {
	case !known && suite:
		return refuse(CodeBundleUnsupported)
	case !known:
		return refuse(CodeBundleOutdated)
	}
	result := BundleImported{Contact: c.row.ID, At: int64(file.At), Delivered: c.deliveredCount() - delivered, Renewal: c.forked}
	for _, w := range p.out.Writes[wrote:] {
		if m, ok := w.(PutMessage); ok && m.Direction == In {
			result.Messages++
		}
	}
	p.reply(in.Ref, result)
	return nil
}

// filedEnvelope opens an envelope of a file. It may be older than anything that the
// network delivers: it proves nothing about where the contact is today. Errors: those of
// the session, but for a fork, and errRandom.
func (p *Peer) filedEnvelope(now time.Time, c *contact, frame []byte) error {
	var suite error
	for _, ps := range c.sessions {
		opened, err := ps.s.Open(frame)
		switch {
		case err == nil:
			if err := p.opened(now, c, ps, opened); err != nil {
				return err
			}
			if opened.Kind != session.KindDuplicate && opened.Kind != session.KindStale {
				p.hasOpened(c)
			}
			p.acknowledgeLater(now, c, ps)
			return nil
		case errors.Is(err, session.ErrFork):
			p.fork(now, c, ps)
			return nil
		case errors.Is(err, session.ErrSuite):
			suite = err
		}
	}
	if suite != nil {
		return suite
	}
	return session.ErrUnopenable
}

// bundleFrom finds whose file it is, and the secret that it was made with.
func (p *Peer) bundleFrom(file *wire.SealedBundleFile) (*contact, [identity.KeySize]byte) {
	for _, c := range p.contactsInOrder() {
		for _, secret := range c.secrets() {
			if file.From(secret, c.row.Account) {
				return c, secret
			}
		}
	}
	return nil, [identity.KeySize]byte{}
}

// ownBundle reports whether a file was made here.
func (p *Peer) ownBundle(file *wire.SealedBundleFile) bool {
	return slices.ContainsFunc(p.contactsInOrder(), func(c *contact) bool {
		return slices.ContainsFunc(c.secrets(), func(secret [identity.KeySize]byte) bool {
			return file.From(secret, p.self.account)
		})
	})
}

// secrets returns the recovery secrets that we share with the contact, each once.
func (c *contact) secrets() (all [][identity.KeySize]byte) {
	add := func(s [identity.KeySize]byte) {
		if s != [identity.KeySize]byte{} && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, ps := range c.sessions {
		add(ps.recovery)
	}
	add(c.state.Recovery)
	for _, s := range c.state.Former {
		add(s)
	}
	return all
}

// deliveredCount counts our messages that the contact has acknowledged.
func (c *contact) deliveredCount() (n int) {
	if c.conv == nil {
		return 0
	}
	for _, r := range c.conv.row.Delivered {
		n += int(r.Last - r.First + 1)
	}
	return n
}
