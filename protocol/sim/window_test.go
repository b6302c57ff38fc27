package sim

import (
	"fmt"
	"testing"
	"testing/cryptotest"
	"time"

	"pabal/protocol"
)

// quiet returns a story without a transcript.
func quiet(t *testing.T, people int) *story {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 1)
	s := &story{t, NewWorld(Plan{Seed: 1, Peers: people, Life: time.Hour}, nil)}
	s.w.switchOn()
	s.wait(10 * time.Second)
	return s
}

func (s *story) end() {
	s.t.Helper()
	s.settled()
	s.w.checkAll()
	if s.w.failure != nil {
		s.t.Fatal(s.w.failure)
	}
}

// TestFullWindow fills a session's window while the peer is away and takes back
// what holds it shut.
func TestFullWindow(t *testing.T) {
	const texts = 530 // more than the window has envelopes
	for _, back := range []int{1, 200} {
		t.Run(fmt.Sprintf("%d taken back", back), func(t *testing.T) {
			s := quiet(t, 2)
			s.add(1, s.link(0))
			s.wait(5 * time.Second)
			s.machine(1).crash()
			s.wait(time.Minute)
			var sent []protocol.Sent
			for i := range texts {
				sent = append(sent, s.write(0, 1, fmt.Sprint(i)))
			}
			for _, m := range sent[:back] {
				s.does(0, func(ref uint64) protocol.Input {
					return protocol.TakeBack{
						Ref: ref, ID: m.ID, Conversation: m.Conversation, Sequence: s.machine(0).disk.messages[m.ID].Sequence,
					}
				})
			}
			s.machine(0).crash()
			s.machine(0).restart()
			s.machine(1).restart()
			s.wait(5 * time.Minute)
			s.end()
			if got := s.texts(1, 0); len(got) != texts-back || got[0] != fmt.Sprint(back) || got[len(got)-1] != fmt.Sprint(texts-1) {
				t.Errorf("%d texts arrived", len(got))
			}
		})
	}
}

// TestAbsentTooLong lets one side lose its state and write much before it learns.
func TestAbsentTooLong(t *testing.T) {
	for _, c := range []struct{ lost, fresh int }{{40, 60}, {40, 10}, {300, 600}} {
		t.Run(fmt.Sprintf("%d lost, %d new", c.lost, c.fresh), func(t *testing.T) { absent(t, c.lost, c.fresh) })
	}
}

func absent(t *testing.T, lost, fresh int) {
	s := quiet(t, 2)
	s.add(1, s.link(0))
	s.wait(5 * time.Second)
	backup := s.machine(1).disk.snapshot()
	for i := range lost {
		s.write(1, 0, fmt.Sprint("lost ", i))
	}
	s.wait(time.Minute)
	s.w.putBack(s.machine(1), backup)
	s.machine(0).crash()
	s.machine(1).restart()
	for i := range fresh { // some under numbers that A knows, some behind them
		s.write(1, 0, fmt.Sprint("new ", i))
	}
	s.machine(0).restart()
	s.wait(5 * time.Minute)
	s.end()
	got := s.texts(0, 1)
	if len(got) != lost+fresh {
		t.Fatalf("%d texts arrived", len(got))
	}
	for i, text := range got {
		want := fmt.Sprint("lost ", i)
		if i >= lost {
			want = fmt.Sprint("new ", i-lost)
		}
		if text != want {
			t.Fatalf("at %d lies %q, want %q", i, text, want)
		}
	}
}
