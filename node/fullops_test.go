//go:build linux

package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pabal/node"
	"pabal/node/api"
)

// roomyDiskBytes is a small disk that takes a file beside what is kept for deletions.
const roomyDiskBytes = 72 << 20

// TestFullDiskInEveryOperation has the disk full at the first, the second, the third page that
// an operation of the API writes, and so on until there was room enough: the answer is a code, and
// what the operation changes is either whole or not there at all. Reading and deleting go on.
func TestFullDiskInEveryOperation(t *testing.T) {
	onSmallDisk(t, roomyDiskBytes, func(t *testing.T, dir string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		c := newCramped(ctx, t, dir)
		ops := c.operations()
		c.covers(ops)
		for _, op := range ops {
			if !t.Run(op.name, func(t *testing.T) { c.with(t).squeeze(op) }) {
				c.room()
			}
		}
	})
}

// cramped is somebody who lives on a small disk, and whose contact is off.
type cramped struct {
	*person
	t       *testing.T
	ctx     context.Context
	dir     string
	ahead   *atomic.Int64 // of the clock, nanoseconds
	contact api.Contact
	conv    string   // with the contact
	self    string   // notes
	heard   string   // a message of the contact's
	file    string   // of the contact's, which lies there
	spare   string   // a note that may be deleted
	asked   []string // requests that wait
	links   []string // of others
	pages   int      // that are left now
	home    string   // a link of a home node
	bundle  []byte   // of the contact's
}

func (c *cramped) with(t *testing.T) *cramped {
	other := *c
	other.t = t
	return &other
}

func newCramped(ctx context.Context, t *testing.T, dir string) *cramped {
	c := &cramped{t: t, ctx: ctx, dir: dir, ahead: new(atomic.Int64)}
	clock := func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
	c.person = &person{t: t, config: node.Config{
		Profile: "Jiwoo", DataDir: filepath.Join(dir, "data"), RuntimeDir: filepath.Join(t.TempDir(), "run"),
		Create: &node.NewProfile{Name: "Jiwoo"}, Listen: []string{"127.0.0.1:0"}, Clock: clock,
	}}
	c.start()
	t.Cleanup(c.end)
	mina := newPerson(t, "Mina")
	c.contact = befriend(ctx, mina, c.person)
	c.conv = *c.contact.ConversationID
	c.self = must[api.Conversation](t)(c.OpenConversation(ctx, api.ConversationRequest{Kind: api.KindSelf})).ID
	here := mina.onlyContact(ctx)
	c.heard = "what Mina says"
	must[api.Courier](t)(mina.OfferCourier(ctx, api.CourierRequest{ContactID: here.ID}))
	big := must[api.File](t)(mina.UploadFile(ctx, api.FileUpload{Name: "big.bin", Size: 30 << 20}, bytes.NewReader(make([]byte, 30<<20))))
	must[api.Message](t)(mina.SendToContact(ctx, here.ID, api.MessageRequest{Files: []string{big.ID}}, api.SendOptions{Wait: api.StateDelivered}))
	must[api.Message](t)(mina.SendToContact(ctx, here.ID, api.MessageRequest{Text: c.heard}, api.SendOptions{Wait: api.StateDelivered}))
	c.until(ctx, func() bool {
		couriers := must[[]api.Courier](t)(c.Couriers(ctx))
		return len(couriers) == 1 && couriers[0].Ready
	})
	for _, m := range must[api.MessagePage](t)(c.Messages(ctx, c.conv, api.MessageQuery{})).Items {
		if m.Body != nil && m.Body.Text == c.heard {
			c.heard = *m.ID
		}
		if len(m.Attachments) > 0 {
			c.file = m.Attachments[0].ID
		}
	}
	for i := range 3 {
		asks := newPerson(t, fmt.Sprint("somebody ", i))
		link := must[api.Invite](t)(c.CreateInvite(ctx, api.InviteRequest{Ask: true}))
		must[api.Accepted](t)(asks.AcceptInvite(ctx, api.AcceptRequest{URI: *link.URI}))
		c.until(ctx, func() bool { return len(must[[]api.Request](t)(c.Requests(ctx, ""))) == i+1 })
		c.links = append(c.links, *must[api.Invite](t)(asks.CreateInvite(ctx, api.InviteRequest{})).URI)
		asks.end()
	}
	for _, r := range must[[]api.Request](t)(c.Requests(ctx, "")) {
		c.asked = append(c.asked, r.ID)
	}
	c.home = homeLink(ctx, t)
	c.end()
	must[api.Message](t)(mina.SendToContact(ctx, here.ID, api.MessageRequest{Text: "by hand"}, api.SendOptions{}))
	c.bundle = must[api.Bundle](t)(mina.ExportBundle(ctx, here.ID)).File
	mina.end()
	c.start()
	return c
}

// operation is something that is done to a profile.
type operation struct {
	name  string // of its route
	ready func(c *cramped) (do func() error)
	frees bool // it makes room, so it is done whatever is full
	reads bool // it writes nothing that is needed
	apart bool // what it writes shows elsewhere
	fills bool // it fills the disk itself, when it has begun
	keeps bool // what has come of it stays, and it goes on there
	big   bool // what it writes is in files, of many pages
}

// squeeze does an operation on a disk with room for no page, one, two …, until it is done.
func (c *cramped) squeeze(op operation) {
	c.t.Helper()
	do := op.ready(c)
	defer os.Remove(c.ballast())
	refused := 0
	for pages := 0; ; pages = morePages(pages, op.big) {
		c.pages = pages
		if c.ctx.Err() != nil {
			c.t.Fatalf("not done with %d pages", pages)
		}
		c.emptyLog()
		before := c.state()
		if !op.fills {
			c.leave(pages)
		}
		err := do()
		after := c.state()
		if err != nil {
			refused++
			if !isCode(err, api.CodeStorageFull) {
				c.t.Errorf("with %d pages left: %v", pages, err)
			}
			if what := differ(before, after); what != "" && !op.keeps {
				c.t.Errorf("with %d pages left: refused, and changed %s", pages, what)
			}
			if op.frees || op.reads {
				c.t.Errorf("with %d pages left: refused, though it needs no room", pages)
			}
			c.readsAndDeletes()
			before = c.state()
		}
		c.room()
		if again := c.state(); err != nil && differ(before, again) != "" {
			c.t.Errorf("with %d pages left: refused, and with room again changed %s", pages, differ(before, again))
		}
		if c.t.Failed() {
			return
		}
		if err == nil {
			if !op.reads && !op.apart && differ(before, after) == "" {
				c.t.Errorf("with %d pages left: done, and nothing changed", pages)
			}
			if refused == 0 && !op.frees && !op.reads {
				c.t.Error("it was never refused")
			}
			c.t.Logf("refused %d times, done with %d pages", refused, pages)
			return
		}
	}
}

// morePages goes on from one to the next page, and faster later; for what fills chunks of 1 MiB
// to the next of those.
func morePages(pages int, big bool) int {
	if big && pages%257 > 3 {
		return (pages/257 + 1) * 257
	}
	if big {
		return pages + 1
	}
	return pages + 1 + pages/4
}

// emptyLog has the next commit need a page for whatever it writes.
func (c *cramped) emptyLog() {
	c.t.Helper()
	for _, id := range []*string{&c.spare, new(string)} {
		if *id == "" {
			*id = *must[api.Message](c.t)(c.SendMessage(c.ctx, c.self, api.MessageRequest{Text: "goes soon"}, api.SendOptions{})).ID
		}
		if id != &c.spare {
			if err := c.DeleteMessage(c.ctx, *id); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// leave fills the disk but for so many pages.
func (c *cramped) leave(pages int) {
	c.t.Helper()
	f, err := os.Create(c.ballast())
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	for err = unix.ENOSPC; err != nil; { // somebody else may take room at the same time
		var st unix.Statfs_t
		if err := unix.Statfs(c.dir, &st); err != nil {
			c.t.Fatal(err)
		}
		size := (int64(st.Bavail) - int64(pages)) * st.Bsize
		if size <= 0 {
			return
		}
		if err = unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil && !errors.Is(err, unix.ENOSPC) {
			c.t.Fatal(err)
		}
	}
}

func (c *cramped) ballast() string { return filepath.Join(c.dir, "ballast") }

// readsAndDeletes has a message read and another one deleted while the disk is full.
func (c *cramped) readsAndDeletes() {
	c.t.Helper()
	must[api.Message](c.t)(c.Message(c.ctx, c.heard))
	if err := c.DeleteMessage(c.ctx, c.spare); err != nil {
		c.t.Errorf("a message cannot be deleted on a full disk: %v", err)
	}
	c.spare = ""
}

// unfill makes room again.
func (c *cramped) unfill() {
	c.t.Helper()
	if err := os.Remove(c.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Fatal(err)
	}
}

// room makes room again, and waits until that is known.
func (c *cramped) room() {
	c.t.Helper()
	c.unfill()
	c.ahead.Add(int64(time.Minute + time.Second))
	for must[api.Status](c.t)(c.Status(c.ctx)).State == api.StateReadOnly {
		if _, err := c.Couriers(c.ctx); err != nil { // the loop is asked, and finds that it is time to try
			c.t.Fatalf("it stays read only although there is room: %v", err)
		}
	}
}

// state is all that the API shows, but for what changes by itself.
func (c *cramped) state() map[string]any {
	c.t.Helper()
	all := make(map[string]any)
	for _, path := range []string{
		"/v1/snapshot?conversations=200&messages=50", "/v1/contacts", "/v1/blocks", "/v1/requests", "/v1/invites", "/v1/tokens",
		"/v1/webhooks", "/v1/couriers", "/v1/consumers", "/v1/files?limit=200", "/v1/approvals", "/v1/self", "/v1/settings",
	} {
		path, query, _ := strings.Cut(path, "?")
		all[path] = settled(c.get(path, query))
	}
	return all
}

func (c *cramped) get(path, query string) (v any) {
	c.t.Helper()
	resp := must[*http.Response](c.t)(c.Raw(c.ctx, api.RawRequest{Method: http.MethodGet, Path: path, Query: parseQuery(query)}))
	defer resp.Body.Close()
	b := must[[]byte](c.t)(io.ReadAll(resp.Body))
	if err := json.Unmarshal(b, &v); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s: %d, %v", path, resp.StatusCode, err)
	}
	return v
}

func parseQuery(text string) url.Values {
	q, err := url.ParseQuery(text)
	if err != nil {
		panic(err)
	}
	return q
}

// settled leaves out of an answer what changes by itself.
func settled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range []string{"cursor", "lag", "last_used_at", "last_delivered_at", "failing_since", "last_error", "edit_until", "trouble"} {
			delete(v, name)
		}
		if _, hook := v["url"]; hook {
			delete(v, "state")
		}
		for name := range v {
			v[name] = settled(v[name])
		}
	case []any:
		for i := range v {
			v[i] = settled(v[i])
		}
	}
	return v
}

// differ names where two states differ; empty: nowhere.
func differ(a, b any) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(a)) {
				if what := differ(a[name], b[name]); what != "" {
					return name + " " + what
				}
			}
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			for i := range a {
				if what := differ(a[i], b[i]); what != "" {
					return fmt.Sprint(i, " ", what)
				}
			}
		}
	}
	return fmt.Sprintf("from %.200v to %.200v", a, b)
}

// homeLink returns the link of a home node, which is off.
func homeLink(ctx context.Context, t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	home := &person{t: t, config: node.Config{
		Profile: "home", DataDir: filepath.Join(dir, "data"), RuntimeDir: filepath.Join(dir, "run"), Home: true,
		Create: &node.NewProfile{Name: "home"}, Listen: []string{"127.0.0.1:0"},
	}}
	home.start()
	defer home.end()
	return *must[api.Invite](t)(home.CreateInvite(ctx, api.InviteRequest{Kind: "home"})).URI
}

// covers has every operation of the API that may write be tried here.
func (c *cramped) covers(ops []operation) {
	c.t.Helper()
	elsewhere := []string{ // TestFullDiskUnderAProfile and TestFullDisk
		"POST /v1/setup", "POST /v1/setup/restore", "POST /v1/unlock", "POST /v1/lock", "POST /v1/wipe", "POST /v1/shutdown", "POST /v1/rotation",
		"POST /v1/self/passphrase", "PUT /v1/duress",
	}
	inMemory := []string{
		"POST /v1/auth/confirm", "POST /v1/auth/exchange", "POST /v1/auth/proof", "POST /v1/login-links", "POST /v1/invites/inspect", "POST /v1/invites/scan",
		"POST /v1/conversations/{id}/typing", "PUT /v1/presence",
	}
	noNetwork := []string{"POST /v1/network/trust", "DELETE /v1/network/trust/{network}"} // loopback is not one
	known := slices.Concat(elsewhere, inMemory, noNetwork)
	for _, op := range ops {
		known = append(known, strings.SplitN(op.name, ":", 2)[0])
	}
	var described struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(must[[]byte](c.t)(c.OpenAPI(c.ctx)), &described); err != nil {
		c.t.Fatal(err)
	}
	for path, methods := range described.Paths {
		for method := range methods {
			name := strings.ToUpper(method) + " " + path
			if method != "get" && method != "parameters" && !slices.Contains(known, name) {
				c.t.Errorf("%s is not tried on a full disk", name)
			}
		}
	}
}

// done has an operation's answer be of no interest.
func done[T any](_ T, err error) error { return err }

// always is an operation that needs nothing.
func always(do func(c *cramped) error) func(c *cramped) func() error {
	return func(c *cramped) func() error { return func() error { return do(c) } }
}

// sent is an operation on a message of ours.
func sent(do func(c *cramped, id string) error) func(c *cramped) func() error {
	return func(c *cramped) func() error {
		id := *must[api.Message](c.t)(c.SendToContact(c.ctx, c.contact.ID, api.MessageRequest{Text: "of ours"}, api.SendOptions{})).ID
		return func() error { return do(c, id) }
	}
}

func (c *cramped) operations() []operation {
	return slices.Concat(c.writing(), c.marking(), c.keeping(), c.meeting(), c.serving(), c.carrying())
}

// writing is what is done to messages.
func (c *cramped) writing() []operation {
	text := api.MessageRequest{Text: strings.Repeat("a text that takes more than one page ", 400)}
	putID := api.NewMessageID()
	return []operation{
		{name: "POST /v1/conversations/{id}/messages", ready: always(func(c *cramped) error {
			return done(c.SendMessage(c.ctx, c.conv, text, api.SendOptions{}))
		})},
		{name: "PUT /v1/conversations/{id}/messages/{message_id}", ready: always(func(c *cramped) error {
			return done(c.PutMessage(c.ctx, c.conv, putID, text, api.SendOptions{}))
		})},
		{name: "POST /v1/contacts/{id}/messages", ready: always(func(c *cramped) error {
			ctx := api.WithIdempotencyKey(c.ctx, "once")
			return done(c.SendToContact(ctx, c.contact.ID, text, api.SendOptions{}))
		})},
		{name: "PATCH /v1/messages/{id}", ready: sent(func(c *cramped, id string) error {
			return done(c.EditMessage(c.ctx, id, text.Text))
		})},
		{name: "POST /v1/messages/{id}/forward", ready: sent(func(c *cramped, id string) error {
			return done(c.ForwardMessage(c.ctx, id, c.self, c.contact.ID))
		})},
		{name: "DELETE /v1/messages/{id}", frees: true, ready: sent(func(c *cramped, id string) error {
			return c.DeleteMessage(c.ctx, id)
		})},
		{name: "DELETE /v1/messages/{id}: for everyone", frees: true, ready: sent(func(c *cramped, id string) error {
			return c.DeleteForEveryone(c.ctx, id)
		})},
		{name: "PUT /v1/messages/{id}/reactions/{emoji}", ready: always(func(c *cramped) error {
			return c.React(c.ctx, c.heard, "👍")
		})},
		{name: "DELETE /v1/messages/{id}/reactions/{emoji}", frees: true, ready: always(func(c *cramped) error {
			return c.Unreact(c.ctx, c.heard, "👍")
		})},
		{name: "PUT /v1/messages/{id}/star", ready: always(func(c *cramped) error { return c.SetMark(c.ctx, c.heard, api.MarkStar) })},
		{name: "PUT /v1/messages/{id}/pin", ready: always(func(c *cramped) error { return c.SetMark(c.ctx, c.heard, api.MarkPin) })},
		{name: "DELETE /v1/messages/{id}/star", ready: always(func(c *cramped) error { return c.RemoveMark(c.ctx, c.heard, api.MarkStar) })},
		{name: "DELETE /v1/messages/{id}/pin", ready: always(func(c *cramped) error { return c.RemoveMark(c.ctx, c.heard, api.MarkPin) })},
	}
}

// marking is what is done to conversations.
func (c *cramped) marking() []operation {
	archived := true
	return []operation{
		{name: "PATCH /v1/conversations/{id}: timer", ready: always(func(c *cramped) error {
			timer := &api.Disappearing{Mode: api.DisappearFromSent, Seconds: 1 << 24}
			return done(c.UpdateConversation(c.ctx, c.conv, api.ConversationPatch{Disappearing: api.Some(timer)}))
		})},
		{name: "PATCH /v1/conversations/{id}", ready: always(func(c *cramped) error {
			return done(c.UpdateConversation(c.ctx, c.conv, api.ConversationPatch{Archived: &archived, Pinned: &archived}))
		})},
		{name: "POST /v1/conversations/{id}/unread", ready: always(func(c *cramped) error { return done(c.MarkUnread(c.ctx, c.conv)) })},
		{name: "POST /v1/conversations/{id}/read", ready: always(func(c *cramped) error { return done(c.MarkRead(c.ctx, c.conv, 2)) })},
		{name: "PUT /v1/conversations/{id}/draft", ready: always(func(c *cramped) error {
			return done(c.PutDraft(c.ctx, c.conv, api.DraftRequest{Text: strings.Repeat("begun ", 1000)}))
		})},
		{name: "DELETE /v1/conversations/{id}/draft", frees: true, ready: always(func(c *cramped) error { return c.DeleteDraft(c.ctx, c.conv) })},
		{name: "POST /v1/exports", apart: true, ready: always(func(c *cramped) error {
			return c.Export(c.ctx, api.ExportRequest{ConversationID: c.conv, Format: api.ExportJSONL}, io.Discard)
		})},
		{name: "POST /v1/backups", reads: true, ready: always(func(c *cramped) error {
			return c.Backup(c.ctx, api.BackupRequest{Passphrase: "eight bytes", Messages: true}, io.Discard)
		})},
	}
}

// keeping is what is done to the account, its settings and its files.
func (c *cramped) keeping() []operation {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		c.t.Fatal(err)
	}
	korean, name := "ko", "Jiwoo K"
	return []operation{
		{name: "PATCH /v1/settings", ready: always(func(c *cramped) error {
			timer := &api.Disappearing{Mode: api.DisappearFromSent, Seconds: 1 << 20}
			return done(c.UpdateSettings(c.ctx, api.SettingsPatch{Language: &korean, Disappearing: api.Some(timer)}))
		})},
		{name: "PATCH /v1/self", ready: always(func(c *cramped) error { return done(c.UpdateSelf(c.ctx, api.SelfPatch{DisplayName: &name})) })},
		{name: "PUT /v1/self/picture", ready: always(func(c *cramped) error { return done(c.SetPicture(c.ctx, picture.Bytes())) })},
		{name: "DELETE /v1/self/picture", ready: always(func(c *cramped) error { return c.ClearPicture(c.ctx) })},
		{name: "POST /v1/files", big: true, fills: true, ready: always(func(c *cramped) error {
			f := &filling{c: c, Reader: bytes.NewReader(fileBytes(4 << 20))}
			return done(c.UploadFile(c.ctx, api.FileUpload{Name: "brought", Size: 4 << 20}, f))
		})},
		{name: "PATCH /v1/files/{id}", big: true, keeps: true, ready: func(c *cramped) func() error {
			const size = 2 << 20
			id := must[api.File](c.t)(c.BeginUpload(c.ctx, api.FileUpload{Name: "begun", Size: size})).ID
			return func() error {
				has := int64(must[api.File](c.t)(c.File(c.ctx, id)).Received)
				rest := fileBytes(size)[has:]
				return done(c.ContinueUpload(c.ctx, id, has, api.FileUpload{}, bytes.NewReader(rest), int64(len(rest))))
			}
		}},
		{name: "POST /v1/contacts/{id}/messages: a file", ready: func(c *cramped) func() error {
			f := must[api.File](c.t)(c.UploadFile(c.ctx, api.FileUpload{Name: "goes", Size: 1 << 20}, bytes.NewReader(fileBytes(1<<20))))
			return func() error {
				return done(c.SendToContact(c.ctx, c.contact.ID, api.MessageRequest{Files: []string{f.ID}}, api.SendOptions{}))
			}
		}},
		{name: "DELETE /v1/files/{id}", frees: true, ready: func(c *cramped) func() error {
			f := must[api.File](c.t)(c.UploadFile(c.ctx, api.FileUpload{Name: "goes", Size: 1 << 20}, bytes.NewReader(fileBytes(1<<20))))
			return func() error { return c.DeleteFile(c.ctx, f.ID) }
		}},
		{name: "POST /v1/files/{id}/fetch", ready: always(func(c *cramped) error { return done(c.FetchFile(c.ctx, c.file)) })},
		{name: "POST /v1/files/{id}/pause", ready: always(func(c *cramped) error { return done(c.PauseFile(c.ctx, c.file)) })},
		{name: "POST /v1/files/{id}/resume", ready: always(func(c *cramped) error { return c.resume() })},
		{name: "POST /v1/files/{id}/cancel", ready: always(func(c *cramped) error { return done(c.CancelFile(c.ctx, c.file)) })},
	}
}

// resume has a file fetched on, which no method of the client is for.
func (c *cramped) resume() error {
	resp, err := c.Raw(c.ctx, api.RawRequest{Method: http.MethodPost, Path: "/v1/files/" + c.file + "/resume"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusInsufficientStorage {
		return api.NewProblem(api.CodeStorageFull)
	}
	return nil
}

// meeting is what is done to contacts and invites.
func (c *cramped) meeting() []operation {
	alias := "the one next door"
	opened := func(do func(c *cramped, id string) error) func(c *cramped) func() error {
		return func(c *cramped) func() error {
			id := must[api.Invite](c.t)(c.CreateInvite(c.ctx, api.InviteRequest{Note: "a note"})).ID
			return func() error { return do(c, id) }
		}
	}
	var asked string
	return []operation{
		{name: "POST /v1/invites", ready: always(func(c *cramped) error { return done(c.CreateInvite(c.ctx, api.InviteRequest{Note: "a note"})) })},
		{name: "DELETE /v1/invites/{id}", frees: true, ready: opened(func(c *cramped, id string) error { return c.RevokeInvite(c.ctx, id) })},
		{name: "POST /v1/invites/accept", ready: always(func(c *cramped) error {
			a, err := c.AcceptInvite(c.ctx, api.AcceptRequest{URI: c.links[0], Alias: "somebody"})
			asked = a.ContactID
			return err
		})},
		{name: "POST /v1/requests/{id}/accept", ready: always(func(c *cramped) error { return done(c.AcceptRequest(c.ctx, c.asked[0])) })},
		{name: "POST /v1/requests/{id}/decline", ready: always(func(c *cramped) error { return done(c.DeclineRequest(c.ctx, c.asked[1])) })},
		{name: "POST /v1/requests/{id}/block", ready: always(func(c *cramped) error { return done(c.BlockRequest(c.ctx, c.asked[2])) })},
		{name: "PATCH /v1/contacts/{id}", ready: always(func(c *cramped) error {
			return done(c.UpdateContact(c.ctx, c.contact.ID, api.ContactPatch{Alias: api.Some(&alias)}))
		})},
		{name: "POST /v1/contacts/{id}/verify", ready: always(func(c *cramped) error {
			return done(c.Verify(c.ctx, c.contact.ID, api.VerifyRequest{Method: "number"}))
		})},
		{name: "DELETE /v1/contacts/{id}/verification", ready: always(func(c *cramped) error { return c.Unverify(c.ctx, c.contact.ID) })},
		{name: "POST /v1/contacts/{id}/key-change/acknowledge", reads: true, ready: always(func(c *cramped) error {
			return c.AcknowledgeKeyChange(c.ctx, c.contact.ID) // nothing has changed
		})},
		{name: "PUT /v1/blocks/{id}", ready: always(func(c *cramped) error { return c.Block(c.ctx, c.contact.ID) })},
		{name: "DELETE /v1/blocks/{id}", ready: always(func(c *cramped) error { return c.Unblock(c.ctx, c.contact.ID) })},
		{name: "POST /v1/conversations", reads: true, ready: always(func(c *cramped) error {
			return done(c.OpenConversation(c.ctx, api.ConversationRequest{Kind: api.KindSelf})) // it is there
		})},
		{name: "DELETE /v1/contacts/{id}", frees: true, ready: always(func(c *cramped) error { return c.RemoveContact(c.ctx, asked) })},
	}
}

// serving is what is done for programs.
func (c *cramped) serving() []operation {
	hook := api.WebhookRequest{Name: "w", URL: "http://127.0.0.1:9/", Preset: api.PresetNotifier}
	hooked := func(do func(c *cramped, id string) error) func(c *cramped) func() error {
		return func(c *cramped) func() error {
			id := must[api.WebhookCreated](c.t)(c.CreateWebhook(c.ctx, hook)).ID
			return func() error { return do(c, id) }
		}
	}
	return []operation{
		{name: "POST /v1/tokens", ready: always(func(c *cramped) error {
			return done(c.CreateToken(c.ctx, api.TokenRequest{Name: "t", Preset: api.PresetBot}))
		})},
		{name: "DELETE /v1/tokens/{id}", frees: true, ready: func(c *cramped) func() error {
			id := must[api.TokenCreated](c.t)(c.CreateToken(c.ctx, api.TokenRequest{Name: "t", Preset: api.PresetBot})).ID
			return func() error { return c.RevokeToken(c.ctx, id) }
		}},
		{name: "DELETE /v1/auth/me", frees: true, ready: func(c *cramped) func() error {
			bot, _ := c.bot(api.Constraints{})
			return func() error { return bot.Logout(c.ctx) }
		}},
		{name: "PUT /v1/consumers/{name}", ready: always(func(c *cramped) error { return done(c.PutConsumer(c.ctx, "c", api.ConsumerRequest{})) })},
		{name: "POST /v1/events/ack", apart: true, ready: func(c *cramped) func() error {
			must[api.Message](c.t)(c.SendMessage(c.ctx, c.self, api.MessageRequest{Text: "an event"}, api.SendOptions{}))
			cursor := must[api.SnapshotResponse](c.t)(c.Snapshot(c.ctx, api.SnapshotOptions{})).Cursor
			return func() error { return done(c.Ack(c.ctx, api.Ack{Consumer: "c", Cursor: cursor})) }
		}},
		{name: "DELETE /v1/consumers/{name}", frees: true, ready: always(func(c *cramped) error { return c.DeleteConsumer(c.ctx, "c") })},
		{name: "POST /v1/webhooks", ready: always(func(c *cramped) error { return done(c.CreateWebhook(c.ctx, hook)) })},
		{name: "POST /v1/webhooks/{id}/enable", apart: true, ready: hooked(func(c *cramped, id string) error { return done(c.EnableWebhook(c.ctx, id)) })},
		{name: "DELETE /v1/webhooks/{id}", frees: true, ready: hooked(func(c *cramped, id string) error { return c.DeleteWebhook(c.ctx, id) })},
		{name: "POST /v1/contacts/{id}/messages: held", ready: func(c *cramped) func() error {
			bot, _ := c.bot(api.Constraints{Approval: true})
			return func() error {
				return done(bot.SendToContact(c.ctx, c.contact.ID, api.MessageRequest{Text: "of a program"}, api.SendOptions{}))
			}
		}},
		{name: "POST /v1/approvals/{id}/approve", ready: held(func(c *cramped, id string) error { return done(c.Approve(c.ctx, id)) })},
		{name: "POST /v1/approvals/{id}/refuse", frees: true, ready: held(func(c *cramped, id string) error { return c.Refuse(c.ctx, id) })},
		{name: "POST /v1/pairings", apart: true, ready: always(func(c *cramped) error {
			before := len(must[[]api.Pairing](c.t)(c.Pairings(c.ctx)))
			_, err := c.AskPairing(c.ctx, asksForToken)
			if after := len(must[[]api.Pairing](c.t)(c.Pairings(c.ctx))); err != nil && after != before {
				c.t.Errorf("refused, and %d programs wait, not %d", after, before)
			}
			return err
		})},
		{name: "POST /v1/pairings/{id}/approve", apart: true, fills: true, keeps: true, ready: paired(func(c *cramped, p api.PairingCreated) error {
			return c.ApprovePairing(c.ctx, p.ID, api.PairingDecision{UserCode: p.UserCode})
		})},
		{name: "POST /v1/pairings/{id}/collect", fills: true, keeps: true, ready: paired(func(c *cramped, p api.PairingCreated) error {
			c.unfill()
			if err := c.ApprovePairing(c.ctx, p.ID, api.PairingDecision{UserCode: p.UserCode}); err != nil {
				c.t.Fatal(err)
			}
			c.emptyLog()
			c.leave(c.pages)
			return done(c.CollectPairing(c.ctx, p.ID, p.DeviceCode))
		})},
		{name: "POST /v1/pairings/{id}/deny", frees: true, apart: true, fills: true, ready: paired(func(c *cramped, p api.PairingCreated) error {
			return c.DenyPairing(c.ctx, p.ID)
		})},
		{name: "PUT /v1/network/dht", apart: true, ready: always(func(c *cramped) error { return done(c.SwitchDHT(c.ctx, []string{nowhere})) })},
		{name: "DELETE /v1/network/dht", apart: true, ready: always(func(c *cramped) error { return c.SwitchDHTOff(c.ctx) })},
		{name: "POST /v1/drill", reads: true, ready: always(func(c *cramped) error { return done(c.StartDrill(c.ctx)) })},
	}
}

// nowhere is a server of the DHT that is not there.
const nowhere = "/ip4/127.0.0.1/udp/9/quic-v1/p2p/12D3KooWGRUVh5xBqfGcdZqhGCMfU6eVBUrXgaNKcUyzVjpVoFN1"

// bot makes a token and a client that has it.
func (c *cramped) bot(limits api.Constraints) (*api.Client, string) {
	c.t.Helper()
	made := must[api.TokenCreated](c.t)(c.CreateToken(c.ctx, api.TokenRequest{Name: "bot", Preset: api.PresetBot, Constraints: limits}))
	d := must[api.Discovery](c.t)(api.ReadDiscovery(filepath.Join(c.config.RuntimeDir, api.DiscoveryFile)))
	return must[*api.Client](c.t)(api.NewTCPClient(c.ctx, d.TCP, made.Secret)), made.ID
}

var asksForToken = api.PairingRequest{ClientName: "p", Preset: api.PresetBot}

// paired is an operation on a program that asks for a token. Each try has one of its own, since
// time goes on between them.
func paired(do func(c *cramped, p api.PairingCreated) error) func(c *cramped) func() error {
	return always(func(c *cramped) error {
		p := must[api.PairingCreated](c.t)(c.AskPairing(c.ctx, asksForToken))
		c.emptyLog()
		c.leave(c.pages)
		return do(c, p)
	})
}

// held is an operation on a message that waits for the owner.
func held(do func(c *cramped, id string) error) func(c *cramped) func() error {
	return func(c *cramped) func() error {
		bot, _ := c.bot(api.Constraints{Approval: true})
		must[api.Message](c.t)(bot.SendToContact(c.ctx, c.contact.ID, api.MessageRequest{Text: "waits"}, api.SendOptions{}))
		all := must[[]api.Approval](c.t)(c.Approvals(c.ctx))
		return func() error { return do(c, all[len(all)-1].ID) }
	}
}

// carrying is what is done with couriers and with files that hands carry.
func (c *cramped) carrying() []operation {
	return []operation{
		{name: "POST /v1/couriers", ready: always(func(c *cramped) error {
			return done(c.OfferCourier(c.ctx, api.CourierRequest{ContactID: c.contact.ID}))
		})},
		{name: "DELETE /v1/couriers/{id}", ready: always(func(c *cramped) error { return c.EndCourier(c.ctx, c.contact.ID) })},
		{name: "POST /v1/couriers/{id}/accept", ready: always(func(c *cramped) error { return c.AcceptCourier(c.ctx, c.contact.ID) })},
		{name: "POST /v1/couriers/home", ready: always(func(c *cramped) error { return done(c.AddHome(c.ctx, api.HomeRequest{URI: c.home})) })},
		{name: "POST /v1/bundles/export", apart: true, ready: always(func(c *cramped) error { return done(c.ExportBundle(c.ctx, c.contact.ID)) })},
		{name: "POST /v1/bundles/import", ready: always(func(c *cramped) error { return done(c.ImportBundle(c.ctx, c.bundle)) })},
	}
}

// filling is a file that fills the disk when it is half read.
type filling struct {
	*bytes.Reader
	c    *cramped
	full bool
}

func (f *filling) Read(b []byte) (int, error) {
	if !f.full && f.Len() < 3<<20 {
		f.full = true
		f.c.leave(f.c.pages)
	}
	return f.Reader.Read(b[:min(len(b), 64<<10)])
}
