package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

const (
	historyShort      = 165_000 // messages of the short history
	historyTalks      = 200     // conversations
	historyTurns      = 11      // alternating pairs of the flat cost
	historyBatch      = 64      // messages of a commit there
	historyPerTurn    = 80      // commits of a turn
	historyDeleted    = 1000
	historyVocabulary = 20_000
	historyRepeats    = 51 // of what is measured one by one
	historyIdle       = 20 * time.Millisecond
	openBarMS         = 200
	pageBarMS         = 1
	unreadBarMS       = 1
	searchBarMS       = 20
	deleteBar         = 100 // fsync floors
	waitBar           = 3   // batches of a deletion
	longBar           = 15  // ordinary messages whose deletion costs as much as that of the longest
	storeFlatBar      = 1.15
	historyFloorOps   = 200
)

func storeMeasurements() []measurement {
	return []measurement{{[]string{
		"store_flat_cost", "store_open_ms", "store_page_ms", "store_unread_ms", "store_search_ms", "store_delete_floors", "store_wait_batches", "store_delete_long",
	}, measureHistory}}
}

// history is a store with many conversations that is filled without a core or a network.
type history struct {
	*store.Store
	dir    string
	talks  []protocol.PutConversation
	random *rand.Rand
	words  []string                     // the other words of its texts
	ids    loneStore                    // makes ids
	seen   map[int64]protocol.MessageID // by number, for deletions at random
	made   int64
}

// historyWords are the frequent words of its texts: each is in one message of thirty or so.
var historyWords = strings.Fields("오늘 내일 점심 회의 같이 어디 지금 meeting 좋아 알겠어 저녁 사진 다시 lunch 회의실 학교 " +
	"전화 약속 친구 tomorrow 늦어 도착 출발 버스 지하철 병원 생일 선물 여행 주말 project deadline 보고서 계약서 영수증")

func newHistory(dir string) (*history, error) {
	st, err := store.Create(dir, store.Options{})
	if err != nil {
		return nil, err
	}
	h := newWriter(st)
	h.dir = dir
	for range historyTalks {
		h.talks = append(h.talks, protocol.PutConversation{
			ID: h.ids.id(), Kind: protocol.ConversationDirect, Contact: h.ids.id(), CreatedAt: h.ids.now.UnixMilli(),
		})
	}
	return h, nil
}

// newWriter returns what fills a store that has conversations already, or gets them.
func newWriter(st *store.Store) *history {
	h := &history{Store: st, random: rand.New(rand.NewPCG(3, 4)), seen: make(map[int64]protocol.MessageID)}
	h.words = otherWords(h.random)
	h.ids = loneStore{now: time.Now(), random: h.random}
	return h
}

// text is a text of four to eleven words, one in six a frequent one, and a number.
func (h *history) text() string {
	var words []string
	for range 4 + h.random.IntN(8) {
		word := historyWords[h.random.IntN(len(historyWords))]
		if h.random.IntN(6) > 0 {
			word = h.words[h.random.IntN(len(h.words))]
		}
		words = append(words, word)
	}
	return strings.Join(append(words, fmt.Sprintf("번호%d", h.random.IntN(50_000))), " ")
}

// otherWords makes as many words as people use, of two to four syllables.
func otherWords(random *rand.Rand) []string {
	const first, last = 0xAC00, 0xD7A3
	words := make([]string, historyVocabulary)
	for i := range words {
		var word []rune
		for range 2 + random.IntN(3) {
			word = append(word, first+rune(random.IntN(last-first+1)))
		}
		words[i] = string(word)
	}
	return words
}

// batch makes so many incoming messages, each in some conversation.
func (h *history) batch(size int) (store.Batch, error) {
	b := store.Batch{Now: h.ids.now}
	changed := make(map[int]bool)
	for range size {
		at := h.random.IntN(len(h.talks))
		talk := &h.talks[at]
		talk.LastPosition++
		changed[at] = true
		content, err := wire.AppendContent(nil, wire.Content{
			Type: wire.ContentText, ID: h.ids.id(), Sequence: talk.LastPosition, At: h.ids.now.UnixMilli(), Text: h.text(),
		})
		if err != nil {
			return b, err
		}
		m := protocol.PutMessage{
			ID: h.ids.id(), Conversation: talk.ID, Position: talk.LastPosition, Direction: protocol.In, Sequence: talk.LastPosition,
			SentAt: h.ids.now.UnixMilli(), At: h.ids.now.UnixMilli(), Content: content, Verification: protocol.Unverified,
		}
		h.seen[h.made] = m.ID
		h.made++
		b.Writes = append(b.Writes, m)
		b.Events = append(b.Events, protocol.Event{Type: protocol.MessageCreated, Conversation: talk.ID, First: talk.LastPosition, Count: 1})
	}
	for at := range h.talks { // in order: a run is like any other
		if changed[at] {
			b.Writes = append(b.Writes, h.talks[at])
		}
	}
	return b, nil
}

// fillTo commits full batches until there are so many messages, and indexes them.
func (h *history) fillTo(messages int) error {
	for h.made < int64(messages) {
		b, err := h.batch(min(store.BatchMax, messages-int(h.made)))
		if err != nil {
			return err
		}
		if _, err := h.Commit(b); err != nil {
			return err
		}
	}
	for {
		if n, err := h.IndexStep(store.IndexStepMax); err != nil || n == 0 {
			return err
		}
	}
}

// turn returns the microseconds of a new message. Making the batches does not count.
func (h *history) turn() (float64, error) {
	var took time.Duration
	for range historyPerTurn {
		b, err := h.batch(historyBatch)
		if err != nil {
			return 0, err
		}
		start := time.Now()
		if _, err := h.Commit(b); err != nil {
			return 0, err
		}
		took += time.Since(start)
	}
	return float64(took.Microseconds()) / (historyPerTurn * historyBatch), nil
}

// measureHistory makes a long history and a short one, compares what a message costs in
// them, and measures reading and deleting in the long one.
func measureHistory(ctx context.Context, b *benchmark) (figures []figure, err error) {
	dir, remove, err := b.workspace()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	var both [2]*history
	for i, messages := range []int{b.stored, min(historyShort, b.stored)} {
		b.note("store: a history of %d messages", messages)
		if both[i], err = newHistory(filepath.Join(dir, fmt.Sprint(i))); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, both[i].Close()) }()
		if err := both[i].fillTo(messages); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	long, short := both[0], both[1]
	late, early, err := inTurns(historyTurns, long.turn, short.turn)
	if err != nil {
		return nil, err
	}
	figures = append(figures, figure{name: "store_flat_cost", value: late, limit: early, bar: storeFlatBar})
	if err := long.fillTo(0); err != nil { // the index only
		return nil, err
	}
	read, err := b.reading(long)
	if err != nil {
		return nil, err
	}
	deleted, err := b.deleting(ctx, long, dir)
	if err != nil {
		return nil, err
	}
	longest, err := long.deletingLong()
	return append(append(append(figures, read...), deleted...), longest), err
}

// reading measures what a frontend waits for.
func (b *benchmark) reading(h *history) (figures []figure, err error) {
	var opened []float64
	for range historyTurns {
		if err := h.Close(); err != nil {
			return nil, err
		}
		start := time.Now()
		if h.Store, err = store.Open(h.dir, store.Unlock{}); err != nil {
			return nil, err
		}
		opened = append(opened, millis(time.Since(start)))
	}
	page, err := h.median(func(v *store.View) error {
		_, err := v.Messages(h.talks[h.random.IntN(len(h.talks))].ID, store.PageQuery{Limit: 50})
		return err
	})
	if err != nil {
		return nil, err
	}
	unread, err := h.median(func(v *store.View) error {
		_, err := v.Totals()
		return err
	})
	if err != nil {
		return nil, err
	}
	worst := 0.0
	for _, text := range []string{"점심", "번호4711", "의실", "lunch", "proj", "ㅎㅇ", "ㅂㄱㅅ", "오늘 생일", "없는말"} {
		took, err := h.median(func(v *store.View) error {
			_, err := v.Search(store.SearchQuery{Text: text})
			return err
		})
		if err != nil {
			return nil, err
		}
		b.note("store: search %s: %.2f ms", text, took)
		worst = max(worst, took)
	}
	return []figure{
		{name: "store_open_ms", value: quantile(opened, 0.5), limit: openBarMS, bar: 1},
		{name: "store_page_ms", value: page, limit: pageBarMS, bar: 1},
		{name: "store_unread_ms", value: unread, limit: unreadBarMS, bar: 1},
		{name: "store_search_ms", value: worst, limit: searchBarMS, bar: 1},
	}, nil
}

// median returns the milliseconds of a view.
func (h *history) median(look func(*store.View) error) (float64, error) {
	var took []float64
	for range historyRepeats {
		start := time.Now()
		if err := h.View(look); err != nil {
			return 0, err
		}
		took = append(took, millis(time.Since(start)))
	}
	return quantile(took, 0.5), nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// deleting deletes a thousand messages at random, in the batches that the daemon makes,
// while single messages are committed, and counts the batches that one of these waits for.
func (b *benchmark) deleting(ctx context.Context, h *history, dir string) ([]figure, error) {
	before, err := fsyncTimes(dir, historyFloorOps)
	if err != nil {
		return nil, err
	}
	var ended atomic.Int64
	erasing, stop := context.WithCancel(ctx)
	defer stop()
	group, erasing := errgroup.WithContext(erasing)
	var took time.Duration
	victims := h.random.Perm(b.stored)[:min(historyDeleted, b.stored)]
	group.Go(func() error {
		defer stop()
		for batch := range slices.Chunk(victims, store.DeleteBatchMax) {
			var writes []protocol.Write
			for _, n := range batch {
				writes = append(writes, protocol.EraseMessage{ID: h.seen[int64(n)]})
			}
			start := time.Now()
			done, err := h.Commit(store.Batch{Now: start, Writes: writes})
			if err == nil && !done.Scrubbed {
				err = errors.New("what was deleted is not scrubbed")
			}
			if err != nil {
				return err
			}
			took += time.Since(start)
			ended.Add(1)
		}
		return nil
	})
	waited := int64(0)
	sender := &history{Store: h.Store, words: h.words, talks: h.talks[:1], random: rand.New(rand.NewPCG(5, 6)), seen: make(map[int64]protocol.MessageID)}
	sender.ids = loneStore{now: time.Now(), random: sender.random}
	group.Go(func() error {
		for pause(erasing, historyIdle) {
			b, err := sender.batch(1)
			if err != nil {
				return err
			}
			at := ended.Load()
			if _, err := h.Commit(b); err != nil {
				return err
			}
			waited = max(waited, ended.Load()-at)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	after, err := fsyncTimes(dir, historyFloorOps)
	if err != nil {
		return nil, err
	}
	floor := quantile(append(before, after...), 0.5)
	return []figure{
		{name: "store_delete_floors", value: millis(took) / float64(len(victims)), limit: floor, bar: deleteBar},
		{name: "store_wait_batches", value: float64(waited), limit: waitBar, bar: 1},
	}, nil
}

// deletingLong compares the deletion of texts as long as they may be, of words that all differ,
// with that of others.
func (h *history) deletingLong() (figure, error) {
	first := h.made
	b, err := h.batch(2 * historyTurns)
	if err != nil {
		return figure{}, err
	}
	n := 0
	for i := range b.Writes {
		m, ok := b.Writes[i].(protocol.PutMessage)
		if n++; !ok || n > historyTurns {
			break
		}
		content := wire.Content{Type: wire.ContentText, ID: h.ids.id(), Sequence: m.Sequence, At: m.At, Text: h.longText()}
		if m.Content, err = wire.AppendContent(nil, content); err != nil {
			return figure{}, err
		}
		b.Writes[i] = m
	}
	if _, err := h.Commit(b); err != nil {
		return figure{}, err
	}
	if err := h.fillTo(0); err != nil { // the index only
		return figure{}, err
	}
	erase := func(next int64) func() (float64, error) {
		return func() (float64, error) {
			start := time.Now()
			_, err := h.Commit(store.Batch{Now: start, Writes: []protocol.Write{protocol.EraseMessage{ID: h.seen[next]}}})
			next++
			return millis(time.Since(start)), err
		}
	}
	long, short, err := inTurns(historyTurns, erase(first), erase(first+historyTurns))
	return figure{name: "store_delete_long", value: long, limit: short, bar: longBar}, err
}

// longText is a text of as many bytes as a message may have, of words of eight letters.
func (h *history) longText() string {
	var b strings.Builder
	for b.Len() < protocol.TextBytesMax-9 {
		fmt.Fprintf(&b, "%08x ", h.random.Uint32())
	}
	return b.String()
}

// fsyncTimes returns the milliseconds of appends of 4 KiB with an fsync.
func fsyncTimes(dir string, times int) (took []float64, err error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	page := make([]byte, 4<<10)
	for range times {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, float64(time.Since(start).Nanoseconds())/1e6)
	}
	return took, nil
}
