package node

import (
	"context"
	"slices"
	"time"

	"pabal/node/api"
	"pabal/node/egress"
	"pabal/protocol"
	"pabal/protocol/wire"
)

// glance is what State shows of the loop without asking it.
type glance struct {
	live         int
	clockSuspect bool
	reachability string
	pathless     int // contacts
}

// pathlessEvery is how often all contacts are looked at for a path.
const pathlessEvery = 2 * time.Second

// look shows what State tells. Looking at all contacts costs more than the rest: what
// happens within pathlessEvery is seen at its end.
func (c *core) look() {
	now := c.config.now()
	g := glance{live: c.peer.LiveCount(), clockSuspect: c.peer.ClockSuspect(), reachability: string(c.peer.Reach(now))}
	old := c.seen.Load()
	c.lookAgain = time.Time{}
	if old != nil && now.Sub(c.lookedAt).Abs() < pathlessEvery {
		g.pathless, c.lookAgain = old.pathless, c.lookedAt.Add(pathlessEvery)
	} else {
		c.lookedAt, g.pathless = now, c.peer.Pathless(now)
	}
	if old == nil || *old != g {
		c.seen.Store(&g)
	}
}

const lookTimeout = 2 * time.Second

// Network returns our addresses and the live contacts.
func (n *Node) Network() api.Network {
	out := emptyNetwork()
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	seen := make(chan api.Network, 1) // filled before ask returns without an error
	_, err := n.ask(ctx, request{glance: func(c *core) {
		found := network(c.peer, c.config.now())
		found.Networks, found.DHT = c.local.views(), c.seeking.view()
		seen <- found
	}})
	if err != nil {
		return out
	}
	return <-seen
}

// Egress returns to whom anything was sent since the profile was unlocked.
func (n *Node) Egress() (egress.Seen, error) {
	c := n.running()
	if c == nil {
		return egress.Seen{}, api.NewProblem(api.CodeLocked)
	}
	return c.ledger.Seen(), nil
}

func network(p *protocol.Peer, now time.Time) api.Network {
	out := emptyNetwork()
	out.Reachability = string(p.Reach(now))
	for _, a := range p.Addresses() {
		out.Listen = append(out.Listen, place(a))
	}
	slices.Sort(out.Listen)
	confirmed, candidates := p.Outside(now)
	for _, a := range confirmed {
		out.Observed = append(out.Observed, api.ObservedAddress{Address: place(a), Confirmed: true})
	}
	for _, a := range candidates {
		out.Observed = append(out.Observed, api.ObservedAddress{Address: place(a)})
	}
	for _, l := range p.Live() {
		out.Peers = append(out.Peers, api.NetworkPeer{ContactID: l.Contact.String(), Path: pathName(l.Path), Since: api.NewTime(l.Since), Typing: l.Writes, Here: l.Here})
	}
	return out
}

func emptyNetwork() api.Network {
	return api.Network{
		Reachability: api.ReachabilityOffline, Listen: []string{}, Observed: []api.ObservedAddress{}, Peers: []api.NetworkPeer{}, DHT: (*seeking)(nil).view(),
	}
}

// place is an address as it is shown.
func place(a wire.Address) string {
	name := egress.QUIC
	if a.Network == wire.TCP {
		name = egress.TCP
	}
	return string(name) + "://" + a.AddrPort().String()
}

func whyOf(w protocol.Why) *api.Why {
	out := &api.Why{State: string(w.Phase), Reason: w.Reason}
	if w.Live {
		path := pathName(w.Path)
		out.Path = &path
	}
	out.LastTryAt, out.NextTryAt = moment(w.LastTry), moment(w.NextTry)
	if w.Carried > 0 {
		out.Params = map[string]any{"couriers": w.Carried}
	}
	out.PartCouriers = w.Parts
	if w.Reason == protocol.WhyNoPublicPath {
		out.Params = map[string]any{"ways": api.WaysOut()}
	}
	if !w.ExportedAt.IsZero() {
		out.ExportedAt = moment(w.ExportedAt)
	}
	if w.LastError != "" {
		out.LastError = &w.LastError
	}
	out.Rungs = make([]api.Attempt, 0, len(w.Rungs))
	for i := range w.Rungs {
		r := &w.Rungs[i]
		a := api.Attempt{Rung: string(r.Rung), Trying: r.Trying, LastTryAt: moment(r.LastTry), NextTryAt: moment(r.NextTry)}
		a.DeadlineAt, a.AloneUntil = moment(r.Deadline), moment(r.Alone)
		if r.LastError != "" {
			a.LastError = &r.LastError
		}
		out.Rungs = append(out.Rungs, a)
	}
	for i := range w.Couriers {
		k := &w.Couriers[i]
		state := api.TriedCourier{Reached: k.Reached, Holds: k.Holds}
		if k.Trouble != "" {
			state.Trouble = &k.Trouble
		}
		out.Couriers = append(out.Couriers, state)
	}
	return out
}

// pathName says by which way a connection goes that was made by a rung.
func pathName(by protocol.Rung) string {
	switch by {
	case protocol.RungRelay, protocol.RungLAN:
		return string(by)
	}
	return "direct"
}

func moment(t time.Time) *api.Time {
	if t.IsZero() {
		return nil
	}
	at := api.NewTime(t)
	return &at
}
