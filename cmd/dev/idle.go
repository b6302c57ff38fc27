package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"pabal/node/api"
)

const (
	idleContacts   = 50
	idleFor        = 10 * time.Minute
	idleQuietLimit = 20 * time.Minute // until the connections of the start have ended
	idlePort       = ":4001"

	idleNodeRSSMB  = 60
	idleNodeCPU    = 0.3 // percent of one core
	idleDayMB      = 15.0
	idleDayOffMB   = 5.0
	idleMeetings   = 2 // connections a day with each contact who is on: either side changes its transport key
	bytesPerMB     = 1e6
	secondsPerDay  = 86400
	idleFirstHost  = 10 // of a line's addresses, those of contacts begin here
	idleContactMax = 400
)

// idleLine is one of the lines of the lab, by the name of its devices.
type idleLine string

const (
	lineOn     idleLine = "on"      // to contacts who are on, and the node's own address
	lineOff    idleLine = "off"     // to contacts who were on once
	lineOffTCP idleLine = "off-tcp" // to the same, by TCP: a try costs another amount there
)

// The places of the lab, each a network namespace.
const (
	spaceNode     = "node"
	spaceContacts = "contacts"
)

// address returns an address of a line: one that looks like those of the internet at large.
func (l idleLine) address(host int) netip.Addr {
	third := byte(16)
	if l == lineOn {
		third = 8
	}
	return netip.AddrFrom4([4]byte{5, 6, third + byte(host>>8), byte(host)})
}

// network is all addresses of a line.
func (l idleLine) network() string { return l.address(0).String() + "/21" }

// idleOptions are the flags of idle.
type idleOptions struct {
	contacts       int
	time           time.Duration
	binary, dir    string
	gate, optional bool
}

// idle measures a daemon that has contacts and nothing to do. Half of the contacts are on.
// The others are off, and a message waits for each: that is what a daemon tries for. Their
// addresses answer nothing. What a day costs is computed from what was seen in the
// minutes measured, and from what the core of this very profile does a week later.
func idle(ctx context.Context, t tree, args []string) error {
	var o idleOptions
	flags := flag.NewFlagSet("idle", flag.ContinueOnError)
	flags.IntVar(&o.contacts, "contacts", idleContacts, "`contacts`, half of them off")
	flags.DurationVar(&o.time, "for", idleFor, "`time` to measure, once no connection stands")
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.StringVar(&o.dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.BoolVar(&o.gate, "gate", false, "fail if a figure misses its bar")
	flags.BoolVar(&o.optional, "optional", false, "where there can be no lab, say NOT RUN and succeed")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if o.contacts < 2 || o.contacts > idleContactMax {
		fmt.Fprintf(t.stderr, "between 2 and %d contacts\n", idleContactMax)
		return errUsage
	}
	err := t.idle(ctx, o)
	if o.optional && errors.Is(err, errNoLab) {
		fmt.Fprintf(t.stdout, "NOT RUN: %v\n", err)
		return nil
	}
	return err
}

func (t tree) idle(ctx context.Context, o idleOptions) (err error) {
	if err := idleRefusal(); err != nil {
		return err
	}
	parent, err := realDisk(o.dir)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "idle-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.binary == "" {
		o.binary = filepath.Join(dir, "pabal")
		if err := t.buildAlone(ctx, o.binary); err != nil {
			return err
		}
	}
	lab, err := openIdleLab(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.close()) }()
	v := &village{tree: t, lab: lab, dir: dir, binary: o.binary}
	defer v.close()
	if err := v.settle(ctx, o.contacts); err != nil {
		return err
	}
	figures, err := v.measure(ctx, o.time)
	if err != nil {
		return fmt.Errorf("%w\nlog of the node: %s", err, v.node.LogTail())
	}
	return t.print(figures, o.gate)
}

// village is the node that is measured and its contacts.
type village struct {
	tree
	lab         *idleLab
	dir, binary string
	node        *side
	on, off     []*side
}

func (v *village) close() {
	for _, s := range append(append([]*side{v.node}, v.on...), v.off...) {
		if s != nil {
			s.Close()
		}
	}
}

// begin starts a daemon in a place of the lab.
func (v *village) begin(ctx context.Context, name, space string, at netip.Addr) (*side, error) {
	s := newSide(name, v.binary, v.dir)
	s.Within, s.Listen = v.lab.inside(space), at.String()+idlePort
	return s, s.Start(ctx)
}

// settle makes the node and its contacts. Then half of them are off for good, with a
// message waiting for each, and the node is off, too.
func (v *village) settle(ctx context.Context, count int) (err error) {
	if v.node, err = v.begin(ctx, "node", spaceNode, lineOn.address(1)); err != nil {
		return err
	}
	for i := range count {
		line, list := lineOn, &v.on
		if i%2 == 1 {
			line, list = lineOff, &v.off
		}
		at := line.address(idleFirstHost + i)
		if err := v.lab.come(ctx, line, at); err != nil {
			return err
		}
		s, err := v.begin(ctx, fmt.Sprint(line, i), spaceContacts, at)
		*list = append(*list, s)
		if err != nil {
			return err
		}
		if err := befriend(ctx, v.node, s); err != nil {
			return err
		}
		if line == lineOn {
			continue
		}
		if err := s.Stop(ctx); err != nil {
			return err
		}
		if err := v.lab.leave(ctx, line, at); err != nil {
			return err
		}
		if _, err := v.node.Client.SendToContact(ctx, v.node.ContactID, api.MessageRequest{Text: "for when you are back"}, api.SendOptions{}); err != nil {
			return err
		}
	}
	return v.node.Stop(ctx)
}

// has reports whether an address is one of the line.
func (l idleLine) has(at netip.Addr) bool { return netip.MustParsePrefix(l.network()).Contains(at) }

// ends returns the addresses of the devices of a line.
func (l idleLine) ends() (node, contacts netip.Addr) {
	if l == lineOffTCP {
		return l.address(3), l.address(4)
	}
	return l.address(1), l.address(2)
}

// idleLook is what is counted of the node at one moment.
type idleLook struct {
	at        time.Time
	carried   map[idleLine]uint64 // bytes
	processor time.Duration       // of a node that is on
}

func (v *village) look(ctx context.Context) (l idleLook, err error) {
	l.at, l.carried = time.Now(), map[idleLine]uint64{}
	for _, line := range []idleLine{lineOn, lineOff, lineOffTCP} {
		if l.carried[line], err = v.lab.carried(ctx, line); err != nil {
			return l, err
		}
	}
	return l, nil
}

// lookInside is look at a node that is on.
func (v *village) lookInside(ctx context.Context) (idleLook, error) {
	l, err := v.look(ctx)
	if err == nil {
		l.processor, err = processorTime(v.node.PID())
	}
	return l, err
}

// measure starts the node, waits until no connection is left of those that the start has
// made, looks at the node for a time, and computes its day.
func (v *village) measure(ctx context.Context, length time.Duration) ([]figure, error) {
	began, err := v.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.node.Start(ctx); err != nil {
		return nil, err
	}
	v.note("idle: until no connection stands")
	err = eventually(ctx, idleQuietLimit, "the end of all connections", func(ctx context.Context) (bool, error) {
		if !pause(ctx, time.Second) {
			return false, ctx.Err()
		}
		status, err := v.node.Client.Status(ctx)
		return err == nil && status.Network.Peers == 0, err
	})
	if err != nil {
		return nil, err
	}
	before, err := v.lookInside(ctx)
	if err != nil {
		return nil, err
	}
	v.note("idle: %v of nothing", length)
	if !pause(ctx, length) {
		return nil, ctx.Err()
	}
	after, err := v.lookInside(ctx)
	if err != nil {
		return nil, err
	}
	resident, err := residentMB(v.node.PID())
	if err != nil {
		return nil, err
	}
	day, err := v.day(ctx, began, before, after)
	if err != nil {
		return nil, err
	}
	v.note("%s", day)
	seconds := after.at.Sub(before.at).Seconds()
	return []figure{
		{name: "idle_node_rss_mb", value: resident, limit: idleNodeRSSMB, bar: 1},
		{name: "idle_node_cpu_percent", value: 100 * (after.processor - before.processor).Seconds() / seconds, limit: idleNodeCPU, bar: 1},
		{name: "idle_node_day_mb", value: (day.on() + day.off()) / bytesPerMB, limit: idleDayMB, bar: 1},
		{name: "idle_node_day_off_mb", value: day.off() / bytesPerMB, limit: idleDayOffMB, bar: 1},
	}, nil
}

// since is how many bytes a line has carried since another look.
func (l idleLook) since(before idleLook, line idleLine) float64 {
	return float64(l.carried[line] - before.carried[line])
}

// day puts together what the node's day costs.
func (v *village) day(ctx context.Context, began, before, after idleLook) (idleDay, error) {
	ledger, err := v.node.Client.Egress(ctx)
	if err != nil {
		return idleDay{}, err
	}
	var tried offTries // since the start
	for _, e := range ledger.Items {
		at, err := netip.ParseAddrPort(e.Address)
		if err != nil {
			return idleDay{}, fmt.Errorf("an address in the ledger: %w", err)
		}
		if lineOff.has(at.Addr()) {
			tried.add(e.Network == "tcp", int(e.Times))
		}
	}
	if tried.quic == 0 || tried.tcp == 0 {
		return idleDay{}, errors.New("nobody who is off was tried")
	}
	if err := v.node.Stop(ctx); err != nil {
		return idleDay{}, err
	}
	schedule, err := scheduleOf(filepath.Join(v.node.Home, v.node.Name, "data"))
	return idleDay{
		contacts: len(v.on), meetingBytes: before.since(began, lineOn) / float64(len(v.on)),
		quietBytes: after.since(before, lineOn) * secondsPerDay / after.at.Sub(before.at).Seconds(),
		tried:      tried, quicBytes: after.since(began, lineOff) / float64(tried.quic), tcpBytes: after.since(began, lineOffTCP) / float64(tried.tcp),
		schedule: schedule,
	}, err
}
