package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWebhookGoesWhole: what is erased takes its place in the log along, and no late answer of
// its receiver brings it back.
func TestWebhookGoesWhole(t *testing.T) {
	s := create(t)
	put := func(rows ...Row) {
		t.Helper()
		if _, err := s.Commit(Batch{Rows: rows}); err != nil {
			t.Fatal(err)
		}
	}
	hooks := func() int { return len(view(t, s, (*View).Webhooks)) }
	consumers := func() []Consumer { return view(t, s, (*View).Consumers) }
	put(PutWebhook{ID: "wh_a", CreatedAt: 1, Detail: []byte(`{"secret":"not to be found"}`)}, PutConsumer{Name: "wh_a", Owner: "wh_a", Cursor: Cursor{Sequence: 1}})
	put(UpdateWebhook{ID: "wh_a", Detail: []byte(`{"secret":"not to be found"}`), Cursor: Cursor{Sequence: 4}})
	if all := consumers(); len(all) != 1 || all[0].Cursor.Sequence != 4 || hooks() != 1 {
		t.Errorf("consumers %+v", all)
	}
	put(EraseWebhook{ID: "wh_a"})
	put(UpdateWebhook{ID: "wh_a", Detail: []byte("{}"), Cursor: Cursor{Sequence: 9}})
	if len(consumers()) != 0 || hooks() != 0 {
		t.Errorf("%d webhooks, consumers %+v", hooks(), consumers())
	}
	seen, err := s.Examine([]byte("not to be found"))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range seen.Hits {
		if found != 0 {
			t.Errorf("the secret is found: %+v", seen)
		}
	}
}

// TestMoveDisablesWebhooks: whoever listens on the port on another machine is told nothing.
func TestMoveDisablesWebhooks(t *testing.T) {
	_, s := inhabited(t)
	rows := []Row{PutWebhook{ID: "wh_a", CreatedAt: 1, Detail: []byte(`{"name":"archive","secret":"kept"}`)},
		PutConsumer{Name: "wh_a", Owner: "wh_a", Cursor: Cursor{Sequence: 1}}}
	if _, err := s.Commit(Batch{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	dir, file := s.profile.path, filepath.Join(t.TempDir(), "profile.move")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d := (&moving{dir: dir, file: file}).departing(t)
	if _, err := d.s.MoveOut(file, d.o); err != nil {
		t.Fatal(err)
	}
	there := held(t, t.TempDir())
	now := time.UnixMilli(1_800_000_000_000)
	if err := there.MoveIn(file, RestoreOptions{Archive: secretWords, Options: Options{Argon: cheap()}, Now: now}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(file); err == nil {
		t.Error("the file is still there")
	}
	s, err := there.Open(Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	all := view(t, s, (*View).Webhooks)
	if len(all) != 1 {
		t.Fatalf("behind a move there are %d", len(all))
	}
	if !strings.Contains(string(all[0].Detail), `"secret":"kept","disabled_at":1800000000000`) {
		t.Errorf("behind a move it is %s", all[0].Detail)
	}
	if err := errors.Join(s.Close(), there.Close(), d.p.Close()); err != nil {
		t.Error(err)
	}
}
