package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pabal/node/api"
)

const (
	natDelay     = 10 * time.Millisecond // from any router to any other, one way
	natReach     = 30 * time.Second      // for a message or a path; much more than any needs
	natPunches   = 3                     // tries of a hole punch after which the path stays as it is
	natTextBytes = 16 << 10              // of the message whose way is watched: far above all else that is sent meanwhile
)

// errNoLab says that this machine or this user cannot have the lab.
var errNoLab = errors.New("no lab here")

// natPair is two homes behind routers, and what is expected of them.
type natPair struct {
	name string
	home router // that of the one who writes
	away router // that of the other
	want string
	// punched: both sides try to make a hole, and the lab waits for the tries.
	punched bool
	// alone: nobody helps any more when the daemons come back, both at once, and no router
	// remembers a hole.
	alone bool
}

func natPairs() []natPair {
	symmetric := router{masquerade: "random"}
	return []natPair{
		{name: "port-preserving", want: "direct/udp", punched: true},
		{name: "symmetric", home: symmetric, away: symmetric, want: "relay/udp", punched: true},
		{name: "udp-blocked", home: router{noUDP: true}, want: "relay/tcp"},
		{name: "no-box", want: "direct/udp", alone: true},
	}
}

// natResult is one line of the result.
type natResult struct {
	pair      string
	path      string // direct or relay, and what carries it
	ack, trip time.Duration
}

// String is the line as it is printed: plain decimals between tabs.
func (r natResult) String() string {
	decimal := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	milliseconds := func(d time.Duration) string { return decimal(1e3 * d.Seconds()) }
	return strings.Join([]string{r.pair, r.path, milliseconds(r.ack), milliseconds(r.trip), decimal(r.ack.Seconds() / r.trip.Seconds())}, "\t")
}

// natOptions are the flags of nat.
type natOptions struct {
	binary   string
	delay    time.Duration
	optional bool
}

// nat lets daemons behind different routers find each other through a courier, and prints
// by which path each pair ends up, and how long the first message of a daemon that
// comes back takes, from the request until it is acknowledged by the other side. The
// routers are network namespaces; the internet between them is this program, which sees
// what goes where.
func nat(ctx context.Context, t tree, args []string) error {
	var o natOptions
	flags := flag.NewFlagSet("nat", flag.ContinueOnError)
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.DurationVar(&o.delay, "delay", natDelay, "`time` from one router to another")
	flags.BoolVar(&o.optional, "optional", false, "where there can be no lab, say NOT RUN and succeed")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	err := t.nat(ctx, o)
	if o.optional && errors.Is(err, errNoLab) {
		fmt.Fprintf(t.stdout, "NOT RUN: %v\n", err)
		return nil
	}
	return err
}

func (t tree) nat(ctx context.Context, o natOptions) (err error) {
	if err := labRefusal(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pabal-nat-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.binary == "" {
		o.binary = filepath.Join(dir, "pabal")
		if err := t.build(ctx, o.binary); err != nil {
			return err
		}
	}
	fmt.Fprintln(t.stdout, "pair\tpath\tfirst_ack_ms\trtt_ms\tratio")
	for _, p := range natPairs() {
		result, err := p.measure(ctx, o, filepath.Join(dir, p.name))
		if err != nil {
			return fmt.Errorf("%s pair: %w", p.name, err)
		}
		fmt.Fprintln(t.stdout, result)
		if result.path != p.want {
			return fmt.Errorf("%s pair: the path is %s, not %s", p.name, result.path, p.want)
		}
	}
	return nil
}

// measure builds the lab of a pair, uses it, and removes it.
func (p natPair) measure(ctx context.Context, o natOptions, dir string) (result natResult, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return result, err
	}
	lab, err := openLab(ctx, o.delay, p)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, lab.close()) }()
	trip, err := lab.roundTrip(ctx)
	if err != nil {
		return result, fmt.Errorf("measure the round trip: %w", err)
	}
	k := newNatCouple(lab, o.binary, dir)
	defer k.close()
	result, err = k.measure(ctx, p)
	result.trip = trip
	if err != nil && ctx.Err() == nil {
		err = errors.Join(err, k.logs())
	}
	return result, err
}

// natCouple is two contacts and the friend who helps both.
type natCouple struct {
	lab              *natLab
	home, away, help *side
}

func newNatCouple(lab *natLab, binary, dir string) *natCouple {
	in := func(space, listen string) *side {
		s := newSide(space, binary, dir)
		s.Within, s.Listen = lab.inside(space), listen
		return s
	}
	return &natCouple{
		lab:  lab,
		home: in(spaceHome, "0.0.0.0:4001"), away: in(spaceAway, "0.0.0.0:4001"), help: in(spaceHelp, addressHelp.String()+":4001"),
	}
}

func (k *natCouple) sides() []*side { return []*side{k.help, k.away, k.home} }

func (k *natCouple) close() {
	for _, s := range k.sides() {
		s.Close()
	}
}

// logs is what the daemons have to say to a failure.
func (k *natCouple) logs() (err error) {
	for _, s := range k.sides() {
		if log := s.LogTail(); len(log) > 0 {
			err = errors.Join(err, fmt.Errorf("log of %s: %s", s.Name, log))
		}
	}
	return err
}

func (k *natCouple) measure(ctx context.Context, p natPair) (natResult, error) {
	if err := k.meet(ctx); err != nil {
		return natResult{}, err
	}
	comeBack := k.comeBack
	if p.alone {
		comeBack = k.comeBackAlone
	}
	ack, err := comeBack(ctx)
	if err != nil {
		return natResult{}, err
	}
	path, err := k.path(ctx, p)
	return natResult{pair: p.name, path: path, ack: ack}, err
}

// meet starts all, has both helped, and makes them contacts.
func (k *natCouple) meet(ctx context.Context) error {
	for _, s := range k.sides() {
		if err := s.Start(ctx); err != nil {
			return err
		}
	}
	for _, s := range []*side{k.away, k.home} {
		if err := befriend(ctx, k.help, s); err != nil {
			return fmt.Errorf("make %s a contact of the courier: %w", s.Name, err)
		}
		if _, err := k.help.Client.OfferCourier(ctx, api.CourierRequest{ContactID: k.help.ContactID}); err != nil {
			return err
		}
		if err := k.helped(ctx, s); err != nil {
			return err
		}
	}
	if err := befriend(ctx, k.away, k.home); err != nil {
		return fmt.Errorf("make the two contacts: %w", err)
	}
	for _, s := range []*side{k.away, k.home} { // either learns where the other's mailbox is
		if err := k.helped(ctx, s); err != nil {
			return err
		}
		if _, err := s.deliver(ctx, "hello"); err != nil {
			return err
		}
	}
	return nil
}

// helped waits until a side's mailboxes stand at the courier.
func (k *natCouple) helped(ctx context.Context, s *side) error {
	return eventually(ctx, natReach, s.Name+" having its mailboxes", func(ctx context.Context) (bool, error) {
		couriers, err := s.Client.Couriers(ctx)
		return err == nil && len(couriers) == 1 && couriers[0].Ready, err
	})
}

// comeBack starts the daemon at home again and returns how long its first message took.
// It has another port then: no hole that was made before leads to it.
func (k *natCouple) comeBack(ctx context.Context) (time.Duration, error) {
	if err := k.home.Stop(ctx); err != nil {
		return 0, err
	}
	k.home.Listen = "0.0.0.0:4002"
	if err := k.home.Start(ctx); err != nil {
		return 0, err
	}
	return k.home.deliver(ctx, "back again")
}

// deliver sends a message and returns how long it took until the other side had
// acknowledged it.
func (s *side) deliver(ctx context.Context, text string) (time.Duration, error) {
	start := time.Now()
	m, err := s.Client.PutMessage(ctx, s.Conversation, api.NewMessageID(), api.MessageRequest{Text: text},
		api.SendOptions{Wait: api.StateDelivered, Timeout: natReach})
	switch took := time.Since(start); {
	case err != nil:
		return 0, err
	case m.Status == nil || m.Status.State != api.StateDelivered:
		return 0, fmt.Errorf("a message of %s was not delivered in %v", s.Name, natReach)
	default:
		return took, nil
	}
}

// path returns the path that the pair ends up with: as the daemon at home tells, if a
// message goes by it, and by what that message goes.
func (k *natCouple) path(ctx context.Context, p natPair) (string, error) {
	if p.punched {
		err := eventually(ctx, natReach, "a direct path, or the last try to make one", func(ctx context.Context) (bool, error) {
			if path, err := k.told(ctx); err != nil || path == pathDirect {
				return err == nil, err
			}
			tries, err := k.punches(ctx)
			return tries >= natPunches, err
		})
		if err != nil {
			return "", err
		}
	}
	before := k.lab.net.carried()
	if _, err := k.home.deliver(ctx, strings.Repeat(".", natTextBytes)); err != nil {
		return "", err
	}
	after := k.lab.net.carried()
	path, err := k.told(ctx)
	if err != nil {
		return "", err
	}
	by := carrier(before, after, path)
	if by == "" {
		return "", fmt.Errorf("the path is said to be %s, but no message goes there: %v", path, after)
	}
	return path + "/" + by, nil
}

// carrier returns what carried a message of natTextBytes from home by a path, empty if it
// did not go there.
func carrier(before, after map[flow]uint64, path string) string {
	to := addressHelp
	if path == pathDirect {
		to = addressAway
	}
	for _, by := range []string{"udp", "tcp"} {
		f := flow{addressHome, to, by}
		if after[f]-before[f] >= natTextBytes {
			return by
		}
	}
	return ""
}

// The paths of api.NetworkPeer that there can be here.
const (
	pathDirect = "direct"
	pathRelay  = "relay"
)

// told returns by which path the daemon at home says that it reaches the other.
func (k *natCouple) told(ctx context.Context) (string, error) {
	network, err := k.home.Client.Network(ctx)
	if err != nil {
		return "", err
	}
	for _, peer := range network.Peers {
		if peer.ContactID == k.home.ContactID {
			return peer.Path, nil
		}
	}
	return "", errors.New("there is no path")
}

// punches returns how often the daemon at home has tried to make a hole.
func (k *natCouple) punches(ctx context.Context) (uint64, error) {
	ledger, err := k.home.Client.Egress(ctx)
	var n uint64
	for _, e := range ledger.Items {
		if e.Reason == "punch" {
			n = max(n, e.Times)
		}
	}
	return n, err
}
