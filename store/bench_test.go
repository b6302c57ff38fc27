package store

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pabal/protocol"
)

// floor measures what an append of 4 KiB and a sync take here and now: the
// figures of a disk mean something only beside it.
func floor(b *testing.B) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, pageBytes)
	took := make([]time.Duration, 200)
	for i := range took {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	return median(took)
}

func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// filled returns a store with 200 conversations and at least n messages.
func filled(b *testing.B, n int) (*Store, *fixture) {
	b.Helper()
	s := create(b)
	f := newFixture(b, 200)
	var setup []protocol.Write
	for i := range f.convs {
		setup = append(setup, f.convs[i], f.session[i])
	}
	f.commit(s, setup...)
	for ; n > 0; n -= BatchMax {
		if _, err := s.Commit(f.batch(BatchMax)); err != nil {
			b.Fatal(err)
		}
	}
	return s, f
}

// BenchmarkCommit measures what the core gives a store under load: messages of
// 100 bytes over 200 conversations, and once a batch the rows of each
// conversation and session that it touched and an envelope for each. The second
// number is the size of the history before.
func BenchmarkCommit(b *testing.B) {
	for _, history := range []int{0, 100_000} {
		for _, size := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%d/%d", size, history), func(b *testing.B) {
				s, f := filled(b, history)
				disk := floor(b)
				var took []time.Duration
				b.ResetTimer()
				for n := 0; n < b.N; n += size {
					b.StopTimer()
					batch := f.batch(min(size, b.N-n))
					b.StartTimer()
					start := time.Now()
					if _, err := s.Commit(batch); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(start))
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
				b.ReportMetric(float64(median(took))/float64(disk), "floors/commit")
			})
		}
	}
}

// BenchmarkErase measures a deletion with all that it promises.
func BenchmarkErase(b *testing.B) {
	s, f := filled(b, 5_000)
	indexAll(b, s)
	disk := floor(b)
	victims := f.made[:b.N%len(f.made)+1]
	b.ResetTimer()
	for i := range b.N {
		if _, err := s.Commit(Batch{Now: f.tick(), Writes: []protocol.Write{
			protocol.EraseMessage{ID: victims[i%len(victims)]},
		}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(disk), "floors/erase")
}

// BenchmarkIndexStep measures the index behind the history.
func BenchmarkIndexStep(b *testing.B) {
	s, _ := filled(b, b.N)
	b.ResetTimer()
	for n := 0; n < b.N; n += IndexStepMax {
		if _, err := s.IndexStep(IndexStepMax); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkView measures the reads of a frontend.
func BenchmarkView(b *testing.B) {
	s, f := filled(b, 40_000)
	indexAll(b, s)
	for name, read := range map[string]func(v *View) error{
		"page": func(v *View) error {
			_, err := v.Messages(f.convs[f.rand.IntN(len(f.convs))].ID, PageQuery{Limit: 50})
			return err
		},
		"search/word":     search("회의"),
		"search/initials": search("ㅎㅇ"),
		"search/none":     search("없는말"),
		"totals": func(v *View) error {
			_, err := v.Totals()
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := s.View(read); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func search(text string) func(v *View) error {
	return func(v *View) error {
		_, err := v.Search(SearchQuery{Text: text})
		return err
	}
}
