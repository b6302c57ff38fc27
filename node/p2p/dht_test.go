package p2p_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"pabal/node/egress"
	"pabal/node/p2p"
	"pabal/node/p2p/lab"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

func newDHT(t *testing.T, servers int) *lab.DHT {
	t.Helper()
	d, err := lab.NewDHT(t.Context(), servers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

var seekReason = egress.Reason{Rung: egress.DHT, Contact: [16]byte{7}}

// TestDHTPublishAndLookUp publishes a record at servers that nobody has changed and reads
// it, each time as somebody else who is gone afterwards.
func TestDHTPublishAndLookUp(t *testing.T) {
	servers, ledger := newDHT(t, 30), egress.New(nil)
	d, err := p2p.NewDHT(p2p.DHTConfig{Servers: servers.Entrances(2), Ledger: ledger})
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	seed := identity.RecordSeed{1}
	payload := bytes.Repeat([]byte{0xa5}, wire.DHTRecordSize)
	if _, code := d.LookUp(t.Context(), seed.Public(), seekReason); code != p2p.CodeNoRecord {
		t.Errorf("before it is published: %q", code)
	}
	for i := range 2 { // a later one takes the place of an earlier one
		payload[0] = byte(i)
		if code := d.Publish(t.Context(), seed, uint64(10+i), time.Now().Add(48*time.Hour), payload, seekReason); code != "" {
			t.Fatalf("publish: %q", code)
		}
	}
	found, code := d.LookUp(t.Context(), seed.Public(), seekReason)
	if code != "" || !bytes.Equal(found, payload) {
		t.Errorf("look up: %q, %d bytes", code, len(found))
	}
	clients, kept := servers.Seen()
	if clients != 4 || kept == 0 {
		t.Errorf("four calls were made by %d clients, %d records were brought", clients, kept)
	}
	entries := ledger.Seen().Entries
	for _, e := range entries {
		if e.Why != seekReason || !e.To.Addr().IsLoopback() {
			t.Errorf("the ledger has %v", e)
		}
	}
	if len(entries) == 0 {
		t.Error("the ledger has nothing")
	}
	for start := time.Now(); runtime.NumGoroutine() > before+30; runtime.Gosched() { // some of the servers'; a call has some 250
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d goroutines before, %d afterwards", before, runtime.NumGoroutine())
		}
	}
}

// TestDHTFails says why nothing was found or kept.
func TestDHTFails(t *testing.T) {
	servers := newDHT(t, 1)
	gone := servers.Entrances(1)
	if err := servers.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := p2p.NewDHT(p2p.DHTConfig{Servers: gone})
	if err != nil {
		t.Fatal(err)
	}
	name := identity.RecordSeed{1}.Public()
	if _, code := d.LookUp(t.Context(), name, seekReason); code != p2p.CodeUnreachable {
		t.Errorf("nobody is there: %q", code)
	}
	if _, code := d.LookUp(t.Context(), name, egress.Reason{}); code != p2p.CodeNoReason {
		t.Errorf("without a reason: %q", code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := d.Publish(ctx, identity.RecordSeed{1}, 1, time.Now().Add(time.Hour), nil, seekReason); code == "" {
		t.Error("published although the program ends")
	}
}

// TestDHTServers takes servers by IP address only.
func TestDHTServers(t *testing.T) {
	const id = "/p2p/12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay"
	for _, text := range []string{
		"", "example.com:4001", "/ip4/104.131.131.82/tcp/4001", "/dns4/example.com/tcp/4001" + id, "/dnsaddr/bootstrap.libp2p.io" + id,
		"/ip4/104.131.131.82/tcp/4001/ws" + id, "/ip4/104.131.131.82/tcp/4001" + id + "/p2p-circuit" + id, id,
	} {
		if _, err := p2p.NewDHT(p2p.DHTConfig{Servers: []string{text}}); !errors.Is(err, p2p.ErrBootstrap) {
			t.Errorf("%q: error %v", text, err)
		}
	}
	if _, err := p2p.NewDHT(p2p.DHTConfig{}); !errors.Is(err, p2p.ErrBootstrap) {
		t.Errorf("none: error %v", err)
	}
}
