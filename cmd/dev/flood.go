package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pabal/node/api"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

const (
	floodConnections = 100_000
	floodRate        = 1000             // connections a second, if this machine makes so many
	floodQuiet       = 10 * time.Second // of the conversation before the flood
	floodSettle      = 8 * time.Second  // behind it: no stranger lives so long
	floodEvery       = 50 * time.Millisecond

	// What a flood may cost. More than that means that something has no bound.
	floodRSSMB       = 160
	floodGrowthMB    = 64  // of the resident memory, behind the flood
	floodDiskMB      = 16  // more of the profile, with what the conversation needs
	floodProcessorMS = 2   // of the processor, for each connection or stream
	floodAckRatio    = 3   // of the time until a message is acknowledged, to that of a pair that nobody floods
	floodBackSeconds = 15  // until a contact that comes back in the flood has a message of it
	floodDescriptors = 700 // open files: connsMax and what the rest needs
)

// floodOptions are the flags of flood.
type floodOptions struct {
	connections, streams int
	rate                 int
	binary, dir          string
	gate                 bool
}

// flood has strangers come to a daemon, and open streams there, in great number and in every
// manner, while it goes on talking with a contact. It measures what that costs, and what it does to the
// conversation. The flood takes much of the machine, too: so another pair of daemons, to whom no
// stranger comes, talks at the same time for comparison.
func flood(ctx context.Context, t tree, args []string) error {
	var o floodOptions
	flags := flag.NewFlagSet("flood", flag.ContinueOnError)
	flags.IntVar(&o.connections, "connections", floodConnections, "`connections` of strangers")
	flags.IntVar(&o.streams, "streams", 0, "`streams` of strangers, at least; 0 = as many as connections")
	flags.IntVar(&o.rate, "rate", floodRate, "`connections` a second, at most")
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.StringVar(&o.dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.BoolVar(&o.gate, "gate", false, "fail if a figure misses its bar")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if o.streams == 0 {
		o.streams = o.connections
	}
	if o.connections < 1 || o.rate < 1 {
		fmt.Fprintln(t.stderr, "at least one connection, and one a second")
		return errUsage
	}
	return t.withProfiles(ctx, "flood-", o.binary, o.dir, func(c *cast) error {
		talks, err := c.talks(ctx)
		if err != nil {
			return err
		}
		figures, err := t.underFlood(ctx, o, talks)
		return errors.Join(err, t.print(figures, o.gate))
	})
}

// talk is two contacts, and how many seconds each of their messages took until it was
// acknowledged.
type talk struct {
	one, other *side
	took       []float64
}

// talks starts the pair that is flooded, and the one that is not.
func (c *cast) talks(ctx context.Context) (out [2]*talk, err error) {
	for i, names := range [2][2]string{{"target", "friend"}, {"bystander", "companion"}} {
		var sides [2]*side
		for n, name := range names {
			if sides[n], err = c.begin(ctx, name); err != nil {
				return out, err
			}
		}
		if err := befriend(ctx, sides[0], sides[1]); err != nil {
			return out, err
		}
		out[i] = &talk{one: sides[0], other: sides[1]}
	}
	return out, nil
}

// fresh is the same pairs, with nothing measured.
func fresh(talks [2]*talk) (out [2]*talk) {
	for i, k := range talks {
		out[i] = &talk{one: k.one, other: k.other}
	}
	return out
}

func (k *talk) String() string {
	return fmt.Sprintf("%d messages, half within %.1f ms, all within %.1f ms", len(k.took), 1e3*quantile(k.took, 0.5), 1e3*quantile(k.took, 1))
}

// underFlood measures a quiet time, the flood, and what is left of it.
func (t tree) underFlood(ctx context.Context, o floodOptions, quiet [2]*talk) ([]figure, error) {
	target := quiet[0].one
	at, key, err := target.place(ctx)
	if err != nil {
		return nil, err
	}
	calm, stop := context.WithTimeout(ctx, floodQuiet)
	err = converse(calm, ctx, quiet)
	stop()
	if err != nil {
		return nil, fmt.Errorf("the conversation before the flood: %w", err)
	}
	before, err := target.cost()
	if err != nil {
		return nil, err
	}

	storm := newStorm(at, key, o)
	flooding, over := context.WithCancel(ctx)
	defer over()
	watched := target.watch(flooding)
	var came stormTally
	raging := make(chan error, 1)
	go func() {
		defer over()
		var err error
		came, err = storm.rage(flooding)
		raging <- err
	}()
	loud := fresh(quiet)
	back, err := storm.endure(flooding, ctx, loud)
	over()
	peak := <-watched
	if err := errors.Join(err, <-raging); err != nil {
		return nil, fmt.Errorf("during the flood: %w", err)
	}
	t.note("%s", came)
	if came.answers > 0 {
		return nil, fmt.Errorf("strangers were told %d bytes", came.answers)
	}
	after, err := target.cost()
	if err != nil {
		return nil, err
	}
	if !pause(ctx, floodSettle) {
		return nil, ctx.Err()
	}
	left, err := target.cost()
	if err != nil {
		return nil, err
	}
	t.note("acknowledged before the flood: %s", quiet[0])
	t.note("acknowledged in the flood: %s", loud[0])
	t.note("acknowledged beside the flood: %s", loud[1])
	return []figure{
		{name: "flood_rss_peak_mb", value: peak.resident, limit: floodRSSMB, bar: 1},
		{name: "flood_rss_left_mb", value: left.resident - before.resident, limit: floodGrowthMB, bar: 1},
		{name: "flood_descriptors", value: float64(peak.descriptors), limit: floodDescriptors, bar: 1},
		{name: "flood_disk_mb", value: float64(after.disk-before.disk) / bytesPerMB, limit: floodDiskMB, bar: 1},
		{name: "flood_cpu_ms_each", value: 1e3 * (after.processor - before.processor).Seconds() / float64(came.connections+came.streams), limit: floodProcessorMS, bar: 1},
		{name: "flood_ack_ratio", value: quantile(loud[0].took, 0.5), limit: quantile(loud[1].took, 0.5), bar: floodAckRatio},
		{name: "flood_back_s", value: back.Seconds(), limit: floodBackSeconds, bar: 1},
	}, nil
}

// endure has both pairs talk until the flood is over. Halfway the contact of the target is
// off for a moment, and comes back: it returns how long that one then waits for a message.
func (s *storm) endure(flooding, ctx context.Context, talks [2]*talk) (back time.Duration, err error) {
	half, stop := context.WithCancel(flooding)
	defer stop()
	go func() {
		select {
		case <-s.half:
		case <-flooding.Done():
		}
		stop()
	}()
	if err := converse(half, ctx, talks); err != nil {
		return 0, err
	}
	if err := talks[0].other.Restart(ctx); err != nil {
		return 0, err
	}
	if back, err = talks[0].one.deliver(ctx, "welcome back"); err != nil {
		return 0, fmt.Errorf("to who came back: %w", err)
	}
	return back, converse(flooding, ctx, talks)
}

// place finds where a daemon is and what its transport key is, as anybody does who once had
// a link of it.
func (s *side) place(ctx context.Context) (netip.AddrPort, identity.TransportKey, error) {
	invite, err := s.Client.CreateInvite(ctx, api.InviteRequest{})
	if err != nil {
		return netip.AddrPort{}, identity.TransportKey{}, err
	}
	if invite.URI == nil {
		return netip.AddrPort{}, identity.TransportKey{}, errors.New("the new invite has no link")
	}
	link, err := wire.ParseLink(*invite.URI)
	if err != nil {
		return netip.AddrPort{}, identity.TransportKey{}, err
	}
	network, err := s.Client.Network(ctx)
	if err != nil || len(network.Listen) == 0 || len(link.Addresses) == 0 {
		return netip.AddrPort{}, identity.TransportKey{}, errors.Join(errors.New("the daemon listens nowhere"), err)
	}
	// The key of the day changes within three hours of midnight: then it is the one beside.
	return link.Addresses[0].AddrPort(), link.Keys[0], nil
}

// converse has each pair write to each other by turns until the time is up.
func converse(until, ctx context.Context, talks [2]*talk) error {
	for i := 0; until.Err() == nil || len(talks[0].took) == 0; i++ {
		for _, k := range talks {
			from := k.one
			if i%2 == 1 {
				from = k.other
			}
			took, err := from.deliver(ctx, benchText)
			if err != nil {
				return err
			}
			k.took = append(k.took, took.Seconds())
		}
		pause(until, floodEvery)
	}
	return nil
}

// floodCost is what a daemon uses.
type floodCost struct {
	resident    float64 // MB
	processor   time.Duration
	descriptors int
	disk        int64 // bytes of the profile
}

func (s *side) cost() (c floodCost, err error) {
	pid := s.PID()
	if c.resident, err = residentMB(pid); err != nil {
		return c, err
	}
	if c.processor, err = processorTime(pid); err != nil {
		return c, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return c, err
	}
	c.descriptors = len(open)
	err = filepath.WalkDir(filepath.Join(s.Home, s.Name), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			c.disk += info.Size()
		}
		return err
	})
	return c, err
}

// watch returns the most that a daemon used at any moment until ctx is done.
func (s *side) watch(ctx context.Context) <-chan floodCost {
	most := make(chan floodCost, 1)
	go func() {
		var peak floodCost
		for pause(ctx, 100*time.Millisecond) {
			if now, err := s.cost(); err == nil {
				peak.resident = max(peak.resident, now.resident)
				peak.descriptors = max(peak.descriptors, now.descriptors)
			}
		}
		most <- peak
	}()
	return most
}

// stormTally is what became of a flood.
type stormTally struct {
	connections int // that were tried
	refused     int // of these: ended before or right behind the handshake
	streams     int
	answers     int // bytes that strangers were told
	took        time.Duration
	byManner    map[string]int
}

func (s stormTally) String() string {
	var manners []string
	for name, n := range s.byManner {
		manners = append(manners, fmt.Sprintf("%d %s", n, name))
	}
	return fmt.Sprintf("%d connections, %d of them let in, %d streams in %.0f s (%s)",
		s.connections, s.connections-s.refused, s.streams, s.took.Seconds(), strings.Join(sorted(manners), ", "))
}
