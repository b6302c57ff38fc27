package session

import (
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Kind says what an envelope that opened is.
type Kind uint8

// The kinds.
const (
	// KindMessage is a message that has not arrived before.
	KindMessage Kind = 1
	// KindAck is a bare ack. Its contents, if any, are not kept and may be repeated by
	// whoever carries them.
	KindAck Kind = 2
	// KindSync is a sync frame that agrees with what we know.
	KindSync Kind = 3
	// KindDuplicate is a message that has arrived before: it is acknowledged again.
	KindDuplicate Kind = 4
	// KindStale is a late copy of a bare ack of an old chain: it is ignored.
	KindStale Kind = 5
)

// IndexRange is the range of indices from From up to, but without, To.
type IndexRange struct{ From, To uint32 }

// Opened is what Open found in an envelope.
type Opened struct {
	Kind Kind
	// Index is the place of a message or a duplicate among all of the peer's.
	Index uint32
	// Contents is a CBOR sequence: of a message, or of a bare ack. The caller owns it.
	Contents []byte
	// Acked holds the indices of our messages that are acknowledged for the first
	// time, ascending, without those that were withdrawn: they are delivered.
	Acked []uint32
	// Cleared are those that the peer can never need again, because it has all before
	// them too: only now may their envelopes be erased. A peer that acknowledged a
	// message beyond a missing one and was then rolled back would lack it for ever.
	Cleared IndexRange
	// PeerNext is the lowest index the peer had not used when it sealed this.
	PeerNext uint32
	// Stepped says that the peer began a new chain with this.
	Stepped bool
	// Behind says, of a sync frame, that the peer seems to have forgotten what it did:
	// it was rolled back, or the frame is a late copy. The caller answers with a sync
	// frame, at most once a minute: then a peer that was rolled back finds the fork.
	Behind bool
	// Established says that this is the invitee's first frame, to the inviter.
	Established bool
}

// Open opens an envelope of the peer's. If it returns an error, nothing has changed;
// otherwise what changed must be committed together with the effects of the contents.
// Errors: ErrUnopenable, ErrSuite, ErrRefused, and the errors that are ErrFork.
func (s *Session) Open(frame []byte) (Opened, error) {
	env, err := wire.ParseEnvelope(frame)
	switch err {
	case nil:
	case wire.ErrEnvelopeSuite:
		return Opened{}, ErrSuite
	default:
		return Opened{}, ErrUnopenable
	}
	o := opener{s: s, env: env, text: make([]byte, 0, wire.EnvelopeHeaderSize)}
	switch {
	case s.recv.number != 0 && o.try(&s.recv.header):
		return o.current()
	case o.try(s.nextHeader()):
		return o.next()
	}
	for i := len(s.in.old) - 1; i >= 0; i-- {
		if o.try(&s.in.old[i].header) {
			return o.old(s.in.old[i])
		}
	}
	if o.try(&s.syncTheirs) {
		return o.sync()
	}
	return Opened{}, ErrUnopenable
}

// nextHeader returns the header key of the chain the peer will begin next.
func (s *Session) nextHeader() *[32]byte {
	if s.ourStep() {
		return &s.headers[0]
	}
	return &s.headers[1]
}

// opener opens one envelope. It changes the session only once nothing can fail any more.
type opener struct {
	s      *Session
	env    wire.Envelope
	text   []byte // the opened header
	header wire.EnvelopeHeader
	body   wire.BodyPrefix
	tag    bodyTag
	stale  bool // the ack knows less than an earlier one
}

// try opens the header under a key.
func (o *opener) try(key *[32]byte) bool {
	text, err := identity.Open(o.text[:0], *key, o.env.Nonce, o.env.Header, o.s.bound.header)
	if err != nil {
		return false
	}
	o.text = text
	return true
}

// current opens an envelope of the peer's newest chain.
func (o *opener) current() (Opened, error) {
	s := o.s
	if err := o.parse(s.recv.number, s.recv.first); err != nil {
		return Opened{}, err
	}
	switch {
	case o.header.IsAck():
		contents, err := o.open(s.recv.ack)
		if err != nil {
			return Opened{}, err
		}
		return o.accept(KindAck, contents), nil
	case o.header.Index < s.in.next:
		return o.late()
	}
	if o.header.Index-s.in.cum >= Window {
		return Opened{}, ErrRefused
	}
	keys, chain := walk(s.recv.chain, s.in.next, o.header.Index)
	contents, err := o.open(messageKey(chain))
	if err != nil {
		return Opened{}, err
	}
	s.pass(keys, nextChainKey(chain), o.header.Index, o.tag)
	return o.accept(KindMessage, contents), nil
}

// old opens an envelope of a finished chain.
func (o *opener) old(c oldChain) (Opened, error) {
	if err := o.parse(c.number, c.first); err != nil {
		return Opened{}, err
	}
	switch {
	case o.header.IsAck():
		return Opened{Kind: KindStale}, nil
	case o.header.Index >= c.end:
		return Opened{}, ErrUnopenable
	}
	return o.late()
}

// late opens a message that others have overtaken, if it has not arrived yet.
func (o *opener) late() (Opened, error) {
	in := &o.s.in
	i, ok := in.key(o.header.Index)
	if !ok {
		return Opened{Kind: KindDuplicate, Index: o.header.Index}, nil
	}
	contents, err := o.open(in.skipped[i].key)
	if err != nil {
		return Opened{}, err
	}
	in.forget(i)
	in.arrived(o.header.Index, o.tag)
	return o.accept(KindMessage, contents), nil
}

// next opens the first envelope of a new chain that reaches us.
func (o *opener) next() (Opened, error) {
	s := o.s
	h, err := wire.ParseEnvelopeHeader(o.text)
	if err != nil {
		return Opened{}, ErrRefused
	}
	if s.seed == nil || h.Chain != s.step+1 || h.KeysKind() != wire.WithKeys || h.First < s.in.next {
		return Opened{}, ErrForkStep
	}
	o.header = h
	// The index is the message's own, which lies below the window's end, or that of
	// the message after an ack, which may lie at it.
	if ahead := h.Index - s.in.cum; ahead > Window || ahead == Window && !h.IsAck() {
		return Opened{}, ErrRefused
	}
	st, err := o.step()
	if err != nil {
		return Opened{}, err
	}
	rest, _ := walk(s.recv.chain, s.in.next, h.First)
	if h.IsAck() {
		contents, err := o.open(st.ack)
		if err != nil {
			return Opened{}, err
		}
		s.follow(st, rest, h.First)
		return o.stepped(o.accept(KindAck, contents)), nil
	}
	keys, chain := walk(st.chain, h.First, h.Index)
	contents, err := o.open(messageKey(chain))
	if err != nil {
		return Opened{}, err
	}
	s.follow(st, rest, h.First)
	s.pass(keys, nextChainKey(chain), h.Index, o.tag)
	return o.stepped(o.accept(KindMessage, contents)), nil
}

func (o *opener) stepped(r Opened) Opened {
	r.Stepped = true
	r.Established = o.header.Chain == 2
	return r
}

// step opens the keys block and computes the step of the new chain.
func (o *opener) step() (*rootStep, error) {
	sealed, err := o.env.Keys()
	if err != nil {
		return nil, ErrRefused
	}
	text, err := identity.Open(nil, *o.s.nextHeader(), wire.KeysNonce(o.env.Nonce), sealed, o.s.bound.keys)
	if err != nil {
		return nil, ErrUnopenable
	}
	keys, err := wire.ParseEnvelopeKeys(text)
	if err != nil {
		return nil, ErrRefused
	}
	return o.s.takeStep(keys)
}

// sync opens a sync frame and compares it with what we know.
func (o *opener) sync() (Opened, error) {
	s := o.s
	if [wire.EnvelopeHeaderSize]byte(o.text) != [wire.EnvelopeHeaderSize]byte{} {
		return Opened{}, ErrRefused
	}
	text, err := o.openBody(wire.WithoutKeys, bodyKey(s.syncTheirs, o.env.Nonce))
	if err != nil {
		return Opened{}, err
	}
	body, err := wire.ParseSyncBody(text)
	if err != nil {
		return Opened{}, ErrRefused
	}
	if err := s.compare(&body); err != nil {
		return Opened{}, err
	}
	return Opened{Kind: KindSync, PeerNext: body.Next, Behind: s.behind(&body)}, nil
}

// behind reports whether a sync frame knows less of the peer's own doing than we do.
func (s *Session) behind(b *wire.SyncBody) bool {
	newest := s.step // of the peer's steps that we know
	if s.ourStep() {
		newest--
	}
	return b.Next < s.in.next || b.Base < s.in.base || b.Step < newest
}

// compare finds out whether a sync frame contradicts what we know. What it knows less
// than we do is no contradiction: it may be a late copy, and if the peer was rolled
// back, our own sync frame tells it. Errors: ErrFork.
func (s *Session) compare(b *wire.SyncBody) error {
	stepMax := s.step
	if s.ourStep() {
		stepMax++
	}
	if b.Step > stepMax || b.Base > s.in.cum {
		return ErrForkBehind
	}
	if _, err := s.out.compare(b.Cum, b.Digest, nil); err != nil {
		return err
	}
	ours, theirs := check(s.root), b.Check
	switch b.Step {
	case s.step:
		if b.Step > 1 && b.CheckBefore != s.checkBefore {
			return ErrForkRoot
		}
	case s.step + 1:
		theirs = b.CheckBefore
	case s.step - 1:
		ours = s.checkBefore
	default:
		return nil
	}
	if ours != theirs {
		return ErrForkRoot
	}
	return nil
}

// parse reads the header of a chain that we know. A peer that was rolled back and made
// its step again has a header with another first index: like a body that does not
// open, that calls for a sync frame.
func (o *opener) parse(number, first uint32) error {
	h, err := wire.ParseEnvelopeHeader(o.text)
	if err != nil {
		return ErrRefused
	}
	if h.Chain != number || h.First != first {
		return ErrUnopenable
	}
	o.header = h
	return nil
}

// open opens the body, of a message or of a bare ack, under its key, and checks what it
// says of both directions.
func (o *opener) open(key [32]byte) (contents []byte, err error) {
	s := o.s
	text, err := o.openBody(o.header.KeysKind(), bodyKey(key, o.env.Nonce))
	if err != nil {
		return nil, err
	}
	if o.body, contents, err = wire.ParseBody(text); err != nil {
		return nil, ErrRefused
	}
	ahead := uint32(Window - 1)
	if o.header.IsAck() {
		ahead = Window
	}
	if o.body.Base > o.header.Index || o.header.Index-o.body.Base > ahead {
		return nil, ErrRefused
	}
	if o.body.Base > s.in.cum {
		return nil, ErrForkBehind
	}
	o.stale, err = s.out.compare(o.body.Cum, o.body.Digest, o.body.Beyond)
	return contents, err
}

// openBody opens the body in a copy of the envelope, behind what it is bound to.
func (o *opener) openBody(kind wire.KeysKind, key [32]byte) ([]byte, error) {
	sealed, before, err := o.env.Body(kind)
	if err != nil {
		return nil, ErrRefused
	}
	bound := o.s.bound.body
	buf := make([]byte, 0, len(bound)+len(before)+len(sealed))
	buf = append(append(buf, bound...), before...)
	at := len(buf)
	buf = append(buf, sealed...)
	text, err := identity.OpenZero(buf[at:at], key, buf[at:], buf[:at])
	if err != nil {
		return nil, ErrUnopenable
	}
	o.tag = bodyTag(sealed[len(sealed)-wire.BodyTagSize:])
	return text, nil
}

// accept applies what the body says of both directions.
func (o *opener) accept(kind Kind, contents []byte) Opened {
	s, h := o.s, o.header
	r := Opened{Kind: kind, Index: h.Index, Contents: contents, PeerNext: h.Index}
	if kind == KindMessage {
		r.PeerNext++
	}
	s.in.heard(o.body.Base)
	if o.stale {
		return r
	}
	r.Cleared = IndexRange{s.out.base, o.body.Cum}
	r.Acked = s.out.take(o.body.Cum, o.body.Digest, o.body.Beyond)
	if s.keys != nil && s.keysSeen(o.body) {
		s.keys = nil
	}
	return r
}

// keysSeen reports whether an ack covers a message of our newest chain: then the peer
// has its keys.
func (s *Session) keysSeen(b wire.BodyPrefix) bool {
	return b.Cum > s.send.first || len(b.Beyond) > 0 && b.Beyond[len(b.Beyond)-1].Index >= s.send.first
}

// walk moves a chain key from one index to a later one and returns the keys of the
// messages it passes. The caller has checked that both lie within the window.
func walk(chain [32]byte, from, to uint32) ([]skipped, [32]byte) {
	if from == to {
		return nil, chain
	}
	keys := make([]skipped, 0, to-from)
	for i := from; i < to; i++ {
		keys = append(keys, skipped{i, messageKey(chain)})
		chain = nextChainKey(chain)
	}
	return keys, chain
}

// pass counts the message at index and stores the keys of those before it.
func (s *Session) pass(keys []skipped, chain [32]byte, index uint32, tag bodyTag) {
	s.in.skipped = append(s.in.skipped, keys...)
	s.in.next = index + 1
	s.recv.chain = chain
	s.in.arrived(index, tag)
}

// follow finishes the peer's chain before first, with the keys that are left of it, and
// begins the next one.
func (s *Session) follow(st *rootStep, rest []skipped, first uint32) {
	s.in.skipped = append(s.in.skipped, rest...)
	s.in.next = first
	if s.recv.number != 0 && s.recv.first < first {
		s.in.old = append(s.in.old, oldChain{number: s.recv.number, first: s.recv.first, end: first, header: s.recv.header})
	}
	header := s.advance(st)
	*s.seed = identity.KEMSeed{} // used: erased, also behind other pointers
	s.seed, s.keys = nil, nil
	peer := st.keys.Ratchet
	s.peer = &peer
	s.recv = receiveChain{number: s.step, first: first, chain: st.chain, ack: st.ack, header: header}
}
