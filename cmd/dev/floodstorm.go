package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/node/p2p/lab"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

const (
	stormWorkers   = 768              // strangers at a time
	stormStreamers = 16               // of these only open streams, as long as they are let in
	stormStay      = 20 * time.Second // longer than anybody is let
	stormTick      = 10 * time.Millisecond
	stormRetry     = 50 * time.Millisecond
)

// storm is a flood of strangers.
type storm struct {
	at      netip.AddrPort
	key     identity.TransportKey
	options floodOptions

	half    chan struct{} // closed when half of the connections were begun
	streams atomic.Int64

	mu    sync.Mutex // guards tally
	tally stormTally
}

func newStorm(at netip.AddrPort, key identity.TransportKey, o floodOptions) *storm {
	return &storm{at: at, key: key, options: o, half: make(chan struct{}), tally: stormTally{byManner: map[string]int{}}}
}

// rage lets strangers come until as many connections and streams were made as are wanted,
// or ctx is done, and returns when all are gone.
func (s *storm) rage(ctx context.Context) (stormTally, error) {
	crowd, err := lab.NewCrowd()
	if err != nil {
		return stormTally{}, err
	}
	defer crowd.Close()
	start := time.Now()
	tickets := make(chan int) // the number of a connection that may begin
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(tickets)
		return s.pace(ctx, tickets)
	})
	for range stormWorkers {
		group.Go(func() error {
			for i := range tickets {
				s.visit(ctx, crowd, i)
			}
			return nil
		})
	}
	for range stormStreamers {
		group.Go(func() error {
			for ctx.Err() == nil && s.streams.Load() < int64(s.options.streams) {
				if v, err := s.come(ctx, crowd, wire.QUIC, lab.ManyStreams); err != nil || !v.LetIn {
					pause(ctx, stormRetry)
				}
			}
			return nil
		})
	}
	err = group.Wait()
	s.tally.took = time.Since(start)
	return s.tally, err
}

// pace hands out the connections, so many a second, while somebody takes them.
func (s *storm) pace(ctx context.Context, tickets chan<- int) error {
	start := time.Now()
	for i := range s.options.connections {
		if i == s.options.connections/2 {
			close(s.half)
		}
		due := start.Add(time.Duration(i) * time.Second / time.Duration(s.options.rate))
		if wait := time.Until(due); wait > stormTick && !pause(ctx, wait) {
			return ctx.Err()
		}
		select {
		case tickets <- i:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// visit is connection number i: of three, one is by QUIC and one by TCP in the manners of
// whoever speaks libp2p, and one does not get so far.
func (s *storm) visit(ctx context.Context, crowd *lab.Crowd, i int) {
	manner := lab.Manner(i / 3 % lab.Manners)
	switch i % 3 {
	case 0:
		_, _ = s.come(ctx, crowd, wire.QUIC, manner) // refused: it is counted
	case 1:
		_, _ = s.come(ctx, crowd, wire.TCP, manner)
	case 2:
		s.knock(ctx, i/3)
	}
}

// come has somebody come who speaks libp2p.
func (s *storm) come(ctx context.Context, crowd *lab.Crowd, by wire.Network, manner lab.Manner) (lab.Visit, error) {
	ctx, cancel := context.WithTimeout(ctx, stormStay)
	defer cancel()
	v, err := crowd.Visit(ctx, by, s.at, s.key, manner)
	s.streams.Add(int64(v.Streams))
	name := [...]string{"silent", "without a tag", "with a wrong tag", "with half a hello", "slow", "talkative", "with many streams"}[manner]
	s.count(name, err != nil || !v.LetIn, v)
	return v, err
}

// knock connects by TCP and says nothing, half of what comes first, or what it should not.
func (s *storm) knock(ctx context.Context, i int) {
	says := [...]struct{ name, text string }{
		{"that hang up", ""},
		{"that wait", ""},
		{"with half a greeting", "\x13/multistream"},
		{"with nonsense", "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n"},
	}[i%4]
	dialer := net.Dialer{Timeout: stormStay}
	c, err := dialer.DialContext(ctx, "tcp", s.at.String())
	if err != nil {
		s.count(says.name, true, lab.Visit{})
		return
	}
	defer c.Close()
	ended := context.AfterFunc(ctx, func() { c.Close() })
	defer ended()
	start := time.Now()
	if i%4 > 0 {
		_ = c.SetDeadline(start.Add(stormStay))
		if _, err := io.WriteString(c, says.text); err == nil {
			_, _ = io.Copy(io.Discard, c) // libp2p greets everybody
		}
	}
	s.count(says.name, time.Since(start) < time.Second, lab.Visit{})
}

func (s *storm) count(name string, refused bool, v lab.Visit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.connections++
	s.tally.byManner[name]++
	s.tally.streams += v.Streams
	s.tally.answers += v.Answers
	if refused {
		s.tally.refused++
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
