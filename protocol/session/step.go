package session

import (
	"io"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// purposeTurn is what a step encapsulates for.
const purposeTurn = identity.LabelTurn

// rootStep is what a root step gives: step e of the spec.
type rootStep struct {
	root, chain, ack [32]byte
	header           [32]byte // of chain e+2
	keys             *wire.EnvelopeKeys
	seed             *identity.KEMSeed // of keys.Ratchet, if the step is ours
}

// stepDue reports whether what we seal now must begin a chain of our own: if the peer
// offers a key that we have not used and our chain is that old, is absent, or seems to
// come from the future because the clock went back.
func (s *Session) stepDue(now time.Time, after time.Duration) bool {
	if s.peer == nil {
		return false
	}
	age := now.UnixMilli() - s.send.started
	return s.send.number == 0 || age < 0 || age >= after.Milliseconds()
}

// makeStep computes the next step, which is ours. Errors: ErrKEM if the peer's ratchet
// key is of no use, so that the session must be repaired; or the random source's.
func (s *Session) makeStep(random io.Reader) (*rootStep, error) {
	seed, err := identity.NewKEMSeed(random)
	if err != nil {
		return nil, err
	}
	ct, secret, err := Encapsulate(*s.peer, purposeTurn, s.stepContext())
	if err != nil {
		return nil, err
	}
	keys := &wire.EnvelopeKeys{Ratchet: seed.Public(), Ciphertext: ct}
	st := s.derive(secret, *s.peer, keys)
	st.seed = &seed
	return st, nil
}

// takeStep computes the next step, which is the peer's, from its keys block. Error:
// ErrRefused for a malformed key or ciphertext.
func (s *Session) takeStep(keys *wire.EnvelopeKeys) (*rootStep, error) {
	if keys.Ratchet.Check() != nil {
		return nil, ErrRefused
	}
	secret, public, err := decapsulate(*s.seed, purposeTurn, s.stepContext(), keys.Ciphertext)
	if err != nil {
		return nil, ErrRefused
	}
	return s.derive(secret, public, keys), nil
}

func (s *Session) stepContext() []byte {
	return append(slices.Clone(s.sid[:]), identity.Uint32(s.step+1)...)
}

// derive makes the keys of the next step; before is the ratchet key that the step
// encapsulates to.
func (s *Session) derive(secret [32]byte, before identity.KEMPublic, keys *wire.EnvelopeKeys) *rootStep {
	transcript := identity.Hash(slices.Concat(before[:], keys.Ciphertext[:], keys.Ratchet[:]))
	info := identity.LabelStep.Join(s.stepContext(), transcript[:])
	b := identity.Expand(identity.Extract(s.root[:], secret[:]), info, 4*identity.KeySize)
	st := &rootStep{keys: keys}
	for i, key := range [...]*[32]byte{&st.root, &st.chain, &st.ack, &st.header} {
		copy(key[:], b[i*identity.KeySize:])
	}
	clear(b)
	return st
}

// advance moves the root to the next step and returns the header key of its chain.
func (s *Session) advance(st *rootStep) (header [32]byte) {
	header = s.headers[0]
	s.checkBefore = check(s.root)
	s.step++
	s.root = st.root
	s.headers = [2][32]byte{s.headers[1], st.header}
	return header
}

// beginChain makes the step's chain the one we seal under.
func (s *Session) beginChain(st *rootStep, now time.Time) {
	header := s.advance(st)
	s.seed, s.peer, s.keys = st.seed, nil, st.keys
	s.send = sendChain{
		number: s.step, first: s.out.next, started: now.UnixMilli(),
		chain: st.chain, ack: st.ack, header: header,
	}
}

// check returns the check value of a root key.
func check(root [32]byte) [wire.CheckSize]byte {
	h := identity.LabelCheck.Hash(root[:])
	return [wire.CheckSize]byte(h[:])
}
