//go:build linux

package node_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pabal/node"
	"pabal/node/api"
)

// TestFullDiskUnderAProfile has the disk full while a profile is made, sealed anew, rotated or
// destroyed: what opened it before opens it still, unless the answer says that it is done.
func TestFullDiskUnderAProfile(t *testing.T) {
	onSmallDisk(t, roomyDiskBytes, func(t *testing.T, dir string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		for name, run := range map[string]func(c *cramped){
			"setup": (*cramped).setUp, "restore": (*cramped).restore, "rotation": (*cramped).rotate, "lock and wipe": (*cramped).lockAndWipe,
			"passphrase": (*cramped).changePassphrase, "duress": (*cramped).changeDecoy,
		} {
			t.Run(name, func(t *testing.T) {
				c := &cramped{t: t, ctx: ctx, dir: dir, ahead: new(atomic.Int64)}
				run(c)
				if c.person != nil && c.stop != nil {
					c.end()
				}
				c.unfill()
				if err := os.RemoveAll(c.config.DataDir); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// begin starts somebody on the small disk; without a new profile it waits for one.
func (c *cramped) begin(place string, create *node.NewProfile) {
	c.t.Helper()
	clock := func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
	c.person = &person{t: c.t, config: node.Config{
		Profile: place, DataDir: filepath.Join(c.dir, place), RuntimeDir: filepath.Join(c.t.TempDir(), "run"),
		Create: create, Listen: []string{"127.0.0.1:0"}, Clock: clock,
	}}
	c.start()
}

// making has a profile be made on a disk with room for ever more pages.
func (c *cramped) making(place string, more func(pages int) int, do func() error) {
	c.t.Helper()
	c.begin(place, nil)
	refused := 0
	for pages := 0; ; pages = more(pages) {
		c.leave(pages)
		err := do()
		c.unfill()
		if err == nil {
			c.t.Logf("refused %d times, done with %d pages", refused, pages)
			if refused == 0 {
				c.t.Error("it was never refused")
			}
			break
		}
		refused++
		if !isCode(err, api.CodeStorageFull) {
			c.t.Errorf("with %d pages left: %v", pages, err)
		}
		if s := must[api.Status](c.t)(c.Status(c.ctx)); s.State != api.StateUninitialised {
			c.t.Fatalf("with %d pages left it was refused, and its state is %q", pages, s.State)
		}
	}
	c.room()
	must[api.Self](c.t)(c.Self(c.ctx))
	if err := c.Wipe(c.ctx); err != nil {
		c.t.Error(err)
	}
}

func (c *cramped) setUp() {
	c.making("setup", func(pages int) int { return pages + 1 + pages/2 }, func() error {
		return done(c.Setup(c.ctx, api.SetupRequest{DisplayName: "Jiwoo", Keyfile: true}))
	})
}

func (c *cramped) restore() {
	c.begin("origin", &node.NewProfile{Name: "Jiwoo"})
	conv := must[api.Conversation](c.t)(c.OpenConversation(c.ctx, api.ConversationRequest{Kind: api.KindSelf}))
	must[api.Message](c.t)(c.SendMessage(c.ctx, conv.ID, api.MessageRequest{Text: "kept"}, api.SendOptions{}))
	var archive bytes.Buffer
	if err := c.Backup(c.ctx, api.BackupRequest{Passphrase: passphrase, Messages: true}, &archive); err != nil {
		c.t.Fatal(err)
	}
	if err := c.Wipe(c.ctx); err != nil {
		c.t.Fatal(err)
	}
	<-c.ended
	c.stop = nil
	c.making("restored", func(pages int) int { return 5*pages + 1 }, func() error { // each try is dear
		return done(c.Restore(c.ctx, api.RestoreRequest{Passphrase: passphrase, Keyfile: true}, bytes.NewReader(archive.Bytes())))
	})
}

// notes begins a profile that holds one message.
func (c *cramped) notes(place string, create *node.NewProfile) {
	c.t.Helper()
	c.begin(place, create)
	c.self = must[api.Conversation](c.t)(c.OpenConversation(c.ctx, api.ConversationRequest{Kind: api.KindSelf})).ID
	c.heard = *must[api.Message](c.t)(c.SendMessage(c.ctx, c.self, api.MessageRequest{Text: "kept"}, api.SendOptions{})).ID
}

func (c *cramped) rotate() {
	c.notes("rotated", &node.NewProfile{Name: "Jiwoo"})
	for pages, refused := 0, 0; ; pages += 1 + pages/2 {
		c.leave(pages)
		job := must[api.Job](c.t)(c.StartRotation(c.ctx))
		for job.State == api.JobRunning {
			job = must[api.Job](c.t)(c.Job(c.ctx, job.ID))
		}
		must[api.Message](c.t)(c.Message(c.ctx, c.heard))
		c.unfill()
		c.room()
		c.end()
		c.start() // what the header names is whole
		must[api.Message](c.t)(c.Message(c.ctx, c.heard))
		if job.State == api.JobDone {
			c.t.Logf("refused %d times, done with %d pages", refused, pages)
			return
		}
		refused++
		if job.Error == nil || job.Error.Code != api.CodeStorageFull {
			c.t.Fatalf("with %d pages left: %+v", pages, job.Error)
		}
	}
}

// lockAndWipe needs no room.
func (c *cramped) lockAndWipe() {
	c.notes("locked", &node.NewProfile{Name: "Jiwoo"})
	c.leave(0)
	if err := c.Lock(c.ctx); err != nil {
		c.t.Error(err)
	}
	if err := c.Unlock(c.ctx, ""); err != nil {
		c.t.Fatal(err)
	}
	must[api.Message](c.t)(c.Message(c.ctx, c.heard))
	c.leave(0)
	if err := c.Wipe(c.ctx); err != nil {
		c.t.Error(err)
	}
	<-c.ended
	c.stop = nil
	if files := must[[]string](c.t)(filepath.Glob(filepath.Join(c.config.DataDir, "*"))); len(files) > 2 { // lock, CACHEDIR.TAG
		c.t.Errorf("%d files are left", len(files))
	}
}

// opens has the profile locked and opened again.
func (c *cramped) opens(secret string) {
	c.t.Helper()
	if err := c.Lock(c.ctx); err != nil {
		c.t.Fatal(err)
	}
	if err := c.Unlock(c.ctx, secret); err != nil {
		c.t.Fatalf("it does not open any more: %v", err)
	}
}

func (c *cramped) changePassphrase() {
	secrets := []string{passphrase, "another passphrase"}
	c.notes("sealed", &node.NewProfile{Name: "Jiwoo", Passphrase: []byte(secrets[0])})
	for pages := 0; ; pages++ {
		c.emptyLog()
		c.leave(pages)
		job, err := c.ChangePassphrase(c.ctx, api.PassphraseRequest{Old: &secrets[0], New: &secrets[1]})
		for err == nil && job.State == api.JobRunning {
			job = must[api.Job](c.t)(c.Job(c.ctx, job.ID))
		}
		c.unfill()
		c.room()
		if err == nil {
			c.t.Logf("done with %d pages", pages)
			c.opens(secrets[1])
			return
		}
		if !isCode(err, api.CodeStorageFull) {
			c.t.Errorf("with %d pages left: %v", pages, err)
		}
		must[api.Message](c.t)(c.Message(c.ctx, c.heard)) // that the old one opens it, the next change asks for
	}
}

// changeDecoy has a decoy stay as it was where there is no room for another one.
func (c *cramped) changeDecoy() {
	first, second := "opens the first decoy", "opens the second one"
	c.notes("decoyed", &node.NewProfile{Name: "Jiwoo", Passphrase: []byte(passphrase)})
	set := func(secret *string) error {
		return c.SetDuress(c.ctx, api.DuressRequest{Passphrase: passphrase, DuressPassphrase: secret})
	}
	if err := set(&first); err != nil {
		c.t.Fatal(err)
	}
	for _, pages := range []int{0, 20, 200} {
		c.leave(pages)
		if err := set(&second); !isCode(err, api.CodeStorageFull) {
			c.t.Errorf("with %d pages left: %v", pages, err)
		}
		c.unfill()
	}
	c.room()
	c.opens(first)
	c.opens(passphrase)
	must[api.Message](c.t)(c.Message(c.ctx, c.heard))
	if err := set(&second); err != nil {
		c.t.Error(err)
	}
}
