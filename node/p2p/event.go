package p2p

import (
	"net/netip"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Frame is one frame of a conn. The body is without length and type. A received
// body belongs to whoever received it.
type Frame struct {
	Type wire.Type
	Body []byte
}

// Event is something that happened on the network: [Opened], [Received],
// [Closed], [DialFailed], [Addresses], [Seen], [Reserved], [Woke] or [Deaf].
//
// For one conn the order is Opened, any number of Received, Closed. Closed comes
// exactly once for each Opened, unless the Host is closed first.
type Event interface{ event() }

type (
	// Opened says that a conn stands and that the other side holds the key Remote.
	// An inbound conn is reported with its first frame, not before: a stranger who
	// says nothing costs no event.
	Opened struct {
		Conn          uint64
		Local, Remote identity.TransportKey
		Inbound       bool
		Dial          uint64 // the ID of the Dial that it answers; 0 if inbound
		Network       wire.Network
		Class         Class
		Relayed       bool // by a relay; Network and Class are those of the way to it
	}
	// Received carries the next frames of a conn, at least one, in order.
	Received struct {
		Conn   uint64
		Frames []Frame
	}
	// Closed says that a conn is gone and its number worth nothing.
	Closed struct {
		Conn uint64
		Code Code
	}
	// DialFailed says that a Dial found nobody.
	DialFailed struct {
		Dial uint64
		Code Code
	}
	// Addresses tells where this host listens, on which subnets its interfaces
	// are. It comes first of all, and again after each change. Host tags are zero.
	Addresses struct {
		Own     []wire.Address
		Subnets []netip.Prefix
	}
	// Seen tells where somebody whom we trust sees us, on a direct connection.
	Seen struct {
		By identity.TransportKey
		At wire.Address
		// Unasked says that he came there from the internet, and that we had sent nothing to
		// his address for unaskedAfter: no firewall let him in for that.
		Unasked bool
	}
	// Reserved says whether the node at the other side of a conn connects others with us,
	// as Reserve has asked.
	Reserved struct {
		Conn uint64
		On   bool
	}
	// Deaf says that nobody can reach the host by QUIC any more. Close it and any other
	// that it shares its sockets with, and open one that comes after none.
	Deaf struct{}
	// Woke says that the wall clock jumped against the monotonic clock by Jump:
	// the machine slept, or the clock was set. Call [Host.Clear].
	Woke struct{ Jump time.Duration }
)

func (Opened) event()     {}
func (Received) event()   {}
func (Closed) event()     {}
func (DialFailed) event() {}
func (Addresses) event()  {}
func (Seen) event()       {}
func (Reserved) event()   {}
func (Woke) event()       {}
func (Deaf) event()       {}

// Class says what kind of address the other side of a conn has. The address
// itself is not told: it must not reach logs or screens by accident.
type Class string

// The classes of addresses.
const (
	Loopback Class = "loopback"
	Private  Class = "private" // a LAN, link-local or unroutable address
	Global   Class = "global"
)

// Code is why a conn ended or a dial failed. Codes are stable and safe to show.
type Code string

// Why a conn ended.
const (
	CodeClosed    Code = "closed"    // the other side ended it, or the path broke
	CodeHangup    Code = "hangup"    // Hangup was called
	CodeSlow      Code = "slow"      // the other side did not read what we sent
	CodeTimeout   Code = "timeout"   // a ping had no answer; or a Dial its deadline
	CodeNoAnswer  Code = "no_answer" // dialled, but no frame came back
	CodeMalformed Code = "malformed" // a frame with an illegal header
	CodeLimit     Code = "limit"     // more bytes than an unauthenticated conn may send
	CodeStranger  Code = "stranger"  // not authenticated in time
)

// Why a Dial failed, besides CodeTimeout.
const (
	CodeNoAddress   Code = "no_address"  // no key, or no address that may be dialled
	CodeUnreachable Code = "unreachable" // nobody answers at any address
	CodeWrongKey    Code = "wrong_key"   // somebody answers, but holds none of the keys
	CodeBusy        Code = "busy"        // too many dials, or too many connections
	CodeNoReason    Code = "no_reason"   // the Dial says not why: a mistake of the program
	CodeNoRecord    Code = "no_record"   // a DHT has nothing under a name
)
