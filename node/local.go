package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"pabal/node/api"
	"pabal/node/lan"
	"pabal/protocol"
	"pabal/store"
)

// settingNetworks keeps the networks that the user trusts, as JSON.
const settingNetworks = "node.networks"

// local is what the loop knows of the local networks.
type local struct {
	lan    *lan.LAN
	sounds <-chan lan.Event

	networks []lan.Network
	trusted  []trustedNetwork          // kept in the store, the oldest first
	staying  map[lan.ID]trustedNetwork // until we leave
}

// trustedNetwork is a network that the user trusts.
type trustedNetwork struct {
	ID        lan.ID    `json:"-"`
	Text      string    `json:"id"` // the ID in hexadecimal
	Interface string    `json:"interface"`
	Since     time.Time `json:"since"`
}

// openLocal begins to look at the local networks.
func (c *core) openLocal() error {
	trusted, err := loadTrusted(c.store)
	if err != nil {
		return err
	}
	c.local = local{lan: lan.Open(lan.Config{Ledger: c.ledger, Look: c.config.look, Log: c.log}), trusted: trusted, staying: map[lan.ID]trustedNetwork{}}
	c.local.sounds = c.local.lan.Events()
	return nil
}

func loadTrusted(st *store.Store) (out []trustedNetwork, err error) {
	err = st.View(func(v *store.View) error {
		kept, err := v.Setting(settingNetworks)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(kept, &out)
	})
	for i := range out {
		raw, herr := hex.DecodeString(out[i].Text)
		if herr != nil || len(raw) != len(lan.ID{}) {
			return nil, errors.Join(err, errors.New("a trusted network has no id"))
		}
		out[i].ID = lan.ID(raw)
	}
	return out, err
}

func (l *local) trusts(n *lan.Network) (since time.Time, ok bool) {
	if t, stays := l.staying[n.ID]; stays {
		return t.Since, n.Known
	}
	i := slices.IndexFunc(l.trusted, func(t trustedNetwork) bool { return t.ID == n.ID })
	if i < 0 || !n.Lasting {
		return time.Time{}, false
	}
	return l.trusted[i].Since, n.Known
}

// sound turns what the local networks tell into inputs.
func (c *core) sound(b *batch, e lan.Event) {
	switch e := e.(type) {
	case lan.Changed:
		c.local.networks = e.Networks
		for id := range c.local.staying {
			if !slices.ContainsFunc(e.Networks, func(n lan.Network) bool { return n.ID == id }) {
				delete(c.local.staying, id)
			}
		}
		c.settle(b)
	case lan.Heard:
		b.frames++
		c.step(b, protocol.BeaconHeard{From: e.From, Datagram: e.Datagram})
	}
}

// settle has the trusted networks listened to, and tells the Peer of all.
func (c *core) settle(b *batch) {
	var listen []lan.Network
	for i := range c.local.networks {
		if _, ok := c.local.trusts(&c.local.networks[i]); ok {
			listen = append(listen, c.local.networks[i])
		}
	}
	c.local.lan.Listen(listen)
	c.step(b, protocol.NearChanged{Near: c.local.near()})
}

// near is what the Peer is told of the networks.
func (l *local) near() (out []protocol.Near) {
	for i := range l.networks {
		n := &l.networks[i]
		_, trusted := l.trusts(n)
		for _, a := range n.Addresses {
			out = append(out, protocol.Near{IP: a, Network: n.ID, Trusted: trusted})
		}
	}
	return out
}

// beacon sends one, unless we are elsewhere by now: the next change is told soon.
func (c *core) beacon(s protocol.Beacon) {
	if err := c.local.lan.Send(s.Network, s.From, s.Datagram); err != nil {
		c.log.Debug("beacon not sent", "error", err)
	}
}

// named returns the networks that we are in and that a word means: an id or an
// interface. An empty word means those with a gateway, or, without any, all.
func (l *local) named(word string) (out []*lan.Network) {
	gateway := slices.ContainsFunc(l.networks, func(n lan.Network) bool { return n.Gateway.IsValid() })
	for i := range l.networks {
		n := &l.networks[i]
		if word == "" && n.Gateway.IsValid() == gateway || word != "" && (word == n.Interface || word == networkText(n.ID)) {
			out = append(out, n)
		}
	}
	return out
}

func networkText(id lan.ID) string { return hex.EncodeToString(id[:]) }

// trust has the user be heard on a network that we are in.
func (c *core) trust(b *batch, word string) (api.LocalNetwork, error) {
	now, err := c.local.lan.Look() // what the user means is the network of this moment
	if err != nil {
		return api.LocalNetwork{}, err
	}
	c.sound(b, lan.Changed{Networks: now})
	found := c.local.named(word)
	switch {
	case len(found) == 0:
		return api.LocalNetwork{}, api.NewProblem(api.CodeNotFound)
	case len(found) > 1:
		return api.LocalNetwork{}, api.NewProblem(api.CodeNetworkAmbiguous)
	case !found[0].Known:
		return api.LocalNetwork{}, api.NewProblem(api.CodeNetworkUnsupported)
	}
	n := found[0]
	if _, already := c.local.trusts(n); !already {
		t := trustedNetwork{ID: n.ID, Text: networkText(n.ID), Interface: n.Interface, Since: c.config.now().UTC()}
		switch {
		case !n.Lasting:
			c.local.staying[n.ID] = t
		case len(c.local.trusted) >= trustedMax:
			return api.LocalNetwork{}, api.NewProblem(api.CodeTooMany)
		default:
			c.local.trusted = append(c.local.trusted, t)
			c.keepTrusted(b)
		}
		c.settle(b)
	}
	return c.local.view(n), nil
}

// distrust ends it, for a network that we are in or for one that is only remembered.
func (c *core) distrust(b *batch, word string) error {
	drop := func(t trustedNetwork) bool {
		return t.Text == word || slices.ContainsFunc(c.local.networks, func(n lan.Network) bool { return n.ID == t.ID && n.Interface == word })
	}
	kept := slices.DeleteFunc(slices.Clone(c.local.trusted), drop)
	known := len(kept) < len(c.local.trusted)
	for id, t := range c.local.staying {
		if drop(t) {
			delete(c.local.staying, id)
			known = true
		}
	}
	if !known {
		return api.NewProblem(api.CodeNotFound)
	}
	c.local.trusted = kept
	c.keepTrusted(b)
	c.settle(b)
	return nil
}

func (c *core) keepTrusted(b *batch) {
	kept, err := json.Marshal(c.local.trusted)
	if err != nil {
		panic("node: encode trusted networks: " + err.Error()) // texts and times
	}
	b.rows = append(b.rows, store.PutSetting{Name: settingNetworks, Value: kept})
}

// view shows a network that we are in.
func (l *local) view(n *lan.Network) api.LocalNetwork {
	out := api.LocalNetwork{ID: networkText(n.ID), Interface: n.Interface, Here: true, Lasting: n.Lasting, Addresses: []string{}}
	for _, a := range n.Addresses {
		out.Addresses = append(out.Addresses, a.String())
	}
	if n.Gateway.IsValid() {
		gateway := n.Gateway.String()
		out.Gateway = &gateway
	}
	if since, ok := l.trusts(n); ok {
		out.Trusted, out.Since = true, moment(since)
	}
	return out
}

// views shows the networks that we are in, then those that are only remembered.
func (l *local) views() []api.LocalNetwork {
	out := []api.LocalNetwork{}
	for i := range l.networks {
		out = append(out, l.view(&l.networks[i]))
	}
	for _, t := range l.trusted {
		if !slices.ContainsFunc(l.networks, func(n lan.Network) bool { return n.ID == t.ID }) {
			out = append(out, api.LocalNetwork{
				ID: t.Text, Interface: t.Interface, Addresses: []string{}, Trusted: true, Lasting: true, Since: moment(t.Since),
			})
		}
	}
	return out
}

// TrustNetwork has us be heard on a local network from now on.
func (n *Node) TrustNetwork(ctx context.Context, network string) (api.LocalNetwork, error) {
	result, err := n.ask(ctx, request{act: func(c *core, b *batch) (any, error) { return c.trust(b, network) }})
	if err != nil {
		return api.LocalNetwork{}, err
	}
	return result.(api.LocalNetwork), nil
}

// DistrustNetwork ends that.
func (n *Node) DistrustNetwork(ctx context.Context, network string) error {
	_, err := n.ask(ctx, request{act: func(c *core, b *batch) (any, error) { return nil, c.distrust(b, network) }})
	return err
}
