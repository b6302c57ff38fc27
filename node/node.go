package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"pabal/node/api"
	"pabal/node/httpd"
	"pabal/protocol"
	"pabal/store"
)

// Node is one running profile. Its methods are those of [httpd.Daemon]: the
// server calls them from its handlers.
type Node struct {
	config  Config
	profile *store.Profile
	server  *httpd.Server
	stop    context.CancelFunc
	ctx     context.Context // of Run: what Setup and Unlock start lives as long
	tasks   tasks
	hush    hush

	// change is held while the profile is set up, unlocked, locked or stopped:
	// one change at a time.
	change sync.Mutex

	mu     sync.Mutex // guards what follows
	state  api.State
	since  time.Time
	core   *core // nil if the keys are not in memory
	screen bool  // the core runs, and nobody is let at it
	cancel context.CancelFunc
	ended  chan error // of the core's run; capacity 1
	failed chan error // capacity 1: an error that ends the daemon

	// working is the context of tasks on the core; rest ends them. Like core, they change
	// with each unlock.
	working context.Context
	rest    context.CancelFunc
}

// Run serves a profile until ctx ends, shutdown is asked for, or the store
// fails. It holds the profile's lock all the time and has closed everything
// when it returns. An end that was asked for is no error.
func Run(ctx context.Context, config Config) error {
	n, err := New(config)
	if err != nil {
		return err
	}
	return n.Run(ctx)
}

// New takes the profile's lock and returns a node to Run. Errors: ErrConfig, a
// *store.LockedError if another process holds the profile.
func New(config Config) (*Node, error) {
	if err := config.prepare(); err != nil {
		return nil, err
	}
	profile, err := store.Lock(config.DataDir, store.Self(httpd.SocketPath(config.RuntimeDir)))
	if err != nil {
		return nil, err
	}
	n := &Node{config: config, profile: profile, state: api.StateStarting, since: time.Now(), failed: make(chan error, 1)}
	n.config.Log = slog.New(hushHandler{config.Log.Handler(), &n.hush})
	return n, nil
}

// Run serves the profile; see the function [Run]. It may be called once.
func (n *Node) Run(ctx context.Context) error {
	defer clear(n.config.Passphrase)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	n.stop, n.ctx = stop, ctx
	err := n.serve(ctx)
	return errors.Join(err, n.profile.Close())
}

func (n *Node) serve(ctx context.Context) error {
	server, err := httpd.New(httpd.Config{
		RuntimeDir: n.config.RuntimeDir, Profile: n.config.Profile,
		Version: n.config.Version, Commit: n.config.Commit, Log: n.config.Log,
		Web: httpd.UI(),
	}, n)
	if err != nil {
		return err
	}
	n.server = server
	if err := n.begin(); err != nil {
		return err
	}
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	served := make(chan error, 1)
	go func() { served <- server.Run(serving, n.config.Ready) }()
	var cause error
	select {
	case <-ctx.Done():
	case cause = <-n.failed:
	case cause = <-served:
		served <- nil
	}
	n.set(api.StateStopping)
	server.Notify()
	end()
	err = <-served
	n.change.Lock() // an unlock that was begun ends first
	defer n.change.Unlock()
	return errors.Join(cause, err, n.closeCore(), server.Withdraw())
}

// begin brings the profile into its first state: created, unlocked, locked or
// waiting for setup.
func (n *Node) begin() error {
	exists, keyfile, err := n.profile.Exists()
	if err != nil {
		return err
	}
	switch {
	case !exists && n.config.Create != nil:
		c := n.config.Create
		return n.Setup(n.ctx, httpd.Setup{DisplayName: c.Name, Passphrase: c.Passphrase, Disappearing: c.Disappearing})
	case !exists:
		n.set(api.StateUninitialised)
		return nil
	case keyfile && n.config.Passphrase != nil:
		return ErrPassphraseUnfit
	case keyfile:
		return n.unlock(nil)
	case n.config.Passphrase != nil:
		return n.unlock(n.config.Passphrase)
	}
	n.set(api.StateLocked)
	return nil
}

// stateLine is what the log says when the state changes.
const stateLine = "state"

func (n *Node) set(s api.State) { n.enter(s, false) }

// enter has the profile in a state from now on; screen says of a locked one that its core
// runs on.
func (n *Node) enter(s api.State, screen bool) {
	n.mu.Lock()
	n.state, n.since, n.screen = s, time.Now(), screen
	server := n.server
	n.mu.Unlock()
	n.config.Log.Info(stateLine, "state", string(s), "screen", screen)
	if server != nil {
		server.Notify()
	}
}

// running returns the core for those who ask from outside, or nil unless the profile is
// unlocked.
func (n *Node) running() *core {
	if c, screen := n.behind(); !screen {
		return c
	}
	return nil
}

// behind returns the core, and whether the screen is locked in front of it.
func (n *Node) behind() (c *core, screen bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.core, n.screen
}

// Setup makes the profile and starts it.
func (n *Node) Setup(_ context.Context, in httpd.Setup) error {
	n.change.Lock()
	defer n.change.Unlock()
	defer clear(in.Passphrase)
	machine := peerConfig(n.config.Home)
	peer, first, err := found(n.config.now(), machine, in)
	if err != nil {
		return err
	}
	st, err := n.profile.Create(store.Options{Passphrase: in.Passphrase, First: first})
	if errors.Is(err, store.ErrExists) {
		return api.NewProblem(api.CodeAlreadyInitialised)
	}
	if err != nil {
		return err
	}
	return n.start(st, peer, machine)
}

// Restore makes the profile that is in a backup and starts it.
func (n *Node) Restore(_ context.Context, from io.Reader, in httpd.Restore) (store.Archived, error) {
	n.change.Lock()
	defer n.change.Unlock()
	defer clear(in.Archive)
	defer clear(in.Passphrase)
	st, done, err := n.profile.Restore(from, store.RestoreOptions{
		Archive: in.Archive, Options: store.Options{Passphrase: in.Passphrase}, Now: n.config.now(),
	})
	debug.FreeOSMemory() // what Argon2id took stays with the process otherwise
	if err != nil {
		return store.Archived{}, err
	}
	machine := peerConfig(n.config.Home)
	peer, err := loadPeer(st, machine)
	if err != nil {
		return store.Archived{}, errors.Join(fmt.Errorf("%w: load: %w", store.ErrDamaged, err), st.Close())
	}
	return done, n.start(st, peer, machine)
}

// found makes an account, and what a new profile holds first: that account.
func found(now time.Time, machine protocol.Config, in httpd.Setup) (*protocol.Peer, store.Batch, error) {
	peer, out, err := protocol.Create(randomness{}, machine, now, in.DisplayName)
	if err != nil {
		return nil, store.Batch{}, err
	}
	if _, err := peer.Step(now, protocol.SetDefaultTimer{Timer: timer(in.Disappearing)}); err != nil {
		return nil, store.Batch{}, err
	}
	rest, err := peer.Step(now, protocol.Flush{})
	if err != nil {
		return nil, store.Batch{}, err
	}
	rows := []store.Row{httpd.DisappearingSetting(in.Disappearing)}
	return peer, store.Batch{Now: now, Writes: append(out.Writes, rest.Writes...), Rows: rows}, nil
}

func (n *Node) unlock(passphrase []byte) error {
	n.set(api.StateStarting)
	return n.open(passphrase)
}

// open opens the profile and starts what it holds.
func (n *Node) open(passphrase []byte) error {
	st, err := n.profile.Open(store.Unlock{Passphrase: passphrase})
	if passphrase != nil {
		debug.FreeOSMemory() // what Argon2id took stays with the process otherwise
	}
	if err != nil {
		n.set(api.StateLocked)
		return err
	}
	machine := peerConfig(n.config.Home)
	peer, err := loadPeer(st, machine)
	if err != nil {
		n.set(api.StateLocked)
		return errors.Join(fmt.Errorf("%w: load: %w", store.ErrDamaged, err), st.Close())
	}
	return n.start(st, peer, machine)
}

// start begins the loop over an open store.
func (n *Node) start(st *store.Store, peer *protocol.Peer, machine protocol.Config) error {
	if err := eraseDue(st, peer, n.config.now); err != nil {
		n.set(api.StateLocked)
		return errors.Join(err, st.Close())
	}
	c, err := newCore(&n.config, st, peer, machine, n.server)
	if err != nil {
		n.set(api.StateLocked)
		return errors.Join(err, st.Close())
	}
	ctx, cancel := context.WithCancel(n.ctx)
	working, rest := context.WithCancel(ctx)
	ended := make(chan error, 1)
	n.mu.Lock()
	n.core, n.cancel, n.ended = c, cancel, ended
	n.working, n.rest = working, rest
	n.mu.Unlock()
	go func() {
		err := c.run(ctx)
		if err != nil {
			n.failed <- err
		}
		ended <- err
	}()
	n.set(api.StateReady)
	return nil
}

// closeCore ends the tasks on the core, then its loop, and closes the store: the keys are
// gone from memory, and so are the texts that a task held.
func (n *Node) closeCore() error {
	n.mu.Lock()
	c, cancel, ended, rest := n.core, n.cancel, n.ended, n.rest
	n.core = nil
	n.mu.Unlock()
	if c == nil {
		return nil
	}
	rest()
	n.tasks.running.Wait() // while the loop runs: they tidy up
	n.tasks.forget()
	cancel()
	err := <-ended
	return errors.Join(err, c.store.Close())
}

// eraseDue deletes what fell due while the profile was locked or off, before
// anybody can read it. Nobody waits for a message meanwhile: the batches are as large as
// one may be.
func eraseDue(st *store.Store, peer *protocol.Peer, clock func() time.Time) error {
	var count int64
	err := st.View(func(v *store.View) (err error) {
		count, err = v.DueCount(clock().UnixMilli())
		return err
	})
	if err == nil {
		err = st.ExpectErasures(count)
	}
	if err != nil {
		return err
	}
	for {
		now := clock()
		due, _, err := dueMessages(st, now, store.BatchMax)
		if err != nil || len(due) == 0 {
			return err
		}
		b := store.Batch{Now: now}
		for _, m := range due {
			out, err := peer.Step(now, m)
			if err != nil {
				return err
			}
			b.Writes, b.Events = append(b.Writes, out.Writes...), append(b.Events, out.Events...)
		}
		if _, err := st.Commit(b); err != nil {
			return err
		}
	}
}
