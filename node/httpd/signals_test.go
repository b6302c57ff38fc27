package httpd

import (
	"context"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/protocol"
)

// signalled returns what the core was told of typing and presence since it was asked last.
func (d *testDaemon) signalled() []protocol.Input {
	d.mu.Lock()
	defer d.mu.Unlock()
	told := d.signals
	d.signals = nil
	return told
}

// converse opens the conversation with a contact, so that it has flags.
func (w *world) converse(t *testing.T) (c api.Conversation) {
	t.Helper()
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: `{"text":"hi"}`})
	w.d.must(200, call{method: "POST", path: "/v1/conversations", body: `{"kind":"direct","contact_id":"` + w.contact + `"}`}).into(t, &c)
	return c
}

// TestTypingIsOffAtFirst has the core hear of typing only in conversations with contacts who
// may know, and whoever asks not hear which they are.
func TestTypingIsOffAtFirst(t *testing.T) {
	w := newWorld(t)
	path := "/v1/conversations/" + w.converse(t).ID + "/typing"
	types := func(body string) []protocol.Input {
		t.Helper()
		w.d.must(204, call{method: "POST", path: path, body: body})
		return w.d.signalled()
	}
	var c api.Contact
	w.d.must(200, call{method: "GET", path: "/v1/contacts/" + w.contact}).into(t, &c)
	if c.Typing || c.Presence || c.ReadReceipts {
		t.Errorf("a new contact is told of %+v", c)
	}
	if told := types(`{"active":true}`); told != nil {
		t.Errorf("off: %+v", told)
	}
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"typing":true}`}).into(t, &c)
	if !c.Typing || c.Presence || c.ReadReceipts {
		t.Errorf("typing is set: %+v", c)
	}
	for body, on := range map[string]bool{`{"active":true}`: true, `{"active":false}`: false} {
		if told := types(body); len(told) != 1 || told[0].(protocol.SetTyping).On != on {
			t.Errorf("%s: %+v", body, told)
		}
	}
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"typing":false}`})
	if told := types(`{"active":true}`); told != nil {
		t.Errorf("off again: %+v", told)
	}
	w.d.must(422, call{method: "POST", path: path, body: `{}`})
	w.d.must(404, call{method: "POST", path: "/v1/conversations/cv_" + zeros + "/typing", body: `{"active":true}`})
	reader := w.d.token(api.TokenRequest{Preset: api.PresetReader})
	w.d.must(403, call{method: "POST", path: path, body: `{"active":true}`, token: reader})
	narrow := w.d.token(api.TokenRequest{Preset: api.PresetBot, Constraints: api.Constraints{Conversations: []string{w.conversation}}})
	w.d.must(404, call{method: "POST", path: path, body: `{"active":true}`, token: narrow})
}

// TestPresenceIsOffAtFirst has those contacts be told that the user is here who may know, from
// the moment on at which that is set, and none behind a locked screen.
func TestPresenceIsOffAtFirst(t *testing.T) {
	w := newWorld(t)
	w.converse(t)
	here := func(what string, on bool, want ...string) {
		t.Helper()
		told := w.d.signalled()
		if len(told) != 1 {
			t.Fatalf("%s: %+v", what, told)
		}
		in := told[0].(protocol.SetPresence)
		if in.Here != on || len(in.To) != len(want) || len(want) == 1 && in.To[0].String() != want[0] {
			t.Errorf("%s: %+v, want %v", what, in, want)
		}
	}
	set := func(body string) { t.Helper(); w.d.must(204, call{method: "PUT", path: "/v1/presence", body: body}) }
	set(`{"here":true}`)
	here("nobody may know", true)
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"presence":true}`})
	here("one may", true, w.contact)
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"presence":false}`})
	here("may not any more", true)
	set(`{"here":false}`)
	here("gone", false)
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"presence":true}`})
	if told := w.d.signalled(); told != nil {
		t.Errorf("nobody is here: %+v", told)
	}
	set(`{"here":true}`)
	here("here", true, w.contact)
	w.d.clock = func() time.Time { return time.Now().Add(protocol.HereFor + time.Second) }
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"presence":true}`})
	if told := w.d.signalled(); told != nil {
		t.Errorf("it was said too long ago: %+v", told)
	}
	set(`{"here":true}`)
	here("here again", true, w.contact)
	if err := w.d.server.lockScreen(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.d.must(204, call{method: "POST", path: "/v1/unlock"})
	w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"presence":false}`})
	if told := w.d.signalled(); told != nil {
		t.Errorf("nobody is here since the screen was locked: %+v", told)
	}
	w.d.must(422, call{method: "PUT", path: "/v1/presence", body: `{"here":"yes"}`})
	w.d.must(403, call{method: "PUT", path: "/v1/presence", body: `{"here":true}`, token: w.d.token(api.TokenRequest{Preset: api.PresetBot})})
	narrow := w.d.token(api.TokenRequest{Preset: api.PresetFrontend, Constraints: api.Constraints{Conversations: []string{w.conversation}}})
	w.d.must(404, call{method: "PUT", path: "/v1/presence", body: `{"here":true}`, token: narrow})
	if told := w.d.signalled(); told != nil {
		t.Errorf("refused: %+v", told)
	}
}

// TestSignalsAreAnnounced shows what contacts let us know, to who may know of contacts.
func TestSignalsAreAnnounced(t *testing.T) {
	w := newWorld(t)
	conversation := w.converse(t)
	contact, err := protocol.ParseContactID(w.contact)
	if err != nil {
		t.Fatal(err)
	}
	id, err := protocol.ParseConversationID(conversation.ID)
	if err != nil {
		t.Fatal(err)
	}
	blind := w.d.openStream(t, "after=latest&ephemeral=1", ndjsonType, w.d.token(api.TokenRequest{Preset: api.PresetNotifier}))
	blind.want(api.EventHello)
	s := w.d.openStream(t, "after=latest&ephemeral=1", ndjsonType, "")
	s.want(api.EventHello)
	w.d.server.Announce(protocol.Event{Type: protocol.Typing, Contact: contact, Conversation: id, Code: protocol.TypingOn})
	e := s.want(api.EventTyping)
	if e.Cursor != "" || e.ConversationID != conversation.ID || decode[api.TypingState](t, e) != (api.TypingState{ContactID: w.contact, Active: true}) {
		t.Errorf("announced %+v", e)
	}
	w.d.server.Announce(protocol.Event{Type: protocol.Presence, Contact: contact, Code: protocol.PresenceHere})
	e = s.want(api.EventPresence)
	if e.Cursor != "" || decode[api.PresenceState](t, e) != (api.PresenceState{ContactID: w.contact, Here: true}) {
		t.Errorf("announced %+v", e)
	}
	w.say(t, w.conversation, "next")
	blind.want(api.EventMessageCreated) // and nothing before
}

// TestScreenLocksBeforeABusyCore locks the screen while the core, which is busy, is being told
// that the user is here: the lock waits for nothing.
func TestScreenLocksBeforeABusyCore(t *testing.T) {
	w := newWorld(t)
	w.converse(t)
	w.d.must(204, call{method: "PUT", path: "/v1/presence", body: `{"here":true}`})
	w.d.busy = make(chan struct{})
	told := make(chan error, 1)
	go func() {
		_, err := w.d.server.putPresence(context.WithValue(context.Background(), requestKey{}, &request{actor: w.d.server.owner}), &presenceInput{Body: api.PresenceRequest{Here: true}})
		told <- err
	}()
	<-w.d.busy
	locked := make(chan error, 1)
	go func() { locked <- w.d.server.lockScreen(context.Background()) }()
	select {
	case err := <-locked:
		if err != nil {
			t.Error(err)
		}
		w.d.locked(api.LockScreen)
	case <-time.After(10 * time.Second):
		t.Error("the screen is open as long as the core is busy")
	}
	w.d.busy <- struct{}{}
	if err := <-told; err != nil {
		t.Error(err)
	}
	if said := w.d.server.presence.said.Load(); !said.until.IsZero() {
		t.Error("what the core was told before the lock counts after it")
	}
}

// TestPresenceEndsWithLock: whoever opens a profile, this one or another, is not here because
// somebody was before it was locked.
func TestPresenceEndsWithLock(t *testing.T) {
	for name, lock := range map[string]func(*testing.T, *world){
		"by a call": func(_ *testing.T, w *world) { w.d.must(204, call{method: "POST", path: "/v1/lock"}) },
		"by the daemon": func(t *testing.T, w *world) {
			if err := w.d.Lock(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.converse(t)
			w.d.signalled()
			w.d.must(204, call{method: "PUT", path: "/v1/presence", body: `{"here":true}`})
			if told := w.d.signalled(); len(told) != 1 {
				t.Fatalf("the core is told %+v", told)
			}
			lock(t, w)
			w.d.must(204, call{method: "POST", path: "/v1/unlock"})
			w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"presence":true}`})
			if told := w.d.signalled(); told != nil {
				t.Errorf("nobody has said to be here since: %+v", told)
			}
			w.d.must(204, call{method: "PUT", path: "/v1/presence", body: `{"here":true}`})
			w.d.signalled()
			w.d.must(200, call{method: "PATCH", path: "/v1/contacts/" + w.contact, body: `{"presence":false}`})
			if told := w.d.signalled(); len(told) != 1 {
				t.Errorf("here again, and the core is told %+v", told)
			}
		})
	}
}
