package node_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/node/p2p"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

const (
	// strangersAtOnce is how many stand at each node at once: it takes 64.
	strangersAtOnce = 48
	// strangerRounds times strangersAtOnce times two nodes is 192 tries; half with
	// -short.
	strangerRounds = 2
	// strangerSamples is how often they all come again before a difference in time
	// counts: noise goes as the tries become more, a difference stays.
	strangerSamples = 4
	// strangerDials is how many dials of one stranger may fail.
	strangerDials = 20
	// strangerAccidents is how many conns of one sample may break by themselves.
	strangerAccidents = 4
	// strangerLife is when a node ends the connection of a stranger, always.
	strangerLife = 5 * time.Second
)

// visited is a node that strangers come to.
type visited struct {
	name      string
	key       identity.TransportKey
	addresses []wire.Address
}

// approach is what a stranger tries.
type approach struct {
	name  string
	class string // approaches of one class are compared as one
	say   func(stranger, node identity.TransportKey) []p2p.Frame
}

// visit is one try, as the stranger sees it.
type visit struct {
	network      wire.Network
	node         visited
	class        string // of the approach, at which node
	approach     approach
	whole, lived time.Duration // until the end: from the dial, from the connection
	code         p2p.Code
	answers      int // frames that came
}

// TestStrangersLearnNothing sends strangers to a node that has contacts and
// invites of every state, and to a fresh one. Whatever they say (nothing, unknown
// and recorded tags, frames of every type), nothing is answered, and the connection
// ends after the same time. Holders of old links: see TestOldLinkOpensNothing.
//
// Times are compared by medians: that of each kind of approach to each node may
// be off from that of all by 100 ms, or by twice the spread of all (the distance
// between quartiles) where the machine is so busy that this is more. Both nodes and
// all approaches are visited side by side, so load falls on all alike, and what is off
// must stay off when all come again and are counted together. An end that
// comes with the verdict, or waits for work that only a known tag causes, is off by
// seconds. No end may come before strangerLife, whatever the load, but by an accident of
// the connection: what ended early is tried again, alone, and must not end early then.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, approaches := popular(ctx, t)
	fresh := newPerson(t, "Somebody without contacts")
	nodes := []visited{nodeOf(ctx, t, mina, "popular"), nodeOf(ctx, t, fresh, "fresh")}

	rounds := strangerRounds
	if testing.Short() {
		rounds = 1
	}
	byNetwork := map[wire.Network][]visit{}
	for sample := 1; ; sample++ {
		visits := make(chan visit, strangersAtOnce*rounds*len(nodes))
		var running sync.WaitGroup
		for i := range strangersAtOnce {
			running.Go(func() { stranger(t, i, rounds, nodes, approaches, visits) })
		}
		running.Wait()
		close(visits)
		for _, early := range sortVisits(t, visits, byNetwork) {
			tryAgain(t, early)
		}
		var off []string
		for network, list := range byNetwork {
			off = append(off, compareTimes(t, network, list)...)
		}
		if len(off) == 0 || t.Failed() {
			return
		}
		if sample == strangerSamples {
			t.Error(strings.Join(off, "\n"))
			return
		}
	}
}

// popular is a node with a contact and with invites in every state, and all that
// a stranger may try on it.
func popular(ctx context.Context, t *testing.T) (*person, []approach) {
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	port := freePort(t)
	mina.end()
	peer := peek(mina)
	mina.startAt(port)
	used := inviteOf(ctx, mina, api.InviteRequest{})
	accepted := must[api.Accepted](t)(jiwoo.AcceptInvite(ctx, api.AcceptRequest{URI: *used.URI}))
	jiwoo.until(ctx, func() bool {
		return must[api.Contact](t)(jiwoo.Contact(ctx, accepted.ContactID)).State == api.ContactEstablished
	})
	mina.until(ctx, func() bool { return mina.onlyContact(ctx).State == api.ContactEstablished })
	inviteOf(ctx, mina, api.InviteRequest{})
	inviteOf(ctx, mina, api.InviteRequest{Kind: "card"})
	revoked := inviteOf(ctx, mina, api.InviteRequest{})
	if err := mina.RevokeInvite(ctx, revoked.ID); err != nil {
		t.Fatal(err)
	}

	// The hello of a contact is recorded by somebody who plays the node while it is
	// off: the strongest place to record one.
	mina.end()
	recorder := openHost(t, peer.Transport(time.Now()), port)
	must[api.Message](t)(jiwoo.SendToContact(ctx, accepted.ContactID, api.MessageRequest{Text: "for later"}, api.SendOptions{}))
	recorded := firstHello(t, recorder)
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	mina.start()
	jiwoo.until(ctx, func() bool { return must[api.Status](t)(jiwoo.Status(ctx)).OutboxTotal == 0 })
	return mina, append(frameApproaches(), approach{name: "a recorded hello", class: "tag", say: func(_, _ identity.TransportKey) []p2p.Frame {
		return []p2p.Frame{recorded, {Type: wire.TypeEnvelope, Body: make([]byte, 512)}}
	}})
}

// inviteOf makes an invite, once the node knows its addresses.
func inviteOf(ctx context.Context, p *person, in api.InviteRequest) api.Invite {
	p.t.Helper()
	p.placed(ctx)
	return must[api.Invite](p.t)(p.CreateInvite(ctx, in))
}

// firstHello waits for the first frame that anybody sends to a host.
func firstHello(t *testing.T, h *p2p.Host) p2p.Frame {
	t.Helper()
	for e := range h.Events() {
		if r, ok := e.(p2p.Received); ok {
			if r.Frames[0].Type != wire.TypeHello {
				t.Fatalf("the first frame is %s", r.Frames[0].Type.Name())
			}
			return r.Frames[0]
		}
	}
	t.Fatal("the host closed")
	return p2p.Frame{}
}

// frameApproaches is what anybody can say: nothing, a tag at random, and a frame of
// every other type.
func frameApproaches() []approach {
	list := []approach{
		{name: "nothing", class: "nothing", say: func(_, _ identity.TransportKey) []p2p.Frame { return nil }},
		{name: "a random hello", class: "tag", say: func(_, _ identity.TransportKey) []p2p.Frame {
			return []p2p.Frame{{Type: wire.TypeHello, Body: randomBytes(identity.HelloTagSize)}}
		}},
	}
	for kind := wire.TypeHello + 1; kind.Name() != "unknown"; kind++ {
		size := kind.BodyBytesMax()
		if size > wire.RequestSize+1024 {
			size = 512
		}
		list = append(list, approach{name: "a frame " + kind.Name(), class: "frame", say: func(_, _ identity.TransportKey) []p2p.Frame {
			return []p2p.Frame{{Type: kind, Body: randomBytes(size)}}
		}})
	}
	return list
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// nodeOf finds where a node is and what its transport key is, by a link of it.
func nodeOf(ctx context.Context, t *testing.T, p *person, name string) visited {
	link := must[wire.Link](t)(wire.ParseLink(*inviteOf(ctx, p, api.InviteRequest{}).URI))
	h := openHost(t, identity.TransportSeed(randomBytes(32)), 0)
	key := whoIs(t, h, p2p.Dial{ID: 1, Keys: link.Keys, Addresses: link.Addresses, Why: forTests()})
	return visited{name: name, key: key, addresses: link.Addresses}
}

// whoIs dials and hangs up, and returns the key of who answers. That a dial finds
// nobody may be a busy machine.
func whoIs(t testing.TB, h *p2p.Host, d p2p.Dial) identity.TransportKey {
	t.Helper()
	h.Dial(d)
	failed := 0
	for e := range h.Events() {
		switch e := e.(type) {
		case p2p.Opened:
			h.Hangup(e.Conn)
			return e.Remote
		case p2p.DialFailed:
			if failed++; failed > strangerDials {
				t.Fatalf("nobody answers: %s", e.Code)
			}
			h.Dial(d)
		}
	}
	t.Fatal("the host closed")
	return identity.TransportKey{}
}

// stranger number i visits every node at once, in each round with another approach.
func stranger(t *testing.T, i, rounds int, nodes []visited, approaches []approach, visits chan<- visit) {
	h := openHost(t, identity.TransportSeed(randomBytes(32)), 0)
	network := wire.Network(i%2 + 1)
	for round := range rounds {
		tries, dials := map[uint64]*visit{}, map[uint64]p2p.Dial{}
		for n, node := range nodes {
			a := approaches[(i/2+n+round*len(approaches)/2)%len(approaches)]
			tries[uint64(n)] = &visit{network: network, node: node, class: a.class + " at " + node.name, approach: a}
			addresses := slices.DeleteFunc(slices.Clone(node.addresses), func(a wire.Address) bool { return a.Network != network })
			dials[uint64(n)] = p2p.Dial{ID: uint64(n), Keys: []identity.TransportKey{node.key}, Addresses: addresses, Why: forTests()}
			h.Dial(dials[uint64(n)])
		}
		if !watchVisits(h, tries, dials) {
			t.Errorf("stranger %d is not let in", i)
			return
		}
		for _, v := range tries {
			visits <- *v
		}
	}
}

// watchVisits follows dials, by their numbers, until all are over; false if one
// finds nobody time and again. That one does may be a busy machine.
func watchVisits(h *p2p.Host, tries map[uint64]*visit, dials map[uint64]p2p.Dial) bool {
	failed := 0
	begin, byConn, opened := time.Now(), map[uint64]*visit{}, map[uint64]time.Time{}
	for left := len(tries); left > 0; {
		switch e := (<-h.Events()).(type) {
		case p2p.Opened:
			v := tries[e.Dial]
			byConn[e.Conn], opened[e.Conn] = v, time.Now()
			h.Send(e.Conn, v.approach.say(h.Key(), e.Remote))
		case p2p.Received:
			byConn[e.Conn].answers += len(e.Frames)
			h.Hangup(e.Conn) // the verdict is clear, and the conn may stay for long
		case p2p.Closed:
			v := byConn[e.Conn]
			v.whole, v.lived, v.code = time.Since(begin), time.Since(opened[e.Conn]), e.Code
			left--
		case p2p.DialFailed:
			if failed++; failed > strangerDials {
				return false
			}
			h.Dial(dials[e.Dial])
		}
	}
	return true
}

// sortVisits checks that no stranger was answered, and adds the visits to those before,
// but for those that ended early: it returns these.
func sortVisits(t *testing.T, visits <-chan visit, byNetwork map[wire.Network][]visit) (early []visit) {
	t.Helper()
	tried := map[string]int{}
	for v := range visits {
		tried[v.approach.name+", "+v.class]++
		checkEnd(t, v)
		if v.whole < strangerLife {
			early = append(early, v)
			continue
		}
		byNetwork[v.network] = append(byNetwork[v.network], v)
	}
	t.Logf("%d approaches were tried", len(tried))
	if len(early) > strangerAccidents {
		t.Errorf("%d ends came early, the first: %s, %s, after %v", len(early), early[0].approach.name, early[0].class, early[0].whole)
	}
	return early
}

// checkEnd checks that a stranger was told nothing.
func checkEnd(t *testing.T, v visit) {
	t.Helper()
	if v.answers > 0 {
		t.Errorf("%s, %s: %d frames were answered", v.approach.name, v.class, v.answers)
	}
	if v.code != p2p.CodeNoAnswer {
		t.Errorf("%s, %s: the conn ended with %q", v.approach.name, v.class, v.code)
	}
}

// tryAgain repeats a visit that ended early, with nobody beside it.
func tryAgain(t *testing.T, early visit) {
	t.Helper()
	t.Logf("%s, %s, network %d: the end came after %v, %v after the conn", early.approach.name, early.class, early.network, early.whole, early.lived)
	addresses := slices.DeleteFunc(slices.Clone(early.node.addresses), func(a wire.Address) bool { return a.Network != early.network })
	h := openHost(t, identity.TransportSeed(randomBytes(32)), 0)
	again := &visit{network: early.network, node: early.node, class: early.class, approach: early.approach}
	dial := p2p.Dial{ID: 0, Keys: []identity.TransportKey{early.node.key}, Addresses: addresses, Why: forTests()}
	h.Dial(dial)
	if !watchVisits(h, map[uint64]*visit{0: again}, map[uint64]p2p.Dial{0: dial}) {
		t.Fatal("who was ended early is not let in again")
	}
	if checkEnd(t, *again); again.whole < strangerLife {
		t.Errorf("%s, %s: the end came early twice, after %v and %v", again.approach.name, again.class, early.whole, again.whole)
	}
}

// compareTimes names the classes whose end is off that of all.
func compareTimes(t *testing.T, network wire.Network, list []visit) (off []string) {
	t.Helper()
	var all []time.Duration
	byClass := map[string][]time.Duration{}
	for _, v := range list {
		all = append(all, v.lived)
		byClass[v.class] = append(byClass[v.class], v.lived)
	}
	slices.Sort(all)
	middle := all[len(all)/2]
	bound := max(100*time.Millisecond, 2*(all[len(all)*3/4]-all[len(all)/4]))
	t.Logf("network %d: %d tries, median %v, bound %v", network, len(all), middle, bound)
	for class, times := range byClass {
		slices.Sort(times)
		if by := (times[len(times)/2] - middle).Abs(); by > bound {
			off = append(off, fmt.Sprintf("network %d, %s: the end comes %v off the median of all, bound %v", network, class, by, bound))
		}
	}
	return off
}
