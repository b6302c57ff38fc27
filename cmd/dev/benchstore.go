package main

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

const (
	floorGroup = 64
	floorTime  = 2 * time.Second
	storeTime  = 2 * time.Second
)

// fsyncFloor returns how many records of a hundred bytes a second a file takes
// in groups of 64, each group appended and synced.
func fsyncFloor(dir string) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "floor"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	group := make([]byte, floorGroup*len(benchText))
	start, records := time.Now(), 0
	for time.Since(start) < floorTime {
		if _, err := f.Write(group); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		records += floorGroup
	}
	return perSecond(records, time.Since(start)), f.Close()
}

// twoSyncs returns what two appends of 4 KiB with an fsync each take.
func twoSyncs(dir string, times int) (p50, p99 float64, err error) {
	f, err := os.Create(filepath.Join(dir, "floor"))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	page := make([]byte, 4<<10)
	var took []float64
	for range times {
		start := time.Now()
		for range 2 {
			if _, err := f.Write(page); err != nil {
				return 0, 0, err
			}
			if err := f.Sync(); err != nil {
				return 0, 0, err
			}
		}
		took = append(took, time.Since(start).Seconds())
	}
	return quantile(took, 0.5), quantile(took, 0.99), f.Close()
}

// loneStore is a store with one conversation that is filled without a core or a network.
type loneStore struct {
	*store.Store
	conversation protocol.PutConversation
	now          time.Time
	random       *rand.Rand
	ids          uint64
}

func newLoneStore(dir string) (*loneStore, error) {
	st, err := store.Create(dir, store.Options{})
	if err != nil {
		return nil, err
	}
	l := &loneStore{Store: st, now: time.Now(), random: rand.New(rand.NewPCG(1, 2))}
	l.conversation = protocol.PutConversation{
		ID: l.id(), Kind: protocol.ConversationDirect, Contact: l.id(), CreatedAt: l.now.UnixMilli(),
	}
	return l, nil
}

// id returns an id as the core makes them: time, then random bits.
func (l *loneStore) id() (id [16]byte) {
	l.ids++
	binary.BigEndian.PutUint64(id[:], uint64(l.now.UnixMilli())<<16)
	binary.BigEndian.PutUint64(id[8:], l.random.Uint64())
	return id
}

// batch makes a full batch of incoming messages with their events and the
// conversation's row.
func (l *loneStore) batch() (store.Batch, error) {
	b := store.Batch{Now: l.now}
	first := l.conversation.LastPosition + 1
	for range store.BatchMax {
		l.conversation.LastPosition++
		n := l.conversation.LastPosition
		content, err := wire.AppendContent(nil, wire.Content{
			Type: wire.ContentText, ID: l.id(), Sequence: n, At: l.now.UnixMilli(), Text: benchText,
		})
		if err != nil {
			return b, err
		}
		b.Writes = append(b.Writes, protocol.PutMessage{
			ID: l.id(), Conversation: l.conversation.ID, Position: n, Direction: protocol.In, Sequence: n,
			SentAt: l.now.UnixMilli(), At: l.now.UnixMilli(), Content: content, Verification: protocol.Unverified,
		})
	}
	l.conversation.LastAt = l.now.UnixMilli()
	b.Writes = append(b.Writes, l.conversation)
	b.Events = []protocol.Event{{
		Type: protocol.MessageCreated, Conversation: l.conversation.ID, First: first, Count: store.BatchMax,
	}}
	return b, nil
}

// fill commits full batches for a while and returns the messages a second.
// Making the batches does not count.
func (l *loneStore) fill(atLeast time.Duration) (float64, error) {
	var took time.Duration
	messages := 0
	for took < atLeast {
		b, err := l.batch()
		if err != nil {
			return 0, err
		}
		start := time.Now()
		if _, err := l.Commit(b); err != nil {
			return 0, err
		}
		took += time.Since(start)
		messages += store.BatchMax
	}
	return perSecond(messages, took), nil
}

// index brings the search index up to date and returns the messages a second.
func (l *loneStore) index() (float64, error) {
	start, messages := time.Now(), 0
	for {
		n, err := l.IndexStep(store.IndexStepMax)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return perSecond(messages, time.Since(start)), nil
		}
		messages += n
	}
}
