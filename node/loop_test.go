package node

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// silentPublisher is a publisher that nobody listens to.
type silentPublisher struct{}

func (silentPublisher) Notify()                 {}
func (silentPublisher) Announce(protocol.Event) {}

// newTestCore makes a core whose loop does not run: the test is its goroutine.
func newTestCore(t *testing.T, listen ...string) *core {
	t.Helper()
	profile, err := store.Lock(t.TempDir(), store.Self(""))
	if err != nil {
		t.Fatal(err)
	}
	st, err := profile.Create(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	machine := peerConfig(false)
	peer, out, err := protocol.Create(randomness{}, machine, time.Now(), "Mina")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(store.Batch{Now: time.Now(), Writes: out.Writes}); err != nil {
		t.Fatal(err)
	}
	config := &Config{Profile: "mina", DataDir: t.TempDir(), RuntimeDir: t.TempDir(), Listen: listen}
	if err := config.prepare(); err != nil {
		t.Fatal(err)
	}
	c, err := newCore(config, st, peer, machine, silentPublisher{})
	if err != nil {
		t.Fatal(err)
	}
	c.wake = time.NewTimer(time.Hour)
	t.Cleanup(func() {
		c.jobs.Wait()
		if err := errors.Join(c.endOlder(), c.host.Close(), c.local.lan.Close(), st.Close(), profile.Close()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// batch does something and commits it, as the loop does.
func (c *core) batch(t *testing.T, do func(*batch)) {
	t.Helper()
	var b batch
	do(&b)
	if err := c.commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

// linkToNowhere returns the link of somebody at an address of this machine where
// nothing ever answers.
func linkToNowhere(t *testing.T, machine protocol.Config) string {
	t.Helper()
	hole, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hole.Close() })
	at := hole.LocalAddr().(*net.UDPAddr).AddrPort()
	now := time.Now()
	peer, _, err := protocol.Create(randomness{}, machine, now, "Jiwoo")
	if err != nil {
		t.Fatal(err)
	}
	own := []wire.Address{{Network: wire.QUIC, IP: at.Addr().Unmap(), Port: at.Port()}}
	if _, err := peer.Step(now, protocol.NetworkChanged{Own: own}); err != nil {
		t.Fatal(err)
	}
	out, err := peer.Step(now, protocol.CreateInvite{Kind: protocol.InviteOnce})
	if err != nil {
		t.Fatal(err)
	}
	return out.Replies[0].Result.(protocol.InviteCreated).Link
}

// TestRotationAnswersDials changes the transport key while a contact is dialled:
// the new host must dial it again, since the old one will never answer.
func TestRotationAnswersDials(t *testing.T) {
	c := newTestCore(t, "127.0.0.1:0")
	c.batch(t, func(b *batch) { c.network(b, c.host, <-c.arrivals) })
	var contact protocol.ContactID
	c.batch(t, func(b *batch) {
		out, err := c.peer.Step(time.Now(), protocol.AddContact{Link: linkToNowhere(t, c.machine)})
		if err != nil {
			t.Fatal(err)
		}
		b.add(out)
		contact = out.Replies[0].Result.(protocol.Added).Contact
	})
	why, _ := c.peer.Why(time.Now(), contact, nil)
	if !why.NextTry.IsZero() || why.LastError != "" { // a dial under way has no next time
		t.Fatalf("the contact is not dialled: %+v", why)
	}
	port := c.keptPort()
	c.batch(t, c.change)
	if e := (<-c.arrivals).(p2p.Addresses); port == 0 || e.Own[0].Port != port {
		t.Errorf("the port was %d, with the new key it is %d", port, e.Own[0].Port)
	}
	why, _ = c.peer.Why(time.Now(), contact, nil)
	if why.LastError == "" {
		t.Error("an answer of the host that is gone is still waited for")
	}
	if !why.NextTry.IsZero() {
		t.Errorf("the new host does not dial: %+v", why)
	}
}

// TestRotationWithoutPort changes the transport key at a moment when no host can be
// opened: the loop must go on serving, and open one when it can.
func TestRotationWithoutPort(t *testing.T) {
	c := newTestCore(t, "127.0.0.1:0")
	c.batch(t, func(b *batch) { c.network(b, c.host, <-c.arrivals) })
	listen := c.config.Listen
	c.config.Listen = []string{"nowhere"}
	c.batch(t, c.change)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.loop(ctx) }()
	reply := make(chan answer, 1)
	c.requests <- request{rows: []store.Row{store.PutSetting{Name: "test", Value: []byte("x")}}, answer: reply}
	if a := <-reply; a.err != nil {
		t.Errorf("without a network nothing is saved: %v", a.err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	c.config.Listen = listen
	c.batch(t, c.change)
	if e, ok := (<-c.arrivals).(p2p.Addresses); !ok || len(e.Own) == 0 {
		t.Error("there is no network when there could be one")
	}
}

// TestFullDiskIsTriedAgainSoon deletes on a full disk: that works, and is no reason to
// wait longer for room.
func TestFullDiskIsTriedAgainSoon(t *testing.T) {
	now := time.Now()
	c := &core{expire: now.Add(expiryEvery)}
	c.readOnly.Store(true)
	for _, core := range []time.Time{{}, now, now.Add(time.Hour)} {
		if got := c.nextWake(now, core).Sub(now); got != retryFull {
			t.Errorf("the next try is in %v", got)
		}
	}
}
