package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pabal/node"
	"pabal/node/api"
)

// drill runs one by the API, as a frontend would.
func drill(ctx context.Context, t *testing.T, p *person) api.DrillReport {
	t.Helper()
	job := must[api.Job](t)(p.StartDrill(ctx))
	if again := must[api.Job](t)(p.StartDrill(ctx)); again.ID != job.ID {
		t.Errorf("two drills at once: %s and %s", job.ID, again.ID)
	}
	for poll := time.NewTicker(50 * time.Millisecond); job.State == api.JobRunning; job = must[api.Job](t)(p.Job(ctx, job.ID)) {
		<-poll.C
	}
	if job.State != api.JobDone || job.Drill == nil || job.Progress != job.Total || job.Total == 0 {
		t.Fatalf("the drill ended as %+v", job)
	}
	return *job.Drill
}

func hitRows(r api.DrillReport) []api.DrillRow {
	return slices.DeleteFunc(slices.Clone(r.Rows), func(r api.DrillRow) bool { return r.Verdict != api.VerdictHit })
}

// TestDrillOfTwoPeople drills a profile that has talked, deleted and removed: while it runs,
// when it is stopped, and without the key.
func TestDrillOfTwoPeople(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina of the drill"), newPerson(t, "Jiwoo of the drill")
	contact := befriend(ctx, jiwoo, mina)
	for i := range 20 {
		m := must[api.Message](t)(mina.SendToContact(ctx, contact.ID, api.MessageRequest{Text: "긴 이야기 a long story"}, api.SendOptions{}))
		if i%2 == 0 {
			if err := mina.DeleteMessage(ctx, *m.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := drill(ctx, t, mina); r.Hits != 0 || !r.Opened {
		t.Errorf("running: %d hits, %+v", r.Hits, hitRows(r))
	}
	if err := mina.RemoveContact(ctx, contact.ID); err != nil {
		t.Fatal(err)
	}
	if r := drill(ctx, t, mina); r.Hits != 0 {
		t.Errorf("with the contact removed: %d hits, %+v", r.Hits, hitRows(r))
	}
	dir := mina.config.DataDir
	mina.end()
	if r := must[api.DrillReport](t)(node.Drill(ctx, dir, nil, nil)); r.Hits != 0 || !r.Opened {
		t.Errorf("stopped: %d hits, %+v", r.Hits, hitRows(r))
	}
	if r := must[api.DrillReport](t)(node.DrillOutside(ctx, dir)); r.Hits != 0 || r.Opened {
		t.Errorf("from outside: %d hits, %+v", r.Hits, hitRows(r))
	}
	if err := os.WriteFile(filepath.Join(dir, "core"), []byte("memory"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := must[api.DrillReport](t)(node.DrillOutside(ctx, dir)); r.Hits != 1 || len(hitRows(r)) != 1 || hitRows(r)[0].Detail != "core" {
		t.Errorf("with a foreign file: %d hits, %+v", r.Hits, hitRows(r))
	}
}

// TestLockEndsDrill locks a profile while a drill reads its files with the profile's texts
// in memory: when the lock is done, so is the drill.
func TestLockEndsDrill(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	mina := newPerson(t, "Mina who locks")
	large, err := os.Create(filepath.Join(mina.config.DataDir, "large"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(large.Truncate(64<<30), large.Close()); err != nil { // of holes, and minutes to read
		t.Fatal(err)
	}
	job := must[api.Job](t)(mina.StartDrill(ctx))
	for poll := time.NewTicker(20 * time.Millisecond); job.Step != "outside"; job = must[api.Job](t)(mina.Job(ctx, job.ID)) {
		if job.State != api.JobRunning {
			t.Fatalf("the drill ended as %+v", job)
		}
		<-poll.C
	}
	if err := errors.Join(mina.Lock(ctx), mina.Unlock(ctx, "")); err != nil {
		t.Fatal(err)
	}
	job = must[api.Job](t)(mina.Job(ctx, job.ID))
	if job.State != api.JobFailed || job.Error == nil || job.Error.Code != api.CodeLocked {
		t.Errorf("after the lock: %+v", job)
	}
}
