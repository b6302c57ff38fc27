package sim

import (
	"bytes"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// dht is a public DHT that promises nothing: it loses records, is slow, hands out old ones
// in place of new ones, and makes up what it was never given.
type dht struct {
	records map[identity.RecordName][]published // by name, the newest last
	owners  map[identity.RecordName]*machine    // who published there first
	parts   map[[8]byte]bool                    // of all records: none comes twice
	found   int                                 // look-ups for a contact that gave a record
}

// published is a record as some server of the DHT keeps it.
type published struct {
	sequence uint64
	until    time.Time
	sealed   []byte
}

func newDHT() *dht {
	return &dht{
		records: make(map[identity.RecordName][]published), owners: make(map[identity.RecordName]*machine),
		parts: make(map[[8]byte]bool),
	}
}

// tellDHT tells the core whether its person lets it use the DHT: about one of ten does not.
func (m *machine) tellDHT() {
	if m.w.plan.DHT {
		m.push(protocol.SetDHT{On: m.index%10 != 9})
	}
}

// publish takes a record, unless it gets lost.
func (n *network) publish(m *machine, p protocol.PublishRecord) {
	name := p.Seed.Public()
	n.checkRecord(m, name, p)
	n.w.note(m, "publish", name[:], p.Sealed)
	n.w.log("%v > publish %d", m, p.Number)
	m.after(n.w.between(time.Second, 40*time.Second), func() {
		in := protocol.RecordPublished{Number: p.Number}
		if n.island[m.index] != 0 || n.w.chance(10) {
			in.Code = "unreachable"
		} else if !n.w.chance(10) { // some say that they keep it, and do not
			n.dht.records[name] = append(n.dht.records[name], published{p.Sequence, p.Until, bytes.Clone(p.Sealed)})
		}
		m.push(in)
	})
}

// checkRecord checks what a machine publishes: it is like all others in size and like none
// in what is in it, and its name is of this machine alone.
func (n *network) checkRecord(m *machine, name identity.RecordName, p protocol.PublishRecord) {
	if !m.w.plan.DHT {
		n.w.fail("%v: publishes although nobody has switched it on", m)
	}
	if owner := n.dht.owners[name]; owner != nil && (owner != m || p.For == protocol.ContactID{}) {
		n.w.fail("%v: publishes under a name of %v", m, owner)
	}
	n.dht.owners[name] = m
	if len(p.Sealed) != wire.DHTRecordSize {
		n.w.fail("%v: a record of %d bytes", m, len(p.Sealed))
		return
	}
	n.w.checkOpaque(m, "a record of the DHT", p.Sealed)
	for at := 0; at < len(p.Sealed); at += 8 {
		part := [8]byte(p.Sealed[at:])
		if n.dht.parts[part] {
			n.w.fail("%v: two records have something in common", m)
		}
		n.dht.parts[part] = true
	}
}

// lookUp answers what lies under a name, what lay there, or what does not belong there.
func (n *network) lookUp(m *machine, l protocol.LookUpRecord) {
	n.w.note(m, "look up", l.Name[:])
	n.w.log("%v > look up %d", m, l.Number)
	m.after(n.w.between(time.Second, 40*time.Second), func() {
		in := protocol.RecordLookedUp{Number: l.Number, Code: protocol.WhyNoRecord}
		list := n.dht.records[l.Name]
		if n.island[m.index] != 0 || n.w.chance(10) {
			in.Code = "unreachable"
		} else if kept, ok := n.served(list); ok {
			in.Code, in.Sealed = "", kept
			if l.For != (protocol.ContactID{}) {
				n.dht.found++
			}
		}
		m.push(in)
	})
}

// served is what a server hands out.
func (n *network) served(list []published) ([]byte, bool) {
	switch {
	case n.w.chance(5): // noise of any size
		noise := make([]byte, n.w.random.IntN(2*wire.DHTRecordSize))
		for i := range noise {
			noise[i] = byte(n.w.random.Uint32())
		}
		return noise, true
	case len(list) == 0:
		return nil, false
	}
	kept := list[len(list)-1]
	if n.w.chance(20) {
		kept = list[n.w.random.IntN(len(list))]
	}
	if n.w.now.After(kept.until.Add(n.w.about(time.Hour))) {
		return nil, false
	}
	sealed := bytes.Clone(kept.sealed)
	if n.w.chance(5) {
		sealed[n.w.random.IntN(len(sealed))]++
	}
	return sealed, true
}
