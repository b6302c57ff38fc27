package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
)

// idleLab is the place of the node that is measured and the place of its contacts, and
// lines between them: for what goes to those who are on, and to those who are off.
type idleLab struct{ spaces }

// idleRefusal says why there can be no lab, as errNoLab, or nil.
func idleRefusal() error { return spacesRefusal() }

// openIdleLab builds the lab. The caller must close it.
func openIdleLab(ctx context.Context) (*idleLab, error) {
	lab := &idleLab{newSpaces()}
	if err := lab.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: it cannot be built: %w", errNoLab, err), lab.close())
	}
	return lab, nil
}

func (l *idleLab) build(ctx context.Context) error {
	for _, space := range []string{spaceNode, spaceContacts} {
		if err := l.space(ctx, space); err != nil {
			return err
		}
		// Otherwise the kernels would talk to each other, and be counted.
		inside := strings.Join(l.inside(space), " ")
		if err := shell(ctx, inside+" tee /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/ipv6/conf/default/disable_ipv6", "1\n"); err != nil {
			return err
		}
	}
	node, contacts := l.prefix+spaceNode, l.prefix+spaceContacts
	for _, line := range []idleLine{lineOn, lineOff, lineOffTCP} {
		name := string(line)
		nodeEnd, contactsEnd := line.ends()
		table := "main"
		if line == lineOffTCP {
			table = "100"
			if err := shell(ctx, "ip -n "+node+" rule add ipproto tcp to "+line.network()+" lookup "+table, ""); err != nil {
				return err
			}
		}
		for _, command := range []string{
			"ip link add " + name + " netns " + node + " type veth peer name " + name + " netns " + contacts,
			"ip -n " + node + " addr add " + nodeEnd.String() + "/32 dev " + name,
			"ip -n " + contacts + " addr add " + contactsEnd.String() + "/32 dev " + name,
			"ip -n " + node + " link set " + name + " up",
			"ip -n " + contacts + " link set " + name + " up",
			"ip -n " + node + " route add " + line.network() + " via " + contactsEnd.String() + " dev " + name + " onlink table " + table,
			"ip -n " + contacts + " route add " + nodeEnd.String() + " dev " + name + " src " + contactsEnd.String(),
		} {
			if err := shell(ctx, command, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// come gives the place of the contacts one more address.
func (l *idleLab) come(ctx context.Context, line idleLine, at netip.Addr) error {
	return shell(ctx, "ip -n "+l.prefix+spaceContacts+" addr add "+at.String()+"/32 dev "+string(line), "")
}

// leave takes an address away: packets to it are lost without a word, as behind a router
// whose owner has switched the machine off.
func (l *idleLab) leave(ctx context.Context, line idleLine, at netip.Addr) error {
	return shell(ctx, "ip -n "+l.prefix+spaceContacts+" addr del "+at.String()+"/32 dev "+string(line), "")
}

// carried returns how many bytes a line has carried both ways, with the headers of Ethernet.
func (l *idleLab) carried(ctx context.Context, line idleLine) (uint64, error) {
	said, err := exec.CommandContext(ctx, "ip", "-n", l.prefix+spaceNode, "-s", "-j", "link", "show", "dev", string(line)).Output()
	if err != nil {
		return 0, fmt.Errorf("read the counters of line %s: %w", line, err)
	}
	var devices []struct {
		Stats struct {
			In  struct{ Bytes uint64 } `json:"rx"`
			Out struct{ Bytes uint64 } `json:"tx"`
		} `json:"stats64"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(said), &devices); err != nil || len(devices) != 1 {
		return 0, errors.Join(errors.New("the counters of line "+strconv.Quote(string(line))+" cannot be read"), err)
	}
	return devices[0].Stats.In.Bytes + devices[0].Stats.Out.Bytes, nil
}

func (l *idleLab) close() error { return l.remove() }
