package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"pabal/protocol"
	"pabal/protocol/identity"
)

type memberKey struct {
	conversation protocol.ConversationID
	member       identity.MemberKey
}

// putGroup keeps what the core keeps of groups.
func (d *disk) putGroup(w protocol.Write) error {
	switch r := w.(type) {
	case protocol.PutGroup:
		d.groups[r.Conversation] = r
	case protocol.PutMember:
		for k, m := range d.members {
			if m.ID == r.ID && k != (memberKey{r.Conversation, r.Key}) {
				return fmt.Errorf("two members have one id")
			}
		}
		d.members[memberKey{r.Conversation, r.Key}] = r
	case protocol.PutShared:
		return d.share(r)
	}
	return nil
}

func (d *disk) share(r protocol.PutShared) error {
	if r.Kind == protocol.SharedLeave || r.Kind == protocol.SharedProfile {
		d.unshare(func(s protocol.PutShared) bool {
			return s.Conversation == r.Conversation && s.Kind == r.Kind && s.Member == r.Member
		})
	}
	if r.Message != (protocol.MessageID{}) && d.messages[r.Message] == nil {
		return fmt.Errorf("the head of a message that is not here")
	}
	if _, known := d.shared[r.Name]; !known {
		d.said = append(d.said, r.Name)
	}
	d.shared[r.Name] = r
	return nil
}

func (d *disk) unshare(gone func(protocol.PutShared) bool) {
	d.said = slices.DeleteFunc(d.said, func(name [16]byte) bool {
		erase := gone(d.shared[name])
		if erase {
			delete(d.shared, name)
		}
		return erase
	})
}

func (d *disk) eraseGroup(id protocol.ConversationID) {
	delete(d.groups, id)
	maps.DeleteFunc(d.members, func(k memberKey, _ protocol.PutMember) bool { return k.conversation == id })
	d.unshare(func(s protocol.PutShared) bool { return s.Conversation == id })
}

// groupState adds to a state what there is of groups.
func (d *disk) groupState(st *protocol.State) {
	st.Groups = inOrder(d.groups)
	for _, k := range slices.SortedFunc(maps.Keys(d.members), func(a, b memberKey) int {
		return cmp.Or(bytes.Compare(a.conversation[:], b.conversation[:]), bytes.Compare(a.member[:], b.member[:]))
	}) {
		st.Members = append(st.Members, d.members[k])
	}
	for _, name := range d.said {
		if row := d.shared[name]; row.Kind != protocol.SharedMessage {
			st.Shared = append(st.Shared, row)
		}
	}
}

// whole returns what is handed on by a name, nil if it is not here.
func (d *disk) whole(name [16]byte) []byte {
	row, here := d.shared[name]
	if !here {
		return nil
	}
	if row.Kind != protocol.SharedMessage {
		return protocol.SharedContent(row, nil)
	}
	if m := d.messages[row.Message]; m != nil {
		return protocol.SharedContent(row, m.Content)
	}
	return nil
}

// heads returns which messages first..last of a member lie here, or what is left of them.
func (d *disk) heads(j protocol.FetchShared) (items []protocol.SharedItem) {
	for _, name := range d.said {
		row := d.shared[name]
		if row.Kind != protocol.SharedMessage || row.Conversation != j.Conversation || row.Member != j.Member || row.Sequence < j.First || row.Sequence > j.Last {
			continue
		}
		item := protocol.SharedItem{Bytes: slices.Clone(row.Bytes), Gone: true, SizeBytes: len(row.Bytes)}
		if m := d.messages[row.Message]; m != nil {
			item.Gone, item.SizeBytes = false, item.SizeBytes+len(m.Content)
		}
		items = append(items, item)
	}
	return items
}
