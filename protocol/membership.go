package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"pabal/protocol/group"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// membership is what the core keeps of a group that we are in, or were: who else is, what has come of
// whom, and nothing of its history (spec, "Operations", "Messages in a group").
type membership struct {
	v       *conversation
	x       *group.Exchange
	seed    identity.MemberSeed
	state   membershipState
	members map[identity.MemberKey]*PutMember // State is filled when it is written

	dirty   bool
	changed map[identity.MemberKey]bool // members whose rows are to be written
	lookups map[uint64]lookup           // in the history, under way
	lying   map[wire.MessageTag]lying   // messages of which the exchange speaks now
	writing *PutMessage                 // of ours, of which the exchange is told now
}

// membershipState is what PutGroup.State holds.
type membershipState struct {
	// From and Nonce are whose stock our key is of, and which of it: our own account's of a group that we began.
	From  identity.AccountPublic `cbor:"1,keyasint"`
	Nonce [16]byte               `cbor:"2,keyasint"`
	// Seen says that the user has opened the group: until then nobody is told who we are.
	Seen bool `cbor:"3,keyasint,omitempty"`
	// Spare are keys by which others have added us, too; we leave with them.
	Spare []spareKey `cbor:"5,keyasint,omitempty"`
	// Introduced is what our last profile was made of, hashed, and on which day.
	Introduced    [32]byte `cbor:"6,keyasint"`
	IntroducedDay uint32   `cbor:"7,keyasint,omitempty"`
	// Near are our contacts among the members, as far as we know.
	Near []nearMember `cbor:"4,keyasint,omitempty"`
}

// nearMember is a contact who is in a group.
type nearMember struct {
	Contact ContactID          `cbor:"1,keyasint"`
	Key     identity.MemberKey `cbor:"2,keyasint"`
	// Untold says that we have added them, and that they have not shown that they know the group.
	Untold bool `cbor:"3,keyasint,omitempty"`
}

// spareKey is a key of our stock that a contact has added to a group in which we are.
type spareKey struct {
	From  identity.AccountPublic `cbor:"1,keyasint"`
	Nonce [16]byte               `cbor:"2,keyasint"`
}

// lying is a message that lies here.
type lying struct {
	head    wire.GroupHead
	content []byte // the whole as it travels, if it is at hand
	size    int    // of that, in bytes
}

// lookup is what an answer from the history is for; one of the two is set.
type lookup struct {
	fetch   *group.Fetch
	doubted *group.Doubted
}

// newMembership returns a membership of which nothing is known but how the group began. Errors are
// those of [group.New].
func (p *Peer) newMembership(v *conversation, state membershipState, first wire.GroupOperation) (*membership, error) {
	log, err := group.New(first)
	if err != nil {
		return nil, err
	}
	m := &membership{
		v: v, state: state, seed: p.self.state.Account.Member(state.From, state.Nonce),
		members: make(map[identity.MemberKey]*PutMember), changed: make(map[identity.MemberKey]bool),
		lookups: make(map[uint64]lookup), lying: make(map[wire.MessageTag]lying),
	}
	m.x = group.NewExchange(log, m.seed.Public())
	return m, nil
}

// near returns which member a contact is, or nil.
func (m *membership) near(id ContactID) *nearMember {
	i := slices.IndexFunc(m.state.Near, func(n nearMember) bool { return n.Contact == id })
	if i < 0 {
		return nil
	}
	return &m.state.Near[i]
}

// contactAs returns the contact that a member is, as far as we know; zero if none.
func (m *membership) contactAs(key identity.MemberKey) ContactID {
	i := slices.IndexFunc(m.state.Near, func(n nearMember) bool { return n.Key == key })
	if i < 0 {
		return ContactID{}
	}
	return m.state.Near[i].Contact
}

// in reports whether we are a member.
func (m *membership) in() bool { return m.x.Log().In(m.seed.Public()) }

// member returns the row of a member, with a new id if there was none.
func (p *Peer) member(now time.Time, m *membership, key identity.MemberKey) (*PutMember, error) {
	if row := m.members[key]; row != nil {
		return row, nil
	}
	id, err := p.newID(now)
	if err != nil {
		return nil, err
	}
	row := &PutMember{Conversation: m.v.row.ID, Key: key, ID: ContactID(id)}
	m.members[key] = row
	p.touchMember(m, key)
	return row, nil
}

// memberOf finds a member by id.
func (m *membership) memberOf(id ContactID) (identity.MemberKey, bool) {
	for key, row := range m.members {
		if row.ID == id {
			return key, true
		}
	}
	return identity.MemberKey{}, false
}

func (p *Peer) touchMembership(m *membership) {
	m.dirty = true
	p.touchConversation(m.v)
}

func (p *Peer) touchMember(m *membership, key identity.MemberKey) {
	m.changed[key] = true
	p.touchConversation(m.v)
}

// writeMembership writes the rows that changed.
func (p *Peer) writeMembership(m *membership) error {
	if m.dirty {
		b, err := p.encode.Marshal(m.state)
		if err != nil {
			return err
		}
		p.write(PutGroup{Conversation: m.v.row.ID, State: b})
		m.dirty = false
	}
	for _, key := range sortedMembers(m.changed) {
		author := m.x.Author(key)
		b, err := p.encode.Marshal(&author)
		if err != nil {
			return err
		}
		row := *m.members[key]
		row.State = b
		p.write(row)
	}
	clear(m.changed)
	return nil
}

func sortedMembers[V any](m map[identity.MemberKey]V) []identity.MemberKey {
	keys := make([]identity.MemberKey, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b identity.MemberKey) int { return slices.Compare(a[:], b[:]) })
	return keys
}

// membershipIn returns the membership in a group, or nil.
func (p *Peer) membershipIn(id wire.OperationID) *membership { return p.groups[p.groupsByID[id]] }

func (p *Peer) keepMembership(m *membership) {
	p.groups[m.v.row.ID] = m
	p.groupsByID[m.x.Log().ID()] = m.v.row.ID
}

// membershipsInOrder returns the memberships by conversation.
func (p *Peer) membershipsInOrder() []*membership {
	out := make([]*membership, 0, len(p.groups))
	for _, id := range sortedKeys(p.groups) {
		out = append(out, p.groups[id])
	}
	return out
}

// loadGroups puts memberships back. Their neighbours are met at the next Flush, and told what is held: what
// was to be sent to them was in memory only.
func (p *Peer) loadGroups(state State) error {
	shared := make(map[ConversationID][]PutShared)
	for _, s := range state.Shared {
		shared[s.Conversation] = append(shared[s.Conversation], s)
	}
	for _, row := range state.Groups {
		v := p.conversations[row.Conversation]
		if v == nil {
			return errState
		}
		if err := p.loadGroup(v, row, shared[row.Conversation]); err != nil {
			return fmt.Errorf("group: %w", errors.Join(errState, err))
		}
	}
	for _, row := range state.Members {
		m := p.groups[row.Conversation]
		if m == nil {
			return errState
		}
		if len(row.State) > 0 {
			var author group.Author
			if err := p.load(row.State, &author); err != nil {
				return err
			}
			m.x.Restore(row.Key, author)
		}
		row.State = nil
		m.members[row.Key] = &row
	}
	return nil
}

func (p *Peer) loadGroup(v *conversation, row PutGroup, shared []PutShared) error {
	var state membershipState
	if err := p.load(row.State, &state); err != nil {
		return err
	}
	var m *membership
	for _, s := range shared {
		var err error
		switch s.Kind {
		case SharedOperation:
			var op wire.GroupOperation
			if op, err = wire.ParseGroupOperation(s.Bytes); err != nil {
				return err
			}
			if m == nil { // the first is put first
				m, err = p.newMembership(v, state, op)
			} else {
				_, err = m.x.Log().Add(op)
			}
		case SharedLeave:
			var word wire.GroupLeave
			if word, err = wire.ParseGroupLeave(s.Bytes); err == nil && m != nil {
				_, err = m.x.Log().Leave(word)
			}
		case SharedProfile:
			var word wire.GroupProfile
			if word, err = wire.ParseGroupProfile(s.Bytes); err == nil && m != nil {
				_, err = m.x.Log().Introduce(word)
			}
		}
		if err != nil {
			return err
		}
	}
	if m == nil {
		return errState // its first operation is put with it
	}
	p.keepMembership(m)
	for _, n := range m.state.Near {
		if c := p.contacts[n.Contact]; c != nil {
			c.groupsDue = true
		}
	}
	return nil
}
