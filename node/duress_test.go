package node_test

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"pabal/node"
	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

// since returns what came behind a place, without its times, and the place behind that.
func (l *lines) since(at int) (string, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all.String()
	return regexp.MustCompile(`time=\S+ `).ReplaceAllString(all[at:], ""), len(all)
}

const (
	trueWords   = "correct horse battery staple"
	duressWords = "wrong donkey charger clip"
)

// sealedPerson is somebody with a passphrase, whose log is kept.
func sealedPerson(t *testing.T) (*person, *lines) {
	log := new(lines)
	p := newPerson(t, "Mina")
	if err := p.Wipe(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.end()
	p.config.Log = slog.New(slog.NewTextHandler(log, nil))
	p.config.Create = &node.NewProfile{Name: "Mina", Passphrase: []byte(trueWords)}
	if testing.Short() { // the race detector follows all the memory of each guess
		p.config.Create = nil
		cheaplySealed(t, p.config.DataDir)
	}
	p.start()
	if testing.Short() {
		if err := p.Unlock(t.Context(), trueWords); err != nil {
			t.Fatal(err)
		}
	}
	return p, log
}

// cheaplySealed makes a profile whose passphrase is tried in the least time that there is.
func cheaplySealed(t *testing.T, dir string) {
	_, out, err := protocol.Create(rand.Reader, protocol.Config{}, time.Now(), "Mina")
	if err != nil {
		t.Fatal(err)
	}
	profile := must[*store.Profile](t)(store.Lock(dir, store.Self("")))
	st := must[*store.Store](t)(profile.Create(store.Options{
		Passphrase: []byte(trueWords), Argon: store.Argon{Time: 1, Threads: 1, MemoryKiB: store.ArgonMemoryMin},
	}))
	_, err = st.Commit(store.Batch{Now: time.Now(), Writes: out.Writes})
	if err := errors.Join(err, st.Close(), profile.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDuressOpensADecoy sets a decoy and enters it from both locks. It is a profile like any
// other; the true one goes on when its own passphrase opens it.
func TestDuressOpensADecoy(t *testing.T) {
	ctx := t.Context()
	mina, log := sealedPerson(t)
	must[api.Conversation](t)(mina.OpenConversation(ctx, api.ConversationRequest{Kind: api.KindSelf}))
	set := func(own string, duress *string) error {
		return mina.SetDuress(ctx, api.DuressRequest{Passphrase: own, DuressPassphrase: duress})
	}
	duress, truth := duressWords, trueWords
	if err := set("not it", &duress); !isCode(err, api.CodeBadPassphrase) {
		t.Errorf("without the passphrase: %v", err)
	}
	if err := set(trueWords, &truth); !isCode(err, api.CodePassphraseTaken) {
		t.Errorf("one passphrase for both: %v", err)
	}
	if err := set(trueWords, &duress); err != nil {
		t.Fatal(err)
	}
	account := must[api.Self](t)(mina.Self(ctx)).AccountID

	// unlock locks the screen, or erases the keys, unlocks, and returns the log of that.
	at := 0
	unlock := func(passphrase string, screen bool) (said string) {
		t.Helper()
		_, at = log.since(0)
		lock := mina.Lock
		if screen {
			lock = mina.LockScreen
		}
		if err := lock(ctx); err != nil {
			t.Fatal(err)
		}
		if err := mina.Unlock(ctx, passphrase); err != nil {
			t.Fatal(err)
		}
		for range time.Tick(10 * time.Millisecond) { // a network that opens says so before it has addresses
			if len(must[api.Network](t)(mina.Network(ctx)).Listen) > 0 {
				break
			}
		}
		said, _ = log.since(at)
		return said
	}
	inDecoy := func(want bool) {
		t.Helper()
		self := must[api.Self](t)(mina.Self(ctx))
		if (self.AccountID != account) != want || self.DisplayName != "Mina" {
			t.Errorf("the account is %s, called %q", self.AccountID, self.DisplayName)
		}
		if all := must[[]api.Conversation](t)(mina.Conversations(ctx)); (len(all) == 0) != want {
			t.Errorf("conversations %+v", all)
		}
	}
	own, ownScreen := unlock(trueWords, false), unlock(trueWords, true)
	inDecoy(false)
	screen := unlock(duressWords, true) // from the true profile into the decoy
	inDecoy(true)
	if screen != ownScreen || !strings.Contains(screen, "state") {
		t.Errorf("a screen that the duress passphrase unlocks says\n%s, else\n%s", screen, ownScreen)
	}
	other := unlock(duressWords, false)
	inDecoy(true)
	if !strings.HasPrefix(own, "level=INFO") || !strings.Contains(other, "state=ready") {
		t.Errorf("erased keys that come back say\n%s, else\n%s", other, own)
	}
	if again := unlock(duressWords, true); again != ownScreen {
		t.Errorf("a screen inside the decoy says\n%s, else\n%s", again, ownScreen)
	}
	unlock(trueWords, true)
	inDecoy(false)
	if err := mina.SetDuress(ctx, api.DuressRequest{Passphrase: trueWords}); err != nil {
		t.Fatal(err)
	}
	if err := mina.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := mina.Unlock(ctx, duressWords); !isCode(err, api.CodeBadPassphrase) {
		t.Errorf("a passphrase that was cleared: %v", err)
	}
}

// TestDuressBesideAKeyfile takes the passphrase away while a decoy is set: the decoy's goes on
// opening it, and no other one opens anything.
func TestDuressBesideAKeyfile(t *testing.T) {
	ctx := t.Context()
	mina, _ := sealedPerson(t)
	duress, words := duressWords, trueWords
	if err := mina.SetDuress(ctx, api.DuressRequest{Passphrase: words, DuressPassphrase: &duress}); err != nil {
		t.Fatal(err)
	}
	account := must[api.Self](t)(mina.Self(ctx)).AccountID
	must[api.Job](t)(mina.ChangePassphrase(ctx, api.PassphraseRequest{Old: &words}))
	for _, step := range []struct {
		passphrase string
		code       api.Code
		decoy      bool
	}{{passphrase: trueWords, code: api.CodeBadPassphrase}, {passphrase: duressWords, decoy: true}, {}} {
		if err := mina.Lock(ctx); err != nil {
			t.Fatal(err)
		}
		if err := mina.Unlock(ctx, step.passphrase); step.code == "" && err != nil || step.code != "" && !isCode(err, step.code) {
			t.Fatalf("%+v: %v", step, err)
		}
		if step.code != "" {
			continue
		}
		if other := must[api.Self](t)(mina.Self(ctx)).AccountID != account; other != step.decoy {
			t.Errorf("%+v opens the other profile: %v", step, other)
		}
	}
}

func TestNoDuressWithoutAPassphrase(t *testing.T) {
	mina := newPerson(t, "Mina")
	duress := duressWords
	err := mina.SetDuress(t.Context(), api.DuressRequest{DuressPassphrase: &duress})
	if !isCode(err, api.CodeDuressNeedsPassphrase) {
		t.Errorf("with a keyfile: %v", err)
	}
}
