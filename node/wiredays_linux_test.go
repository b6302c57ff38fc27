package node_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/protocol/wire"
)

// watchesDays says that this process is alone in a network namespace, and by what its
// people talk there.
const watchesDays = "PABAL_TEST_DAYS"

// TestWireOfTwoDays captures all that a machine's loopback carries on two days while people
// on it invite each other, by links and by a courier, write, leave mail at the courier and
// collect it. It looks for whatever names a person, a device, a message or this program,
// and for any eight bytes that the line shows on both days.
func TestWireOfTwoDays(t *testing.T) {
	if network := os.Getenv(watchesDays); network != "" {
		watchTwoDays(t, network)
		return
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Log("not tried: there is no program ip here")
		return
	}
	for _, network := range []string{"QUIC", "TCP"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestWireOfTwoDays$", "-test.v")
			// Otherwise what the kernel shows as one datagram may be many.
			cmd.Env = append(os.Environ(), watchesDays+"="+network, "QUIC_GO_DISABLE_GSO=true")
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
				Pdeathsig:   syscall.SIGKILL,
			}
			said, err := cmd.CombinedOutput()
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOSPC) {
				t.Log("not tried: this system lets nobody but root make network namespaces")
				return
			}
			t.Logf("%s", said)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// ownLine brings up the loopback of our own namespace, with packets of the size that they
// have elsewhere; for TCP only, without UDP.
func ownLine(t *testing.T, network string) {
	t.Helper()
	lines := []string{"link set lo mtu 1500 gso_max_segs 1 up"}
	if network == "TCP" {
		lines = append(lines, "rule add pref 50 ipproto udp blackhole", "rule add pref 100 lookup local", "rule del pref 0")
	}
	for _, arguments := range lines {
		if err := ip(arguments); err != nil {
			t.Fatal(err)
		}
	}
}

func watchTwoDays(t *testing.T, network string) {
	ownLine(t, network)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	line := openCapture(t)
	s := &twoDays{t: t, hidden: needles{}, direct: network == "TCP"}
	constants := wireConstants(t)
	mark := make([]byte, 8) // what a line that tells the days' likeness would show
	rand.Read(mark)

	var seen [2][][]byte
	for day := range seen {
		s.day.Store(int64(day))
		s.live(ctx, day)
		plant(t, line, mark)
		datagrams, streams := line.take()
		if network == "TCP" && len(datagrams) > 0 || network == "QUIC" && len(datagrams) < 200 {
			t.Errorf("day %d: %d datagrams", day, len(datagrams))
		}
		hellos := tlsHellos(t, datagrams)
		if network == "QUIC" && len(hellos) < 8 {
			t.Errorf("day %d: the hellos of %d sides of connections", day, len(hellos))
		}
		seen[day] = slices.Concat(datagrams, streams, hellos)
		size := 0
		for _, blob := range seen[day] {
			size += len(blob)
		}
		t.Logf("day %d: %d datagrams, %d streams, %d hellos, %d bytes", day, len(datagrams), len(streams), len(hellos), size)
		if size < 4*len(longText) {
			t.Errorf("day %d: only %d bytes were seen", day, size)
		}
	}
	s.hidden.check(t, "on the wire", slices.Concat(seen[0], seen[1])...)
	alike := common(constants.cut(seen[0]), constants.cut(seen[1]))
	// A byte beside it may be the same on both days by chance.
	if i := slices.IndexFunc(alike, func(b []byte) bool { return bytes.Contains(b, mark) && len(b) <= len(mark)+2 }); i < 0 {
		t.Error("what was planted on both days is not found")
	} else {
		alike = slices.Delete(alike, i, i+1)
	}
	for _, b := range alike {
		t.Errorf("on both days: %s %q", hex.EncodeToString(b), b)
	}
	constants.checkUsed(t, network)
}

// twoDays is some people, and what nobody else may see of them.
type twoDays struct {
	t      *testing.T
	hidden needles
	day    atomic.Int64 // that it is, by everybody's clock
	direct bool         // links say where the inviter is: a courier's one address in a link is for UDP

	mina, jiwoo, hana *person // two people and the courier of the first
	ofMina, ofJiwoo   api.Contact
}

func (s *twoDays) clock() time.Time {
	return time.Now().Add(time.Duration(s.day.Load()) * 24 * time.Hour)
}

// person makes a person, whose name and keys must not be seen.
func (s *twoDays) person(name string) *person {
	p := newPersonAt(s.t, name, s.clock)
	p.end()
	s.hidden.profile(name, peek(p))
	p.start()
	return p
}

// live has a day go by. In the end everybody is off.
func (s *twoDays) live(ctx context.Context, day int) {
	if day == 0 {
		s.meet(ctx)
	} else {
		for _, p := range []*person{s.hana, s.mina, s.jiwoo} {
			p.start()
		}
	}
	s.hidden.talk(ctx, s.mina, s.jiwoo, s.ofMina, s.ofJiwoo)
	s.byCourier(ctx)
	nari := s.person(fmt.Sprintf("Nari, whom Mina invites on day %d", day))
	s.invited(ctx, nari)
	for _, p := range []*person{s.hana, s.mina, s.jiwoo, nari} {
		p.end()
	}
}

// meet makes three people contacts, of whom one is courier of another.
func (s *twoDays) meet(ctx context.Context) {
	t := s.t
	s.mina, s.jiwoo, s.hana = s.person("Mina of two days"), s.person("Jiwoo of two days"), s.person("Hana who is a courier")
	s.ofMina = s.befriend(ctx, s.mina, s.jiwoo)
	s.ofJiwoo = s.mina.onlyContact(ctx)
	ofHana := s.befriend(ctx, s.hana, s.mina)
	s.hidden.id("courier's contact id", ofHana.ID)
	must[api.Courier](t)(s.hana.OfferCourier(ctx, api.CourierRequest{ContactID: s.hana.onlyContact(ctx).ID}))
	s.mina.until(ctx, func() bool {
		all := must[[]api.Courier](t)(s.mina.Couriers(ctx))
		return len(all) == 1 && all[0].Ready && all[0].Takes != nil && all[0].Takes.Mailboxes == 1
	})
}

// befriend makes two people contacts by a link that says where the inviter is.
func (s *twoDays) befriend(ctx context.Context, inviter, invitee *person) (ofInviter api.Contact) {
	t := s.t
	invite := inviteOf(ctx, inviter, api.InviteRequest{Note: "a note of two days", Direct: true})
	s.hidden.link("link of "+inviter.config.Profile, *invite.URI, must[wire.Link](t)(wire.ParseLink(*invite.URI)))
	accepted := must[api.Accepted](t)(invitee.AcceptInvite(ctx, api.AcceptRequest{URI: *invite.URI, Greeting: "a greeting of two days"}))
	invitee.until(ctx, func() bool {
		ofInviter = must[api.Contact](t)(invitee.Contact(ctx, accepted.ContactID))
		return ofInviter.State == api.ContactEstablished && ofInviter.Name != ""
	})
	return ofInviter
}

// byCourier has mail wait at the courier while its recipient is off, and come when its
// sender is.
func (s *twoDays) byCourier(ctx context.Context) {
	t := s.t
	const text = "a text that waits at the courier"
	s.mina.end()
	s.jiwoo.end() // nobody still holds a connection for alive
	s.jiwoo.start()
	m := must[api.Message](t)(s.jiwoo.SendToContact(ctx, s.ofMina.ID, api.MessageRequest{Text: text},
		api.SendOptions{Wait: api.StateCarried, Timeout: api.WaitMax}))
	if m.Status.State != api.StateCarried {
		t.Fatalf("with the courier, it is %q", m.Status.State)
	}
	s.hidden.id("message that waited", *m.ID)
	s.hidden.text("text that waited", text)
	s.jiwoo.end()
	s.mina.start()
	s.mina.until(ctx, func() bool {
		for _, c := range must[[]api.Contact](t)(s.mina.Contacts(ctx, api.ContactQuery{State: api.ContactEstablished})) {
			if texts := s.mina.texts(ctx, c.ID); len(texts) > 0 && texts[len(texts)-1] == text {
				return true
			}
		}
		return false
	})
	s.jiwoo.start()
	s.jiwoo.until(ctx, func() bool {
		return must[api.Message](t)(s.jiwoo.Message(ctx, *m.ID)).Status.State == api.StateDelivered
	})
}

// invited has somebody follow a link of Mina's that names her courier only, while she is
// off, or one that says where she is.
func (s *twoDays) invited(ctx context.Context, nari *person) {
	t := s.t
	if s.direct {
		s.hidden.tell(ctx, nari, s.befriend(ctx, s.mina, nari).ID, "a text of somebody new")
		return
	}
	var invite api.Invite
	s.mina.until(ctx, func() bool {
		invite = inviteOf(ctx, s.mina, api.InviteRequest{})
		s.hidden.id("invite id", invite.ID)
		link := must[wire.Link](t)(wire.ParseLink(*invite.URI))
		s.hidden.link("link of "+nari.config.Profile, *invite.URI, link)
		return len(link.Couriers) == 1 && len(link.Addresses) == 0
	})
	for s.kept(ctx) == 0 { // the bundle of the link
	}
	s.mina.end()
	before := s.kept(ctx)
	accepted := must[api.Accepted](t)(nari.AcceptInvite(ctx, api.AcceptRequest{URI: *invite.URI, Greeting: "a greeting by courier"}))
	for s.kept(ctx) == before {
	}
	s.mina.start()
	nari.until(ctx, func() bool {
		return must[api.Contact](t)(nari.Contact(ctx, accepted.ContactID)).State == api.ContactEstablished
	})
	s.hidden.tell(ctx, nari, accepted.ContactID, "a text of somebody new")
}

// kept returns how many items the courier keeps.
func (s *twoDays) kept(ctx context.Context) (n int) {
	for _, c := range must[[]api.Courier](s.t)(s.hana.Couriers(ctx)) {
		if c.Gives != nil {
			n += c.Gives.Items
		}
	}
	return n
}

// plant sends something over the line, by TCP, and waits until it was captured.
func plant(t *testing.T, line *capture, what []byte) {
	t.Helper()
	listener := must[net.Listener](t)(net.Listen("tcp4", "127.0.0.1:0"))
	defer listener.Close()
	c := must[net.Conn](t)(net.Dial("tcp4", listener.Addr().String()))
	defer c.Close()
	around := make([]byte, 64)
	rand.Read(around)
	must[int](t)(c.Write(slices.Concat(around[:32], what, around[32:])))
	if !line.shows(what) {
		t.Fatal("what is planted is not captured")
	}
}

// common returns the longest strings of at least eight bytes that are in both.
func common(one, other [][]byte) (found [][]byte) {
	const size = 8
	known := map[[size]byte]bool{}
	for _, b := range one {
		for i := 0; i+size <= len(b); i++ {
			known[[size]byte(b[i:])] = true
		}
	}
	told := map[string]bool{}
	for _, b := range other {
		for i := 0; i+size <= len(b); i++ {
			if !known[[size]byte(b[i:])] {
				continue
			}
			end := i + size
			for end < len(b) && known[[size]byte(b[end+1-size:])] {
				end++
			}
			if run := string(b[i:end]); !told[run] {
				told[run] = true
				found = append(found, []byte(run))
			}
			i = end - size
		}
	}
	return found
}

// constant is bytes that every connection of libp2p shows, whoever talks.
type constant struct {
	name  string
	bytes []byte
	over  string // QUIC or TCP
	used  bool
}

type constantList []*constant

// wireConstants reads the list of constants: a line each, the network, the bytes in
// hexadecimal, and what they are.
func wireConstants(t *testing.T) (list constantList) {
	t.Helper()
	for line := range strings.Lines(string(must[[]byte](t)(os.ReadFile("testdata/wireconstants.txt")))) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line, " ", 3)
		if len(fields) != 3 {
			t.Fatalf("a constant without a name: %q", line)
		}
		b := must[[]byte](t)(hex.DecodeString(fields[1]))
		if len(b) < 5 {
			t.Fatalf("a constant of %d bytes may be anything: %q", len(b), line)
		}
		list = append(list, &constant{over: fields[0], bytes: b, name: fields[2]})
	}
	return list
}

// cut takes the constants out of what was seen: what stood before and behind one does not
// belong together.
func (l constantList) cut(blobs [][]byte) [][]byte {
	for _, c := range l {
		var pieces [][]byte
		for _, b := range blobs {
			parts := bytes.Split(b, c.bytes)
			c.used = c.used || len(parts) > 1
			pieces = append(pieces, parts...)
		}
		blobs = pieces
	}
	return blobs
}

// checkUsed checks that the list has no more than what is seen.
func (l constantList) checkUsed(t *testing.T, network string) {
	t.Helper()
	used := map[string]bool{}
	for _, c := range l {
		used[c.name] = used[c.name] || c.used
	}
	for _, c := range l {
		if !used[c.name] && c.over == network {
			t.Errorf("a constant that nobody sees over %s: %s", network, c.name)
		}
	}
}
