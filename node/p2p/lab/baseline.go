package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/gologshim"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
)

const (
	// messageBytes is what goes there and back: the envelope of a short message.
	messageBytes = 512
	// roundsMax bounds one measurement.
	roundsMax = 1_000_000
	// roundTimeout is how long one round may take.
	roundTimeout = 10 * time.Second
	// warmUpRounds come before the first round that counts.
	warmUpRounds = 20

	echoProtocol protocol.ID = "/x/echo/1"
)

// Stats sums up rounds by their quantiles.
type Stats struct {
	Rounds             int
	Min, P50, P99, Max time.Duration
	Total              time.Duration // of all rounds
}

// ErrRounds says that a number of rounds is not between 1 and a million.
var ErrRounds = errors.New("lab: bad number of rounds")

// PingPong measures n round trips of 512 bytes on one open stream.
func PingPong(n int) (Stats, error) {
	return measure(n, func(dialer, listener host.Host) (func() error, error) {
		if err := dialer.Connect(context.Background(), peer.AddrInfo{ID: listener.ID()}); err != nil {
			return nil, err
		}
		s, err := dialer.NewStream(context.Background(), listener.ID(), echoProtocol)
		if err != nil {
			return nil, err
		}
		return func() error { return echo(s) }, nil
	})
}

// DialEcho measures n times a new connection, a stream on it and one round trip of
// 512 bytes. Closing the connection is not counted.
func DialEcho(n int) (Stats, error) {
	return measure(n, func(dialer, listener host.Host) (func() error, error) {
		return func() error {
			ctx, cancel := context.WithTimeout(context.Background(), roundTimeout)
			defer cancel()
			s, err := dialer.NewStream(ctx, listener.ID(), echoProtocol)
			if err != nil {
				return err
			}
			return echo(s)
		}, nil
	}, func(dialer, listener host.Host) error {
		return dialer.Network().ClosePeer(listener.ID())
	})
}

// measure runs rounds between two fresh hosts; between runs after each of them,
// outside the time that counts.
func measure(n int, prepare func(dialer, listener host.Host) (func() error, error),
	between ...func(dialer, listener host.Host) error) (Stats, error) {
	if n < 1 || n > roundsMax {
		return Stats{}, ErrRounds
	}
	dialer, listener, err := pair()
	if err != nil {
		return Stats{}, err
	}
	defer dialer.Close()
	defer listener.Close()
	round, err := prepare(dialer, listener)
	if err != nil {
		return Stats{}, fmt.Errorf("prepare: %w", err)
	}
	times := make([]time.Duration, 0, n)
	for i := range warmUpRounds + n {
		start := time.Now()
		if err := round(); err != nil {
			return Stats{}, fmt.Errorf("round %d: %w", i, err)
		}
		if i >= warmUpRounds {
			times = append(times, time.Since(start))
		}
		for _, f := range between {
			if err := f(dialer, listener); err != nil {
				return Stats{}, fmt.Errorf("after round %d: %w", i, err)
			}
		}
	}
	return summarise(times), nil
}

// pair makes two hosts that know each other's addresses; the second one echoes.
func pair() (dialer, listener host.Host, err error) {
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	newHost := func() (host.Host, error) {
		return libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1"), libp2p.Transport(quic.NewTransport),
			libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableMetrics(), libp2p.DisableRelay(),
			libp2p.DisableIdentifyAddressDiscovery(), libp2p.ForceReachabilityPrivate())
	}
	if listener, err = newHost(); err != nil {
		return nil, nil, fmt.Errorf("make host: %w", err)
	}
	if dialer, err = newHost(); err != nil {
		listener.Close()
		return nil, nil, fmt.Errorf("make host: %w", err)
	}
	listener.SetStreamHandler(echoProtocol, func(s network.Stream) {
		io.Copy(s, s)
		s.Close()
	})
	dialer.Peerstore().AddAddrs(listener.ID(), listener.Addrs(), peerstore.PermanentAddrTTL)
	return dialer, listener, nil
}

var errChanged = errors.New("lab: the echo differs")

// echo sends one message and waits for it to come back.
func echo(s network.Stream) error {
	var sent, back [messageBytes]byte
	sent[0], sent[messageBytes-1] = 1, 2
	if err := s.SetDeadline(time.Now().Add(roundTimeout)); err != nil {
		return err
	}
	if _, err := s.Write(sent[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(s, back[:]); err != nil {
		return err
	}
	if !bytes.Equal(sent[:], back[:]) {
		return errChanged
	}
	return nil
}

// summarise needs at least one time.
func summarise(times []time.Duration) Stats {
	slices.Sort(times)
	s := Stats{Rounds: len(times), Min: times[0], Max: times[len(times)-1],
		P50: times[(len(times)-1)/2], P99: times[(len(times)-1)*99/100]}
	for _, t := range times {
		s.Total += t
	}
	return s
}

// bulkProtocol takes all that comes and answers with one byte behind its end.
const bulkProtocol = "/lab/bulk"

// Bulk measures how long n bytes take on one stream of a connection that stands, until the
// other side says that it has all of them. Nothing is read from a disk or written to one.
func Bulk(n int64) (time.Duration, error) {
	dialer, listener, err := pair()
	if err != nil {
		return 0, err
	}
	defer dialer.Close()
	defer listener.Close()
	listener.SetStreamHandler(bulkProtocol, func(s network.Stream) {
		io.Copy(io.Discard, s)
		s.Write([]byte{1})
		s.Close()
	})
	s, err := dialer.NewStream(context.Background(), listener.ID(), bulkProtocol)
	if err != nil {
		return 0, err
	}
	defer s.Reset()
	piece := make([]byte, 64<<10)
	began := time.Now()
	for left := n; left > 0; left -= int64(len(piece)) {
		if _, err := s.Write(piece[:min(int64(len(piece)), left)]); err != nil {
			return 0, err
		}
	}
	if err := s.CloseWrite(); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}
