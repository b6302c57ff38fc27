package sim

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol"
	"pabal/protocol/session"
)

// Dump writes what is on every disk, for whoever looks for the reason of a broken
// promise.
func (w *World) Dump(to io.Writer) {
	for _, m := range w.machines {
		fmt.Fprintf(to, "%v: on %v, asleep %v, epoch %d, clock off by %v, address %v\n", m, m.on, m.asleep, m.epoch, m.skew, m.addresses[0].AddrPort())
		for _, c := range inOrder(m.disk.contacts) {
			w.dumpContact(to, m, c)
		}
		for _, v := range inOrder(m.disk.invites) {
			fmt.Fprintf(to, "  invite %v %s ask %v, %d left, %d used, revoked %v\n", v.ID, v.Kind, v.Ask, v.UsesLeft, v.Used, v.RevokedAt != 0)
		}
		for _, r := range inOrder(m.disk.requests) {
			fmt.Fprintf(to, "  request %s by invite %v, contact %v\n", r.Phase, r.Invite, r.Contact)
		}
	}
}

func (w *World) dumpContact(to io.Writer, m *machine, c protocol.PutContact) {
	v := m.disk.conversations[c.Conversation]
	fmt.Fprintf(to, "  contact %v of %v: %s %s, blocked %v, %d bytes; own %d, sealed %d, delivered %v, last position %d\n", c.ID,
		w.truth.accounts[c.Account], c.Phase, c.Reason, c.Blocked, len(c.State), v.OwnSequence, v.SealedUpTo, v.Delivered, v.LastPosition)
	var st contactState
	if other := w.truth.accounts[c.Account]; other != nil && cbor.Unmarshal(c.State, &st) == nil && st.Record != nil {
		fmt.Fprintf(to, "    record %d: %d keys from day %d, its own %v, at %v\n", st.Record.Sequence, len(st.Record.Keys), st.Record.FirstDay,
			slices.Contains(st.Record.Keys, other.hostKey), st.Record.Addresses)
	}
	if why, ok := m.peerWhy(c.ID); ok {
		fmt.Fprintf(to, "    why %s, live %v, last error %q, next try %v\n", why.Reason, why.Live, why.LastError, why.NextTry.Sub(m.clock()))
	}
	for _, k := range slices.SortedFunc(mapKeys(m.disk.sessions), compareSessions) {
		if k.contact != c.ID {
			continue
		}
		s := m.disk.sessions[k].State
		var waiting []uint32
		for o := range m.disk.outbox {
			if o.sessionKey == k {
				waiting = append(waiting, o.index)
			}
		}
		slices.Sort(waiting)
		fmt.Fprintf(to, "    session %x generation %d, confirmed %d, role %d, envelopes %v", k.sid[:4], binary.BigEndian.Uint32(s), s[12],
			s[13+32+pairChainBytes+1], waiting)
		if r, err := session.Load(s[13+32+pairChainBytes:]); err == nil {
			fmt.Fprintf(to, ", %d unacknowledged, %d withdrawn, %d left in the window", r.Unacknowledged(), len(r.Withdrawn()), r.WindowLeft())
		}
		fmt.Fprintln(to)
	}
}

// pairChainBytes is the size of the pair chain in a session's row.
const pairChainBytes = 77

func (m *machine) peerWhy(id protocol.ContactID) (protocol.Why, bool) {
	if m.peer == nil {
		return protocol.Why{}, false
	}
	return m.peer.Why(m.clock(), id, nil)
}

// describe says in a few words what an input is.
func (m *machine) describe(in protocol.Input) string {
	from := func(id protocol.ConnID) string {
		if e := m.conns[id]; e != nil {
			return fmt.Sprintf("%d of %v", id, e.other().m)
		}
		return fmt.Sprint(uint64(id))
	}
	switch in := in.(type) {
	case protocol.FrameReceived:
		return fmt.Sprintf("%s on %s (%d B)", in.Type.Name(), from(in.Conn), len(in.Body))
	case protocol.ConnOpened:
		return fmt.Sprintf("conn %s opened, inbound %v", from(in.Conn), in.Inbound)
	case protocol.ConnClosed:
		return fmt.Sprintf("conn %d closed", in.Conn)
	case protocol.SendText:
		return fmt.Sprintf("send %s to %v", short(in.Text), m.w.truth.accounts[m.disk.contacts[in.Contact].Account])
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", in), "protocol.")
}
