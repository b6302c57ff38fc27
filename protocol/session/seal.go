package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Sealed is a message of ours that was sealed.
type Sealed struct {
	// Frame is the envelope. The caller owns it; it must not leave the device before
	// the session's state is committed. A retransmission is the same bytes.
	Frame []byte
	// Index is the message's place among all messages of this direction.
	Index uint32
	// Tag is its body tag.
	Tag [wire.BodyTagSize]byte

	sid     [32]byte
	bodyKey [32]byte
	kind    wire.KeysKind
	prefix  wire.BodyPrefix
}

// ErrParts reports parts of a sealed message that do not give its envelope back:
// damaged, or put together with other contents.
var ErrParts = errors.New("session: parts do not rebuild the envelope")

// ContentSizes returns how many bytes of contents Seal puts into an envelope of each
// size, ascending, if it is called at now. Sizes that hold none are left out.
func (s *Session) ContentSizes(now time.Time) []int {
	overhead := wire.EnvelopeOverhead(s.keysKind(now, StepAfter))
	sizes := wire.EnvelopeSizes()
	list := make([]int, 0, len(sizes))
	for _, size := range sizes {
		if size > overhead {
			list = append(list, size-overhead)
		}
	}
	return list
}

// keysKind says whether what is sealed now carries keys.
func (s *Session) keysKind(now time.Time, after time.Duration) wire.KeysKind {
	if s.keys != nil || s.stepDue(now, after) {
		return wire.WithKeys
	}
	return wire.WithoutKeys
}

// Seal seals contents, each one CBOR item, into the smallest envelope that holds them
// and has at least sizeMin bytes (0, or CourierSizeMin for an envelope that goes by
// courier). It makes a step if one is due. Errors: ErrWindow, ErrContents, ErrKEM if
// the session must be repaired, or the random source's; then nothing changed.
func (s *Session) Seal(now time.Time, random io.Reader, contents [][]byte, sizeMin int) (Sealed, error) {
	if !s.WindowOpen() {
		return Sealed{}, ErrWindow
	}
	e := envelope{contents: contents, kind: s.keysKind(now, StepAfter)}
	if err := e.fit(sizeMin); err != nil {
		return Sealed{}, err
	}
	if e.length == 0 {
		return Sealed{}, ErrContents
	}
	if err := s.begin(now, random, StepAfter, &e); err != nil {
		return Sealed{}, err
	}
	e.header = wire.EnvelopeHeader{Chain: s.send.number, First: s.send.first, Index: s.out.next}
	key := messageKey(s.send.chain)
	s.send.chain = nextChainKey(s.send.chain)
	frame, tag := s.build(&e, key)
	sealed := Sealed{
		Frame: frame, Index: s.out.next, Tag: tag,
		sid: s.sid, bodyKey: e.bodyKey, kind: e.kind, prefix: e.prefix,
	}
	s.out.add(tag)
	return sealed, nil
}

// Ack seals a bare ack: it takes no index, is never acknowledged or repeated, and is
// always allowed. It may carry contents that nobody misses, such as typing. It makes
// a step if one is due after AckStepAfter. Errors: ErrContents, ErrKEM if the session
// must be repaired, or the random source's; then nothing changed.
func (s *Session) Ack(now time.Time, random io.Reader, contents [][]byte, sizeMin int) ([]byte, error) {
	e := envelope{contents: contents, kind: s.keysKind(now, AckStepAfter)}
	if err := e.fit(sizeMin); err != nil {
		return nil, err
	}
	if err := s.begin(now, random, AckStepAfter, &e); err != nil {
		return nil, err
	}
	e.header = wire.EnvelopeHeader{Flags: wire.FlagAck, Chain: s.send.number, First: s.send.first, Index: s.out.next}
	frame, _ := s.build(&e, s.send.ack)
	return frame, nil
}

// Sync seals a sync frame: what we remember of the session, under a key of its whole
// life, so that even a peer who lost part of its memory can tell. It is sent on every
// connect, daily by courier, and in answer to ErrUnopenable. The error is the random
// source's.
func (s *Session) Sync(random io.Reader, sizeMin int) ([]byte, error) {
	var nonce [identity.NonceSize]byte
	if err := readNonce(random, &nonce); err != nil {
		return nil, err
	}
	body := wire.SyncBody{
		Step: s.step, Next: s.out.next, Base: s.out.base,
		Cum: s.in.cum, Digest: s.in.digest,
		Check: check(s.root), CheckBefore: s.checkBefore,
	}
	size, ok := wire.EnvelopeSizeFor(sizeMin)
	if !ok {
		return nil, ErrContents
	}
	buf := s.start(size, nonce)
	buf = sealInPlace(append(buf, make([]byte, wire.EnvelopeHeaderSize)...), wire.EnvelopeHeaderSize, s.syncOurs, nonce, s.bound.header)
	buf, _ = s.sealBody(body.Append(buf), len(buf), bodyKey(s.syncOurs, nonce))
	return buf[len(s.bound.body):], nil
}

// envelope is an envelope on its way from contents to bytes.
type envelope struct {
	contents [][]byte
	length   int // of all contents
	kind     wire.KeysKind
	size     int
	nonce    [identity.NonceSize]byte
	header   wire.EnvelopeHeader
	prefix   wire.BodyPrefix
	bodyKey  [32]byte
}

// fit chooses the size. Error: ErrContents if there is too much for any.
func (e *envelope) fit(sizeMin int) error {
	for _, c := range e.contents {
		e.length += len(c)
	}
	size, ok := wire.EnvelopeSizeFor(max(sizeMin, wire.EnvelopeOverhead(e.kind)+e.length))
	if !ok || len(e.contents) > wire.ContentsPerBodyMax {
		return ErrContents
	}
	e.size = size
	return nil
}

// begin reads the randomness an envelope needs and makes the step that is due. After
// it nothing can fail.
func (s *Session) begin(now time.Time, random io.Reader, after time.Duration, e *envelope) error {
	if err := readNonce(random, &e.nonce); err != nil {
		return err
	}
	if s.stepDue(now, after) {
		st, err := s.makeStep(random)
		if err != nil {
			return err
		}
		s.beginChain(st, now)
	}
	free := e.size - wire.EnvelopeOverhead(e.kind) - e.length
	e.prefix = wire.BodyPrefix{
		Base: s.out.base, Cum: s.in.cum, Digest: s.in.digest,
		Beyond: s.in.beyond(free / wire.BeyondSize), Length: uint16(e.length),
	}
	return nil
}

// readNonce reads the nonce of an envelope; its top bit is 0.
func readNonce(random io.Reader, nonce *[identity.NonceSize]byte) error {
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	nonce[0] &= 0x7f
	return nil
}

// messageKey makes the key of the message that a chain key stands at.
func messageKey(chain [32]byte) [32]byte { return identity.MAC(chain[:], []byte{1}) }

// nextChainKey moves a chain key on by one message.
func nextChainKey(chain [32]byte) [32]byte { return identity.MAC(chain[:], []byte{2}) }

// bodyKey makes the key of a body of a message key, an ack key or a sync key.
func bodyKey(key [32]byte, nonce [identity.NonceSize]byte) [32]byte {
	var b [1 + identity.NonceSize]byte
	b[0] = 3
	copy(b[1:], nonce[:])
	return identity.MAC(key[:], b[:])
}

// build makes the envelope's bytes and returns its body tag.
func (s *Session) build(e *envelope, key [32]byte) (frame []byte, tag bodyTag) {
	if e.kind == wire.WithKeys {
		e.header.Flags |= wire.FlagKeys
	}
	buf := s.start(e.size, e.nonce)
	buf = sealInPlace(e.header.Append(buf), wire.EnvelopeHeaderSize, s.send.header, e.nonce, s.bound.header)
	if e.kind == wire.WithKeys {
		buf = sealInPlace(s.keys.Append(buf), wire.EnvelopeKeysSize, s.send.header, wire.KeysNonce(e.nonce), s.bound.keys)
	}
	start := len(buf)
	buf = e.prefix.Append(buf)
	for _, c := range e.contents {
		buf = append(buf, c...)
	}
	e.bodyKey = bodyKey(key, e.nonce)
	buf, tag = s.sealBody(buf, start, e.bodyKey)
	return buf[len(s.bound.body):], tag
}

// start returns a buffer for an envelope of the given size, with what its body is bound
// to in front, so that no byte is copied to seal it.
func (s *Session) start(size int, nonce [identity.NonceSize]byte) []byte {
	buf := make([]byte, 0, len(s.bound.body)+size)
	buf = append(buf, s.bound.body...)
	buf = append(buf, wire.Suite)
	return append(buf, nonce[:]...)
}

// sealBody pads the body that begins at start to the end of the buffer and seals it.
func (s *Session) sealBody(buf []byte, start int, key [32]byte) (sealed []byte, tag bodyTag) {
	text := buf[start : cap(buf)-identity.Overhead] // the buffer is new: zeros
	sealed = identity.SealZero(buf[:start], key, text, buf[:start])
	return sealed, bodyTag(sealed[len(sealed)-wire.BodyTagSize:])
}

// sealInPlace seals the last n bytes of buf.
func sealInPlace(buf []byte, n int, key [32]byte, nonce [identity.NonceSize]byte, bound []byte) []byte {
	at := len(buf) - n
	return identity.Seal(buf[:at], key, nonce, buf[at:], bound)
}

// Parts returns what an outbox row keeps of the message: all but its contents, which
// are stored once elsewhere. Rebuild makes the same envelope of both. The bytes are
// secret, as they hold the body key:
//
//	sid 32 ‖ body key 32 ‖ body tag 16 ‖ size u32 ‖ keys u8 ‖ all before the body ‖ body prefix
func (m *Sealed) Parts() []byte {
	before := beforeBody(m.kind)
	b := make([]byte, 0, partsFixedSize+before+m.prefix.Size())
	b = append(b, m.sid[:]...)
	b = append(b, m.bodyKey[:]...)
	b = append(b, m.Tag[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Frame)))
	b = append(b, byte(m.kind))
	b = append(b, m.Frame[:before]...)
	return m.prefix.Append(b)
}

// FrameSize returns the bytes of the envelope that an outbox row is for, by its parts; 0 if these
// are damaged.
func FrameSize(parts []byte) int {
	if len(parts) < partsFixedSize {
		return 0
	}
	return int(min(binary.BigEndian.Uint32(parts[64+wire.BodyTagSize:]), wire.EnvelopeBytesMax))
}

const partsFixedSize = 32 + 32 + wire.BodyTagSize + 4 + 1

// beforeBody returns the number of bytes before an envelope's body.
func beforeBody(kind wire.KeysKind) int {
	return wire.EnvelopeOverhead(kind) - wire.BodyPrefixSizeMin - identity.Overhead
}

// Rebuild makes the envelope of a message again, byte for byte, from its parts and the
// contents it was sealed with. Error: ErrParts if the result would differ; a body key
// never seals a second text.
func Rebuild(parts []byte, contents [][]byte) ([]byte, error) {
	if len(parts) < partsFixedSize {
		return nil, ErrParts
	}
	sid, key := [32]byte(parts), [32]byte(parts[32:])
	tag := bodyTag(parts[64:])
	size := int(binary.BigEndian.Uint32(parts[64+wire.BodyTagSize:]))
	kind := wire.KeysKind(parts[partsFixedSize-1])
	if kind > wire.WithKeys {
		return nil, ErrParts
	}
	before := beforeBody(kind)
	rest := parts[partsFixedSize:]
	length := 0
	for _, c := range contents {
		length += len(c)
	}
	if fit, ok := wire.EnvelopeSizeFor(size); !ok || fit != size || len(rest) < before || len(rest)+length+identity.Overhead > size {
		return nil, ErrParts
	}
	s := Session{bound: bounds{body: newBounds(sid).body}}
	buf := make([]byte, 0, len(s.bound.body)+size)
	buf = append(append(buf, s.bound.body...), rest...)
	for _, c := range contents {
		buf = append(buf, c...)
	}
	buf, made := s.sealBody(buf, len(s.bound.body)+before, key)
	if made != tag {
		clear(buf)
		return nil, ErrParts
	}
	return buf[len(s.bound.body):], nil
}
