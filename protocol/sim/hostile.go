package sim

import (
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/wire"
)

// disturb repeats, overtakes and damages frames on their way, as whoever carries
// them could, and more: a transport lets through nothing that the other end has not sent
// by this connection. On that one thing relies: what an owner orders of its courier is
// protected by nothing else, so it is left alone.
func (n *network) disturb(from *machine, to *end, f frame) {
	w := n.w
	if w.healing || w.plan.Disturb == 0 || f.kind == wire.TypeMailbox {
		return
	}
	if w.chance(w.plan.Disturb) { // the same again, soon
		n.arrive(to, f, to.conn.slow+w.between(0, 5*time.Second))
	}
	if w.chance(w.plan.Disturb) { // an old one, maybe of another connection
		if old, ok := pick(w, n.past[route{from.index, to.m.index}]); ok {
			n.arrive(to, old, w.between(0, 30*time.Second))
		}
	}
	if w.chance(w.plan.Disturb) { // a damaged one
		n.arrive(to, w.damage(f), w.between(0, 2*time.Second))
	}
}

// damage returns a frame with something wrong about it.
func (w *World) damage(f frame) frame {
	body := slices.Clone(f.body)
	if len(body) == 0 {
		return frame{f.kind, []byte{1}}
	}
	switch w.random.IntN(4) {
	case 0:
		body = body[:w.random.IntN(len(body))]
	case 1:
		body = append(body, byte(w.random.IntN(256)))
	default:
		body[w.random.IntN(len(body))] ^= 1 << w.random.IntN(8)
	}
	return frame{f.kind, body}
}

// beginHostility lets strangers connect now and then.
func (w *World) beginHostility() {
	if w.plan.Strangers > 0 {
		w.after(w.about(w.plan.Strangers), w.stranger)
	}
}

// stranger connects to a machine, says something and goes. It has no key of any
// contact: whatever it says, nothing may be answered.
func (w *World) stranger() {
	if w.healing {
		return
	}
	w.after(w.about(w.plan.Strangers), w.stranger)
	m := w.machines[w.random.IntN(len(w.machines))]
	if !m.on || m.asleep {
		return
	}
	if i, ok := pick(w, w.truth.invites); ok && i.by == m && w.chance(50) {
		w.finder(m, i)
		return
	}
	c := &conn{up: true, slow: w.between(time.Millisecond, 100*time.Millisecond)}
	key := identity.TransportSeed(w.bytes(32)).Public()
	c.ends[0] = &end{conn: c, local: key, remote: m.hostKey}
	c.ends[1] = w.network.attach(c, m, m.hostKey, key)
	c.ends[1].inbound = true
	w.network.openEnd(c.ends[1], 0)
	at := time.Duration(0)
	for range 1 + w.random.IntN(5) {
		at += w.between(0, 3*time.Second)
		w.network.arrive(c.ends[1], w.strangeFrame(m), at)
	}
}

// finder is a stranger who has found a link: it may ask what the link allows, and
// says other things too: what is given, or else what comes to its mind.
func (w *World) finder(m *machine, i invitation, says ...frame) {
	link, err := wire.ParseLink(i.link)
	if err != nil {
		w.fail("%v: own link does not parse: %v", m, err)
		return
	}
	c := &conn{up: true, slow: w.between(time.Millisecond, 100*time.Millisecond)}
	key := identity.TransportSeed(w.bytes(32)).Public()
	c.ends[0] = &end{conn: c, local: key, remote: m.hostKey, finder: true}
	c.ends[1] = w.network.attach(c, m, m.hostKey, key)
	c.ends[1].inbound = true
	w.network.openEnd(c.ends[1], 0)
	tag := identity.NewHelloTag(identity.LinkHelloKey(link.Secret), identity.FromDialer, key, m.hostKey)
	at := w.between(0, time.Second)
	w.network.arrive(c.ends[1], frame{wire.TypeHello, tag[:]}, at)
	for len(says) == 0 || len(says) < 6 && w.chance(70) {
		says = append(says, w.finderFrame(m, link))
	}
	for _, f := range says {
		c.ends[0].replays = c.ends[0].replays || f.kind == wire.TypeEnvelope
		at += w.between(0, 2*time.Second)
		w.network.arrive(c.ends[1], f, at)
	}
	w.after(at+w.about(10*time.Minute), func() { w.network.cut(c) })
}

// finderFrame is what somebody says who holds a link and nothing else.
func (w *World) finderFrame(m *machine, link wire.Link) frame {
	switch w.random.IntN(3) {
	case 0:
		capability := invite.FetchCapability(link.Secret, m.hostKey)
		return frame{wire.TypeBundleFetch, capability[:]}
	case 1:
		d := wire.DepositedRequest{
			Capability: invite.DepositCapability(link.Secret, m.hostKey), Request: [wire.RequestSize]byte(w.bytes(wire.RequestSize)),
		}
		tag := invite.RequestTag(link.Secret)
		d.Request[0], d.Request[1], d.Request[2] = wire.Version, wire.Suite, byte(wire.RequestInvite)
		copy(d.Request[3:], tag[:])
		return frame{wire.TypeRequest, d.Append(nil)}
	}
	return w.strangeFrame(m)
}

// strangeFrame is noise, or something recorded.
func (w *World) strangeFrame(m *machine) frame {
	from := w.machines[w.random.IntN(len(w.machines))]
	if old, ok := pick(w, w.network.past[route{from.index, m.index}]); ok && w.chance(70) {
		if w.chance(20) {
			return w.damage(old)
		}
		return old
	}
	kind := wire.Type(1 + w.random.IntN(16))
	if w.chance(40) {
		return frame{wire.TypeHello, w.bytes(identity.HelloTagSize)}
	}
	return frame{kind, w.bytes(w.random.IntN(9000))}
}

func (w *World) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.random.Uint32())
	}
	return b
}
