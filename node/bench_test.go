package node_test

import (
	"context"
	"fmt"
	"testing"

	"pabal/node/api"
	"pabal/protocol"
)

// BenchmarkThroughput sends 100-byte messages from one node to another and ends
// when the last receipt is committed.
func BenchmarkThroughput(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	mina, jiwoo := newPerson(b, "Mina"), newPerson(b, "Jiwoo")
	id, err := protocol.ParseContactID(befriend(ctx, mina, jiwoo).ID)
	if err != nil {
		b.Fatal(err)
	}
	text := fmt.Sprintf("%0100d", 1)
	b.ResetTimer()
	slots := make(chan struct{}, 1024) // how many callers wait side by side
	for range b.N {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			_, err := jiwoo.node.Submit(ctx, func(ref uint64) protocol.Input {
				return protocol.SendText{Ref: ref, Contact: id, Text: text}
			}, nil)
			if err != nil {
				b.Error(err)
			}
		}()
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	for must[api.Status](b)(jiwoo.Status(ctx)).OutboxTotal > 0 {
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
