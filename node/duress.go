package node

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"pabal/node/api"
	"pabal/node/httpd"
	"pabal/store"
)

// hushFor is how long the log says nothing of the network after a screen was unlocked by what
// opens the other profile.
const hushFor = 10 * time.Second

// SetDuress has a second passphrase open a decoy from now on, or none.
func (n *Node) SetDuress(_ context.Context, in httpd.Duress) error {
	n.change.Lock()
	defer n.change.Unlock()
	defer clear(in.Passphrase)
	defer clear(in.Duress)
	defer debug.FreeOSMemory() // what Argon2id took stays with the process otherwise
	c := n.running()
	if c == nil {
		return api.NewProblem(api.CodeLocked)
	}
	_, keyfile, err := n.profile.Exists()
	if err == nil && keyfile { // whoever has the disk opens it without being told anything
		err = api.NewProblem(api.CodeDuressNeedsPassphrase)
	}
	if err == nil {
		err = c.store.Verify(store.Unlock{Passphrase: in.Passphrase})
	}
	switch {
	case err != nil:
		return err
	case in.Duress == nil:
		return c.store.ClearDecoy()
	}
	_, first, err := found(n.config.now(), peerConfig(n.config.Home), httpd.Setup{DisplayName: in.DisplayName})
	if err == nil {
		err = c.store.SetDecoy(in.Duress, first)
	}
	if errors.Is(err, store.ErrPassphraseTaken) {
		return api.NewProblem(api.CodePassphraseTaken)
	}
	return err
}

// openOther closes what runs behind a locked screen and opens what the passphrase opens in its
// place. The log says what it says whenever a screen is unlocked, and no more: it must not tell
// the two profiles apart.
func (n *Node) openOther(passphrase []byte) error {
	n.hush.begin()
	if err := n.closeCore(); err != nil {
		return err
	}
	return n.open(passphrase)
}

// hush has the log say less until a time: see hushHandler.
type hush struct{ until atomic.Pointer[time.Time] }

// begin hushes the log for hushFor from now on.
func (h *hush) begin() {
	until := time.Now().Add(hushFor)
	h.until.Store(&until)
}

func (h *hush) on() bool {
	until := h.until.Load()
	return until != nil && time.Now().Before(*until)
}

// hushHandler is the log, which leaves out whatever is no trouble and no state while it is
// hushed.
type hushHandler struct {
	slog.Handler
	hush *hush
}

// Handle implements [slog.Handler].
func (h hushHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.hush.on() && r.Level < slog.LevelWarn && r.Message != stateLine {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h hushHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return hushHandler{h.Handler.WithAttrs(attrs), h.hush}
}

// WithGroup implements [slog.Handler].
func (h hushHandler) WithGroup(name string) slog.Handler {
	return hushHandler{h.Handler.WithGroup(name), h.hush}
}
