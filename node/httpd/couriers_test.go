package httpd

import (
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/mailbox"
	"pabal/store"
)

// helping gives the daemon a help with the world's contact.
func (w *world) helping(t *testing.T) protocol.ContactID {
	t.Helper()
	id, err := protocol.ParseContactID(w.contact)
	if err != nil {
		t.Fatal(err)
	}
	w.d.helps = []protocol.Help{{
		Contact: id, Given: &mailbox.Terms{QuotaBytes: 32 << 20, LifetimeDays: 14}, UsedBytes: 4096, Mailboxes: 3, HeldHere: 1,
		Taken: &mailbox.Terms{QuotaBytes: 1 << 20, LifetimeDays: 7}, Declined: true, Standing: 2, Live: true, LastError: "no_answer", Trouble: protocol.TroubleRefuses,
		Name: "Jiwoo", Phase: protocol.ContactEstablished,
	}}
	return id
}

func TestCouriers(t *testing.T) {
	w := newWorld(t)
	if a := w.d.must(200, call{method: "GET", path: "/v1/couriers"}); a.body != `{"items":[]}` {
		t.Errorf("none is %q", a.body)
	}
	w.helping(t)
	const want = `"kind":"contact","name":"Jiwoo","pairing":"established","ready":false,"gives":{"quota_bytes":33554432,"lifetime_days":14,"used_bytes":4096,"mailboxes":3,"items":1},` +
		`"takes":{"quota_bytes":1048576,"lifetime_days":7,"mailboxes":2,"declined":true},"state":"live","last_error":"no_answer","trouble":"refuses"}`
	if a := w.d.must(200, call{method: "GET", path: "/v1/couriers"}); !strings.Contains(a.body, `{"contact_id":"`+w.contact+`",`+want) {
		t.Errorf("one is %q", a.body)
	}
	narrow := w.d.token(api.TokenRequest{
		Scopes:      []api.Scope{api.ScopeNetworkRead, api.ScopeNetworkManage},
		Constraints: api.Constraints{Conversations: []string{w.conversation}},
	})
	if a := w.d.must(200, call{method: "GET", path: "/v1/couriers", token: narrow}); a.body != `{"items":[]}` {
		t.Errorf("a token of another conversation sees %q", a.body)
	}
	w.d.must(404, call{method: "DELETE", path: "/v1/couriers/" + w.contact, token: narrow})
	w.d.must(404, call{method: "POST", path: "/v1/couriers", body: `{"contact_id":"` + w.contact + `"}`, token: narrow})
	w.d.must(204, call{method: "DELETE", path: "/v1/couriers/" + w.contact})
	w.d.must(404, call{method: "DELETE", path: "/v1/couriers/ct_" + zeros})

	// A home node is no contact, and is seen by who sees all conversations.
	home := "ct_b" + zeros[1:]
	id, err := protocol.ParseContactID(home)
	if err != nil {
		t.Fatal(err)
	}
	w.d.helps = []protocol.Help{{Contact: id, Role: protocol.RoleHome, Name: "Box", Phase: protocol.ContactRequested}}
	if a := w.d.must(200, call{method: "GET", path: "/v1/couriers"}); !strings.Contains(a.body, `"kind":"home","name":"Box","pairing":"requested"`) {
		t.Errorf("a home node is %q", a.body)
	}
	if a := w.d.must(200, call{method: "GET", path: "/v1/couriers", token: narrow}); a.body != `{"items":[]}` {
		t.Errorf("a token of another conversation sees %q", a.body)
	}
	w.d.must(404, call{method: "DELETE", path: "/v1/couriers/" + home, token: narrow})
	w.helping(t)
	w.d.must(404, call{method: "DELETE", path: "/v1/couriers/none"})
}

func TestOfferCourier(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]struct {
		status int
		code   api.Code
	}{
		`{"contact_id":"` + w.contact + `"}`: {409, api.CodeConflict}, // not established
		`{"contact_id":"ct_` + zeros + `"}`:  {404, api.CodeNotFound},
		`{}`:                                 {422, api.CodeValidationFailed},
		`{"contact_id":"` + w.contact + `","quota_bytes":-1}`:  {422, api.CodeValidationFailed},
		`{"contact_id":"` + w.contact + `","quota_bytes":"x"}`: {422, api.CodeValidationFailed},
	} {
		if a := w.d.must(want.status, call{method: "POST", path: "/v1/couriers", body: body}); a.problem() != want.code {
			t.Errorf("%s: code %s", body, a.problem())
		}
	}
	w.helping(t)
	before := w.d.writes
	w.d.must(200, call{method: "POST", path: "/v1/couriers", body: `{"contact_id":"` + w.contact + `","quota_bytes":33554432,"lifetime_days":14}`})
	if w.d.writes != before {
		t.Error("the same terms again are committed")
	}
}

// TestCarried shows how many couriers hold a message, and takes it back all the same.
func TestCarried(t *testing.T) {
	w := newWorld(t)
	var m api.Message
	w.d.must(201, call{method: "POST", path: "/v1/contacts/" + w.contact + "/messages", body: `{"text":"x"}`}).into(t, &m)
	id, err := protocol.ParseConversationID(m.ConversationID)
	if err != nil {
		t.Fatal(err)
	}
	var row protocol.PutConversation
	err = w.d.store.View(func(v *store.View) (err error) {
		row, err = v.Conversation(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	row.Carried[0] = []protocol.Range{{First: row.OwnSequence, Last: row.OwnSequence}}
	row.Carried[1] = row.Carried[0]
	event := protocol.Event{Type: protocol.MessageStatus, Conversation: id, First: row.OwnSequence, Count: 1, Code: protocol.StatusCarried}
	if err := w.d.commit(store.Batch{Now: time.UnixMilli(5), Writes: []protocol.Write{row}, Events: []protocol.Event{event}}); err != nil {
		t.Fatal(err)
	}
	w.d.must(200, call{method: "GET", path: "/v1/messages/" + *m.ID}).into(t, &m)
	if m.Status.State != api.StateCarried || m.Status.Carriers != 2 || m.Status.At == nil || m.Status.At.UnixMilli() != 5 {
		t.Errorf("status %+v", m.Status)
	}
	var why api.Why
	w.d.must(200, call{method: "GET", path: "/v1/messages/" + *m.ID + "/why"}).into(t, &why)
	if why.State != api.StateCarried || why.Reason == "" {
		t.Errorf("why %+v", why)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *m.ID})
	left := 0
	if err := w.d.store.View(func(v *store.View) error {
		messages, err := v.OwnMessages(id, 1, row.OwnSequence)
		left = len(messages)
		return err
	}); err != nil || left != 0 {
		t.Errorf("%d messages are left, %v", left, err)
	}
}

// TestCourierEvent: whoever may look at the network hears of couriers, by id.
func TestCourierEvent(t *testing.T) {
	w := newWorld(t)
	id := w.helping(t)
	if err := w.d.Write(t.Context(), nil, []protocol.Event{{Type: protocol.CourierUpdated, Contact: id}}); err != nil {
		t.Fatal(err)
	}
	for scope, want := range map[api.Scope]int{api.ScopeNetworkRead: 1, api.ScopeContactsRead: 0} {
		token := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeEvents, scope}})
		var page api.EventPage
		w.d.must(200, call{method: "GET", path: "/v1/events?types=courier.updated", token: token}).into(t, &page)
		if len(page.Events) != want {
			t.Fatalf("%s shows %d events, want %d", scope, len(page.Events), want)
		}
		if want > 0 && string(page.Events[0].Data) != `{"id":"`+w.contact+`"}` {
			t.Errorf("data %s", page.Events[0].Data)
		}
	}
}
