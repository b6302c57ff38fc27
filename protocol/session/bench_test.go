package session

import "testing"

// BenchmarkSession measures one message of 100 bytes: seal, open, and the bytes that
// both sides commit, with an ack each 64 messages.
func BenchmarkSession(b *testing.B) {
	p := newPair(b, 1)
	open(b, p.inviter, p.ack(b, p.invitee), KindAck)
	contents := [][]byte{make([]byte, 100)}
	var sealerState, openerState []byte
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		m, err := p.invitee.Seal(p.now, p.random, contents, 0)
		if err != nil {
			b.Fatal(err)
		}
		sealerState = p.invitee.AppendState(sealerState[:0])
		if _, err := p.inviter.Open(m.Frame); err != nil {
			b.Fatal(err)
		}
		openerState = p.inviter.AppendState(openerState[:0])
		if n++; n%64 == 1 {
			if _, err := p.invitee.Open(p.ack(b, p.inviter)); err != nil {
				b.Fatal(err)
			}
		}
	}
}
