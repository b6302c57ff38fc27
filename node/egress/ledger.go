package egress

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// EntriesMax bounds the entries of a ledger (of this implementation). Beyond it the
// entry that was used longest ago is forgotten and counted.
const EntriesMax = 4096

// ErrNoReason says that something was to be sent without a reason. It was not sent.
var ErrNoReason = errors.New("egress: no reason to send")

// Rung says by which rung of the ladder something is sent (network.md, "The ladder").
type Rung string

// The rungs.
const (
	Link    Rung = "link"    // an address in a link that the user follows
	Direct  Rung = "direct"  // an address that the contact told us
	Relay   Rung = "relay"   // a courier of a contact, to be connected with it
	Punch   Rung = "punch"   // an address at which a contact is seen from outside, as it says
	LAN     Rung = "lan"     // an address at which a contact's beacon was heard
	Courier Rung = "courier" // a courier of a contact, to leave mail for it
	Beacon  Rung = "beacon"  // everybody on a local network
	DHT     Rung = "dht"     // a server of a public DHT
)

// Reason is why something is sent. One without a rung is none.
type Reason struct {
	Rung Rung
	// Contact is on whose behalf, as the core names contacts; zero means nobody in
	// particular.
	Contact [16]byte
}

// Network says how an address is spoken to.
type Network string

// The networks.
const (
	QUIC      Network = "quic"
	TCP       Network = "tcp"
	Multicast Network = "multicast"
)

// Entry is an address that was sent to, or was about to be, for one reason.
type Entry struct {
	Network     Network
	To          netip.AddrPort
	Why         Reason
	First, Last time.Time
	Times       uint64
}

// Seen is what a ledger knows.
type Seen struct {
	Since     time.Time
	Entries   []Entry // the last used first
	Forgotten uint64  // entries that found no room any more
}

type key struct {
	network Network
	to      netip.AddrPort
	why     Reason
}

// Ledger is the record. Its methods may be called from any goroutine.
type Ledger struct {
	now   func() time.Time
	since time.Time

	mu        sync.Mutex // guards what follows
	entries   map[key]Entry
	forgotten uint64
	ended     map[netip.Addr]time.Time // when the last connection with an address ended; at most EntriesMax
}

// Ended notes that a connection with an IP address has ended, whoever made it: until now
// packets went there.
func (l *Ledger) Ended(ip netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.ended[ip]; !known && len(l.ended) >= EntriesMax {
		var oldest netip.Addr
		for a, at := range l.ended {
			if !oldest.IsValid() || at.Before(l.ended[oldest]) {
				oldest = a
			}
		}
		delete(l.ended, oldest)
	}
	l.ended[ip] = l.now()
}

// SentTo reports whether anything was sent to an IP address since a time, over connections
// that have ended, too.
func (l *Ledger) SentTo(ip netip.Addr, since time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, known := l.ended[ip]; known && !at.Before(since) {
		return true
	}
	for k, e := range l.entries {
		if k.to.Addr() == ip && !e.Last.Before(since) {
			return true
		}
	}
	return false
}

// New begins a ledger. now tells the time; nil means the machine's clock.
func New(now func() time.Time) *Ledger {
	if now == nil {
		now = time.Now
	}
	return &Ledger{now: now, since: now(), entries: make(map[key]Entry), ended: make(map[netip.Addr]time.Time)}
}

// Enter records that an address is about to be sent to. After an error, which is
// ErrNoReason, the caller must not send.
func (l *Ledger) Enter(network Network, to netip.AddrPort, why Reason) error {
	if why.Rung == "" {
		return ErrNoReason
	}
	k, now := key{network, to, why}, l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	e, known := l.entries[k]
	if !known {
		if len(l.entries) >= EntriesMax {
			l.forgetOldest()
		}
		e = Entry{Network: network, To: to, Why: why, First: now}
	}
	e.Last = now
	e.Times++
	l.entries[k] = e
	return nil
}

// forgetOldest makes room; l.mu is held.
func (l *Ledger) forgetOldest() {
	var oldest key
	var at time.Time
	for k, e := range l.entries {
		if at.IsZero() || e.Last.Before(at) {
			oldest, at = k, e.Last
		}
	}
	delete(l.entries, oldest)
	l.forgotten++
}

// Seen returns what was recorded.
func (l *Ledger) Seen() Seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := Seen{Since: l.since, Forgotten: l.forgotten, Entries: make([]Entry, 0, len(l.entries))}
	for _, e := range l.entries {
		out.Entries = append(out.Entries, e)
	}
	slices.SortFunc(out.Entries, func(a, b Entry) int {
		return cmp.Or(b.Last.Compare(a.Last), a.To.Compare(b.To), cmp.Compare(a.Network, b.Network),
			cmp.Compare(a.Why.Rung, b.Why.Rung), slices.Compare(a.Why.Contact[:], b.Why.Contact[:]))
	})
	return out
}
