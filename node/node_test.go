package node_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"pabal/node"
	"pabal/node/api"
)

// person is a running node of a test and a client of its API.
type person struct {
	*api.Client
	t      testing.TB
	node   *node.Node
	config node.Config
	stop   context.CancelFunc
	ended  chan error
}

func newPerson(t testing.TB, name string) *person {
	t.Helper()
	return newPersonAt(t, name, nil)
}

// newPersonAt is newPerson for somebody who lives by another clock than the machine's.
func newPersonAt(t testing.TB, name string, clock func() time.Time) *person {
	t.Helper()
	dir := t.TempDir()
	p := &person{t: t, config: node.Config{
		Profile: name, DataDir: filepath.Join(dir, "data"), RuntimeDir: filepath.Join(dir, "run"),
		Create: &node.NewProfile{Name: name}, Listen: []string{"127.0.0.1:0"},
		Clock: clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}}
	p.start()
	t.Cleanup(func() {
		if p.stop != nil {
			p.end()
		}
	})
	return p
}

// start runs the node. A port that somebody else has just now is tried again.
func (p *person) start() {
	p.t.Helper()
	var err error
	for range startTries {
		if err = p.tryStart(); err == nil {
			return
		}
	}
	p.t.Fatalf("%s does not start: %v", p.config.Profile, err)
}

const startTries = 10

func (p *person) tryStart() error {
	p.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan api.Discovery, 1)
	config := p.config
	config.Ready = func(d api.Discovery) { ready <- d }
	n, err := node.New(config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.node, p.stop, p.ended = n, stop, make(chan error, 1)
	go func() { p.ended <- n.Run(ctx) }()
	select {
	case d := <-ready:
		p.Client = api.NewUnixClient(d.Unix)
		return nil
	case err := <-p.ended:
		stop()
		p.stop = nil
		return err
	}
}

func (p *person) end() {
	p.t.Helper()
	p.stop()
	if err := <-p.ended; err != nil {
		p.t.Errorf("%s ends with %v", p.config.Profile, err)
	}
	p.Close()
	p.stop = nil
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// until reads events until done says so.
func (p *person) until(ctx context.Context, done func() bool) {
	p.t.Helper()
	errDone := errors.New("done")
	err := p.Follow(ctx, api.EventsOptions{}, func(api.Event) error {
		if done() {
			return errDone
		}
		return nil
	})
	if !errors.Is(err, errDone) {
		p.t.Fatalf("%s waits in vain: %v", p.config.Profile, err)
	}
}

// befriend makes two people contacts by a link.
func befriend(ctx context.Context, inviter, invitee *person) (ofInvitee api.Contact) {
	t := inviter.t
	invite := must[api.Invite](t)(inviter.CreateInvite(ctx, api.InviteRequest{}))
	accepted := must[api.Accepted](t)(invitee.AcceptInvite(ctx, api.AcceptRequest{URI: *invite.URI, Alias: inviter.config.Profile}))
	invitee.until(ctx, func() bool {
		ofInvitee = must[api.Contact](t)(invitee.Contact(ctx, accepted.ContactID))
		return ofInvitee.State == "established" && ofInvitee.Name != ""
	})
	return ofInvitee
}

func TestFirstConversation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	if contact.Name != "Mina" {
		t.Fatalf("the inviter's name is %q", contact.Name)
	}
	const text = "안녕, 반가워요 👋"
	sent := must[api.Message](t)(jiwoo.SendToContact(ctx, contact.ID, api.MessageRequest{Text: text}, api.SendOptions{Wait: "delivered", Timeout: api.WaitMax}))
	if sent.Status.State != api.StateDelivered {
		t.Fatalf("state %q", sent.Status.State)
	}
	conversations := must[[]api.Conversation](t)(mina.Conversations(ctx))
	if len(conversations) != 1 {
		t.Fatalf("%d conversations", len(conversations))
	}
	page := must[api.MessagePage](t)(mina.Messages(ctx, conversations[0].ID, api.MessageQuery{}))
	if len(page.Items) != 1 || page.Items[0].Body == nil || page.Items[0].Body.Text != text {
		t.Fatalf("read: %+v", page.Items)
	}
}
