package rendezvous

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"pabal/protocol/wire"
)

// Outside is where others have seen us, as they say: behind a router we know it from them
// alone. What one of them says counts, and no more than that one address at a time. The zero
// value knows nothing.
type Outside struct {
	said    []said
	reached []reached
}

// said is what one of them has said last.
type said struct {
	by [16]byte
	at wire.Address
	on time.Time
}

// reached is an address of ours that somebody came to by itself.
type reached struct {
	by [16]byte // whoever did so last
	at wire.Address
	on time.Time
}

// Told notes where somebody sees us, whatever he is named. Unasked says that he came there
// by himself, and no packet of ours had made him a way. Of each family one address at a
// time is his word.
func (o *Outside) Told(now time.Time, by [16]byte, at wire.Address, unasked bool) {
	at.IP, at.HostTag = at.IP.Unmap(), [8]byte{}
	if !at.Valid() || !Public(at) {
		return
	}
	o.forget(now)
	if unasked {
		o.reached = slices.DeleteFunc(o.reached, func(r reached) bool { return r.at == at || r.by == by && r.at.IP.Is4() == at.IP.Is4() })
		o.reached = append(o.reached, reached{by, at, now})
		o.reached = o.reached[max(len(o.reached)-reachedMax, 0):]
	}
	o.said = slices.DeleteFunc(o.said, func(s said) bool { return s.by == by && s.at.IP.Is4() == at.IP.Is4() })
	o.said = append(o.said, said{by, at, now})
	o.said = o.said[max(len(o.said)-saidMax, 0):]
}

// forget drops what is old.
func (o *Outside) forget(now time.Time) {
	old := func(on time.Time) bool { return now.Sub(on) > outsideKept || on.Sub(now) > outsideKept }
	o.said = slices.DeleteFunc(o.said, func(s said) bool { return old(s.on) })
	o.reached = slices.DeleteFunc(o.reached, func(r reached) bool { return old(r.on) })
}

// Moved drops what was said of the addresses of IPv4, or of IPv6, of the network before.
func (o *Outside) Moved(v4 bool) {
	o.said = slices.DeleteFunc(o.said, func(s said) bool { return s.at.IP.Is4() == v4 })
	o.reached = slices.DeleteFunc(o.reached, func(r reached) bool { return r.at.IP.Is4() == v4 })
}

// Confirmed returns the addresses that somebody has come to by itself, the last first.
func (o *Outside) Confirmed(now time.Time) []wire.Address {
	o.forget(now)
	out := make([]wire.Address, 0, len(o.reached))
	for _, r := range slices.Backward(o.reached) {
		out = append(out, r.at)
	}
	return out
}

// Candidates returns where we may be found but nobody has come by itself: none of own, which
// are known without that, and of each IP the port that most see, the last if as many see
// others. What most say comes first.
func (o *Outside) Candidates(now time.Time, own []wire.Address) []wire.Address {
	o.forget(now)
	type seen struct {
		at    wire.Address
		times int
	}
	best := map[netip.Addr]seen{}
	var order []netip.Addr
	for _, s := range slices.Backward(o.said) {
		times := 0
		for _, other := range o.said {
			if other.at == s.at {
				times++
			}
		}
		old, ok := best[s.at.IP]
		if !ok {
			order = append(order, s.at.IP)
		}
		if !ok || times > old.times {
			best[s.at.IP] = seen{s.at, times}
		}
	}
	slices.SortStableFunc(order, func(a, b netip.Addr) int { return cmp.Compare(best[b].times, best[a].times) })
	var out []wire.Address
	for _, ip := range order {
		known := func(a wire.Address) bool { return a.IP.Unmap() == ip }
		if !slices.ContainsFunc(own, known) && !slices.ContainsFunc(o.reached, func(r reached) bool { return known(r.at) }) && len(out) < candidatesMax {
			out = append(out, best[ip].at)
		}
	}
	return out
}
