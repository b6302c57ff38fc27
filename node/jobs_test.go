package node

import (
	"context"
	"testing"

	"pabal/protocol"
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
