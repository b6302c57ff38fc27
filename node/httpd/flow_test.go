package httpd_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/node"
	"pabal/node/api"
)

// person is a real node on loopback and a client of its API.
type person struct {
	*api.Client
	t      *testing.T
	config node.Config
	stop   context.CancelFunc
	ended  chan error
}

func newPerson(t *testing.T, name string) *person {
	t.Helper()
	dir := t.TempDir()
	p := &person{t: t, config: node.Config{
		Profile: name, DataDir: filepath.Join(dir, "data"), RuntimeDir: filepath.Join(dir, "run"),
		Create: &node.NewProfile{Name: name}, Listen: []string{"127.0.0.1:0"},
	}}
	p.start()
	t.Cleanup(p.end)
	return p
}

func (p *person) start() {
	p.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan api.Discovery, 1)
	config := p.config
	config.Ready = func(d api.Discovery) { ready <- d }
	p.stop, p.ended = stop, make(chan error, 1)
	go func() { p.ended <- node.Run(ctx, config) }()
	select {
	case d := <-ready:
		p.Client = api.NewUnixClient(d.Unix)
	case err := <-p.ended:
		p.t.Fatalf("%s does not start: %v", p.config.Profile, err)
	}
	p.follow(func(api.Event) bool { return p.status().State == api.StateReady })
}

func (p *person) end() {
	if p.stop == nil {
		return
	}
	p.Close()
	p.stop()
	p.stop = nil
	if err := <-p.ended; err != nil {
		p.t.Errorf("%s ends with %v", p.config.Profile, err)
	}
}

func (p *person) status() api.Status {
	p.t.Helper()
	s, err := p.Status(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// follow reads events from the oldest on until one will do.
func (p *person) follow(done func(api.Event) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	enough := errors.New("enough")
	err := p.Follow(ctx, api.EventsOptions{Ephemeral: true}, func(e api.Event) error {
		if done(e) {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		p.t.Fatalf("%s waits in vain: %v", p.config.Profile, err)
	}
}

// meet makes two people contacts and returns each one's contact of the other.
func meet(t *testing.T, a, b *person) (ofA, ofB api.Contact) {
	t.Helper()
	ctx := t.Context()
	invite, err := a.CreateInvite(ctx, api.InviteRequest{Note: "for b"})
	if err != nil || invite.URI == nil {
		t.Fatalf("invite %+v, %v", invite, err)
	}
	accepted, err := b.AcceptInvite(ctx, api.AcceptRequest{URI: *invite.URI, Alias: "A"})
	if err != nil {
		t.Fatal(err)
	}
	b.follow(func(api.Event) bool {
		ofB, err = b.Contact(ctx, accepted.ContactID)
		return err == nil && ofB.State == api.ContactEstablished
	})
	a.follow(func(api.Event) bool {
		all, err := a.Contacts(ctx, api.ContactQuery{State: api.ContactEstablished})
		if err != nil || len(all) == 0 {
			return false
		}
		ofA = all[0]
		return true
	})
	return ofA, ofB
}

func TestConversationOfTwo(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, ofB := meet(t, a, b)
	if ofA.ConversationID == nil || ofB.ConversationID == nil || ofA.InviteID == nil || *ofB.Alias != "A" {
		t.Fatalf("contacts %+v and %+v", ofA, ofB)
	}
	b.follow(func(api.Event) bool {
		c, err := b.Contact(ctx, "@a")
		return err == nil && c.Name == "Mina"
	})
	sent, err := b.SendToContact(ctx, "@A", api.MessageRequest{Text: "안녕, 반가워요 👋"}, api.SendOptions{Wait: api.StateDelivered})
	if err != nil || sent.Status.State != api.StateDelivered || sent.Status.At == nil || sent.Status.At.Before(sent.CreatedAt.Time) {
		t.Fatalf("sent %+v, %v", sent.Status, err)
	}
	page, err := a.Messages(ctx, *ofA.ConversationID, api.MessageQuery{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("page %+v, %v", page, err)
	}
	got := page.Items[0]
	if got.Body.Text != "안녕, 반가워요 👋" || got.Direction != api.DirectionIn || got.Sender.Name != "Jiwoo" || got.Status.State != api.StateDelivered ||
		got.Sender.ContactID != ofA.ID || got.ReceivedAt == nil || got.Trust != "unverified" {
		t.Errorf("received %+v", got)
	}
	if s := a.status(); s.UnreadTotal != 1 || s.Network.Peers != 1 {
		t.Errorf("status %+v", s)
	}
	c, err := a.MarkRead(ctx, *ofA.ConversationID, got.Position)
	if err != nil || c.Unread.Count != 0 || c.Last.Excerpt == nil || c.Title != "Jiwoo" {
		t.Errorf("after reading %+v, %v", c, err)
	}
	m, err := a.Message(ctx, *got.ID)
	if err != nil || m.Status.State != api.StateRead {
		t.Errorf("after reading %+v, %v", m.Status, err)
	}
	verifyBoth(t, a, b, ofA, ofB)
}

// verifyBoth compares safety numbers in both ways.
func verifyBoth(t *testing.T, a, b *person, ofA, ofB api.Contact) {
	ctx := t.Context()
	va, errA := a.Verification(ctx, ofA.ID)
	vb, errB := b.Verification(ctx, ofB.ID)
	if errA != nil || errB != nil || !slices.Equal(va.SafetyNumber, vb.SafetyNumber) || len(va.SafetyNumber) != 12 || va.QRPayload != vb.QRPayload {
		t.Fatalf("safety numbers %+v, %+v, %v, %v", va, vb, errA, errB)
	}
	half, err := a.SelfFingerprint(ctx)
	if err != nil || !strings.Contains(strings.Join(va.SafetyNumber, " "), strings.Join(half.Groups, " ")) {
		t.Errorf("own half %v is not in %v (%v)", half.Groups, va.SafetyNumber, err)
	}
	wrong := strings.Repeat("0", 60)
	if _, err := a.Verify(ctx, ofA.ID, api.VerifyRequest{Method: "number", Payload: wrong}); !errors.Is(err, &api.Problem{Code: api.CodeVerificationMismatch}) {
		t.Errorf("other numbers: %v", err)
	}
	if v, err := a.Verify(ctx, ofA.ID, api.VerifyRequest{Method: "number", Payload: strings.Join(vb.SafetyNumber, " ")}); err != nil || v.State != "verified" {
		t.Errorf("verify by number: %+v, %v", v, err)
	}
	if v, err := b.Verify(ctx, ofB.ID, api.VerifyRequest{Method: "qr", Payload: va.QRPayload}); err != nil || v.State != "verified" {
		t.Errorf("verify by code: %+v, %v", v, err)
	}
	if err := a.Unverify(ctx, ofA.ID); err != nil {
		t.Error(err)
	}
	if v, err := a.Verification(ctx, ofA.ID); err != nil || v.State != "unverified" {
		t.Errorf("after taking it back: %+v, %v", v, err)
	}
}

// TestRequestThatAsks waits for a person.
func TestRequestThatAsks(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	invite, err := a.CreateInvite(ctx, api.InviteRequest{Ask: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AcceptInvite(ctx, api.AcceptRequest{URI: "here: " + *invite.URI, Greeting: "it is me"}); err != nil {
		t.Fatal(err)
	}
	var waiting []api.Request
	a.follow(func(e api.Event) bool {
		waiting, err = a.Requests(ctx, "")
		return err == nil && len(waiting) == 1
	})
	r := waiting[0]
	if r.Name != "Jiwoo" || r.Greeting != "it is me" || r.InviteID != invite.ID || r.ContactID != nil {
		t.Errorf("request %+v", r)
	}
	s, err := a.Snapshot(ctx, api.SnapshotOptions{})
	if err != nil || len(s.Requests) != 1 || len(s.Contacts) != 0 || s.Self.DisplayName != "Mina" {
		t.Errorf("snapshot %+v, %v", s, err)
	}
	accepted, err := a.AcceptRequest(ctx, r.ID)
	if err != nil || accepted.State != "accepted" || accepted.ContactID == nil {
		t.Fatalf("accepted %+v, %v", accepted, err)
	}
	again, err := a.AcceptRequest(ctx, r.ID)
	if err != nil || again.State != "accepted" {
		t.Errorf("accepted again: %+v, %v", again, err)
	}
	if _, err := a.DeclineRequest(ctx, r.ID); !errors.Is(err, &api.Problem{Code: api.CodeAlreadyAnswered}) {
		t.Errorf("declined after it: %v", err)
	}
	a.follow(func(api.Event) bool {
		c, err := a.Contact(ctx, *accepted.ContactID)
		return err == nil && c.State == api.ContactEstablished
	})
}

// TestAcrossARestart: ids, keys and cursors mean the same to the next process,
// and what waited is delivered.
func TestAcrossARestart(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ofA, _ := meet(t, a, b)
	b.end()
	ctx := api.WithIdempotencyKey(t.Context(), "one effect")
	id := api.NewMessageID()
	first, err := a.PutMessage(ctx, *ofA.ConversationID, id, api.MessageRequest{Text: "put"}, api.SendOptions{})
	if err != nil || *first.ID != id || first.Status.State != api.StateQueued {
		t.Fatalf("put %+v, %v", first, err)
	}
	posted, err := a.SendMessage(ctx, *ofA.ConversationID, api.MessageRequest{Text: "post"}, api.SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	page, err := a.PollEvents(ctx, api.EventsOptions{}, 0, api.EventsMax)
	if err != nil {
		t.Fatal(err)
	}
	why, err := a.WhyMessage(ctx, id)
	if err != nil || why.State != api.StateQueued || why.Reason == "" {
		t.Errorf("why %+v, %v", why, err)
	}
	a.end()
	a.start()
	again, err := a.PutMessage(ctx, *ofA.ConversationID, id, api.MessageRequest{Text: "put"}, api.SendOptions{})
	if err != nil || again.Position != first.Position {
		t.Errorf("put again %+v, %v", again, err)
	}
	if m, err := a.SendMessage(ctx, *ofA.ConversationID, api.MessageRequest{Text: "post"}, api.SendOptions{}); err != nil || *m.ID != *posted.ID {
		t.Errorf("posted again %+v, %v", m, err)
	}
	next, err := a.PollEvents(ctx, api.EventsOptions{After: page.Cursor}, 0, api.EventsMax)
	if err != nil || next.Gap != nil || slices.ContainsFunc(next.Events, func(e api.Event) bool { return e.Type == api.EventMessageCreated }) {
		t.Errorf("events after the restart %+v, %v", next, err)
	}
	b.start()
	for _, id := range []string{id, *posted.ID} {
		a.follow(func(api.Event) bool {
			m, err := a.Message(ctx, id)
			return err == nil && m.Status.State == api.StateDelivered
		})
	}
	var seen []string
	b.follow(func(e api.Event) bool {
		conversations, err := b.Conversations(ctx)
		if err != nil || len(conversations) == 0 {
			return false
		}
		all, err := b.Messages(ctx, conversations[0].ID, api.MessageQuery{First: true})
		seen = nil
		for _, m := range all.Items {
			seen = append(seen, m.Body.Text)
		}
		return err == nil && len(seen) >= 2
	})
	if !slices.Equal(seen, []string{"put", "post"}) {
		t.Errorf("received %q", seen)
	}
}

// TestBlockedContact cannot be written to.
func TestBlockedContact(t *testing.T) {
	a, b := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	ctx := t.Context()
	ofA, _ := meet(t, a, b)
	if err := a.Block(ctx, ofA.ID); err != nil {
		t.Fatal(err)
	}
	blocks, err := a.Blocks(ctx)
	if err != nil || len(blocks) != 1 || blocks[0].ContactID != ofA.ID {
		t.Errorf("blocks %+v, %v", blocks, err)
	}
	if _, err := a.SendToContact(ctx, ofA.ID, api.MessageRequest{Text: "x"}, api.SendOptions{}); !errors.Is(err, &api.Problem{Code: api.CodeBlocked}) {
		t.Errorf("sent to a blocked contact: %v", err)
	}
	if c, err := a.Conversation(ctx, *ofA.ConversationID); err != nil || c.Can.Send {
		t.Errorf("conversation %+v, %v", c, err)
	}
	if err := a.Unblock(ctx, ofA.ID); err != nil {
		t.Fatal(err)
	}
	if err := a.RemoveContact(ctx, ofA.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Conversation(ctx, *ofA.ConversationID); !errors.Is(err, &api.Problem{Code: api.CodeNotFound}) {
		t.Errorf("the conversation of a removed contact: %v", err)
	}
}
