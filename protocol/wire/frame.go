package wire

import (
	"encoding/binary"
	"errors"

	"pabal/protocol/identity"
)

// Errors of frames.
var (
	// ErrFrame reports a frame that breaks its layout or its size limit. The
	// connection must be closed: its framing cannot be trusted any more.
	ErrFrame = errors.New("wire: malformed frame")
	// ErrFrameUnknown reports a frame of a type this version does not know. Type and
	// length are valid, so the caller may skip the body and go on.
	ErrFrameUnknown = errors.New("wire: unknown frame type")
)

// Type says what a frame carries.
type Type uint8

// All frame types. The numbers are part of the protocol and are never used again.
const (
	TypeHello        Type = 1  // hello tag: the first frame each way
	TypeBundleFetch  Type = 2  // asks for the bundle of a link, by capability
	TypeBundleAnswer Type = 3  // the sealed bundle
	TypeRequest      Type = 4  // a request, deposited with the inviter or its courier
	TypeAccept       Type = 5  // the accept that answers a request
	TypeEnvelope     Type = 6  // an envelope for the contact of this connection
	TypeDeposit      Type = 7  // an envelope left in a mailbox
	TypeCollect      Type = 8  // asks a courier for what a mailbox or a slot holds
	TypeAcknowledge  Type = 9  // says what was stored, to sender or courier
	TypeWithdraw     Type = 10 // takes deposited envelopes back
	TypePush         Type = 11 // an envelope handed over by a courier
	TypeUnsupported  Type = 12 // the highest version and suite the sender speaks
	TypePing         Type = 13 // asks whether the path is alive
	TypePong         Type = 14 // answers a ping with its bytes
	TypeMailbox      Type = 15 // has a courier open or close mailboxes
	TypeReach        Type = 16 // asks a courier to connect us with the owner of a mailbox
	TypeMoved        Type = 17 // asks who dialled to dial anew: the transport key is another one
	TypeFileFetch    Type = 18 // asks for chunks of a file; this and the next two go on file streams only
	TypeFileChunk    Type = 19 // a sealed chunk
	TypeFileRefused  Type = 20 // says that chunks that were asked for do not come
)

// courierOverheadMax is what mailbox id, capability and type add to an envelope, at most.
const courierOverheadMax = 256

// bodySizes returns the smallest and largest body of a frame type: the one table of
// all types. It returns false for a type this version does not know.
func (t Type) bodySizes() (least, most int, known bool) {
	switch t {
	case TypeHello:
		return identity.HelloTagSize, identity.HelloTagSize, true
	case TypeBundleFetch:
		return CapabilitySize, CapabilitySize, true
	case TypeBundleAnswer:
		return SealedBundleSize, SealedBundleSize, true
	case TypeRequest:
		return depositedRequestSize, depositedRequestSize, true
	case TypeAccept:
		return AcceptSize, AcceptSize, true
	case TypeEnvelope:
		return 1, EnvelopeBytesMax, true
	case TypeDeposit:
		return mailboxKeySize + 2, mailboxKeySize + 1 + EnvelopeBytesMax, true
	case TypePush:
		return 16 + 2, 16 + 1 + EnvelopeBytesMax, true
	case TypeCollect:
		return mailboxKeySize, CollectKeysMax * mailboxKeySize, true
	case TypeAcknowledge:
		return 16 + 1, 16 + 1 + ItemsMax*16, true
	case TypeWithdraw:
		return mailboxKeySize + 16, mailboxKeySize + ItemsMax*16, true
	case TypeMailbox:
		return mailboxOrderSize, MailboxOrdersMax * mailboxOrderSize, true
	case TypeReach:
		return mailboxKeySize, mailboxKeySize, true
	case TypeMoved:
		return 0, 0, true
	case TypeFileFetch:
		return fileFetchSize, fileFetchSize, true
	case TypeFileChunk:
		return fileChunkHead + 1, fileChunkHead + sealedChunkBytesMax, true
	case TypeFileRefused:
		return 1, 1, true
	case TypeUnsupported:
		return 2, 2, true
	case TypePing, TypePong:
		return 8, 8, true
	}
	return 0, EnvelopeBytesMax + courierOverheadMax, false
}

// OnFileStream reports whether frames of this type go on the streams of files, and on no
// others.
func (t Type) OnFileStream() bool { return t >= TypeFileFetch && t <= TypeFileRefused }

// Name returns the frame type in words, for logs and traces.
func (t Type) Name() string {
	names := [...]string{
		TypeHello: "hello", TypeBundleFetch: "bundle_fetch", TypeBundleAnswer: "bundle_answer",
		TypeRequest: "request", TypeAccept: "accept", TypeEnvelope: "envelope", TypeDeposit: "deposit",
		TypeCollect: "collect", TypeAcknowledge: "acknowledge", TypeWithdraw: "withdraw", TypePush: "push",
		TypeUnsupported: "unsupported", TypePing: "ping", TypePong: "pong",
		TypeMailbox: "mailbox", TypeReach: "reach", TypeMoved: "moved",
		TypeFileFetch: "file_fetch", TypeFileChunk: "file_chunk", TypeFileRefused: "file_refused",
	}
	if t == 0 || int(t) >= len(names) {
		return "unknown"
	}
	return names[t]
}

// BodyBytesMax returns the largest body a frame of this type may have.
func (t Type) BodyBytesMax() int {
	_, most, _ := t.bodySizes()
	return most
}

// ParseHeader reads the five bytes in front of a frame's body and returns its type and
// the size of the body that follows. Errors: ErrFrame (close the connection),
// ErrFrameUnknown (type and size are valid, the body may be skipped).
func ParseHeader(header [FrameHeaderSize]byte) (t Type, bodyLen int, err error) {
	length := binary.BigEndian.Uint32(header[:])
	t = Type(header[4])
	least, most, known := t.bodySizes()
	if length < 1+uint32(least) || length > 1+uint32(most) {
		return 0, 0, ErrFrame
	}
	if !known {
		return t, int(length - 1), ErrFrameUnknown
	}
	return t, int(length - 1), nil
}

// AppendHeader appends the header of a frame whose body follows. As with AppendFrame, a size
// that its type does not allow panics.
func AppendHeader(dst []byte, t Type, bodyLen int) []byte {
	least, most, known := t.bodySizes()
	if !known || bodyLen < least || bodyLen > most {
		panic("wire: body size of frame " + t.Name())
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(1+bodyLen)), byte(t))
}

// AppendFrame appends a frame to dst. The body must have a size its type allows;
// anything else is a mistake of ours and panics.
func AppendFrame(dst []byte, t Type, body []byte) []byte {
	return append(AppendHeader(dst, t, len(body)), body...)
}

// Capability is a bearer secret that opens one thing at one node. It is shown to that
// node only.
type Capability [CapabilitySize]byte

// Stamp is the proof of work beside a request to a card. The zero value is no stamp.
type Stamp struct {
	Day   uint32
	Nonce [StampNonceSize]byte
}

// DepositedRequest is the body of a request frame: the request itself, the capability
// that lets it in, and the stamp if a card asks for one.
type DepositedRequest struct {
	Capability Capability
	Stamp      Stamp
	Request    [RequestSize]byte
}

const depositedRequestSize = CapabilitySize + 4 + StampNonceSize + RequestSize

// Append appends the body to dst.
func (d *DepositedRequest) Append(dst []byte) []byte {
	dst = append(dst, d.Capability[:]...)
	dst = binary.BigEndian.AppendUint32(dst, d.Stamp.Day)
	dst = append(dst, d.Stamp.Nonce[:]...)
	return append(dst, d.Request[:]...)
}

// ParseDepositedRequest reads the body of a request frame. Error: ErrFrame.
func ParseDepositedRequest(body []byte) (*DepositedRequest, error) {
	if len(body) != depositedRequestSize {
		return nil, ErrFrame
	}
	d := new(DepositedRequest)
	r := reader{b: body}
	r.bytes(d.Capability[:])
	d.Stamp.Day = r.uint32()
	r.bytes(d.Stamp.Nonce[:])
	r.bytes(d.Request[:])
	return d, nil
}

// Unsupported is the answer, inside an authenticated channel, to a version or suite
// that is not known: the highest ones that are.
type Unsupported struct {
	Version byte
	Suite   byte
}

// Append appends the body to dst.
func (u Unsupported) Append(dst []byte) []byte {
	return append(dst, u.Version, u.Suite)
}

// ParseUnsupported reads the body of an unsupported frame. Error: ErrFrame.
func ParseUnsupported(body []byte) (Unsupported, error) {
	if len(body) != 2 {
		return Unsupported{}, ErrFrame
	}
	return Unsupported{Version: body[0], Suite: body[1]}, nil
}

// ParseHello reads the body of a hello frame. Error: ErrFrame.
func ParseHello(body []byte) (identity.HelloTag, error) {
	if len(body) != identity.HelloTagSize {
		return identity.HelloTag{}, ErrFrame
	}
	return identity.HelloTag(body), nil
}

// ParseCapability reads the body of a bundle fetch. Error: ErrFrame.
func ParseCapability(body []byte) (Capability, error) {
	if len(body) != CapabilitySize {
		return Capability{}, ErrFrame
	}
	return Capability(body), nil
}
