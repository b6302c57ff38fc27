package node

import (
	"context"
	"errors"
	"testing"

	"pabal/protocol"
	"pabal/store"
)

// TestStampEndsWithTheNode stops a node that searches a stamp, which may take long:
// whoever made the card chose how long.
func TestStampEndsWithTheNode(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	in, err := new(core).work(stopped, protocol.MakeStamp{Job: 1, Bits: 8})
	if made, ok := in.(protocol.StampMade); err != nil || !ok || made.OK {
		t.Fatalf("the search went on: %+v, %v", in, err)
	}
}

// TestLateReplies: whoever waits for a Reply that comes in a later Output gets it, the
// problem in its place, or why there is none.
func TestLateReplies(t *testing.T) {
	c := &core{late: make(map[uint64]chan<- answer)}
	waits := make(map[uint64]chan answer)
	for ref := range uint64(3) {
		waits[ref] = make(chan answer, 1)
		c.late[ref] = waits[ref]
	}
	c.replies([]protocol.Reply{
		{Ref: 7, Result: "of nobody who waits"}, {Ref: 0, Result: "done"}, {Ref: 1, Result: &protocol.Problem{Code: "gone"}},
	})
	if a := <-waits[0]; a.result != "done" || a.err != nil {
		t.Errorf("answered %+v", a)
	}
	if a := <-waits[1]; a.result != nil || code(a.err) != "gone" {
		t.Errorf("answered %+v", a)
	}
	c.answerLate(store.ErrFull)
	if a := <-waits[2]; !errors.Is(a.err, store.ErrFull) || len(c.late) > 0 {
		t.Errorf("answered %+v, %d wait", a, len(c.late))
	}
}
