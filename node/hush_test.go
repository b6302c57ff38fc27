package node

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pabal/store"
)

// TestHushLastsFromTheLast has the other profile opened twice within the time of a hush: the
// end of the first one does not end the second.
func TestHushLastsFromTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			h   hush
			out bytes.Buffer
			log = slog.New(hushHandler{slog.NewTextHandler(&out, nil), &h})
		)
		for _, step := range []struct {
			wait  time.Duration
			begin bool
			says  bool
		}{
			{says: true}, {begin: true}, {wait: hushFor - time.Second, begin: true}, {wait: 2 * time.Second}, {wait: hushFor, says: true},
		} {
			time.Sleep(step.wait)
			if step.begin {
				h.begin()
			}
			out.Reset()
			log.Info("a path to a contact")
			if says := out.Len() > 0; says != step.says {
				t.Errorf("after %v: %q", step.wait, out.String())
			}
			if log.Warn("trouble"); !strings.Contains(out.String(), "trouble") {
				t.Error("trouble is not told")
			}
		}
	})
}

// TestRotationIsToldWhenDone: only a rotation that worked is said to have, and only to who asks
// for everything.
func TestRotationIsToldWhenDone(t *testing.T) {
	st, err := store.Create(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Now()
	if _, err := st.RotationDue(now.Add(-2 * store.RotationAge)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := &core{store: st, config: &Config{Clock: func() time.Time { return now }}, log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	broken, cancel := context.WithCancel(t.Context())
	cancel()
	for _, step := range []struct {
		ctx  context.Context
		says string
	}{{broken, ""}, {t.Context(), "level=DEBUG msg=\"the database has a new key\""}} {
		out.Reset()
		c.rotationAsked = time.Time{}
		c.rotateIfDue(step.ctx)
		c.jobs.Wait()
		if got := out.String(); !strings.Contains(got, step.says) || step.says == "" && got != "" {
			t.Errorf("the log says %q, want %q", got, step.says)
		}
	}
}

// TestRotationIsAskedBesideTheIndex: it is looked how old the key is though the index fails
// each time.
func TestRotationIsAskedBesideTheIndex(t *testing.T) {
	st, err := store.Create(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil { // now no step of the index works
		t.Fatal(err)
	}
	now := time.Now()
	c := &core{store: st, config: &Config{Clock: func() time.Time { return now }}, log: slog.New(slog.DiscardHandler), unindexed: true}
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	c.whenIdle(t.Context(), idle)
	c.jobs.Wait()
	if !c.rotationAsked.Equal(now) {
		t.Error("nobody looks how old the key is")
	}
}
