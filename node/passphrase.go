package node

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"pabal/node/api"
	"pabal/store"
)

// ChangePassphrase has the profile open by another passphrase from now on, or by a keyfile if
// it is nil, and begins the rotation without which the old one would open old blocks of the disk.
func (n *Node) ChangePassphrase(_ context.Context, old, passphrase []byte) (api.Job, error) {
	n.change.Lock()
	defer n.change.Unlock()
	defer clear(old)
	defer clear(passphrase)
	defer debug.FreeOSMemory() // what Argon2id took stays with the process otherwise
	c := n.running()
	switch {
	case c == nil:
		return api.Job{}, api.NewProblem(api.CodeLocked)
	case !c.store.Keyfile() && old == nil:
		return api.Job{}, api.NewProblem(api.CodePassphraseRequired)
	}
	err := c.store.Verify(store.Unlock{Passphrase: old})
	if err == nil {
		err = c.store.ChangePassphrase(passphrase)
	}
	switch {
	case errors.Is(err, store.ErrBadPassphrase):
		return api.Job{}, api.NewProblem(api.CodeBadPassphrase)
	case errors.Is(err, store.ErrPassphraseTaken):
		return api.Job{}, api.NewProblem(api.CodePassphraseTaken)
	case err != nil:
		return api.Job{}, err
	}
	return n.StartRotation()
}

// StartRotation begins to copy the database under a new key. A lock ends it first.
func (n *Node) StartRotation() (api.Job, error) {
	n.mu.Lock() // or a lock could miss what begins now
	defer n.mu.Unlock()
	c := n.core
	if c == nil {
		return api.Job{}, api.NewProblem(api.CodeLocked)
	}
	return n.tasks.start(n.working, api.JobRotation, 1, func(ctx context.Context, tell func(string)) (func(*api.Job), error) {
		tell("copy")
		err := c.store.Rotate(ctx, n.config.now())
		if ctx.Err() != nil {
			return nil, api.NewProblem(api.CodeLocked)
		}
		return func(*api.Job) {}, err
	}), nil
}

// rotateIfDue begins a rotation when the key is old. It is called when no input waits.
func (c *core) rotateIfDue(ctx context.Context) {
	now := c.config.now()
	if now.Sub(c.rotationAsked).Abs() < rotationAskedEvery {
		return
	}
	c.rotationAsked = now
	c.jobs.Go(func() {
		due, err := c.store.RotationDue(now)
		if err == nil && due {
			began := time.Now()
			if err = c.store.Rotate(ctx, now); err == nil {
				c.log.Debug("the database has a new key", "ms", time.Since(began).Milliseconds())
			}
		}
		if err != nil && ctx.Err() == nil {
			c.log.Warn("the rotation of the database's key failed", "error", err)
		}
	})
}
