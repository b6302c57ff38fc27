package session

import "pabal/protocol/identity"

// rootBytes is what a session's first keys take from the handshake.
const rootBytes = 10 * identity.KeySize

// Root holds the first keys of a session, which both sides make of the handshake's
// secret (spec, "First keys"). Pair and Recovery are not the session's: they begin the
// pair chain and stand for s in a later repair. It is secret; the caller erases it once
// the session is made.
type Root struct {
	SID         [32]byte
	Root        [32]byte // root key of step 1
	Chain       [32]byte // chain key of chain 1, the inviter's
	Ack         [32]byte // ack key of chain 1
	Headers     [3][32]byte
	Pair        [32]byte // key of the pair chain's first day
	Recovery    [32]byte // recovery secret
	SyncInviter [32]byte // sync key of the inviter's sync frames
	SyncInvitee [32]byte // sync key of the invitee's
}

// SplitRoot makes a session's first keys of the handshake's secret P = X(s, ss1 ‖ ss2 ‖
// ss3 ‖ ss4) and the session id.
func SplitRoot(secret [identity.KeySize]byte, sid [32]byte) Root {
	b := identity.Expand(secret, identity.LabelRoot.Join(sid[:]), rootBytes)
	r := Root{SID: sid}
	for i, key := range [...]*[32]byte{
		&r.Root, &r.Chain, &r.Ack, &r.Headers[0], &r.Headers[1], &r.Headers[2],
		&r.Pair, &r.Recovery, &r.SyncInviter, &r.SyncInvitee,
	} {
		copy(key[:], b[i*identity.KeySize:])
	}
	clear(b)
	return r
}
