package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pabal/node/api"
	"pabal/node/egress"
	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/store"
)

// settingDHT keeps how the public DHT is entered, as JSON; a profile that lacks it does not
// use one.
const settingDHT = "node.dht"

// keptDHT is what the setting holds.
type keptDHT struct {
	Servers []string  `json:"servers"`
	Since   time.Time `json:"since"`
}

// seeking is how the public DHT is entered, while it is on.
type seeking struct {
	keptDHT
	dht *p2p.DHT
	off chan struct{} // closed when it is over: what is under way ends
}

// openDHT takes up the DHT as the user left it.
func (c *core) openDHT() error {
	var kept keptDHT
	err := c.store.View(func(v *store.View) error {
		text, err := v.Setting(settingDHT)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &kept)
	})
	if err != nil || len(kept.Servers) == 0 {
		return err
	}
	if c.seeking, err = c.enter(kept); err != nil {
		return fmt.Errorf("the DHT as it was left: %w", err)
	}
	return nil
}

func (c *core) enter(kept keptDHT) (*seeking, error) {
	dht, err := p2p.NewDHT(p2p.DHTConfig{Servers: kept.Servers, Profile: c.config.place(), Ledger: c.ledger})
	if err != nil {
		return nil, err
	}
	return &seeking{keptDHT: kept, dht: dht, off: make(chan struct{})}, nil
}

// leaveDHT ends what is under way in the DHT.
func (c *core) leaveDHT() {
	if c.seeking != nil {
		close(c.seeking.off)
		c.seeking = nil
	}
}

// tellDHT tells the Peer whether the DHT is on.
func (c *core) tellDHT(b *batch) { c.step(b, protocol.SetDHT{On: c.seeking != nil}) }

// switchDHT has contacts to whom no path works looked for in a public DHT that is entered
// by these servers; without servers it ends that.
func (c *core) switchDHT(b *batch, servers []string) (api.DHT, error) {
	var row store.Row = store.EraseSetting{Name: settingDHT}
	var begun *seeking
	if len(servers) > 0 {
		var err error
		if begun, err = c.enter(keptDHT{Servers: servers, Since: time.Now().UTC()}); err != nil {
			return api.DHT{}, api.NewProblem(api.CodeInvalidBootstrap)
		}
		kept, err := json.Marshal(begun.keptDHT)
		if err != nil {
			panic("node: encode the DHT: " + err.Error()) // texts and a time
		}
		row = store.PutSetting{Name: settingDHT, Value: kept}
	}
	c.leaveDHT()
	c.seeking = begun
	b.rows = append(b.rows, row)
	c.tellDHT(b)
	return c.seeking.view(), nil
}

// seek does one thing in the DHT beside the loop; do returns what the Peer is told of it.
func (c *core) seek(ctx context.Context, deadline time.Time, do func(context.Context, *p2p.DHT) protocol.Input) {
	peer, s := c.peer, c.seeking
	if s == nil {
		return // switched off meanwhile, which the Peer has been told
	}
	c.jobs.Go(func() {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		go func() {
			select {
			case <-s.off:
				cancel()
			case <-ctx.Done():
			}
		}()
		in := do(ctx, s.dht)
		select {
		case c.results <- finished{in, peer}: // also behind the deadline
		case <-s.off:
		}
	})
}

func (c *core) publishRecord(ctx context.Context, r protocol.PublishRecord) {
	c.seek(ctx, r.Deadline, func(ctx context.Context, dht *p2p.DHT) protocol.Input {
		code := dht.Publish(ctx, r.Seed, r.Sequence, r.Until, r.Sealed, egress.Reason{Rung: egress.DHT, Contact: r.For})
		return protocol.RecordPublished{Number: r.Number, Code: string(code)}
	})
}

func (c *core) lookUpRecord(ctx context.Context, r protocol.LookUpRecord) {
	c.seek(ctx, r.Deadline, func(ctx context.Context, dht *p2p.DHT) protocol.Input {
		sealed, code := dht.LookUp(ctx, r.Name, egress.Reason{Rung: egress.DHT, Contact: r.For})
		return protocol.RecordLookedUp{Number: r.Number, Sealed: sealed, Code: string(code)}
	})
}

// view shows how the DHT is entered.
func (s *seeking) view() api.DHT {
	if s == nil {
		return api.DHT{Bootstrap: []string{}}
	}
	return api.DHT{On: true, Bootstrap: s.Servers, Since: moment(s.Since)}
}

// SwitchDHT has contacts looked for in a public DHT; without servers it ends that.
func (n *Node) SwitchDHT(ctx context.Context, servers []string) (api.DHT, error) {
	result, err := n.ask(ctx, request{act: func(c *core, b *batch) (any, error) { return c.switchDHT(b, servers) }})
	if err != nil {
		return api.DHT{}, err
	}
	return result.(api.DHT), nil
}
