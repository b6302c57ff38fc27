package session

import (
	"encoding/binary"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// stateVersion is the first byte of a stored session.
const stateVersion = 1

// Sizes in a stored session.
const (
	sentSize     = wire.BodyTagSize + 1
	markSize     = 4 + wire.BodyTagSize
	skippedSize  = 4 + 32
	oldChainSize = 4 + 4 + 4 + 32
)

// AppendState appends the session's bytes for our own storage to dst: about 0.7 KiB,
// 1.2 or 2.3 KiB more while a ratchet key waits to be used or our own to be seen, 17
// bytes for each message that is not acknowledged, 20 for each that overtook another
// and 36 for each skipped key. Equal sessions give equal bytes. They are secret.
func (s *Session) AppendState(dst []byte) []byte {
	dst = append(dst, stateVersion, byte(s.role))
	dst = append(dst, s.sid[:]...)
	dst = binary.BigEndian.AppendUint32(dst, s.step)
	dst = append(dst, s.root[:]...)
	dst = append(dst, s.checkBefore[:]...)
	for _, key := range [...]*[32]byte{&s.headers[0], &s.headers[1], &s.syncOurs, &s.syncTheirs} {
		dst = append(dst, key[:]...)
	}
	if s.ourStep() {
		dst = append(dst, s.seed[:]...)
	} else {
		dst = append(dst, s.peer[:]...)
	}
	if s.keys != nil {
		dst = s.keys.Append(append(dst, 1))
	} else {
		dst = append(dst, 0)
	}
	dst = s.send.append(dst)
	dst = s.out.append(dst)
	dst = s.recv.append(dst)
	return s.in.append(dst)
}

func (c *sendChain) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, c.first)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.started))
	dst = append(dst, c.chain[:]...)
	dst = append(dst, c.ack[:]...)
	return append(dst, c.header[:]...)
}

func (c *receiveChain) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, c.first)
	dst = append(dst, c.chain[:]...)
	dst = append(dst, c.ack[:]...)
	return append(dst, c.header[:]...)
}

func (o *outgoing) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, o.next)
	dst = binary.BigEndian.AppendUint32(dst, o.base)
	dst = append(dst, o.digest[:]...)
	for i := range o.sent {
		dst = append(dst, o.sent[i].tag[:]...)
		dst = append(dst, byte(o.sent[i].state))
	}
	return dst
}

func (in *incoming) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, in.next)
	dst = binary.BigEndian.AppendUint32(dst, in.cum)
	dst = append(dst, in.digest[:]...)
	dst = binary.BigEndian.AppendUint32(dst, in.base)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(in.marks)))
	for i := range in.marks {
		dst = binary.BigEndian.AppendUint32(dst, in.marks[i].index)
		dst = append(dst, in.marks[i].tag[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(in.skipped)))
	for i := range in.skipped {
		dst = binary.BigEndian.AppendUint32(dst, in.skipped[i].index)
		dst = append(dst, in.skipped[i].key[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(in.old)))
	for i := range in.old {
		c := &in.old[i]
		for _, v := range [...]uint32{c.number, c.first, c.end} {
			dst = binary.BigEndian.AppendUint32(dst, v)
		}
		dst = append(dst, c.header[:]...)
	}
	return dst
}

// Load makes a session of what AppendState wrote. It keeps no reference to b. Error:
// ErrState.
func Load(b []byte) (*Session, error) {
	r := stateReader{b: b}
	s := new(Session)
	if r.byte() != stateVersion {
		return nil, ErrState
	}
	s.role = Role(r.byte())
	r.bytes(s.sid[:])
	s.step = r.uint32()
	r.bytes(s.root[:])
	r.bytes(s.checkBefore[:])
	for _, key := range [...]*[32]byte{&s.headers[0], &s.headers[1], &s.syncOurs, &s.syncTheirs} {
		r.bytes(key[:])
	}
	if s.step == 0 || s.role != Inviter && s.role != Invitee {
		return nil, ErrState
	}
	s.loadRatchet(&r)
	s.loadChains(&r)
	s.in.load(&r)
	if r.bad || len(r.b) != 0 {
		return nil, ErrState
	}
	s.bound = newBounds(s.sid)
	return s, nil
}

func (s *Session) loadRatchet(r *stateReader) {
	if s.ourStep() {
		s.seed = new(identity.KEMSeed)
		r.bytes(s.seed[:])
	} else {
		s.peer = new(identity.KEMPublic)
		r.bytes(s.peer[:])
	}
	switch r.byte() {
	case 0:
	case 1:
		s.keys = new(wire.EnvelopeKeys)
		r.bytes(s.keys.Ratchet[:])
		r.bytes(s.keys.Ciphertext[:])
	default:
		r.bad = true
	}
}

// loadChains reads both chains and what we sent. The chains' numbers follow from the
// step and from whose it was.
func (s *Session) loadChains(r *stateReader) {
	s.send.number, s.recv.number = s.step, s.step-1
	if !s.ourStep() {
		s.send.number, s.recv.number = s.step-1, s.step
	}
	s.send.first = r.uint32()
	s.send.started = int64(r.uint64())
	for _, key := range [...]*[32]byte{&s.send.chain, &s.send.ack, &s.send.header} {
		r.bytes(key[:])
	}
	s.out.load(r)
	s.recv.first = r.uint32()
	for _, key := range [...]*[32]byte{&s.recv.chain, &s.recv.ack, &s.recv.header} {
		r.bytes(key[:])
	}
}

func (o *outgoing) load(r *stateReader) {
	o.next, o.base = r.uint32(), r.uint32()
	r.bytes(o.digest[:])
	n := o.next - o.base
	if !r.has(n, sentSize, Window) {
		return
	}
	o.sent = make([]sent, n)
	for i := range o.sent {
		r.bytes(o.sent[i].tag[:])
		o.sent[i].state = sentState(r.byte())
		r.bad = r.bad || o.sent[i].state >= sentStates
	}
}

func (in *incoming) load(r *stateReader) {
	in.next, in.cum = r.uint32(), r.uint32()
	r.bytes(in.digest[:])
	in.base = r.uint32()
	n := uint32(r.uint16())
	if !r.has(n, markSize, Window) {
		return
	}
	in.marks = make([]mark, n)
	for i := range in.marks {
		in.marks[i].index = r.uint32()
		r.bytes(in.marks[i].tag[:])
	}
	n = uint32(r.uint16())
	if !r.has(n, skippedSize, Window) {
		return
	}
	in.skipped = make([]skipped, n)
	for i := range in.skipped {
		in.skipped[i].index = r.uint32()
		r.bytes(in.skipped[i].key[:])
	}
	n = uint32(r.uint16())
	if !r.has(n, oldChainSize, 2*Window) {
		return
	}
	in.old = make([]oldChain, n)
	for i := range in.old {
		c := &in.old[i]
		c.number, c.first, c.end = r.uint32(), r.uint32(), r.uint32()
		r.bytes(c.header[:])
	}
	r.bad = r.bad || !in.whole()
}

// whole reports whether each index from cum to next-1 is once in marks or in skipped,
// in order.
func (in *incoming) whole() bool {
	m, k := in.marks, in.skipped
	for i := in.cum; i != in.next; i++ {
		switch {
		case len(m) > 0 && m[0].index == i:
			m = m[1:]
		case len(k) > 0 && k[0].index == i:
			k = k[1:]
		default:
			return false
		}
	}
	return len(m) == 0 && len(k) == 0
}

// stateReader walks through stored bytes. After a read past the end bad is set.
type stateReader struct {
	b   []byte
	bad bool
}

func (r *stateReader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return make([]byte, n)
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

// has reports whether n items of a size follow and are not too many.
func (r *stateReader) has(n uint32, size int, most uint32) bool {
	r.bad = r.bad || n > most || int(n)*size > len(r.b)
	return !r.bad
}

func (r *stateReader) bytes(dst []byte) { copy(dst, r.take(len(dst))) }
func (r *stateReader) byte() byte       { return r.take(1)[0] }
func (r *stateReader) uint16() uint16   { return binary.BigEndian.Uint16(r.take(2)) }
func (r *stateReader) uint32() uint32   { return binary.BigEndian.Uint32(r.take(4)) }
func (r *stateReader) uint64() uint64   { return binary.BigEndian.Uint64(r.take(8)) }
