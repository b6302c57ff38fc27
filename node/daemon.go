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
	s := httpd.State{State: n.state, Since: n.since, Screen: n.screen}
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
	if s.Screen { // what follows tells of contacts
		return s
	}
	if c.store.Keyfile() {
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

// Unlock opens a locked profile, or the screen in front of one that runs.
func (n *Node) Unlock(_ context.Context, passphrase []byte) error {
	n.change.Lock()
	defer n.change.Unlock()
	defer clear(passphrase)
	_, keyfile, err := n.profile.Exists()
	c, screen := n.behind()
	switch {
	case err != nil:
		return err
	case c != nil && !screen:
		return nil
	case !keyfile && passphrase == nil: // beside a keyfile one may open the other profile
		return api.NewProblem(api.CodePassphraseRequired)
	}
	if c != nil {
		err = n.unlockScreen(c, passphrase)
	} else {
		err = n.unlock(passphrase)
	}
	if errors.Is(err, store.ErrBadPassphrase) {
		return api.NewProblem(api.CodeBadPassphrase)
	}
	return err
}

// unlockScreen lets whoever opens the profile at what runs behind the screen; what opens the
// other one opens that.
func (n *Node) unlockScreen(c *core, passphrase []byte) error {
	err := c.store.Verify(store.Unlock{Passphrase: passphrase})
	if passphrase != nil {
		debug.FreeOSMemory() // what Argon2id took stays with the process otherwise
	}
	if err == nil {
		n.set(api.StateReady)
	}
	if store.OpensElsewhere(err) {
		return n.openOther(passphrase)
	}
	return err
}

// Verify tells the passphrase of what is open from any other, also from one that opens a decoy
// of it or the profile behind it.
func (n *Node) Verify(_ context.Context, passphrase []byte) error {
	n.change.Lock()
	defer n.change.Unlock()
	defer clear(passphrase)
	defer debug.FreeOSMemory() // what Argon2id took stays with the process otherwise
	c := n.running()
	if c == nil {
		return api.NewProblem(api.CodeLocked)
	}
	err := c.store.Verify(store.Unlock{Passphrase: passphrase})
	if errors.Is(err, store.ErrBadPassphrase) {
		return api.NewProblem(api.CodeBadPassphrase)
	}
	return err
}

// LockScreen closes the API in front of a core that runs on, and then has that one say that
// nobody is here.
func (n *Node) LockScreen(ctx context.Context) error {
	c, err := n.closeScreen()
	if c == nil || err != nil {
		return err
	}
	c.left.Store(true)
	ctx, cancel := context.WithTimeout(ctx, goneMax)
	defer cancel()
	gone := request{
		input:  func(ref uint64) protocol.Input { return protocol.SetPresence{Ref: ref} },
		answer: make(chan answer, 1), // which nobody awaits
	}
	select {
	case c.requests <- gone:
	case <-c.done:
	case <-ctx.Done(): // it will see by itself
	}
	return nil
}

// closeScreen returns the core whose screen it locked, or nil if that was locked.
func (n *Node) closeScreen() (*core, error) {
	n.change.Lock()
	defer n.change.Unlock()
	c, screen := n.behind()
	switch {
	case c == nil:
		return nil, api.NewProblem(api.CodeLocked)
	case screen:
		return nil, nil
	}
	n.enter(api.StateLocked, true)
	return c, nil
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

// Wipe destroys the profile, the keys first, and ends the daemon.
func (n *Node) Wipe(context.Context) error {
	keys := n.profile.DestroyKeys() // before an unlock that is under way has ended
	n.change.Lock()
	defer n.change.Unlock()
	defer n.stop()
	err := n.closeCore()   // and with it the keys in memory
	n.set(api.StateLocked) // an open page hears that there is nothing to show any more, before nobody answers
	err = errors.Join(keys, err, n.profile.Wipe())
	n.set(api.StateStopping)
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
	return n.ask(ctx, request{input: n.unseen(input), after: after})
}

// SubmitAll steps the core with several inputs, which are committed together. Nothing comes between
// the look whether every message of them may be sent and the steps.
func (n *Node) SubmitAll(ctx context.Context, steps []httpd.Step, events []protocol.Event) ([]any, error) {
	result, err := n.ask(ctx, request{events: events, act: func(c *core, b *batch) (any, error) {
		var done stepped
		if err := c.peer.Refuses(c.config.now(), httpd.Inputs(steps)); err != nil {
			return nil, err
		}
		for _, s := range steps {
			result, err := c.stepFor(b, s)
			if err != nil && len(done.results) == 0 {
				return nil, err
			}
			if done.err = err; err != nil {
				break
			}
			done.results = append(done.results, result)
		}
		return done, nil
	}})
	if err != nil {
		return nil, err
	}
	done := result.(stepped)
	return done.results, done.err
}

// stepped is what became of several inputs: err is of the one behind results.
type stepped struct {
	results []any
	err     error
}

// stepFor steps one input of several that somebody waits for.
func (c *core) stepFor(b *batch, s httpd.Step) (result any, err error) {
	c.lastRef++
	out, err := c.peer.Step(c.config.now(), s.Input(c.lastRef))
	if err != nil {
		return nil, err
	}
	b.add(out)
	for _, reply := range out.Replies {
		if reply.Ref == c.lastRef {
			result = reply.Result
		}
	}
	if s.After != nil {
		b.rows = append(b.rows, s.After(result)...)
	}
	return result, nil
}

// unseen makes of an input that says that the user is here, and that the core takes behind a locked
// screen only, one that says that nobody is.
func (n *Node) unseen(input func(ref uint64) protocol.Input) func(ref uint64) protocol.Input {
	return func(ref uint64) protocol.Input {
		in := input(ref)
		if here, ok := in.(protocol.SetPresence); ok && here.Here {
			if _, screen := n.behind(); screen {
				return protocol.SetPresence{Ref: here.Ref}
			}
		}
		return in
	}
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
	return c.ask(ctx, r)
}

// ask hands a request to the loop and waits for what becomes of it.
func (c *core) ask(ctx context.Context, r request) (any, error) {
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
