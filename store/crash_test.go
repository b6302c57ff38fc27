package store

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
)

// crashEnv makes the test binary write to the profile that it names until it is
// killed: see TestMain.
const crashEnv = "PABAL_STORE_CRASH"

// writeMuch commits messages whose text is their position. It tells what is
// promised: "have n" when a commit returned, "gone n" when the messages below n
// are erased and scrubbed. It returns with an error, or after so many rounds.
func writeMuch(s *Store, f *fixture, rounds int, tell func(word string, n uint64)) error {
	var erased uint64
	err := s.View(func(v *View) error {
		all, err := v.Conversations(protocol.ConversationID{}, 1)
		if err != nil || len(all) == 0 {
			return err
		}
		f.convs = all
		erased, err = lowest(v)
		return err
	})
	for round := 1; err == nil && round <= rounds; round++ {
		if round%3 == 0 {
			if _, err = s.IndexStep(IndexStepMax); err != nil {
				break
			}
		}
		if round%8 == 0 {
			if erased, err = eraseLowest(s, f, DeleteBatchMax); err != nil {
				break
			}
			tell("gone", erased)
		}
		b := Batch{Now: f.tick()}
		for range f.rand.IntN(64) + 1 {
			b.Writes = append(b.Writes, f.message(0, protocol.In, fmt.Sprint(f.convs[0].LastPosition+1)))
		}
		b.Writes = append(b.Writes, f.convs[0])
		if _, err = s.Commit(b); err == nil {
			tell("have", f.convs[0].LastPosition)
		}
	}
	return err
}

// lowest returns the lowest position of a message.
func lowest(v *View) (uint64, error) {
	n, err := v.c.number(`SELECT coalesce(min(position), 1) FROM messages`)
	return uint64(n), err
}

// eraseLowest erases the n oldest messages and returns the lowest position left.
func eraseLowest(s *Store, f *fixture, n int) (from uint64, err error) {
	b := Batch{Now: f.tick()}
	err = s.View(func(v *View) error {
		b.Writes = nil
		if from, err = lowest(v); err != nil {
			return err
		}
		page, err := v.Messages(f.convs[0].ID, PageQuery{Before: from + uint64(n)})
		for _, item := range page.Items {
			b.Writes = append(b.Writes, protocol.EraseMessage{ID: item.Message.ID})
		}
		from += uint64(len(page.Items))
		return err
	})
	if err != nil {
		return 0, err
	}
	done, err := s.Commit(b)
	if err == nil && !done.Scrubbed {
		err = s.Scrub()
	}
	return from, err
}

// crashed checks a profile after a crash: all that was promised is there, what
// was gone is gone, and nothing is broken. It returns what there is: from now
// on that is promised.
func crashed(t *testing.T, s *Store, have, gone uint64) (last, from uint64) {
	t.Helper()
	checkIntegrity(t, s)
	err := s.View(func(v *View) error {
		all, err := v.Conversations(protocol.ConversationID{}, 2)
		if err != nil {
			return err
		}
		if len(all) != 1 {
			t.Fatalf("%d conversations", len(all))
		}
		c := all[0]
		if c.LastPosition < have {
			t.Fatalf("messages up to %d are left, %d were promised", c.LastPosition, have)
		}
		if from, err = lowest(v); err != nil {
			return err
		}
		last = c.LastPosition
		if from < gone {
			t.Fatalf("message %d is back, those below %d were gone", from, gone)
		}
		if from > gone+DeleteBatchMax && gone > 0 {
			t.Fatalf("messages from %d are left, only those below %d were erased", from, gone)
		}
		for next := from; next <= c.LastPosition; {
			page, err := v.Messages(c.ID, PageQuery{After: next - 1, Before: 0, Limit: PageMax})
			if next == 1 {
				page, err = v.Messages(c.ID, PageQuery{Before: PageMax, Limit: PageMax})
			}
			if err != nil {
				return err
			}
			if len(page.Items) == 0 {
				t.Fatalf("no message from %d on", next)
			}
			for _, item := range page.Items {
				if item.Position != next || textOf(item.Message.Content, item.Message.Edit) != fmt.Sprint(next) {
					t.Fatalf("message %d at %d instead of %d", item.Message.Position, item.Position, next)
				}
				next++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last, from
}

// checkIntegrity asks SQLite and the search index whether all is well.
func checkIntegrity(t *testing.T, s *Store) {
	t.Helper()
	indexAll(t, s)
	checkIndex(t, s)
	s.write.Lock()
	defer s.write.Unlock()
	q := s.write.c.query(`PRAGMA integrity_check`)
	for q.next() {
		if line := q.text(); line != "ok" {
			t.Errorf("integrity: %s", line)
		}
	}
	if err := q.done(); err != nil {
		t.Error(err)
	}
}

// crashChild is what the killed process does.
func crashChild(dir string) {
	s, err := Open(dir, Unlock{})
	if err == nil {
		f := newFixture(nil, 1)
		f.now = time.Now()
		f.rand = rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
		err = writeMuch(s, f, math.MaxInt, func(word string, n uint64) { fmt.Println(word, n) })
	}
	fmt.Println("error", err)
}

// TestKill kills a process that writes, again and again, and opens what it left.
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 3
	}
	s := create(t)
	dir := s.profile.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	var have, gone uint64
	start := time.Now()
	n := 0
	for ; n < kills || time.Since(start) < *longer; n++ {
		have, gone = killOnce(t, dir, time.Duration(r.IntN(60))*time.Millisecond, have, gone)
		s, err := Open(dir, Unlock{})
		if err != nil {
			t.Fatal(err)
		}
		if have > 0 {
			have, gone = crashed(t, s, have, gone)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d messages promised, %d erased", n, have, gone)
}

// killOnce lets a child write, kills it some time after its first promise, and
// returns the last it made.
func killOnce(t *testing.T, dir string, after time.Duration, have, gone uint64) (uint64, uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	for lines.Scan() {
		if kill == nil {
			kill = time.AfterFunc(after, func() { child.Process.Kill() })
			defer kill.Stop()
		}
		word, number, _ := strings.Cut(lines.Text(), " ")
		var n uint64
		if _, err := fmt.Sscan(number, &n); err != nil {
			child.Process.Kill()
			t.Fatalf("child: %s", lines.Text())
		}
		if word == "have" {
			have = n
		} else {
			gone = n
		}
	}
	child.Wait()
	return have, gone
}

// TestCreateKilled makes a profile and looks, before each change of a file, at what a kill
// would leave there: no profile, over which one can be made, or the whole of it.
func TestCreateKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("many profiles, one after the other")
	}
	dir, d := t.TempDir(), newDisk()
	p, err := Lock(dir, Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.base = d
	kills, whole := 0, 0
	look := func() {
		kills++
		_, err := os.Lstat(filepath.Join(dir, headerName))
		if err == nil || kills%16 == 1 { // without a header all look alike
			whole += leftOf(t, dir)
		}
	}
	d.watch = look
	f := newFixture(t, 1)
	first := Batch{Now: f.tick(), Writes: []protocol.Write{protocol.PutSelf{Name: "지우", State: []byte("self")}}, Rows: []Row{PutSetting{"lang", []byte("ko")}}}
	s, err := p.Create(Options{First: first})
	if err != nil {
		t.Fatal(err)
	}
	look()
	if _, err := s.Commit(Batch{Now: f.tick(), Rows: []Row{PutSetting{"more", nil}}}); err != nil {
		t.Fatal(err)
	}
	d.watch = nil
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if whole == 0 || kills < 20 {
		t.Errorf("%d kills, %d left a whole profile", kills, whole)
	}
	t.Logf("%d kills, %d left a whole profile", kills, whole)
}

// leftOf opens a copy of a profile's files as they are now. It returns 1 for a whole
// profile and 0 for none, over which it makes one.
func leftOf(t *testing.T, dir string) int {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(copied, Unlock{})
	whole := 1
	if errors.Is(err, ErrNoProfile) {
		whole = 0
		if err := os.WriteFile(filepath.Join(copied, headerTempName), make([]byte, 100), 0o600); err != nil { // killed in the header itself
			t.Fatal(err)
		}
		s, err = Create(copied, Options{First: Batch{Now: time.Now(), Writes: []protocol.Write{protocol.PutSelf{Name: "지우"}}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if state, err := s.Load(); err != nil || state.Self.Name != "지우" {
		t.Fatalf("a profile without an account is left: %v", err)
	}
	return whole
}
