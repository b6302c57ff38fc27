package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"pabal/node/lan"
	"pabal/node/p2p"
	"pabal/node/p2p/lab"
	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/store"
)

// person is a node of a simulated internet on virtual time: its core, its store and real
// libp2p hosts. It is on between begin and end.
type person struct {
	t       *testing.T
	n       byte
	w       *lab.World
	config  *Config
	profile *store.Profile
	st      *store.Store
	core    *core
	stop    context.CancelFunc
	ended   chan error
	offset  time.Duration // of its key's change from midnight
	contact protocol.ContactID
	keys    map[uint32]identity.TransportKey // that it was seen under, by day
}

// newPerson makes a profile at place number n.
func newPerson(t *testing.T, w *lab.World, n byte, name string) *person {
	t.Helper()
	profile, err := store.Lock(t.TempDir(), store.Self(""))
	if err != nil {
		t.Fatal(err)
	}
	st, err := profile.Create(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, out, err := protocol.Create(randomness{}, protocol.Config{}, time.Now(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(store.Batch{Now: time.Now(), Writes: out.Writes}); err != nil {
		t.Fatal(err)
	}
	place := w.Join(n)
	config := &Config{
		Profile: name, DataDir: t.TempDir(), RuntimeDir: t.TempDir(), Listen: []string{place.Listen},
		simulation: &p2p.Simulation{Sockets: place.Sockets, Interfaces: place.Interfaces},
		look:       func() ([]lan.Network, error) { return nil, nil },
		Log:        slog.New(slog.DiscardHandler),
	}
	p := &person{t: t, n: n, w: w, config: config, profile: profile, st: st, keys: map[uint32]identity.TransportKey{}}
	p.begin()
	return p
}

// begin starts the daemon's loop.
func (p *person) begin() {
	p.t.Helper()
	p.offset = randomOffset()
	machine := protocol.Config{KeyOffset: p.offset}
	peer, err := loadPeer(p.st, machine)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.core, err = newCore(p.config, p.st, peer, machine, silentPublisher{}); err != nil {
		p.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop, p.ended = stop, make(chan error, 1)
	go func() { p.ended <- p.core.run(ctx) }()
}

// end stops it.
func (p *person) end() {
	p.t.Helper()
	p.stop()
	if err := <-p.ended; err != nil {
		p.t.Fatal(err)
	}
	p.core = nil
}

func (p *person) close() {
	if p.core != nil {
		p.end()
	}
	if err := errors.Join(p.st.Close(), p.profile.Close()); err != nil {
		p.t.Error(err)
	}
}

// ask gives the loop a request and waits for its answer.
func (p *person) ask(r request) any {
	p.t.Helper()
	reply := make(chan answer, 1)
	r.answer = reply
	p.core.requests <- r
	a := <-reply
	if a.err != nil {
		p.t.Fatal(a.err)
	}
	return a.result
}

func (p *person) do(input protocol.Input) any {
	p.t.Helper()
	return p.ask(request{input: func(ref uint64) protocol.Input {
		switch in := input.(type) {
		case protocol.CreateInvite:
			in.Ref = ref
			return in
		case protocol.AddContact:
			in.Ref = ref
			return in
		case protocol.SendText:
			in.Ref = ref
			return in
		}
		return input
	}})
}

// say sends a text and returns after how long it was acknowledged, or zero if it was not
// within the limit.
func (p *person) say(text string, limit time.Duration) time.Duration {
	p.t.Helper()
	start := time.Now()
	p.do(protocol.SendText{Contact: p.contact, Text: text})
	for step := time.Millisecond; time.Since(start) < limit; step = min(2*step, time.Second) {
		if p.idle() {
			return max(time.Since(start), 1)
		}
		time.Sleep(step)
	}
	return 0
}

// idle reports whether nothing waits for the contact.
func (p *person) idle() (idle bool) {
	p.ask(request{view: func(peer *protocol.Peer) {
		why, _ := peer.Why(time.Now(), p.contact, nil)
		idle = why.Reason == ""
	}})
	return idle
}

// key returns the transport key that the host has, and notes of what day it is.
func (p *person) key() (key identity.TransportKey, hosts int) {
	p.ask(request{glance: func(c *core) {
		key, hosts = c.host.Key(), 1
		if c.older != nil {
			hosts = 2
		}
		p.keys[c.hostDay] = key
	}})
	return key, hosts
}

// meetAt makes contacts of two.
func meetAt(a, b *person) {
	a.t.Helper()
	link := a.do(protocol.CreateInvite{Kind: protocol.InviteOnce}).(protocol.InviteCreated).Link
	b.contact = b.do(protocol.AddContact{Link: link}).(protocol.Added).Contact
	time.Sleep(10 * time.Second)
	if err := a.st.View(func(v *store.View) error {
		all, err := v.Contacts()
		if err == nil {
			a.contact = all[0].ID
		}
		return err
	}); err != nil {
		a.t.Fatal(err)
	}
}

// change is when a person's transport key changes next.
func (p *person) change() time.Time {
	day := time.Duration(time.Now().Add(p.offset).Unix()/86400+1) * 24 * time.Hour
	return time.Unix(0, 0).Add(day - p.offset)
}

// TestConversationGoesOnOverMidnight has two talk, without a pause, while each of them changes
// its transport key: no text waits longer for its receipt than a new connection takes, and
// soon either side has one host, under its new key.
func TestConversationGoesOnOverMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b := newPerson(t, w, 1, "Mina"), newPerson(t, w, 2, "Jiwoo")
		w.Start()
		defer w.Close()
		defer a.close()
		defer b.close()
		time.Sleep(time.Second)
		meetAt(a, b)
		first, second := a, b
		if b.change().Before(a.change()) {
			first, second = b, a
		}
		for _, who := range []*person{first, second} {
			before, _ := who.key()
			change := who.change()
			time.Sleep(time.Until(change.Add(-3 * time.Second)))
			var slowest time.Duration
			texts, both := 0, 0
			for ; time.Now().Before(change.Add(4 * time.Second)); texts++ {
				for _, p := range []*person{a, b} {
					took := p.say(fmt.Sprint("text ", texts), 10*time.Second)
					if took == 0 {
						t.Fatalf("%v after the change a text has no receipt", time.Since(change))
					}
					slowest = max(slowest, took)
				}
				if _, hosts := who.key(); hosts == 2 {
					both++
				}
			}
			t.Logf("%s: %d texts each way, the slowest receipt took %v; %d times there were two hosts", who.config.Profile, texts, slowest, both)
			if slowest > 10*2*lab.OneWay || both == 0 {
				t.Errorf("a receipt took %v; %d times there were two hosts", slowest, both)
			}
			time.Sleep(10 * time.Second)
			if key, hosts := who.key(); hosts != 1 || key == before {
				t.Errorf("%s has %d hosts; a new key: %v", who.config.Profile, hosts, key != before)
			}
		}
	})
}

// TestThirtyDays has two change their keys for thirty days. One is off for five of them; what
// was said meanwhile arrives when it is back. At the end neither disk yields the key of a day
// that is long gone.
func TestThirtyDays(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	synctest.Test(t, func(t *testing.T) {
		w := lab.NewWorld()
		a, b := newPerson(t, w, 1, "Mina"), newPerson(t, w, 2, "Jiwoo")
		w.Start()
		defer w.Close()
		defer a.close()
		defer b.close()
		time.Sleep(time.Second)
		meetAt(a, b)
		const goes, comes, days = 10, 15, 30
		for day := range days {
			if time.Sleep(24 * time.Hour); day == comes {
				b.begin()
				time.Sleep(10 * time.Second)
				if !a.idle() {
					t.Error("what was said while it was off has not arrived")
				}
			}
			if day >= goes && day < comes {
				if day == goes {
					b.end()
				}
				if took := a.say(fmt.Sprint("day ", day), time.Second); took != 0 {
					t.Fatalf("day %d: a receipt of somebody who is off", day)
				}
				a.key()
				continue
			}
			for _, p := range []*person{a, b} {
				if took := p.say(fmt.Sprint("day ", day), 10*time.Second); took == 0 {
					t.Errorf("day %d: a text of %s has no receipt", day, p.config.Profile)
				}
				p.key()
			}
		}
		for _, p := range []*person{a, b} {
			p.end()
			p.keysLeft(days)
		}
	})
}

// keysLeft looks which keys of the days that it was on the disk still yields.
func (p *person) keysLeft(days int) {
	p.t.Helper()
	peer, err := loadPeer(p.st, protocol.Config{})
	if err != nil {
		p.t.Fatal(err)
	}
	today := uint32(time.Now().Unix() / 86400)
	different := map[identity.TransportKey]bool{}
	for day, key := range p.keys {
		different[key] = true
		yields := peer.Transport(time.Unix(int64(day)*86400, 0)).Public() == key
		switch {
		case day+2 < today && yields:
			p.t.Errorf("%s: the key of %d days ago is still on the disk", p.config.Profile, today-day)
		case day+1 >= today && !yields:
			p.t.Errorf("%s: the key of %d days ago is not on the disk", p.config.Profile, today-day)
		}
	}
	if len(different) != len(p.keys) || len(p.keys) < days-6 {
		p.t.Errorf("%s: %d different keys on %d days", p.config.Profile, len(different), len(p.keys))
	}
}
