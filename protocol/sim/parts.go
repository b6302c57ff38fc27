package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
)

// This file is what the simulation knows of small files: their parts go by courier, and on a
// connection they are fetched as package node does. What is in a file follows from its place.

// fileKey names a small file of a contact's.
type fileKey struct {
	conversation protocol.ConversationID
	message      [16]byte
	item         uint8
}

// partKey names one part of it.
type partKey struct {
	fileKey
	index uint8
}

func compareParts(a, b partKey) int {
	return cmp.Or(compareFiles(a.fileKey, b.fileKey), cmp.Compare(a.index, b.index))
}

func compareFiles(a, b fileKey) int {
	return cmp.Or(bytes.Compare(a.conversation[:], b.conversation[:]), bytes.Compare(a.message[:], b.message[:]), cmp.Compare(a.item, b.item))
}

// fileBytes returns what is in a part of a file; that can be read nowhere but at its ends.
func fileBytes(f *wire.File, item, index uint8) []byte {
	part := bytes.Repeat(fmt.Appendf(nil, "%s file %x part %d.%d ", marker, f.Key[:4], item, index), wire.PartBytes/16)
	return part[:wire.PartSize(f.SizeBytes, int(index))]
}

// smallFile returns a file of a message that goes in parts, nil if it is none.
func smallFile(content []byte, item uint8) *wire.File {
	c, _, err := wire.DecodeContent(content)
	if err != nil || int(item) >= len(c.Files) || wire.Parts(c.Files[item].SizeBytes) == 0 {
		return nil
	}
	return &c.Files[item]
}

// part makes a part of a file of ours, nil if its message is gone.
func (d *disk) part(p outbox.Part) []byte {
	m := d.messages[protocol.MessageID(p.Message)]
	if m == nil || m.state != "" {
		return nil
	}
	f := smallFile(m.Content, p.Item)
	if f == nil || int(p.Index) >= wire.Parts(f.SizeBytes) {
		return nil
	}
	return attachment.Key(f.Key).SealPart(nil, int(p.Index), wire.Parts(f.SizeBytes), fileBytes(f, p.Item, p.Index))
}

// parts does the job of making parts.
func (m *machine) parts(j protocol.FetchParts) {
	in := protocol.PartsFetched{Contact: j.Contact, Parts: make(map[outbox.Part][]byte)}
	if m.w.plan.Files > 0 && m.w.chance(unreadable) {
		in.Later = true
		m.push(in)
		return
	}
	for _, p := range j.Parts {
		from := p
		if m.w.plan.Mutation == WrongPart {
			from.Index ^= 1
		}
		if sealed := m.disk.part(from); sealed != nil {
			in.Parts[p] = sealed
		}
	}
	m.push(in)
}

// putPart keeps a part, as package store does. One of a message that is here must be of its file.
func (d *disk) putPart(r protocol.PutPart) error {
	key := partKey{fileKey{r.Conversation, r.Message, r.Item}, r.Index}
	if all := d.copies(r.Conversation, r.Message, false); len(all) > 0 {
		if !d.remote[key.fileKey] {
			return nil
		}
		f := smallFile(all[0].Content, r.Item)
		part, err := attachment.Key(f.Key).OpenPart(nil, r.Sealed, int(r.Index), f.SizeBytes)
		if err != nil || !bytes.Equal(part, fileBytes(f, r.Item, r.Index)) {
			return fmt.Errorf("a part that is not of its file")
		}
		r.Waits = 0
	} else if r.Waits == 0 {
		return nil
	}
	if _, known := d.parts[key]; known {
		return nil
	}
	kept := slices.DeleteFunc(slices.SortedFunc(maps.Keys(d.parts), compareParts), func(k partKey) bool { return k.conversation != r.Conversation })
	if len(kept) >= protocol.PartsKeptMax {
		i := slices.IndexFunc(kept, func(k partKey) bool { return d.parts[k].Waits > 0 })
		if i < 0 {
			return nil
		}
		delete(d.parts, kept[i])
	}
	d.parts[key] = r
	d.completeFile(key.fileKey)
	return nil
}

// completeFile takes a file as whole if all its parts are here.
func (d *disk) completeFile(key fileKey) {
	all := d.copies(key.conversation, key.message, false)
	if len(all) == 0 || !d.remote[key] {
		return
	}
	n, f := 0, smallFile(all[0].Content, key.item)
	for k := range d.parts {
		if k.fileKey == key {
			n++
		}
	}
	if n == wire.Parts(f.SizeBytes) {
		d.byCourier++
		d.haveFile(key)
	}
}

// haveFile notes that all of a file is here.
func (d *disk) haveFile(key fileKey) {
	delete(d.remote, key)
	maps.DeleteFunc(d.parts, func(k partKey, _ protocol.PutPart) bool { return k.fileKey == key })
}

// wantFiles has the small files of a message wanted that has come.
func (d *disk) wantFiles(m *message) {
	content, _, err := wire.DecodeContent(m.Content)
	if err != nil {
		return
	}
	for i := range content.Files {
		if wire.Parts(content.Files[i].SizeBytes) > 0 {
			d.remote[fileKey{m.Conversation, m.wire, uint8(i)}] = true
		}
	}
}

// releaseParts has parts wait no more for a message that has come, zeros if none has, or for one
// that has not and should have had its sequence.
func (d *disk) releaseParts(conversation protocol.ConversationID, sequence uint64, came [16]byte) error {
	for _, k := range slices.SortedFunc(maps.Keys(d.parts), compareParts) {
		r := d.parts[k]
		if r.Conversation != conversation || r.Waits == 0 || r.Message != came && r.Waits != sequence {
			continue
		}
		delete(d.parts, k)
		if r.Message == came {
			if err := d.putPart(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetParts erases what there is of the files of a message that is gone.
func (d *disk) forgetParts(conversation protocol.ConversationID, message [16]byte) {
	if len(d.copies(conversation, message, false)) > 0 {
		return // its author has sent it again
	}
	gone := func(k fileKey) bool { return k.conversation == conversation && k.message == message }
	maps.DeleteFunc(d.parts, func(k partKey, r protocol.PutPart) bool { return gone(k.fileKey) })
	maps.DeleteFunc(d.remote, func(k fileKey, _ bool) bool { return gone(k) })
}

// eraseWaitingParts erases parts that wait for messages that will not come.
func (d *disk) eraseWaitingParts(r protocol.EraseWaiting) {
	maps.DeleteFunc(d.parts, func(k partKey, p protocol.PutPart) bool {
		return k.conversation == r.Conversation && p.Waits >= max(r.First, 1) && p.Waits <= r.Last
	})
}

// fetchFiles fetches the small files that are not here, from whom there is a connection with.
func (m *machine) fetchFiles() {
	for _, key := range slices.SortedFunc(maps.Keys(m.disk.remote), compareFiles) {
		c := m.disk.contacts[m.disk.conversations[key.conversation].Contact]
		other := m.w.truth.accounts[c.Account]
		if other == nil || !other.on || other.asleep {
			continue
		}
		if _, ok := m.peer.FilePathTo(c.ID); !ok {
			m.push(protocol.FilesStir{Contact: c.ID})
			continue
		}
		theirs := other.contactWith(m)
		if theirs != nil && other.disk.part(outbox.Part{Message: key.message, Item: key.item}) != nil {
			m.disk.haveFile(key)
			m.touched = true
			other.push(protocol.FileFetched{Contact: theirs.ID, Message: key.message, Item: key.item})
		}
	}
}

// checkGoneParts checks that nothing of the files of a message that was erased is left, neither
// where it came nor in what waits to be sent.
func (t *truth) checkGoneParts(m *machine, gone []*message) {
	for _, msg := range gone {
		if len(m.disk.copies(msg.Conversation, msg.wire, false)) > 0 {
			continue
		}
		for k := range m.disk.parts {
			if k.conversation == msg.Conversation && k.message == msg.wire {
				t.w.fail("%v: a part of a file of %s is still there", m, short(msg.text))
			}
		}
		for _, r := range m.disk.outbox {
			if slices.ContainsFunc(r.Contents, func(c protocol.OutboxContent) bool { return c.Part.Message == [16]byte(msg.ID) }) {
				t.w.fail("%v: a part of a file of %s still waits to be sent", m, short(msg.text))
			}
		}
	}
}

// checkParts checks that what is kept of one contact is bounded, and belongs to a file that is
// to come.
func (w *World) checkParts(m *machine) {
	kept := make(map[protocol.ConversationID]int)
	for k, r := range m.disk.parts {
		kept[k.conversation]++
		if r.Waits == 0 && !m.disk.remote[k.fileKey] {
			w.fail("%v: keeps a part of a file that does not come", m)
		}
	}
	for _, id := range keysInOrder(kept) {
		if kept[id] > protocol.PartsKeptMax {
			w.fail("%v: keeps %d parts of one contact", m, kept[id])
		}
	}
}

// partContent makes what an envelope carries of a part, nil if its message is gone.
func (d *disk) partContent(p outbox.Part) []byte {
	sealed := d.part(p)
	if sealed == nil {
		return nil
	}
	b, err := wire.AppendContent(nil, wire.Content{
		Type: wire.ContentPart, About: &wire.Reference{Own: true, Sequence: p.Sequence, ID: p.Message},
		Part: &wire.Part{Item: p.Item, Index: p.Index, Sealed: sealed},
	})
	if err != nil {
		return nil
	}
	return b
}

// unsettledFiles says whether a small file of a contact has not come that its sender has.
func (w *World) unsettledFiles(m *machine, c protocol.PutContact, other *machine) string {
	if m.epoch+other.epoch > 0 || m.removed[other] || other.removed[m] || c.Verification == protocol.VerifiedChanged {
		return ""
	}
	theirs := other.contactWith(m)
	if theirs == nil || theirs.Verification == protocol.VerifiedChanged {
		return ""
	}
	for key := range m.disk.remote {
		if key.conversation == c.Conversation && other.disk.part(outbox.Part{Message: key.message, Item: key.item}) != nil {
			return fmt.Sprintf("a file of %v has not come", other)
		}
	}
	return ""
}
