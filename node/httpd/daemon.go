package httpd

import (
	"context"
	"time"

	"pabal/node/api"
	"pabal/node/egress"
	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/store"
)

// Daemon is what the server needs of the process that it serves: package node
// implements it, and so do this package's tests. Every method may be called
// from any goroutine.
//
// Errors: an *api.Problem is answered as it is, a *protocol.Problem with the
// table's status of its code, store.ErrFull with storage_full, the context's
// error with timeout. Any other error is answered with internal and logged.
//
// In the other direction, the implementation calls [Server.Notify] after each
// commit that logged events and after each change of State, and [Server.Announce]
// for events that are not logged. Neither blocks.
type Daemon interface {
	// State returns what the daemon can do now; it must not block.
	State() State

	// Setup makes the profile, starts it and returns once it is ready. The
	// server has checked name, timer and lengths. The timer is that of new
	// conversations from the first on; [DisappearingSetting] is its row.
	Setup(ctx context.Context, in Setup) error
	// Unlock opens a locked profile and returns once it is ready. A nil
	// passphrase means the keyfile. Problems: bad_passphrase, also for a
	// passphrase where there is a keyfile; passphrase_required where there is none.
	Unlock(ctx context.Context, passphrase []byte) error
	// Lock erases the keys from memory and closes the network; it returns when
	// both are done.
	Lock(ctx context.Context) error
	// Stop begins the shutdown and returns at once.
	Stop()

	// Store returns the open store, or nil unless the profile is unlocked. A
	// reader that loses its store half way gets store.ErrClosed.
	Store() *store.Store

	// Submit steps the core with what input returns and returns after the
	// commit. ref is a fresh number for the input's Ref field. Of the Reply the
	// Result is returned, nil if there was none. after, which may be nil, is
	// called once with that Result, before the commit and possibly on the loop's
	// goroutine, so it must be quick and call nothing of the Daemon: the rows
	// it returns are part of the same transaction. ctx bounds the waiting
	// until the input is taken; then Submit returns when it is committed, so that a
	// request that comes again finds it; of an ExportBundle when its Reply comes, which
	// after must not wait for.
	Submit(ctx context.Context, input func(ref uint64) protocol.Input, after func(result any) []store.Row) (result any, err error)
	// Write commits rows that the core knows nothing of (tokens, consumers,
	// settings, idempotency keys), and logs events about them.
	Write(ctx context.Context, rows []store.Row, events []protocol.Event) error

	// Identity returns the account and its devices, from the open profile.
	Identity(ctx context.Context) (Identity, error)
	// Network returns our addresses and the live contacts.
	Network() api.Network
	// TrustNetwork has us be heard on a local network from now on, by its id or
	// interface; empty means the one with a gateway. Problems: not_found,
	// network_ambiguous, network_unsupported, too_many.
	TrustNetwork(ctx context.Context, network string) (api.LocalNetwork, error)
	// DistrustNetwork ends that. Problem: not_found.
	DistrustNetwork(ctx context.Context, network string) error
	// SwitchDHT has contacts to whom no path works looked for in a public DHT that is
	// entered by these servers; without servers it ends that. Problem: invalid_bootstrap.
	SwitchDHT(ctx context.Context, servers []string) (api.DHT, error)
	// Egress returns to whom anything was sent since the profile was unlocked. Problem:
	// locked.
	Egress() (egress.Seen, error)
	// Why says what contacts, or messages of ours, wait for, all at one moment. An
	// answer is nil if the contact is unknown. Subject is filled in by the server.
	Why(ctx context.Context, about ...Question) ([]*api.Why, error)
	// Couriers returns who keeps mail for whom, by contact id.
	Couriers(ctx context.Context) ([]protocol.Help, error)
	// Alive returns an error that tells, as a code, why the process would not
	// take a message now, or nil: the store was written and the core stepped
	// within the last 5 seconds. It may block up to ctx.
	Alive(ctx context.Context) error
}

// Question asks what a contact waits for or, with a message, what that message of
// ours to the contact waits for.
type Question struct {
	Contact protocol.ContactID
	Message *protocol.MessageID
}

// State is what the daemon can do, since when, and what the user should know.
type State struct {
	State    api.State
	Since    time.Time
	Warnings []api.Warning
	Network  api.NetworkSummary
}

// Identity is the account of the profile, as much of it as others may know.
type Identity struct {
	Account identity.AccountPublic
	Devices []api.Device
}

// Setup is how a profile is made. A nil Passphrase means a keyfile; a nil
// Disappearing means never. The receiver owns the passphrase's bytes.
type Setup struct {
	DisplayName  string
	Passphrase   []byte
	Disappearing *api.Disappearing
}
