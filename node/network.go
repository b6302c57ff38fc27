package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"

	"pabal/node/egress"
	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/store"
)

// openHost starts the network under the transport key of the day, in the place of the host
// before it, if there is one.
func (c *core) openHost(after *p2p.Host) error {
	now := c.config.now()
	listen, fixed := c.listen()
	config := p2p.Config{
		Profile: c.config.place(), Seed: c.peer.Transport(now), Listen: listen, After: after, Files: c.files.serve,
		Conns: c.conns, Log: c.log, Ledger: c.ledger, Simulation: c.config.simulation,
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

// rotate changes to the transport key of a new day, when it has come. What cannot be done
// is tried again at every tick.
func (c *core) rotate(b *batch) {
	now := c.config.now()
	switch {
	case c.arrivals == nil:
		c.restart(b)
	case c.hostStays || c.peer.KeyDay(now) == c.hostDay && !c.peer.KeepsTransport():
	case c.peer.Transport(now).Public() == c.host.Key(): // it stays from now on
		c.hostDay, c.hostStays = c.peer.KeyDay(now), c.peer.KeepsTransport()
	default:
		c.change(b)
	}
}

// change opens the host under the next key. Connections go on at the one before until the
// Peer has replaced them.
func (c *core) change(b *batch) {
	if err := c.endOlder(); err != nil { // we slept for a day
		c.log.Warn("closing the network of the day before", "error", err)
	}
	before, arrivals := c.host, c.arrivals
	if err := c.openHost(before); err != nil {
		c.log.Error("the transport key is not changed", "error", err)
		return
	}
	c.older, c.remains = before, arrivals
	c.giveUp(b)
	c.step(b, protocol.Rotated{Key: c.host.Key()})
}

// giveUp answers the dials under way.
func (c *core) giveUp(b *batch) {
	for _, dial := range c.dials {
		c.step(b, protocol.DialFailed{Dial: dial, Code: string(p2p.CodeUnreachable)})
	}
	clear(c.dials)
}

// endOlder closes the host of the key before, with what is left of its connections.
func (c *core) endOlder() error {
	older := c.older
	if older == nil {
		return nil
	}
	c.older, c.remains = nil, nil
	for conn, host := range c.open {
		if host == older {
			delete(c.open, conn)
			c.lost = append(c.lost, conn)
		}
	}
	return older.Close()
}

// restart closes the network and opens it anew.
func (c *core) restart(b *batch) {
	if err := errors.Join(c.endOlder(), c.host.Close()); err != nil {
		c.log.Warn("closing the network", "error", err)
	}
	c.arrivals = nil
	for conn := range c.open {
		c.step(b, protocol.ConnClosed{Conn: protocol.ConnID(conn)})
	}
	clear(c.open)
	c.giveUp(b)
	if err := c.openHost(nil); err != nil {
		c.log.Error("network is down", "error", err)
		return
	}
	c.step(b, protocol.Rotated{Key: c.host.Key()}) // the day may have turned
	c.step(b, protocol.Reconnect{})
}

// network turns what a host tells into inputs.
func (c *core) network(b *batch, host *p2p.Host, e p2p.Event) {
	switch e := e.(type) {
	case p2p.Received:
		b.frames += len(e.Frames)
		if c.open[e.Conn] == nil {
			return
		}
		for _, f := range e.Frames {
			c.step(b, protocol.FrameReceived{Conn: protocol.ConnID(e.Conn), Type: f.Type, Body: f.Body})
		}
	case p2p.Opened:
		dial, asked := c.answered(e.Dial)
		if !e.Inbound && !asked {
			host.Hangup(e.Conn)
			return
		}
		c.open[e.Conn] = host
		c.step(b, protocol.ConnOpened{
			Conn: protocol.ConnID(e.Conn), Local: e.Local, Remote: e.Remote, Inbound: e.Inbound, Dial: dial, Relayed: e.Relayed,
		})
	case p2p.Closed:
		if c.open[e.Conn] != nil {
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
		if host != c.host {
			return
		}
		c.keepPort(b, e)
		c.place = protocol.NetworkChanged{Own: e.Own, Subnets: e.Subnets}
		c.step(b, c.place)
	case p2p.Seen:
		c.step(b, protocol.SeenAt{By: e.By, At: e.At, Unasked: e.Unasked})
	case p2p.Reserved:
		if c.open[e.Conn] != nil {
			c.step(b, protocol.RelayReserved{Conn: protocol.ConnID(e.Conn), On: e.On})
		}
	case p2p.Woke:
		host.Clear()
		if host == c.host {
			c.step(b, protocol.Reconnect{})
		}
	case p2p.Deaf:
		c.restart(b)
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
			_ = c.hostOf(to).Send(uint64(to), frames)
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
			c.hostOf(s.Conn).Authenticate(uint64(s.Conn))
			c.hostOf(s.Conn).SetActive(uint64(s.Conn), s.Active)
		case protocol.Hangup:
			host := c.hostOf(s.Conn)
			delete(c.open, uint64(s.Conn))
			host.Hangup(uint64(s.Conn))
		case protocol.LeaveKey:
			if err := c.endOlder(); err != nil {
				c.log.Warn("closing the network of the day before", "error", err)
			}
		case protocol.RelayHelp:
			c.hostOf(s.Conn).Help(uint64(s.Conn), p2p.RelayName(s.Name))
		case protocol.RelayAdmit:
			c.hostOf(s.Conn).Admit(uint64(s.Conn), p2p.RelayName(s.Name))
		case protocol.RelayReserve:
			c.hostOf(s.Conn).Reserve(uint64(s.Conn), s.On)
		case protocol.LetPunch:
			c.hostOf(s.Conn).LetPunch(uint64(s.Conn), egress.Reason{Rung: egress.Punch, Contact: s.For})
		case protocol.Punch:
			c.lastDial++
			c.dials[c.lastDial] = s.Dial
			c.hostOf(s.Conn).Punch(c.lastDial, uint64(s.Conn), egress.Reason{Rung: egress.Punch, Contact: s.For})
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

// hostOf returns the host of a conn; of one that is gone, the one of today, which knows
// as little of it.
func (c *core) hostOf(conn protocol.ConnID) *p2p.Host {
	if host := c.open[uint64(conn)]; host != nil {
		return host
	}
	return c.host
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
