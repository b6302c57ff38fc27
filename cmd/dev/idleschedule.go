package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

const (
	scheduleDays   = 8                // the last one is that of somebody who was off for a week
	scheduleAnswer = 15 * time.Second // behind a dial: nobody answered
	scheduleSteps  = 1_000_000        // more than any schedule has
)

// idleDay is what a day of an idle node consists of.
type idleDay struct {
	contacts     int      // who are on
	meetingBytes float64  // of one connection with one of them, until it is closed
	quietBytes   float64  // with all of them, while no connection stands
	tried        offTries // from which the cost of one is known
	quicBytes    float64  // of one by QUIC
	tcpBytes     float64
	schedule     []offTries // by days
}

// offTries is what is tried for those who do not answer: how often somebody, and each key
// at each address.
type offTries struct{ dials, quic, tcp int }

func (t *offTries) add(tcp bool, n int) {
	if tcp {
		t.tcp += n
	} else {
		t.quic += n
	}
}

// dial counts a dial, if it is of an address that counts.
func (t *offTries) dial(d protocol.Dial, counts func(wire.Address) bool) {
	before := t.quic + t.tcp
	for _, a := range d.Addresses {
		if counts(a) {
			t.add(a.Network == wire.TCP, len(d.Keys))
		}
	}
	if t.quic+t.tcp > before {
		t.dials++
	}
}

// on is the bytes of a day with those who are on.
func (d idleDay) on() float64 {
	return d.quietBytes + float64(idleMeetings*d.contacts)*d.meetingBytes
}

// off is the bytes of a day for all who are off, a week later.
func (d idleDay) off() float64 { return d.bytes(d.schedule[len(d.schedule)-1]) }

func (d idleDay) bytes(t offTries) float64 {
	return float64(t.quic)*d.quicBytes + float64(t.tcp)*d.tcpBytes
}

// String is the schedule as it is shown.
func (d idleDay) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "a day with those who are on: %d connections of %.1f kB, and %.1f kB without one\n",
		idleMeetings*d.contacts, d.meetingBytes/1e3, d.quietBytes/1e3)
	fmt.Fprintf(&b, "a try of an address that does not answer: %.2f kB by QUIC (of %d), %.2f kB by TCP (of %d)\n",
		d.quicBytes/1e3, d.tried.quic, d.tcpBytes/1e3, d.tried.tcp)
	for i, s := range d.schedule {
		fmt.Fprintf(&b, "day %d of those who are off: %d dials, %d tries by QUIC, %d by TCP, %.2f MB\n",
			i+1, s.dials, s.quic, s.tcp, d.bytes(s)/bytesPerMB)
	}
	return strings.TrimRight(b.String(), "\n")
}

// scheduleOf lets the core of a profile whose daemon is off live some days in which nobody
// answers, and counts what it tries.
func scheduleOf(dataDir string) (days []offTries, err error) {
	profile, err := store.Lock(dataDir, store.Self(""))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, profile.Close()) }()
	st, err := profile.Open(store.Unlock{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	state, err := st.Load()
	if err != nil {
		return nil, err
	}
	peer, err := protocol.Load(rand.Reader, protocol.Config{BootID: [32]byte{1}}, state)
	if err != nil {
		return nil, err
	}
	return triesOf(peer, time.Now(), func(a wire.Address) bool { return lineOff.has(a.IP) })
}

// triesOf runs a Peer for some days from start on in which nobody answers, and counts the
// tries of some addresses. At the begin of each day it changes its transport key, as a
// daemon does.
func triesOf(peer *protocol.Peer, start time.Time, counts func(wire.Address) bool) ([]offTries, error) {
	days := make([]offTries, scheduleDays)
	pending := map[uint64]time.Time{} // dials, and when they have failed
	now, wake := start, start
	step := func(in protocol.Input) error {
		out, err := peer.Step(now, in)
		for _, s := range out.Sends {
			if d, ok := s.(protocol.Dial); ok {
				pending[d.Dial] = now.Add(scheduleAnswer)
				days[int(now.Sub(start)/(24*time.Hour))].dial(d, counts)
			}
		}
		if !out.Wake.IsZero() {
			wake = out.Wake
		}
		return err
	}
	next := start // when the transport key changes
	for range scheduleSteps {
		var in protocol.Input = protocol.Woke{}
		at := wake
		for dial, failed := range pending {
			if failed.Before(at) {
				in, at = protocol.DialFailed{Dial: dial, Code: "timeout"}, failed
			}
		}
		if next.Before(at) || next.Equal(start) {
			in, at = protocol.Rotated{Key: peer.Transport(next).Public()}, next
			next = next.Add(24 * time.Hour)
		}
		if now = later(now, at); now.Sub(start) >= scheduleDays*24*time.Hour {
			return days, nil
		}
		if f, ok := in.(protocol.DialFailed); ok {
			delete(pending, f.Dial)
		}
		wake = now.Add(time.Hour)
		if err := errors.Join(step(in), step(protocol.Flush{})); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the core tries without end")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
