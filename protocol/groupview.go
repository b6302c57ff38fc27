package protocol

import (
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Group is what a group is now, by what is known here.
type Group struct {
	ID     wire.OperationID
	Title  string
	Self   identity.MemberKey
	Closed bool // for all
	In     bool // we are a member
	Seen   bool // the user has opened it, and members may know who we are
	Full   bool // no more operations are kept: only removals and the end go on
	// Members are those who are in, those first who have been for longest.
	Members []GroupMember
	// Held names all operations that are known.
	Held [16]byte
}

// GroupMember is one who is in a group.
type GroupMember struct {
	ID      ContactID // as PutMember has it
	Key     identity.MemberKey
	Contact ContactID // that they are, if that is known
	Name    string    // what they call themselves; empty: not known
	Admin   bool
	Self    bool
	Missing uint64 // messages of theirs that are known to be missed
}

// Group returns the group of a conversation. It reports false if that is none.
func (p *Peer) Group(now time.Time, id ConversationID) (Group, bool) {
	m := p.groups[id]
	if m == nil {
		return Group{}, false
	}
	log := m.x.Log()
	state := log.State()
	g := Group{
		ID: log.ID(), Title: state.Title, Self: m.seed.Public(), Closed: state.Closed, In: m.in(), Seen: m.state.Seen,
		Full: log.Full(), Held: log.HeldHash(),
	}
	for _, who := range state.Members {
		profile, _ := log.Profile(who.Key)
		member := GroupMember{
			Key: who.Key, Contact: m.contactAs(who.Key), Name: profile.Name, Admin: who.Role == wire.RoleAdmin,
			Self: who.Key == g.Self, Missing: m.x.Missing(who.Key),
		}
		if row := m.members[who.Key]; row != nil {
			member.ID = row.ID
		}
		g.Members = append(g.Members, member)
	}
	return g, true
}
