package node_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// record keeps what a node logs.
type record struct {
	mu    sync.Mutex
	bytes []byte
}

// Write appends to the record.
func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes = append(r.bytes, b...)
	return len(b), nil
}

// TestFramesShowNothing breaks libp2p's encryption between two nodes, with the
// transport keys of both in the hands of whoever stands in the middle, and looks
// through the frames of an invite, a conversation and a restart: they must be
// sealed by themselves. The nodes' logs, down to the last detail, are searched too.
func TestFramesShowNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	hidden, logs := needles{}, new(record)
	mina, jiwoo := newPerson(t, "Mina of the frames"), newPerson(t, "Jiwoo of the frames")
	peers := map[*person]*protocol.Peer{}
	for _, p := range []*person{mina, jiwoo} {
		p.end()
		peers[p] = peek(p)
		hidden.profile(p.config.Profile, peers[p])
		p.config.Log = slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ports := [6]uint16{freePort(t), freePort(t), freePort(t), freePort(t), freePort(t), freePort(t)}
	mina.startAt(ports[0])
	jiwoo.startAt(ports[1])
	first := between(t, [2]playing{{mina, peers[mina], ports[2], ports[0]}, {jiwoo, peers[jiwoo], ports[3], ports[1]}})
	contact := hidden.befriend(ctx, mina, jiwoo, wire.QUIC, ports[2])
	hidden.talk(ctx, mina, jiwoo, contact, mina.onlyContact(ctx))
	mina.end()
	jiwoo.end()
	first.close()

	// Each knows the port that the other had: whoever stands in the middle takes it.
	mina.startAt(ports[4])
	jiwoo.startAt(ports[5])
	second := between(t, [2]playing{{mina, peers[mina], ports[0], ports[4]}, {jiwoo, peers[jiwoo], ports[1], ports[5]}})
	hidden.talk(ctx, mina, jiwoo, contact, mina.onlyContact(ctx))
	mina.end()
	jiwoo.end()
	second.close()

	frames := slices.Concat(first.frames, second.frames)
	checkKinds(t, first.kinds(), second.kinds())
	checkSizes(t, frames)
	var bodies [][]byte
	for _, f := range frames {
		bodies = append(bodies, f.body)
	}
	hidden.check(t, "in the frames", bodies...)
	if !bytes.Contains(logs.bytes, []byte("state=ready")) {
		t.Error("the nodes' logs were not kept")
	}
	hidden.check(t, "in the logs", bytes.ReplaceAll(logs.bytes, []byte("pabal"), nil)) // there it is no secret
}

// checkKinds checks that the whole conversation went through the middle.
func checkKinds(t *testing.T, first, second map[wire.Type]int) {
	t.Helper()
	for _, kind := range []wire.Type{wire.TypeHello, wire.TypeBundleFetch, wire.TypeBundleAnswer, wire.TypeRequest, wire.TypeAccept, wire.TypeEnvelope} {
		if first[kind] == 0 {
			t.Errorf("no %s frame passed at the first meeting", kind.Name())
		}
	}
	if second[wire.TypeHello] < 2 || second[wire.TypeEnvelope] < 4 {
		t.Errorf("after the restart passed %d hellos and %d envelopes", second[wire.TypeHello], second[wire.TypeEnvelope])
	}
}

// checkSizes checks that no frame has a size of its own: an envelope has one of
// five, and each other frame the one of its type.
func checkSizes(t *testing.T, frames []frame) {
	t.Helper()
	sizes := map[wire.Type]map[int]bool{}
	for _, f := range frames {
		if sizes[f.kind] == nil {
			sizes[f.kind] = map[int]bool{}
		}
		sizes[f.kind][len(f.body)] = true
	}
	for kind, seen := range sizes {
		for size := range seen {
			if kind == wire.TypeEnvelope && !slices.Contains([]int{512, 3 << 10, 8 << 10, 24 << 10, 64 << 10}, size) {
				t.Errorf("an envelope of %d bytes", size)
			}
		}
		if kind != wire.TypeEnvelope && len(seen) != 1 {
			t.Errorf("%s frames of %d sizes", kind.Name(), len(seen))
		}
	}
}
