package node

import (
	"context"
	"errors"
	"fmt"
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

	// change is held while the profile is set up, unlocked, locked or stopped:
	// one change at a time.
	change sync.Mutex

	mu     sync.Mutex // guards what follows
	state  api.State
	since  time.Time
	core   *core // nil unless unlocked
	cancel context.CancelFunc
	ended  chan error // of the core's run; capacity 1
	failed chan error // capacity 1: an error that ends the daemon
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
	return &Node{config: config, profile: profile, state: api.StateStarting, since: time.Now(), failed: make(chan error, 1)}, nil
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

func (n *Node) set(s api.State) {
	n.mu.Lock()
	n.state, n.since = s, time.Now()
	server := n.server
	n.mu.Unlock()
	n.config.Log.Info("state", "state", string(s))
	if server != nil {
		server.Notify()
	}
}

// running returns the core, or nil unless the profile is unlocked.
func (n *Node) running() *core {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.core
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
	ended := make(chan error, 1)
	n.mu.Lock()
	n.core, n.cancel, n.ended = c, cancel, ended
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

// closeCore ends the loop and closes the store: the keys are gone from memory.
func (n *Node) closeCore() error {
	n.mu.Lock()
	c, cancel, ended := n.core, n.cancel, n.ended
	n.core = nil
	n.mu.Unlock()
	if c == nil {
		return nil
	}
	cancel()
	err := <-ended
	return errors.Join(err, c.store.Close())
}

// eraseDue deletes what fell due while the profile was locked or off, before
// anybody can read it.
func eraseDue(st *store.Store, peer *protocol.Peer, clock func() time.Time) error {
	for {
		now := clock()
		due, _, err := dueMessages(st, now)
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
