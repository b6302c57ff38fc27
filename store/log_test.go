package store

import (
	"os"
	"strings"
	"testing"

	"pabal/protocol"
)

// usually returns how much a test does: with -short little, which shows it once.
func usually(much, little int) int {
	if testing.Short() {
		return little
	}
	return much
}

// busyStore is a store with four conversations, for many messages.
func busyStore(t *testing.T) (*Store, *fixture) {
	s, f := create(t), newFixture(t, 4)
	for i := range f.convs {
		f.commit(s, f.convs[i], f.session[i])
	}
	return s, f
}

// fill commits messages until enough says so.
func (f *fixture) fill(s *Store, enough func() bool) {
	f.t.Helper()
	for !enough() {
		if _, err := s.Commit(f.batch(16)); err != nil {
			f.t.Fatal(err)
		}
	}
}

// kept counts the messages of a store whose database must be whole.
func kept(t *testing.T, s *Store) int64 {
	t.Helper()
	checkIntegrity(t, s)
	n, err := s.write.c.number(`SELECT count(*) FROM messages`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLogIsCopiedBeside fills the log some times over: no commit has to copy it, and it begins anew.
func TestLogIsCopiedBeside(t *testing.T) {
	s, f := busyStore(t)
	before, err := os.Stat(s.profile.databasePath(s.slot))
	if err != nil {
		t.Fatal(err)
	}
	for range usually(3, 1) {
		f.fill(s, func() bool { return s.write.logged >= logPagesSoon })
		s.write.copies.Wait()
		f.fill(s, func() bool { return s.write.logged < logPagesSoon || s.write.logged >= logPagesMax })
		if s.write.logged >= logPagesMax {
			t.Fatalf("the log has %d pages", s.write.logged)
		}
	}
	after, err := os.Stat(s.profile.databasePath(s.slot))
	if err != nil || after.Size() <= before.Size() {
		t.Errorf("the database had %d bytes and has %d: %v", before.Size(), after.Size(), err)
	}
}

// TestLogBehindAView shows that a view that lasts keeps the log, however long that gets, and that
// it begins anew behind it.
func TestLogBehindAView(t *testing.T) {
	s, f := busyStore(t)
	seen, written, viewed := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		viewed <- s.View(func(v *View) error {
			_, err := v.Contacts() // from here on it has its state
			close(seen)
			<-written
			return err
		})
	}()
	<-seen
	f.fill(s, func() bool { return s.write.logged >= logPagesMax+logPagesAgain })
	close(written)
	if err := <-viewed; err != nil {
		t.Fatal(err)
	}
	f.fill(s, func() bool { s.write.copies.Wait(); return s.write.logged < logPagesSoon || len(f.made) > 100_000 })
	if s.write.logged >= logPagesSoon {
		t.Errorf("the log has %d pages", s.write.logged)
	}
	if n := kept(t, s); n != int64(len(f.made)) {
		t.Errorf("%d messages, %d were committed", n, len(f.made))
	}
}

// TestCloseWaitsForTheCopy closes a store whose log is being copied.
func TestCloseWaitsForTheCopy(t *testing.T) {
	s, f := busyStore(t)
	f.fill(s, s.write.copying.Load)
	s = reopen(t, s)
	if n := kept(t, s); n != int64(len(f.made)) {
		t.Errorf("%d messages, %d were committed", n, len(f.made))
	}
}

// TestDeletionBesideTheCopy erases messages while the log is being copied: each is gone when Commit says so.
func TestDeletionBesideTheCopy(t *testing.T) {
	s, f := busyStore(t)
	for range usually(4, 1) {
		f.fill(s, s.write.copying.Load)
		last := f.made[len(f.made)-1]
		f.made = f.made[:len(f.made)-1]
		done, err := s.Commit(Batch{Now: f.tick(), Writes: []protocol.Write{protocol.EraseMessage{ID: last}}})
		if err != nil || !done.Scrubbed {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	f.fill(s, s.write.copying.Load)
	if _, err := s.Examine(); err != nil {
		t.Errorf("examine: %v", err)
	}
	f.fill(s, s.write.copying.Load)
	if err := s.Rotate(t.Context(), f.tick()); err != nil {
		t.Errorf("rotate: %v", err)
	}
	if n := kept(t, s); n != int64(len(f.made)) {
		t.Errorf("%d messages, want %d", n, len(f.made))
	}
}

// TestEditsKeepTheLogShort has the index follow edits of long texts, with no commit between.
func TestEditsKeepTheLogShort(t *testing.T) {
	s, f := create(t), newFixture(t, 1)
	f.commit(s, f.convs[0], f.session[0])
	text := func() string {
		var b strings.Builder
		for b.Len() < 30_000 {
			b.WriteByte('a' + byte(f.rand.IntN(26)))
			if f.rand.IntN(7) == 0 {
				b.WriteByte(' ')
			}
		}
		return b.String()
	}
	var all []protocol.PutMessage
	for range 8 {
		m := f.message(0, protocol.In, text())
		all = append(all, m)
		f.commit(s, m)
	}
	indexAll(t, s)
	for _, m := range all {
		f.commit(s, f.edit(0, m, 1, text()))
	}
	s.write.copies.Wait()
	f.fill(s, func() bool { return s.write.logged >= logPagesSoon-150 && s.write.logged < logPagesSoon })
	longest, largest, before := 0, 0, s.write.logged
	for {
		n, err := s.IndexStep(IndexStepMax)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		s.write.copies.Wait()
		largest = max(largest, s.write.logged-before)
		longest, before = max(longest, s.write.logged), s.write.logged
	}
	if most := logPagesSoon + 2*largest; longest < logPagesSoon || longest > most {
		t.Errorf("the log had %d pages, want %d and at most %d", longest, logPagesSoon, most)
	}
}
