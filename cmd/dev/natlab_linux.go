package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tunDevice     = "/dev/net/tun"
	spacesDir     = "/run/netns" // where ip keeps its namespaces
	tripsTried    = 5
	portNobodyHas = 9
)

// natLab is the namespaces of one pair and the internet between them.
type natLab struct {
	spaces
	net *internet

	stop  context.CancelFunc
	ended chan error // what the internet's run returned; room for it
}

// labRefusal says why there can be no lab, as errNoLab, or nil. It makes a router and
// removes it.
func labRefusal(ctx context.Context) error {
	if err := spacesRefusal(); err != nil {
		return err
	}
	if _, err := exec.LookPath("nft"); err != nil {
		return fmt.Errorf("%w: there is no nft: apt-get install nftables", errNoLab)
	}
	if _, err := os.Stat(tunDevice); err != nil {
		return fmt.Errorf("%w: there is no %s: modprobe tun, or let the container have the device", errNoLab, tunDevice)
	}
	lab := newLab(0)
	err := lab.buildRouter(ctx, spaceHomeRouter, addressHome, router{})
	if err = errors.Join(err, lab.remove()); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: a router cannot be made: %w", errNoLab, err)
	}
	return err
}

func newLab(delay time.Duration) *natLab {
	return &natLab{spaces: newSpaces(), net: newInternet(delay), ended: make(chan error, 1)}
}

// openLab builds the lab of a pair. The caller must close it.
func openLab(ctx context.Context, delay time.Duration, p natPair) (*natLab, error) {
	lab := newLab(delay)
	if err := lab.build(ctx, p); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: it cannot be built: %w", errNoLab, err), lab.remove())
	}
	working, stop := context.WithCancel(context.WithoutCancel(ctx)) // it ends after the daemons
	lab.stop = stop
	go func() { lab.ended <- lab.net.run(working) }()
	return lab, nil
}

func (l *natLab) build(ctx context.Context, p natPair) error {
	if err := l.space(ctx, spaceHelp); err != nil {
		return err
	}
	if err := l.connect(ctx, spaceHelp, addressHelp); err != nil {
		return err
	}
	for _, h := range []struct {
		home, router, subnet string
		public               netip.Addr
		rules                router
	}{
		{spaceHome, spaceHomeRouter, "192.168.10.", addressHome, p.home},
		{spaceAway, spaceAwayRouter, "192.168.20.", addressAway, p.away},
	} {
		if err := l.buildRouter(ctx, h.router, h.public, h.rules); err != nil {
			return err
		}
		if err := l.space(ctx, h.home); err != nil {
			return err
		}
		home, router := l.prefix+h.home, l.prefix+h.router
		for _, line := range []string{
			"ip link add lan netns " + router + " type veth peer name lan netns " + home,
			"ip -n " + router + " addr add " + h.subnet + "1/24 dev lan",
			"ip -n " + router + " link set lan up",
			"ip -n " + home + " addr add " + h.subnet + "2/24 dev lan",
			"ip -n " + home + " link set lan up",
			"ip -n " + home + " route add default via " + h.subnet + "1",
		} {
			if err := shell(ctx, line, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// buildRouter makes a router with its public side.
func (l *natLab) buildRouter(ctx context.Context, space string, at netip.Addr, r router) error {
	if err := l.space(ctx, space); err != nil {
		return err
	}
	if err := l.connect(ctx, space, at); err != nil {
		return err
	}
	inside := strings.Join(l.inside(space), " ")
	if err := shell(ctx, inside+" tee /proc/sys/net/ipv4/ip_forward", "1\n"); err != nil {
		return err
	}
	if err := shell(ctx, inside+" nft -f -", r.rules()); err != nil {
		return err
	}
	for _, name := range []string{"udp_timeout", "udp_timeout_stream"} {
		seconds := strconv.Itoa(int(natForgets.Seconds()))
		if err := shell(ctx, inside+" tee /proc/sys/net/netfilter/nf_conntrack_"+name, seconds); err != nil {
			return err
		}
	}
	return nil
}

// connect gives a namespace an address of the internet.
func (l *natLab) connect(ctx context.Context, space string, at netip.Addr) error {
	device, name, err := openTUN()
	if err != nil {
		return fmt.Errorf("open %s: %w", tunDevice, err)
	}
	l.net.connect(at, device)
	space = l.prefix + space
	for _, line := range []string{
		"ip link set " + name + " netns " + space + " name wan",
		"ip -n " + space + " addr add " + at.String() + "/24 dev wan",
		"ip -n " + space + " link set wan up",
	} {
		if err := shell(ctx, line, ""); err != nil {
			return err
		}
	}
	return nil
}

// openTUN makes a network interface whose packets this program reads and writes. It is
// gone when it is closed.
func openTUN() (device *os.File, name string, err error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", err
	}
	request, err := unix.NewIfreq("pabal%d") // the kernel counts
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return nil, "", err
	}
	return os.NewFile(uintptr(fd), tunDevice), request.Name(), nil
}

// close ends the internet and removes the lab.
func (l *natLab) close() error {
	l.stop()
	return errors.Join(<-l.ended, l.remove())
}

// remove takes the lab away, with all that is in it.
func (l *natLab) remove() error {
	for _, line := range l.net.lines {
		line.device.Close() // again, after the internet's run
	}
	return l.spaces.remove()
}

// roundTrip returns the shortest of some round trips from home to the courier's
// address: a connection refused takes one.
func (l *natLab) roundTrip(ctx context.Context) (time.Duration, error) {
	type answer struct {
		shortest time.Duration
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and its namespace with it
		shortest, err := shortestRefusal(ctx, filepath.Join(spacesDir, l.prefix+spaceHome))
		answers <- answer{shortest, err}
	}()
	a := <-answers
	return a.shortest, a.err
}

// shortestRefusal moves its thread to a namespace, and must not be called by one that goes on.
func shortestRefusal(ctx context.Context, space string) (time.Duration, error) {
	in, err := os.Open(space)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if err := unix.Setns(int(in.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, err
	}
	shortest := natReach
	for range tripsTried {
		start := time.Now()
		dialer := net.Dialer{Timeout: natReach}
		_, err := dialer.DialContext(ctx, "tcp4", netip.AddrPortFrom(addressHelp, portNobodyHas).String())
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return 0, fmt.Errorf("nobody's port answers: %w", err)
		}
		shortest = min(shortest, time.Since(start))
	}
	return shortest, nil
}
