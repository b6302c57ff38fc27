package store

import (
	"bytes"
	"fmt"
	"testing"
	"testing/cryptotest"

	"pabal/protocol"
)

// hits counts copies of words in all that is decrypted.
func hits(t testing.TB, s *Store, words ...string) (n int) {
	t.Helper()
	var all [][]byte
	for _, w := range words {
		all = append(all, []byte(w))
	}
	sight, err := s.Look(all...)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range sight.Hits {
		n += h
	}
	return n
}

// The sentinels of the drill: syllables and letters found nowhere else. Single
// ones are looked for, since the index shares the beginnings of its terms.
var sentinels = []string{"뷁", "쉛", "꿳", "xqzjv"}

const sentinelText = "뷁쉛꿳 xqzjv"

// plant fills a store, in 60 batches of so many messages, with 1 message in 40 and 1 contact in 4 that carry
// sentinels, and returns the writes that delete all of these.
func plant(f *fixture, s *Store, size int) (erase []protocol.Write) {
	var names []protocol.PutContact
	for i := range 80 {
		c := protocol.PutContact{ID: protocol.ContactID(f.id()), Name: fmt.Sprintf("name %d", i)}
		f.rand.Uint64()
		copy(c.ID[:], f.bytes(6)) // random order: such pages split
		if i%4 == 0 {
			c.Name, c.Alias = sentinelText, sentinelText
			erase = append(erase, protocol.EraseContact{ID: c.ID})
		} else {
			f.kept = append(f.kept, c)
		}
		names = append(names, c)
		f.commit(s, c)
		if i%8 == 0 { // and its picture is in overflow pages
			f.commit(s, protocol.PutPicture{Contact: c.ID, Sequence: 1, JPEG: bytes.Repeat([]byte(sentinelText+" "), 300)})
		}
	}
	for range 60 {
		var writes []protocol.Write
		for j := range size {
			i := f.rand.IntN(len(f.convs))
			text := fmt.Sprintf("회의 %d 점심 lunch 내일 %x", j, f.rand.Uint64())
			switch f.rand.IntN(40) {
			case 0:
				text += sentinelText
			case 1:
				if j%50 == 0 {
					text = string(bytes.Repeat([]byte(sentinelText+" "), 500)) // overflow pages
				}
			}
			m := f.message(i, protocol.In, text)
			if bytes.Contains(m.Content, []byte(sentinels[0])) {
				erase = append(erase, protocol.EraseMessage{ID: m.ID})
			}
			writes = append(writes, m)
		}
		for i := range f.convs {
			writes = append(writes, f.convs[i])
		}
		for range 3 { // states that grow and shrink make their pages split
			c := &names[f.rand.IntN(len(names))]
			c.State = f.bytes(f.rand.IntN(900))
			writes = append(writes, *c)
		}
		f.commit(s, writes...)
		indexAll(f.t, s)
	}
	return erase
}

// eraseAll erases a few rows a batch, as the daemon does.
func (f *fixture) eraseAll(s *Store, erase []protocol.Write) {
	f.t.Helper()
	for len(erase) > 0 {
		n := min(len(erase), DeleteBatchMax)
		if _, err := s.Commit(Batch{Now: f.tick(), Writes: erase[:n]}); err != nil {
			f.t.Fatal(err)
		}
		erase = erase[n:]
	}
}

// moreCommits makes unrelated commits, which log the pages that they touch.
func (f *fixture) moreCommits(s *Store, n int) {
	f.t.Helper()
	for i := range n {
		c := protocol.PutContact{ID: protocol.ContactID(f.id()), Name: fmt.Sprintf("later %d", i)}
		copy(c.ID[:], f.bytes(6))
		kept := &f.kept[i%len(f.kept)] // lies beside what was erased
		kept.Blocked = !kept.Blocked
		f.commit(s, f.message(i%len(f.convs), protocol.In, fmt.Sprintf("later 회의 %d", i)), c, *kept)
	}
	indexAll(f.t, s)
}

// TestDrill is the promise "deleted is gone": a byte scan with the key finds
// what was deleted before, never after, and not after more commits either.
func TestDrill(t *testing.T) {
	// With other keys and salts each time, about one run in ten would find one of
	// the words of 3 bytes by chance: of 2,000 such words, never written, 80 are found.
	cryptotest.SetGlobalRandom(t, 1)
	s := create(t)
	f := newFixture(t, 20)
	size := 200
	if testing.Short() {
		size = 20
	}
	erase := plant(f, s, size)
	if n := hits(t, s, sentinels...); n < len(erase) {
		t.Fatalf("only %d hits before deleting %d rows: the drill sees nothing", n, len(erase))
	}
	f.eraseAll(s, erase)
	if n := hits(t, s, sentinels...); n != 0 {
		t.Fatalf("%d hits after deleting", n)
	}
	if sight, err := s.Look(); err != nil || sight.GapBytes != 0 || sight.FreeBytes != 0 || sight.LogUnits != 0 {
		t.Fatalf("free space is not empty: %+v, %v", sight, err)
	}
	f.moreCommits(s, 400)
	if n := hits(t, s, sentinels...); n != 0 {
		t.Fatalf("%d hits after 400 more commits", n)
	}
	checkIndex(t, s)
	s = reopen(t, s)
	if n := hits(t, s, sentinels...); n != 0 {
		t.Fatalf("%d hits after opening again", n)
	}
}

// guard is a way to do without one of the things that make deleted text go.
type guard struct {
	name string
	weak weakness
	sql  string
}

func guards() []guard {
	all := []guard{
		{"clearing gaps", weakness{keepGaps: true}, ""},
		{"secure_delete", weakness{}, "PRAGMA secure_delete=OFF"},
		{"secure-delete of the index", weakness{}, "INSERT INTO search(search, rank) VALUES ('secure-delete', 0)"},
		{"cutting the log", weakness{keepLog: true}, ""},
		{"dropping the caches", weakness{keepCache: true}, ""},
	}
	if testing.Short() {
		return all[:1]
	}
	return all
}

// TestDrillNeedsEachGuard switches one guard off at a time: then the drill must
// find something, or the guard, or the drill, is for nothing.
func TestDrillNeedsEachGuard(t *testing.T) {
	for _, tt := range guards() {
		t.Run(tt.name, func(t *testing.T) {
			s := reopenWeak(t, create(t), tt.weak)
			mustExec(t, s, tt.sql)
			f := newFixture(t, 20)
			f.eraseAll(s, plant(f, s, 20))
			f.moreCommits(s, 100)
			n := hits(t, s, sentinels...)
			if n == 0 {
				t.Error("nothing is left without this guard")
			}
			t.Logf("%d hits without it", n)
		})
	}
}

func mustExec(t *testing.T, s *Store, sql string) {
	t.Helper()
	if err := s.write.c.db.Exec(sql); err != nil {
		t.Fatal(err)
	}
}
