package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"time"

	"pabal/node/egress"
	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/store"
)

// openHost starts the network under the transport key of the day.
func (c *core) openHost() error {
	now := c.config.now()
	listen, fixed := c.listen()
	config := p2p.Config{
		Profile: c.config.place(), Seed: c.peer.Transport(now), Listen: listen, Conns: c.conns, Log: c.log, Ledger: c.ledger,
	}
	host, err := p2p.Open(config)
	if err != nil && fixed { // somebody took our port: another one is better than none
		config.Listen = c.config.Listen
		host, err = p2p.Open(config)
	}
	if err != nil {
		return fmt.Errorf("open network: %w", err)
	}
	c.host, c.arrivals, c.hostDay, c.hostStays = host, host.Events(), c.peer.KeyDay(now), c.peer.KeepsTransport()
	return nil
}

// rotate changes to the transport key of a new day. Conversations reconnect at
// once: contacts know the next key. A host that cannot be opened is tried again at
// every tick.
func (c *core) rotate(b *batch) {
	if c.arrivals != nil && (c.hostStays || c.peer.KeyDay(c.config.now()) == c.hostDay) {
		return
	}
	if err := c.host.Close(); err != nil {
		c.log.Warn("closing the network", "error", err)
	}
	c.arrivals = nil
	for conn := range c.open {
		c.step(b, protocol.ConnClosed{Conn: protocol.ConnID(conn)})
	}
	clear(c.open)
	for _, dial := range c.dials {
		c.step(b, protocol.DialFailed{Dial: dial, Code: string(p2p.CodeUnreachable)})
	}
	clear(c.dials)
	if err := c.openHost(); err != nil {
		c.log.Error("network is down", "error", err)
		return
	}
	c.step(b, protocol.Rotated{})
}

// network turns what the host tells into inputs.
func (c *core) network(b *batch, e p2p.Event) {
	switch e := e.(type) {
	case p2p.Received:
		b.frames += len(e.Frames)
		if !c.open[e.Conn] {
			return
		}
		for _, f := range e.Frames {
			c.step(b, protocol.FrameReceived{Conn: protocol.ConnID(e.Conn), Type: f.Type, Body: f.Body})
		}
	case p2p.Opened:
		dial, asked := c.answered(e.Dial)
		if !e.Inbound && !asked {
			c.host.Hangup(e.Conn)
			return
		}
		c.open[e.Conn] = true
		c.step(b, protocol.ConnOpened{
			Conn: protocol.ConnID(e.Conn), Local: e.Local, Remote: e.Remote, Inbound: e.Inbound, Dial: dial, Relayed: e.Relayed,
		})
	case p2p.Closed:
		if c.open[e.Conn] {
			delete(c.open, e.Conn)
			c.log.Debug("connection closed", "code", string(e.Code))
			c.step(b, protocol.ConnClosed{Conn: protocol.ConnID(e.Conn)})
		}
	case p2p.DialFailed:
		if dial, asked := c.answered(e.Dial); asked {
			c.log.Debug("dial failed", "code", string(e.Code))
			c.step(b, protocol.DialFailed{Dial: dial, Code: string(e.Code)})
		}
	case p2p.Addresses:
		c.keepPort(b, e)
		c.place = protocol.NetworkChanged{Own: e.Own, Subnets: e.Subnets}
		c.step(b, c.place)
	case p2p.Seen:
		c.step(b, protocol.SeenAt{By: e.By, At: e.At, Unasked: e.Unasked})
	case p2p.Reserved:
		if c.open[e.Conn] {
			c.step(b, protocol.RelayReserved{Conn: protocol.ConnID(e.Conn), On: e.On})
		}
	case p2p.Woke:
		c.host.Clear()
		c.step(b, protocol.Reconnect{})
	}
}

// answered returns the Peer's number of a dial that the host answers; false if the
// Peer that asked is no more.
func (c *core) answered(number uint64) (dial uint64, asked bool) {
	dial, asked = c.dials[number]
	delete(c.dials, number)
	return dial, asked
}

// sends does on the network what a commit allowed. Frames of one conn that
// follow each other go in one call.
func (c *core) sends(ctx context.Context, sends []protocol.Send) {
	var frames []p2p.Frame
	var to protocol.ConnID
	flush := func() {
		if len(frames) > 0 {
			// A conn that is gone or slow reports Closed: what it did not carry is
			// sent again on the next one.
			_ = c.host.Send(uint64(to), frames)
			frames = nil
		}
	}
	for _, s := range sends {
		f, ok := s.(protocol.SendFrame)
		if !ok || f.Conn != to {
			flush()
		}
		switch s := s.(type) {
		case protocol.SendFrame:
			to = s.Conn
			frames = append(frames, p2p.Frame{Type: s.Type, Body: s.Body})
		case protocol.Authenticate:
			c.host.Authenticate(uint64(s.Conn))
			c.host.SetActive(uint64(s.Conn), s.Active)
		case protocol.Hangup:
			delete(c.open, uint64(s.Conn))
			c.host.Hangup(uint64(s.Conn))
		case protocol.RelayHelp:
			c.host.Help(uint64(s.Conn), p2p.RelayName(s.Name))
		case protocol.RelayAdmit:
			c.host.Admit(uint64(s.Conn), p2p.RelayName(s.Name))
		case protocol.RelayReserve:
			c.host.Reserve(uint64(s.Conn), s.On)
		case protocol.LetPunch:
			c.host.LetPunch(uint64(s.Conn), egress.Reason{Rung: egress.Punch, Contact: s.For})
		case protocol.Punch:
			c.lastDial++
			c.dials[c.lastDial] = s.Dial
			c.host.Punch(c.lastDial, uint64(s.Conn), egress.Reason{Rung: egress.Punch, Contact: s.For})
		case protocol.Beacon:
			c.beacon(s)
		case protocol.PublishRecord:
			c.publishRecord(ctx, s)
		case protocol.LookUpRecord:
			c.lookUpRecord(ctx, s)
		case protocol.Dial:
			c.lastDial++
			c.dials[c.lastDial] = s.Dial
			c.host.Dial(p2p.Dial{
				ID: c.lastDial, Keys: s.Keys, Addresses: s.Addresses, Relays: relays(s.Relays), Deadline: s.Deadline,
				Why: egress.Reason{Rung: egress.Rung(s.Rung), Contact: s.For},
			})
		}
	}
	flush()
}

func relays(conns []protocol.ConnID) (out []uint64) {
	for _, conn := range conns {
		out = append(out, uint64(conn))
	}
	return out
}

// bootID tells this boot of this machine, and this network namespace, from all
// others; zero where the system does not say.
func bootID() (id [32]byte) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	space, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		space = ""
	}
	return sha256.Sum256(append(boot, space...))
}

func loadPeer(st *store.Store, config protocol.Config) (*protocol.Peer, error) {
	state, err := st.Load()
	if err != nil {
		return nil, err
	}
	return protocol.Load(randomness{}, config, state)
}

// peerConfig is what the core is told of this machine and this run.
func peerConfig(home bool) protocol.Config {
	return protocol.Config{BootID: bootID(), KeyOffset: randomOffset(), Home: home}
}

func randomOffset() time.Duration {
	var b [2]byte
	rand.Read(b[:]) // never fails
	minutes := int(b[0])<<8 | int(b[1])
	spread := int(rotateSpread / time.Minute)
	return time.Duration(minutes%(2*spread)-spread) * time.Minute
}
