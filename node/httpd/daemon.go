package httpd

import (
	"context"
	"io"
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
	// Restore makes the profile that is in a backup and starts it, as Setup does. Errors: those
	// that [ArchiveProblem] knows.
	Restore(ctx context.Context, from io.Reader, in Restore) (store.Archived, error)
	// Unlock opens a locked profile and returns once it is ready. A nil
	// passphrase means the keyfile. Problems: bad_passphrase, also for a
	// passphrase where there is a keyfile; passphrase_required where there is none.
	Unlock(ctx context.Context, passphrase []byte) error
	// Lock erases the keys from memory and closes the network; it returns when
	// both are done.
	Lock(ctx context.Context) error
	// LockScreen has the daemon answer as if it were locked, and Store return nil, until
	// Unlock is given what opens the profile; mail still comes in, and what is due is
	// deleted. Then it has contacts told that the user has gone, for which it does not wait
	// long. It has no effect on a locked screen. Problem: locked, if the keys are erased.
	LockScreen(ctx context.Context) error
	// ChangePassphrase has the profile open by another passphrase, or by a keyfile if it is nil,
	// and begins a rotation, which it returns. Old is nil where there is none. The receiver
	// owns the bytes. Problems: bad_passphrase, passphrase_required, passphrase_taken, locked.
	ChangePassphrase(ctx context.Context, old, passphrase []byte) (api.Job, error)
	// Verify reports whether a passphrase opens what is open, with bad_passphrase if not: also
	// where there is a keyfile. The receiver owns the bytes. Problem: locked.
	Verify(ctx context.Context, passphrase []byte) error
	// SetDuress has a second passphrase open a decoy from now on, or none. Problems:
	// bad_passphrase, duress_needs_passphrase, passphrase_taken, locked.
	SetDuress(ctx context.Context, in Duress) error
	// Wipe destroys the profile, what opens it first, and begins the shutdown.
	Wipe(ctx context.Context) error
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
	// SubmitAll is Submit of several inputs in one transaction, which also logs events. If a
	// message among them cannot be sent, none is, and nothing else is done. Another input that
	// the core refuses ends it: what stands before is committed, of which the results are
	// returned with the error. Each Input may be called more than once.
	SubmitAll(ctx context.Context, steps []Step, events []protocol.Event) (results []any, err error)
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
	// Transfers returns the files that are on their way, and those that wait for that.
	Transfers() []Transfer
	// Why says what contacts, or messages of ours, wait for, all at one moment. An
	// answer is nil if the contact is unknown. Subject is filled in by the server.
	Why(ctx context.Context, about ...Question) ([]*api.Why, error)
	// Couriers returns who keeps mail for whom, by contact id.
	Couriers(ctx context.Context) ([]protocol.Help, error)
	// StartDrill has the profile attacked, as a job; one that is under way is returned.
	// Problem: locked.
	StartDrill() (api.Job, error)
	// StartRotation has the database copied under a new key, as a job; one that is under way
	// is returned. Problem: locked.
	StartRotation() (api.Job, error)
	// Job returns a job that is under way or ended lately. Problem: not_found.
	Job(id string) (api.Job, error)
	// Alive returns an error that tells, as a code, why the process would not
	// take a message now, or nil: the store was written and the core stepped
	// within the last 5 seconds. It may block up to ctx.
	Alive(ctx context.Context) error
}

// Step is an input of [Daemon.SubmitAll], with the rows that its Result adds; After may be nil.
type Step struct {
	Input func(ref uint64) protocol.Input
	After func(result any) []store.Row
}

// Inputs returns the inputs of steps, of which nobody waits for an answer.
func Inputs(steps []Step) []protocol.Input {
	inputs := make([]protocol.Input, len(steps))
	for i, s := range steps {
		inputs[i] = s.Input(0)
	}
	return inputs
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
	Screen   bool // locked, with the keys in memory
	Since    time.Time
	Warnings []api.Warning
	Network  api.NetworkSummary
}

// Identity is the account of the profile, as much of it as others may know.
type Identity struct {
	Account identity.AccountPublic
	Devices []api.Device
}

// Duress is how a decoy is set: by the passphrase of what is open, a second one, and the name of
// the decoy's account. A nil Duress has none open anything from now on. The receiver owns the
// passphrases' bytes.
type Duress struct {
	Passphrase  []byte
	Duress      []byte
	DisplayName string
}

// Setup is how a profile is made. A nil Passphrase means a keyfile; a nil
// Disappearing means never. The receiver owns the passphrase's bytes.
type Setup struct {
	DisplayName  string
	Passphrase   []byte
	Disappearing *api.Disappearing
}
