package store

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store/archive"
)

// secretWords are the passphrase of the archives of the tests.
var secretWords = []byte("four words of mine")

// inhabited makes a profile with an account, two contacts and some of everything.
func inhabited(t testing.TB) (*fixture, *Store) {
	t.Helper()
	f := newFixture(t, 2)
	s := create(t)
	_, first, err := protocol.Create(rand.Reader, protocol.Config{}, f.now, "지우")
	if err != nil {
		t.Fatal(err)
	}
	const empty = "\xa0" // a map of nothing: a state that loads
	writes := first.Writes
	for i := range f.convs {
		c := &f.convs[i]
		c.State = []byte(empty)
		c.Timer = nil
		writes = append(writes, protocol.PutContact{
			ID: c.Contact, Conversation: c.ID, Phase: protocol.ContactEstablished, Name: fmt.Sprint("person ", i),
			Verification: protocol.Unverified, CreatedAt: 5, State: []byte(empty),
		})
	}
	for i := range 20 {
		m := f.message(i%2, protocol.Direction(i/2%2), fmt.Sprint("letter-number ", i))
		if i >= 16 {
			m.ExpiresAt = f.now.Add(time.Hour).UnixMilli()
		}
		writes = append(writes, m)
	}
	for i := range f.convs {
		writes = append(writes, f.convs[i])
	}
	f.commit(s, writes...)
	if _, err := s.Commit(Batch{Now: f.tick(), Rows: []Row{
		PutSetting{Name: "disappearing", Value: []byte("null")},
		PutToken{ID: "tk", Detail: []byte("a bot's token")},
	}}); err != nil {
		t.Fatal(err)
	}
	return f, s
}

func backUp(t testing.TB, s *Store, at time.Time, history bool) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := s.Backup(&file, at, BackupOptions{Passphrase: secretWords, Argon: cheap(), History: history}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func restore(t testing.TB, file []byte, at time.Time) (*Profile, *Store) {
	t.Helper()
	p, err := Lock(t.TempDir(), Self(""))
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := p.Restore(bytes.NewReader(file), RestoreOptions{Archive: secretWords, Now: at})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), p.Close()); err != nil {
			t.Error(err)
		}
	})
	return p, s
}

func texts(t testing.TB, s *Store, f *fixture) (all []string) {
	t.Helper()
	for i := range f.convs {
		for _, m := range page(t, s, f.convs[i].ID) {
			all = append(all, string(m.Content))
		}
	}
	return all
}

func page(t testing.TB, s *Store, id protocol.ConversationID) (out []Message) {
	t.Helper()
	p := view(t, s, func(v *View) (Page, error) { return v.Messages(id, PageQuery{Limit: PageMax}) })
	for _, item := range p.Items {
		if item.Message != nil {
			out = append(out, *item.Message)
		}
	}
	return out
}

// TestRestoreBringsBackWhatWasKept backs a profile up and restores it elsewhere: people,
// settings and history are there; sessions, envelopes, tokens, events and what fell due
// meanwhile are not.
func TestRestoreBringsBackWhatWasKept(t *testing.T) {
	f, s := inhabited(t)
	gone := page(t, s, f.convs[0].ID)[0]
	f.commit(s, protocol.EraseMessage{ID: gone.ID}, protocol.PutPicture{Sequence: 1, JPEG: []byte("my face")}, protocol.PutPicture{Contact: f.convs[0].Contact, Sequence: 2, JPEG: []byte("a face")})
	file := backUp(t, s, f.now, true)
	for _, word := range []string{"letter-number", "person 0", "지우", "a bot's token"} {
		if bytes.Contains(file, []byte(word)) {
			t.Errorf("%q can be read in the archive", word)
		}
	}
	_, back := restore(t, file, f.now.Add(2*time.Hour))
	before, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	after, err := back.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Contacts) != 2 || after.Contacts[0].Name != "person 0" || !reflect.DeepEqual(after.Self, before.Self) {
		t.Errorf("restored %+v", after.Contacts)
	}
	if len(after.Sessions)+len(after.Outbox)+len(after.Held) > 0 {
		t.Error("sessions, envelopes or mail came along")
	}
	want := slices.DeleteFunc(texts(t, s, f), func(c string) bool {
		return strings.Contains(c, "letter-number 16") || strings.Contains(c, "letter-number 17") ||
			strings.Contains(c, "letter-number 18") || strings.Contains(c, "letter-number 19")
	})
	if got := texts(t, back, f); len(want) != 15 || !slices.Equal(got, want) {
		t.Errorf("got %d letters, want %d", len(got), len(want))
	}
	if found := view(t, back, func(v *View) (bool, error) { return v.Tombstone(graveOf(&s.write.graves, gone.ID)) }); !found {
		t.Error("a tombstone is lost")
	}
	view(t, back, func(v *View) (bool, error) {
		_, err := v.Token("tk")
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("token: %v", err)
		}
		_, err = v.Setting("disappearing")
		return true, err
	})
	for id, want := range map[protocol.ContactID]string{{}: "my face", f.convs[0].Contact: "a face"} {
		if got := view(t, back, func(v *View) ([]byte, error) { return v.Picture(id) }); string(got) != want {
			t.Errorf("the picture is %q, want %q", got, want)
		}
	}
	if s.write.epoch == back.write.epoch {
		t.Error("a cursor of the events before fits")
	}
	for range 3 {
		if _, err := back.IndexStep(IndexStepMax); err != nil {
			t.Fatal(err)
		}
	}
	sight, err := back.Look([]byte("letter-number 18"), []byte("letter-number 5"), gone.Content)
	if err != nil || sight.Hits[0]+sight.Hits[2] > 0 || sight.Hits[1] == 0 {
		t.Errorf("due, kept and erased letters are found %v times, %v", sight.Hits, err)
	}
}

// TestRestoreCountsAnew restores a backup of which some fell due or is missing: what is unread
// is counted, and a file whose chunks did not come is not said to be here.
func TestRestoreCountsAnew(t *testing.T) {
	f, s := inhabited(t)
	content := bytes.Repeat([]byte("바다"), 300_000) // two chunks
	files := make(map[protocol.Direction]protocol.FileID)
	for _, d := range []protocol.Direction{protocol.In, protocol.Out} {
		id, info := f.upload(s, content)
		if d == protocol.In { // it came, chunk by chunk
			f.rows(s, EraseUpload{File: id})
			f.commit(s, f.manifest(0, d, map[protocol.FileID]wire.File{id: info}), f.convs[0])
			hashes := f.write(s, id, content)
			f.rows(s, FinishFile{File: id, Root: info.Root, Hashes: hashes})
		} else {
			f.commit(s, f.manifest(0, d, map[protocol.FileID]wire.File{id: info}), f.convs[0])
		}
		files[d] = id
	}
	for d, id := range files { // the first chunk of each is lost
		if got := view(t, s, func(v *View) (File, error) { return v.File(id) }); got.State != FileAvailable {
			t.Fatalf("%v: %+v", d, got)
		}
		o := view(t, s, func(v *View) (*Opened, error) { return v.Open(id) })
		s.DropWritten([]WrittenChunk{{name: o.chunks[0].name}})
	}
	_, back := restore(t, backUp(t, s, f.now, true), f.now.Add(2*time.Hour))
	for d, want := range map[protocol.Direction]File{
		protocol.In: {State: FileRemote}, protocol.Out: {State: FileFailed, Code: protocol.FileCodeGone},
	} {
		got := view(t, back, func(v *View) (File, error) { return v.File(files[d]) })
		if got.State != want.State || got.Code != want.Code || got.Wanted != WantedAsk || got.Chunks != 1 {
			t.Errorf("file of direction %v: %+v", d, got)
		}
	}
	for i := range f.convs {
		unread := uint64(0)
		for _, m := range page(t, back, f.convs[i].ID) {
			if m.Direction == protocol.In {
				unread++
			}
		}
		got := view(t, back, func(v *View) (protocol.PutConversation, error) { return v.Conversation(f.convs[i].ID) })
		if got.Unread != unread || unread == 0 {
			t.Errorf("conversation %d: %d unread of %d", i, got.Unread, unread)
		}
	}
}

// TestRestoreOfEdits: an edit that waited for its message goes with it when that fell due, one
// that waits for what may come stays, and there are more operations than a page has.
func TestRestoreOfEdits(t *testing.T) {
	f, s := inhabited(t)
	due, late := f.message(0, protocol.In, "falls due"), f.message(0, protocol.In, "comes later")
	due.ExpiresAt = f.now.Add(time.Hour).UnixMilli()
	ours, theirs := f.edit(0, due, 1, "text of what fell due"), f.edit(1, f.message(1, protocol.In, "late"), 1, "waits for what comes")
	ours.Waits, theirs.Waits = due.Sequence, late.Sequence
	f.commit(s, protocol.PutGap{Conversation: f.convs[1].ID, Position: 50, Count: 1}, ours, theirs, due)
	var answers []protocol.Write
	for i := range PageMax + 1 {
		answers = append(answers, protocol.PutOperation{
			ID: f.id(), Wire: f.id(), Conversation: f.convs[0].ID, Direction: protocol.In, Sequence: uint64(5000 + i), Type: wire.ContentDeleteAnswer,
			Message: due.Wire, Content: []byte("an answer"),
		})
	}
	f.commit(s, answers...)
	a := &archiving{s: s, history: true, kind: archive.Backup}
	if err := s.View(func(v *View) error { a.c = v.c; return a.readTables() }); err != nil {
		t.Fatal(err)
	}
	for _, table := range a.tables {
		if table.name == "operations" && len(table.rows) > 0 {
			t.Errorf("one view reads %d operations", len(table.rows))
		}
	}
	_, back := restore(t, backUp(t, s, f.now, true), f.now.Add(2*time.Hour))
	for where, want := range map[string]int64{`type = 7`: PageMax + 1, `type = 5 AND waits = 0`: 0, `type = 5 AND waits > 0`: 1} {
		if n, err := back.write.c.number(`SELECT count(*) FROM operations WHERE ` + where); n != want || err != nil {
			t.Errorf("%s: %d operations, want %d, %v", where, n, want, err)
		}
	}
}

// TestBackupWithoutHistory leaves the messages out: nothing is unread and nothing waits.
func TestBackupWithoutHistory(t *testing.T) {
	f, s := inhabited(t)
	_, back := restore(t, backUp(t, s, f.now, false), f.now)
	if got := texts(t, back, f); len(got) > 0 {
		t.Errorf("%d letters came along", len(got))
	}
	state, err := back.Load()
	if err != nil || len(state.Waiting) > 0 || len(state.Conversations) != 2 || state.Conversations[0].Unread > 0 {
		t.Errorf("%v, %d wait, conversations %+v", err, len(state.Waiting), state.Conversations)
	}
}

// TestBadArchivesLeaveNothing restores what is no good: it is refused by its error, no
// profile is there then, and no file of it.
func TestBadArchivesLeaveNothing(t *testing.T) {
	f, s := inhabited(t)
	file := backUp(t, s, f.now, true)
	damaged := bytes.Clone(file)
	damaged[len(damaged)-5] ^= 1
	var newer, odd bytes.Buffer
	for b, records := range map[*bytes.Buffer][][]byte{
		&newer: {{recordHead, 0, 0, 255, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}},
		&odd: {
			{recordHead, 0, 0, 0, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0},
			append([]byte{recordTable}, appendText(appendText(nil, "sessions"), "state")...),
		},
	} {
		w, err := archive.NewWriter(b, archive.Backup, secretWords, costOf(cheap()))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if err := w.Record(r[0], r[1:]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Lock(t.TempDir(), Self(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name, c := range map[string]struct {
		file       []byte
		passphrase string
		want       error
	}{
		"another passphrase":          {file, "four words of yours", archive.ErrPassphrase},
		"cut":                         {file[:len(file)-65536-16], string(secretWords), archive.ErrCut},
		"damaged":                     {damaged, string(secretWords), archive.ErrDamaged},
		"no archive":                  {[]byte(strings.Repeat("hello ", 100)), string(secretWords), archive.ErrForeign},
		"of a newer version":          {newer.Bytes(), string(secretWords), ErrNewer},
		"with what must not be there": {odd.Bytes(), string(secretWords), ErrDamaged},
	} {
		o := RestoreOptions{Archive: []byte(c.passphrase), Now: f.now, Options: Options{Argon: cheap()}}
		if _, _, err := p.Restore(bytes.NewReader(c.file), o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if exists, _, err := p.Exists(); exists || err != nil {
			t.Errorf("%s: there is a profile, %v", name, err)
		}
		err := fs.WalkDir(p.root.FS(), ".", func(at string, d fs.DirEntry, err error) error {
			if d.IsDir() && at != "." || strings.HasPrefix(filepath.Base(at), "db-") {
				t.Errorf("%s left %s", name, at)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if _, _, err := s.profile.Restore(bytes.NewReader(file), RestoreOptions{Archive: secretWords}); !errors.Is(err, ErrExists) {
		t.Errorf("over a profile: %v", err)
	}
}

// TestEveryTableHasItsPortion fails when a table is added and nobody has said whether it
// belongs in a backup.
func TestEveryTableHasItsPortion(t *testing.T) {
	s := create(t)
	names, err := collect(s.write.c.query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'search' AND name NOT GLOB 'search_*'`),
		func(q *query) string { return q.text() }, "read schema")
	if err != nil {
		t.Fatal(err)
	}
	tables := archivedTables()
	for _, name := range names {
		if tables[name].portion == inNone {
			t.Errorf("say of table %s in archivedTables which archives hold it", name)
		}
		delete(tables, name)
	}
	for name := range tables {
		t.Errorf("table %s is no more", name)
	}
}
