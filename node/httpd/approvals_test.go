package httpd

import (
	"strings"
	"testing"
	"time"

	"pabal/node/api"
)

// agent makes a token whose messages wait.
func (w *world) agent(conversations ...string) string {
	return w.d.token(api.TokenRequest{Name: "agent", Scopes: []api.Scope{api.ScopeMessagesRead, api.ScopeMessagesSend, api.ScopeMessagesManage,
		api.ScopeConversationsRead, api.ScopeContactsRead, api.ScopeEvents, api.ScopeFilesWrite, api.ScopeFilesRead},
		Constraints: api.Constraints{Approval: true, Conversations: conversations, Rate: 1000}})
}

// ask has an agent write something.
func (w *world) ask(token, text string) api.Message {
	w.d.t.Helper()
	var m api.Message
	w.d.must(202, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"text":"` + text + `"}`, token: token}).into(w.d.t, &m)
	return m
}

func (w *world) newApproval() string {
	w.ask(w.agent(), "may I?")
	all := w.approvals("")
	return all[len(all)-1].ID
}

// approvals lists what waits, for a token or the owner.
func (w *world) approvals(token string) []api.Approval {
	w.d.t.Helper()
	var page list[api.Approval]
	w.d.must(200, call{method: "GET", path: "/v1/approvals", token: token}).into(w.d.t, &page)
	return page.Items
}

// said returns the texts of a conversation.
func (w *world) said() string {
	w.d.t.Helper()
	var page api.MessagePage
	w.d.must(200, call{method: "GET", path: "/v1/conversations/" + w.conversation + "/messages"}).into(w.d.t, &page)
	var texts []string
	for _, m := range page.Items {
		if m.Body != nil {
			texts = append(texts, m.Body.Text)
		}
	}
	return strings.Join(texts, ",")
}

// TestApprovalWaitsForTheOwner: nothing is sent before the click, and what is refused never is.
func TestApprovalWaitsForTheOwner(t *testing.T) {
	w := newWorld(t)
	agent := w.agent(w.conversation)
	yes, no := w.ask(agent, "yes please"), w.ask(agent, "better not")
	if yes.Status.State != api.StateHeld || yes.ID == nil || yes.Body.Text != "yes please" || w.said() != "hello" {
		t.Fatalf("it is %+v, and said was %q", yes.Status, w.said())
	}
	var m api.Message
	w.d.must(200, call{method: "GET", path: "/v1/messages/" + *yes.ID, token: agent}).into(t, &m)
	if m.Status.State != api.StateHeld {
		t.Errorf("its writer sees %+v", m.Status)
	}
	all := w.approvals("")
	if len(all) != 2 || all[0].TokenName != "agent" || *all[0].Message.ID != *yes.ID || *all[1].Message.ID != *no.ID {
		t.Fatalf("what waits is %+v", all)
	}
	w.d.must(200, call{method: "POST", path: "/v1/approvals/" + all[0].ID + "/approve"}).into(t, &m)
	if m.Body.Text != "yes please" || *m.ID != *yes.ID || m.Status.State == api.StateHeld {
		t.Errorf("approved, it is %+v", m)
	}
	w.d.must(204, call{method: "POST", path: "/v1/approvals/" + all[1].ID + "/refuse"})
	for _, id := range []string{all[0].ID, all[1].ID, "ap_" + zeros, *yes.ID} {
		w.d.must(404, call{method: "POST", path: "/v1/approvals/" + id + "/approve"})
		w.d.must(404, call{method: "POST", path: "/v1/approvals/" + id + "/refuse"})
	}
	if got := w.said(); got != "hello,yes please" || len(w.approvals("")) != 0 {
		t.Errorf("said was %q", got)
	}
	w.d.must(404, call{method: "GET", path: "/v1/messages/" + *no.ID, token: agent})
	events := w.d.must(200, call{method: "GET", path: "/v1/events?types=approval.*", token: agent}).body
	for _, want := range []string{`"approval.requested"`, `"approval.approved"`, `"approval.refused"`, all[1].ID} {
		if !strings.Contains(events, want) {
			t.Errorf("the events %s lack %s", events, want)
		}
	}
	if strings.Contains(events, "better not") {
		t.Error("the events hold a text")
	}
}

// TestApprovalOnce: a message is held once however often it is asked for, and a decision holds.
func TestApprovalOnce(t *testing.T) {
	w := newWorld(t)
	agent, other := w.agent(), w.agent()
	id := api.NewMessageID()
	path := "/v1/conversations/" + w.conversation + "/messages/" + id
	put := call{method: "PUT", path: path, body: `{"text":"once"}`, token: agent}
	w.d.must(202, put)
	w.d.must(202, put)
	w.d.must(409, call{method: "PUT", path: path, body: `{"text":"twice"}`, token: agent})
	w.d.must(409, call{method: "PUT", path: path, body: `{"text":"once"}`, token: other})
	all := w.approvals("")
	if len(all) != 1 {
		t.Fatalf("%d wait", len(all))
	}
	w.d.must(200, call{method: "POST", path: "/v1/approvals/" + all[0].ID + "/approve"})
	w.d.must(200, put)
	post := call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"text":"by key"}`, token: agent, header: map[string]string{"Idempotency-Key": "k"}}
	w.d.must(202, post)
	w.d.must(202, post)
	w.d.must(204, call{method: "POST", path: "/v1/approvals/" + w.approvals("")[0].ID + "/refuse"})
	w.d.must(410, post)
	if got := w.said(); got != "hello,once" {
		t.Errorf("said was %q", got)
	}
}

// TestApprovalCannotBePassedBy: nothing else of a token whose messages wait reaches another side,
// and it decides nothing, whatever its scopes.
func TestApprovalCannotBePassedBy(t *testing.T) {
	w := newWorld(t)
	every := slicesWithoutOwner()
	token := w.d.token(api.TokenRequest{Scopes: every, Constraints: api.Constraints{Approval: true, Rate: 1000}})
	w.ask(token, "held")
	waiting := w.approvals("")[0].ID
	open := map[string]bool{"DELETE /v1/auth/me": true, "POST /v1/events/ack": true, "PUT /v1/consumers/{name}": true, "DELETE /v1/consumers/{name}": true,
		"POST /v1/invites/inspect": true, "POST /v1/invites/scan": true, "POST /v1/files": true, "PATCH /v1/files/{id}": true, "DELETE /v1/files/{id}": true,
		"POST /v1/conversations/{id}/messages": true, "PUT /v1/conversations/{id}/messages/{message_id}": true, "POST /v1/contacts/{id}/messages": true}
	each(t, w, func(t *testing.T, rt *route, s sample) {
		if rt.method == "GET" || s.state != "" || open[rt.name()] || rt.public || rt.stepUp {
			return
		}
		if a := w.d.must(403, call{method: rt.method, path: s.path, body: s.body, token: token}); a.problem() != api.CodeApprovalRequired {
			t.Errorf("%s", a.body)
		}
	})
	for _, action := range []string{"approve", "refuse"} {
		w.d.must(403, call{method: "POST", path: "/v1/approvals/" + waiting + "/" + action, token: token})
	}
	if a := w.d.must(403, call{method: "POST", path: "/v1/approvals/" + waiting + "/approve", token: w.d.token(api.TokenRequest{Preset: api.PresetFrontend})}); a.problem() != api.CodeScopeMissing {
		t.Errorf("another program: %s", a.body)
	}
	if all := w.approvals(w.d.token(api.TokenRequest{Preset: api.PresetBot})); len(all) != 0 {
		t.Errorf("another program sees %+v", all)
	}
	w.d.must(200, call{method: "POST", path: "/v1/approvals/" + waiting + "/approve", token: w.d.session()}) // whoever sits there clicks
	manager := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeTokensManage, api.ScopeMessagesSend}, Constraints: api.Constraints{}})
	if a := w.d.must(403, call{method: "POST", path: "/v1/tokens", token: token, body: `{"name":"x","scopes":["messages:send"]}`}); a.problem() != api.CodeApprovalRequired {
		t.Errorf("a freer token: %s", a.body)
	}
	w.d.must(201, call{method: "POST", path: "/v1/tokens", token: manager, body: `{"name":"x","scopes":["messages:send"],"constraints":{"approval":true}}`})
}

// TestApprovalEnds: with its token, with its conversation's right, with time, and not with the process.
func TestApprovalEnds(t *testing.T) {
	w := newWorld(t)
	agent := w.agent()
	w.ask(agent, "revoked")
	w.d.must(204, call{method: "DELETE", path: "/v1/tokens/" + api.TokenID(agent)})
	if all := w.approvals(""); len(all) != 0 {
		t.Errorf("behind its token %+v", all)
	}
	later := w.agent()
	w.ask(later, "waits")
	w.d.must(204, call{method: "POST", path: "/v1/lock"})
	w.d.must(204, call{method: "POST", path: "/v1/unlock"})
	all := w.approvals("")
	if len(all) != 1 || all[0].Message.Body.Text != "waits" {
		t.Fatalf("behind a lock %+v", all)
	}
	w.d.setClock(func() time.Time { return time.Now().Add(approvalAge + time.Second) })
	if all := w.approvals(""); len(all) != 0 {
		t.Errorf("too late %+v", all)
	}
	w.d.must(404, call{method: "POST", path: "/v1/approvals/" + all[0].ID + "/approve"})
	changed := w.d.server.feed.next()
	w.d.server.lookAtApprovals()
	<-changed
	if events := w.d.must(200, call{method: "GET", path: "/v1/events?types=approval.expired"}).body; !strings.Contains(events, all[0].ID) {
		t.Errorf("the events are %s", events)
	}
}

func TestApprovalLimits(t *testing.T) {
	w := newWorld(t)
	agent := w.agent()
	for range approvalsPerToken {
		w.ask(agent, "again")
	}
	path := "/v1/conversations/" + w.conversation + "/messages"
	if a := w.d.must(409, call{method: "POST", path: path, body: `{"text":"one more"}`, token: agent}); a.problem() != api.CodeTooMany {
		t.Errorf("one too many: %s", a.body)
	}
	fresh := w.agent(otherConversation(w))
	w.d.must(404, call{method: "POST", path: path, body: `{"text":"not there"}`, token: fresh})
	for body, want := range map[string]api.Code{`{"text":""}`: api.CodeInvalidText, `{"text":"x","files":["fl_` + zeros + `"]}`: api.CodeNotFound,
		`{"text":"x","approve":true}`: api.CodeUnknownField, `{"text":7}`: api.CodeValidationFailed} {
		if a := w.d.do(call{method: "POST", path: path, body: body, token: w.agent()}); a.problem() != want {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

func slicesWithoutOwner() (all []api.Scope) {
	for _, s := range api.Scopes() {
		if s != api.ScopeOwner {
			all = append(all, s)
		}
	}
	return all
}
