package main

import (
	"context"
	"errors"
	"time"

	"pabal/node/api"
	"pabal/node/p2p/lab"
)

const (
	roundTrips      = 1500
	roundTripTurns  = 3
	roundTripP50Bar = 4
	roundTripP99Bar = 10
	restarts        = 100
	restartTurns    = 5
	restartP50Bar   = 50
	restartP99Bar   = 100
)

// measureRoundTrip times messages on an open conversation, one at a time: from
// the input to the event that it was delivered, as a client gets it. The limit is a
// libp2p round trip and two fsyncs, at their medians. All are milliseconds.
func measureRoundTrip(ctx context.Context, b *benchmark) (figures []figure, err error) {
	dir, remove, err := b.workspace()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	c, err := newCouple(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	b.note("roundtrip: %d messages one at a time", roundTrips)
	var took []float64
	var base []float64
	for range roundTripTurns {
		some, err := c[0].roundTrips(ctx, roundTrips/roundTripTurns)
		if err != nil {
			return nil, err
		}
		took = append(took, some...)
		pingPong, err := lab.PingPong(roundTrips / roundTripTurns)
		if err != nil {
			return nil, err
		}
		syncs, _, err := twoSyncs(dir, roundTrips/roundTripTurns)
		if err != nil {
			return nil, err
		}
		base = append(base, pingPong.P50.Seconds()+syncs)
	}
	limit := 1e3 * quantile(base, 0.5)
	return []figure{
		{name: "roundtrip_p50", value: 1e3 * quantile(took, 0.5), limit: limit, bar: roundTripP50Bar},
		{name: "roundtrip_p99", value: 1e3 * quantile(took, 0.99), limit: limit, bar: roundTripP99Bar},
	}, nil
}

// roundTrips sends messages one after the other and returns the seconds that each took.
func (e *end) roundTrips(ctx context.Context, times int) ([]float64, error) {
	if err := e.delivered(ctx); err != nil {
		return nil, err
	}
	stream, err := e.client.Events(ctx, api.EventsOptions{Latest: true, Types: []string{api.EventMessageStatus}, RefsOnly: true})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	if _, err := stream.Next(); err != nil { // hello
		return nil, err
	}
	var took []float64
	for range times {
		start := time.Now()
		if err := e.send(ctx); err != nil {
			return nil, err
		}
		if _, err := stream.Next(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start).Seconds())
	}
	return took, nil
}

// measureRestart times from the start of a node to the receipt of its first
// message to a contact that is there. The limit is a libp2p dial with its
// first echo, at its median. All are milliseconds.
func measureRestart(ctx context.Context, b *benchmark) (figures []figure, err error) {
	dir, remove, err := b.workspace()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	c, err := newCouple(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	b.note("restart: %d restarts", restarts)
	var took, base []float64
	for range restartTurns {
		for range restarts / restartTurns {
			once, err := c[1].restart(ctx)
			if err != nil {
				return nil, err
			}
			took = append(took, once.Seconds())
		}
		echo, err := lab.DialEcho(restarts / restartTurns)
		if err != nil {
			return nil, err
		}
		base = append(base, echo.P50.Seconds())
	}
	limit := 1e3 * quantile(base, 0.5)
	return []figure{
		{name: "restart_p50", value: 1e3 * quantile(took, 0.5), limit: limit, bar: restartP50Bar},
		{name: "restart_p99", value: 1e3 * quantile(took, 0.99), limit: limit, bar: restartP99Bar},
	}, nil
}

// restart returns how long a node takes from its start until its first message is
// delivered.
func (e *end) restart(ctx context.Context) (time.Duration, error) {
	if err := e.close(); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := e.start(ctx); err != nil {
		return 0, err
	}
	if err := e.send(ctx); err != nil {
		return 0, err
	}
	err := e.delivered(ctx)
	return time.Since(start), err
}
