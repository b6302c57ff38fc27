package node

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"pabal/node/api"
	"pabal/node/httpd"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

var _ httpd.Daemon = (*Node)(nil)

// State returns what the daemon can do now.
func (n *Node) State() httpd.State {
	n.mu.Lock()
	s := httpd.State{State: n.state, Since: n.since}
	c := n.core
	n.mu.Unlock()
	s.Network.Reachability = api.ReachabilityOffline
	if c == nil {
		return s
	}
	if c.readOnly.Load() {
		s.Warnings = append(s.Warnings, api.Warning{Code: api.WarningStorageFull})
		if s.State == api.StateReady {
			s.State = api.StateReadOnly
		}
	}
	if _, keyfile, err := n.profile.Exists(); err == nil && keyfile {
		s.Warnings = append(s.Warnings, api.Warning{Code: api.WarningNoPassphrase})
	}
	seen := c.seen.Load()
	if seen.clockSuspect {
		s.Warnings = append(s.Warnings, api.Warning{Code: api.WarningClockSuspect})
	}
	if seen.pathless > 0 {
		s.Warnings = append(s.Warnings, api.Warning{
			Code: api.WarningNoPublicPath, Params: map[string]any{"contacts": seen.pathless, "ways": api.WaysOut()},
		})
	}
	s.Network = api.NetworkSummary{Reachability: seen.reachability, Peers: seen.live}
	return s
}

// Unlock opens a locked profile.
func (n *Node) Unlock(_ context.Context, passphrase []byte) error {
	n.change.Lock()
	defer n.change.Unlock()
	defer clear(passphrase)
	_, keyfile, err := n.profile.Exists()
	switch {
	case err != nil:
		return err
	case n.running() != nil:
		return nil
	case keyfile && passphrase != nil:
		return api.NewProblem(api.CodeBadPassphrase)
	case !keyfile && passphrase == nil:
		return api.NewProblem(api.CodePassphraseRequired)
	}
	err = n.unlock(passphrase)
	if errors.Is(err, store.ErrBadPassphrase) {
		return api.NewProblem(api.CodeBadPassphrase)
	}
	return err
}

// Lock closes the network and the store: the keys are erased from memory.
func (n *Node) Lock(context.Context) error {
	n.change.Lock()
	defer n.change.Unlock()
	err := n.closeCore()
	n.set(api.StateLocked)
	debug.FreeOSMemory() // and with it much of what the keys and texts were in
	return err
}

// Stop begins the shutdown.
func (n *Node) Stop() { n.stop() }

// Store returns the open store, or nil.
func (n *Node) Store() *store.Store {
	if c := n.running(); c != nil {
		return c.store
	}
	return nil
}

// Submit steps the core with an input and returns after the commit.
func (n *Node) Submit(ctx context.Context, input func(ref uint64) protocol.Input, after func(result any) []store.Row) (any, error) {
	return n.ask(ctx, request{input: input, after: after})
}

// Write commits rows that the core knows nothing of.
func (n *Node) Write(ctx context.Context, rows []store.Row, events []protocol.Event) error {
	_, err := n.ask(ctx, request{rows: rows, events: events})
	return err
}

// Identity returns the account and its devices.
func (n *Node) Identity(ctx context.Context) (httpd.Identity, error) {
	return look(ctx, n, func(p *protocol.Peer) httpd.Identity {
		id := httpd.Identity{Account: p.Account()}
		for _, d := range p.Devices() {
			added := api.NewTime(time.Unix(int64(d.AddedDay)*86400, 0))
			id.Devices = append(id.Devices, api.Device{Name: d.Name, AddedAt: &added, This: true})
		}
		return id
	})
}

// look reads something of the Peer on the loop's goroutine.
func look[T any](ctx context.Context, n *Node, read func(*protocol.Peer) T) (T, error) {
	seen := make(chan T, 1) // filled before ask returns without an error
	if _, err := n.ask(ctx, request{view: func(p *protocol.Peer) { seen <- read(p) }}); err != nil {
		var zero T
		return zero, err
	}
	return <-seen, nil
}

func (n *Node) ask(ctx context.Context, r request) (any, error) {
	c := n.running()
	if c == nil {
		return nil, api.NewProblem(api.CodeLocked)
	}
	reply := make(chan answer, 1)
	r.answer = reply
	select {
	case c.requests <- r:
	case <-c.done:
		return nil, api.NewProblem(api.CodeLocked)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	waiting := ctx.Done()
	if r.input != nil || r.act != nil || len(r.rows) > 0 {
		waiting = nil // what was taken is committed: whoever asks again must find it
	}
	select {
	case a := <-reply:
		return a.result, a.err
	case <-c.done:
		select { // answered in the last batch
		case a := <-reply:
			return a.result, a.err
		default:
			return nil, api.NewProblem(api.CodeLocked)
		}
	case <-waiting:
		return nil, ctx.Err()
	}
}

// Why says what contacts, or messages to them, wait for.
func (n *Node) Why(ctx context.Context, about ...httpd.Question) ([]*api.Why, error) {
	return look(ctx, n, func(p *protocol.Peer) []*api.Why {
		now, out := n.config.now(), make([]*api.Why, len(about))
		for i, q := range about {
			if why, ok := p.Why(now, q.Contact, q.Message); ok {
				out[i] = whyOf(why)
			}
		}
		return out
	})
}

// Couriers returns who keeps mail for whom.
func (n *Node) Couriers(ctx context.Context) ([]protocol.Help, error) {
	return look(ctx, n, (*protocol.Peer).Helps)
}

// Alive returns why the process would not take a message now.
func (n *Node) Alive(ctx context.Context) error {
	c := n.running()
	switch {
	case c == nil:
		return api.NewProblem(api.CodeLocked)
	case c.readOnly.Load():
		return api.NewProblem(api.CodeStorageFull)
	case n.config.now().Sub(time.Unix(0, c.stepped.Load())) < aliveWithin:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	if _, err := n.ask(ctx, request{}); err != nil { // a step and a commit of nothing
		return api.NewProblem(api.CodeNotReady)
	}
	return nil
}

func timer(d *api.Disappearing) *wire.Timer {
	if d == nil {
		return nil
	}
	t := &wire.Timer{Mode: wire.TimerFromSent, Seconds: uint32(d.Seconds)}
	if d.Mode == api.DisappearFromRead {
		t.Mode = wire.TimerFromRead
	}
	return t
}
