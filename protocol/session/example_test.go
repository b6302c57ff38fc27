package session_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/session"
)

// Example shows two devices after their handshake: one says something, the other
// acknowledges it.
func Example() {
	now := time.Now()
	// The handshake gives both sides the same root, and the inviter's ratchet key.
	root := session.SplitRoot([32]byte{1}, [32]byte{2})
	ratchet, err := identity.NewKEMSeed(rand.Reader)
	if err != nil {
		panic(err)
	}
	inviter := session.NewInviter(root, ratchet, now)
	invitee, err := session.NewInvitee(root, ratchet.Public())
	if err != nil {
		panic(err)
	}

	sealed, err := invitee.Seal(now, rand.Reader, [][]byte{[]byte("hello")}, 0)
	if err != nil {
		panic(err)
	}
	// Here the caller commits invitee.AppendState(nil), sealed.Parts() and the text.
	opened, err := inviter.Open(sealed.Frame)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s, %d bytes, established %t\n", opened.Contents, len(sealed.Frame), opened.Established)

	ack, err := inviter.Ack(now, rand.Reader, nil, 0)
	if err != nil {
		panic(err)
	}
	if opened, err = invitee.Open(ack); err != nil {
		panic(err)
	}
	fmt.Println("delivered:", opened.Acked)
	// Output:
	// hello, 3072 bytes, established true
	// delivered: [0]
}

// ExampleRebuild makes an envelope again for a retransmission.
func ExampleRebuild() {
	root := session.SplitRoot([32]byte{1}, [32]byte{2})
	inviter := session.NewInviter(root, identity.KEMSeed{3}, time.Now())
	text := [][]byte{[]byte("hello")}
	sealed, err := inviter.Seal(time.Now(), rand.Reader, text, session.CourierSizeMin)
	if err != nil {
		panic(err)
	}
	again, err := session.Rebuild(sealed.Parts(), text)
	fmt.Println(bytes.Equal(again, sealed.Frame), err)
	// Output: true <nil>
}
