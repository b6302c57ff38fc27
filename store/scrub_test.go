package store

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"

	"pabal/protocol"
)

// TestDeletionBreaksOffEveryView has three long views, of which two wait for the
// first: the deletion behind them must not wait for each in turn.
func TestDeletionBreaksOffEveryView(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.In, "gone")
	f.commit(s, m, f.convs[0])
	var all sync.WaitGroup
	var erased atomic.Bool
	for range 3 {
		all.Go(func() {
			err := s.View(func(v *View) error {
				for !erased.Load() {
					if _, err := v.Cursor(); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	start := time.Now()
	f.commit(s, protocol.EraseMessage{ID: m.ID})
	erased.Store(true)
	if took := time.Since(start); took > readHardMax/2 {
		t.Errorf("the deletion took %v", took)
	}
	all.Wait()
}

// TestReplacedKeysLeaveTheLog replaces what is secret and erases nothing: the old
// bytes must not stay in the log until somebody deletes a message.
func TestReplacedKeysLeaveTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := create(t)
		f := newFixture(t, 1)
		key := "0123456789abcdef the key of an envelope"
		row := protocol.PutOutbox{Contact: f.session[0].Contact, SID: f.session[0].SID, Index: 1, Envelope: []byte(key)}
		f.commit(s, f.session[0], row)
		f.commit(s, protocol.EraseOutbox{Contact: row.Contact, SID: row.SID, First: 1, Last: 1})
		if hits(t, s, key) == 0 {
			t.Fatal("the drill sees nothing")
		}
		time.Sleep(ScrubWithin)
		synctest.Wait()
		if n := hits(t, s, key); n != 0 {
			t.Errorf("%d hits %v after the envelope was acknowledged", n, ScrubWithin)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// inTheWay opens the database on a connection of its own, which keeps the log from being cut
// until it is closed.
func inTheWay(t *testing.T, s *Store) (away func()) {
	t.Helper()
	name := url.URL{Scheme: "file", OmitHost: true, Path: s.profile.databasePath(s.slot)}
	name.RawQuery = url.Values{"vfs": {s.seal.name}, "mode": {"rw"}}.Encode()
	db, err := sqlite3.Open(name.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("BEGIN; SELECT count(*) FROM messages"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFailedScrubIsTriedAgain has something be in the way of a scrub, and nobody commit
// afterwards: what was erased is gone soon all the same.
func TestFailedScrubIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := create(t)
		f := newFixture(t, 1)
		m := f.message(0, protocol.In, "뷁쉛꿳")
		f.commit(s, m, f.convs[0])
		if err := s.Scrub(); err != nil { // nothing is due any more
			t.Fatal(err)
		}
		away := inTheWay(t, s)
		done, err := s.Commit(Batch{Now: f.tick(), Writes: []protocol.Write{protocol.EraseMessage{ID: m.ID}}})
		if err != nil || done.Scrubbed {
			t.Errorf("scrubbed %v, %v", done.Scrubbed, err)
		}
		away()
		time.Sleep(ScrubWithin)
		synctest.Wait()
		if n := hits(t, s, "뷁쉛꿳"); n != 0 {
			t.Errorf("%d hits %v after the scrub failed", n, ScrubWithin)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestLogBehindAFailedScrub writes without a commit, as the search index is written, after a scrub
// has failed: the log stays short.
func TestLogBehindAFailedScrub(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.In, "gone")
	f.commit(s, m, f.convs[0])
	away := inTheWay(t, s)
	done, err := s.Commit(Batch{Now: f.tick(), Writes: []protocol.Write{protocol.EraseMessage{ID: m.ID}}})
	away()
	if err != nil || done.Scrubbed {
		t.Fatalf("scrubbed %v, %v", done.Scrubbed, err)
	}
	const step = 1 << 20
	longest := 0
	for n := range 2 * logPagesMax * pageBytes / step {
		s.write.Lock()
		err := s.write.c.begin()
		if err == nil {
			err = s.write.c.query(`INSERT INTO pictures(contact, sequence, jpeg) VALUES (?, 1, zeroblob(?))`).
				bindBlob(binary.BigEndian.AppendUint64(nil, uint64(n))).bindInt(step).run()
		}
		if err == nil {
			err = s.write.c.commit()
		}
		longest = max(longest, s.write.logged)
		s.write.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		s.write.copies.Wait()
	}
	if most := logPagesMax + 2*step/pageBytes; longest > most {
		t.Errorf("the log had %d pages, want at most %d", longest, most)
	}
}

// TestDeletionNeedsTheReserveForTheCopy deletes when the log has room for the deletion
// but the disk has none for copying the log into the database.
func TestDeletionNeedsTheReserveForTheCopy(t *testing.T) {
	d := newDisk()
	s := onDisk(t, d)
	f := newFixture(t, 1)
	mustExec(t, s, "PRAGMA wal_autocheckpoint=0")
	first := f.message(0, protocol.In, "뷁쉛꿳")
	f.commit(s, first, f.convs[0])
	for range 40 {
		b := Batch{Now: f.tick()}
		for range 64 {
			b.Writes = append(b.Writes, f.message(0, protocol.In, "makes the log long"))
		}
		if _, err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	var used int64
	for _, size := range d.sizes {
		used += size
	}
	d.room = func() int64 { return used + 200<<10 + given(s) }
	f.commit(s, protocol.EraseMessage{ID: first.ID}) // fails if it is not scrubbed
	if n := hits(t, s, "뷁", "쉛", "꿳"); n != 0 {
		t.Errorf("%d hits", n)
	}
}

// given is the room that giving up the reserve makes.
func given(s *Store) int64 {
	if _, err := s.profile.root.Lstat(reserveName); err != nil {
		return reserveBytes
	}
	return 0
}

// TestReserveComesBack keeps the disk full when the reserve was given up: as soon
// as there is room again, the reserve must be there for the next time.
func TestReserveComesBack(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	s.profile.dropReserve()
	s.write.spent = true
	if err := s.profile.root.Mkdir(reserveName, 0o700); err != nil { // in the way
		t.Fatal(err)
	}
	f.commit(s, f.message(0, protocol.In, "still full"), f.convs[0])
	if err := s.profile.root.Remove(reserveName); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(reserveEvery)
	f.commit(s, f.message(0, protocol.In, "room again"), f.convs[0])
	if given(s) != 0 {
		t.Error("the reserve was not filled again")
	}
}

// TestTrimKeepsUp has one event and one idempotency key a batch, as a program has
// that writes notes: old keys must go as fast as new ones come.
func TestTrimKeepsUp(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	for batch := range 8 {
		b := Batch{Now: f.now}
		for i := range trimEvery {
			b.Rows = append(b.Rows, PutIdempotency{Actor: "owner", Key: fmt.Sprint(batch, " ", i)})
		}
		b.Events = []protocol.Event{{Type: protocol.MessageCreated, Count: trimEvery}}
		if _, err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	f.now = f.now.Add(IdempotencyAge + time.Hour)
	for range 4 * 8 { // the first 8 of them are not enough to look
		b := Batch{Now: f.tick(), Events: []protocol.Event{{Type: protocol.MessageCreated, Count: trimEvery / 8}}}
		if _, err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	left, err := s.write.c.number(`SELECT count(*) FROM idempotency`)
	if err != nil || left > 0 {
		t.Errorf("%d old keys are left, %v", left, err)
	}
}

// bareDisk is a disk whose files cannot be shared.
type bareDisk struct{ vfs.VFS }

func (d bareDisk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := vfsutil.WrapOpenFilename(d.VFS, name, flags)
	if err != nil {
		return nil, flags, err
	}
	return struct{ vfs.File }{file}, flags, nil
}

// TestNoLogIsRefused opens a profile where SQLite cannot keep a log: what it does
// instead would not survive a crash.
func TestNoLogIsRefused(t *testing.T) {
	p, err := Lock(t.TempDir(), Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.base = bareDisk{vfs.Find("os")}
	s, err := p.Create(Options{})
	if err == nil {
		s.Close()
		t.Fatal("a profile without a log was made")
	}
}
