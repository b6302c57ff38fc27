package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/node/api"
)

const (
	siegeIdle     = 10_000 // connections that say nothing
	siegeRate     = 1000   // of them a second
	siegeSlow     = 64     // that send a header a byte at a time
	siegeHeavy    = 4      // that send a body of siegeBody
	siegeBody     = 1 << 30
	siegeTime     = 15 * time.Second       // of each part: quiet and besieged
	siegeEvery    = 25 * time.Millisecond  // a token has 50 calls a second
	siegeDrip     = 200 * time.Millisecond // between two bytes of a slow header
	siegeRetry    = 100 * time.Millisecond
	siegeRatio    = 2  // of a call's time to that in the quiet
	siegeGrowthMB = 32 // of the resident memory
)

// siegeOptions are the flags of siege.
type siegeOptions struct {
	idle        int
	each        time.Duration
	binary, dir string
	gate        bool
}

// siege has programs of this machine, without a token and with one, try to keep the owner from the
// local API: by connections that say nothing, headers that do not end, and bodies of a gigabyte.
func siege(ctx context.Context, t tree, args []string) error {
	var o siegeOptions
	flags := flag.NewFlagSet("siege", flag.ContinueOnError)
	flags.IntVar(&o.idle, "idle", siegeIdle, "`connections` that say nothing")
	flags.DurationVar(&o.each, "for", siegeTime, "`time` of the quiet, and of the siege")
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.StringVar(&o.dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.BoolVar(&o.gate, "gate", false, "fail if a figure misses its bar")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	return t.withProfiles(ctx, "siege-", o.binary, o.dir, func(c *cast) error {
		owner, err := c.begin(ctx, "owner")
		if err != nil {
			return err
		}
		figures, err := t.besiege(ctx, o, owner)
		return errors.Join(err, t.print(figures, o.gate))
	})
}

// besieger tries the local API of a daemon.
type besieger struct {
	base, host string
	token      string
	idle       int
	bodies     atomic.Int64 // bytes of bodies that were sent
	dials      atomic.Int64
}

func (t tree) besiege(ctx context.Context, o siegeOptions, s *side) ([]figure, error) {
	d, err := s.discovery()
	if err != nil {
		return nil, err
	}
	created, err := s.Client.CreateToken(ctx, api.TokenRequest{Name: "siege", Preset: api.PresetBot})
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(d.TCP)
	if err != nil {
		return nil, err
	}
	client, err := api.NewTCPClient(ctx, d.TCP, created.Secret)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	quiet, err := calls(ctx, o.each, s.Client, client)
	if err != nil {
		return nil, err
	}
	before, err := residentMB(s.PID())
	if err != nil {
		return nil, err
	}
	b := &besieger{base: d.TCP, host: base.Host, token: created.Secret, idle: o.idle}
	raging, over := context.WithCancel(ctx)
	defer over()
	camp := b.camp(raging)
	watched := s.watch(raging)
	loud, err := calls(ctx, o.each, s.Client, client)
	over()
	peak := <-watched
	if err := errors.Join(err, awaited(camp.Wait())); err != nil {
		return nil, err
	}
	t.note("%d connections, %d MB of bodies taken; %d calls in the quiet, %d in the siege",
		b.dials.Load(), b.bodies.Load()/bytesPerMB, len(quiet[0]), len(loud[0]))
	return []figure{
		{name: "siege_unix_ms", value: 1e3 * mean(loud[0]), limit: 1e3 * mean(quiet[0]), bar: siegeRatio},
		{name: "siege_tcp_ms", value: 1e3 * mean(loud[1]), limit: 1e3 * mean(quiet[1]), bar: siegeRatio},
		{name: "siege_growth_mb", value: peak.resident - before, limit: siegeGrowthMB, bar: 1},
	}, nil
}

// calls lists conversations by both clients for a time, each time on a new connection, and returns the
// seconds that each call took.
func calls(ctx context.Context, each time.Duration, clients ...*api.Client) ([][]float64, error) {
	took := make([][]float64, len(clients))
	for end := time.Now().Add(each); time.Now().Before(end); {
		for i, c := range clients {
			c.Close() // the connection of the last call
			start := time.Now()
			if _, err := c.Conversations(ctx); err != nil {
				return nil, err
			}
			took[i] = append(took[i], time.Since(start).Seconds())
		}
		if !pause(ctx, siegeEvery) {
			return nil, ctx.Err()
		}
	}
	return took, nil
}

// mean counts the call that had to wait, however many did not.
func mean(took []float64) (sum float64) {
	for _, t := range took {
		sum += t / float64(len(took))
	}
	return sum
}

// camp begins the siege; it ends with ctx.
func (b *besieger) camp(ctx context.Context) *errgroup.Group {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.crowd(ctx) })
	for range siegeSlow {
		group.Go(func() error { return b.drip(ctx) })
	}
	for i := range siegeHeavy {
		group.Go(func() error { return b.burden(ctx, i%2 == 0) })
	}
	return group
}

func (b *besieger) dial(ctx context.Context) (net.Conn, error) {
	b.dials.Add(1)
	return new(net.Dialer).DialContext(ctx, "tcp", b.host)
}

// crowd opens connections, says nothing, and holds them.
func (b *besieger) crowd(ctx context.Context) error {
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for len(open) < b.idle {
		conn, err := b.dial(ctx)
		if err != nil {
			return err
		}
		open = append(open, conn)
		if !pause(ctx, time.Second/siegeRate) {
			return ctx.Err()
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// drip sends a header that never ends, on one connection after the other.
func (b *besieger) drip(ctx context.Context) error {
	for pause(ctx, siegeRetry) {
		conn, err := b.dial(ctx)
		if err != nil {
			return err
		}
		_, err = io.WriteString(conn, "GET /v1/status HTTP/1.1\r\nHost: "+b.host+"\r\nX-Slow: ")
		for err == nil && pause(ctx, siegeDrip) {
			_, err = io.WriteString(conn, "x")
		}
		conn.Close() // ended by the daemon, or by the end of the siege
	}
	return ctx.Err()
}

// burden sends a body of a gigabyte, again and again, with the token or without one.
func (b *besieger) burden(ctx context.Context, known bool) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for pause(ctx, siegeRetry) {
		body := &zeros{left: siegeBody}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+"/v1/invites/inspect", body)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		if known {
			req.Header.Set("Authorization", "Bearer "+b.token)
		}
		b.dials.Add(1)
		resp, err := client.Do(req)
		b.bodies.Add(siegeBody - body.left)
		if err != nil {
			continue // refused in the middle of the body
		}
		status := resp.StatusCode
		resp.Body.Close()
		if status < http.StatusBadRequest {
			return fmt.Errorf("a body of a gigabyte is taken: %s", resp.Status)
		}
	}
	return ctx.Err()
}

// zeros is a long body.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.left))
	clear(p[:n])
	z.left -= int64(n)
	return n, nil
}
