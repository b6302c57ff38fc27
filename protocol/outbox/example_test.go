package outbox_test

import (
	"fmt"
	"time"

	"pabal/protocol/outbox"
)

func ExampleQueue() {
	var q outbox.Queue
	now := time.Unix(1_800_000_000, 0)
	for n := range uint64(3) {
		text := []byte("hello")
		q.Push(outbox.Item{Message: [16]byte{byte(n + 1)}, Sequence: n + 1, Size: len(text), Content: text})
	}

	// Both sizes of an envelope hold all three: they share the smaller one.
	items := q.Take([]int{427, 2987})
	q.Sealed(&outbox.Entry{Index: 0, Frame: make([]byte, 512), Items: items}, now)
	fmt.Println(len(items), q.WaitingLen(), q.SealedLen())

	// No acknowledgement came: the same bytes go again.
	later := q.NextDue()
	fmt.Println(later.Sub(now), len(q.Due(later)))

	// Now it came.
	e, found := q.Remove([32]byte{}, 0)
	fmt.Println(found, e.Items[2].Sequence, q.Empty())
	// Output:
	// 3 0 1
	// 4s 1
	// true 3 true
}

func ExampleQueue_Fetch() {
	var q outbox.Queue
	id := [16]byte{1}
	q.Push(outbox.Item{Message: id, Sequence: 1, Size: 5}) // its bytes are in the history only
	fmt.Println(len(q.Take([]int{427})))

	asked := q.Fetch(true, nil)
	gone, _ := q.Fetched(asked, map[[16]byte][]byte{id: []byte("hello")})
	fmt.Println(len(asked), len(gone), string(q.Take([]int{427})[0].Content))
	// Output:
	// 0
	// 1 0 hello
}
