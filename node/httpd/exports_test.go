package httpd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pabal/node/api"
	"pabal/store"
)

func (w *world) export(conversation, format string) string {
	w.d.t.Helper()
	return w.d.must(200, call{method: "POST", path: "/v1/exports", body: fmt.Sprintf(`{"conversation_id":%q,"format":%q}`, conversation, format)}).body
}

// TestExport: all of a conversation in order, whole or seen not to be, and more than a page of it.
func TestExport(t *testing.T) {
	w := newWorld(t)
	const more = store.PageMax + 3
	for i := range more {
		w.say(t, w.conversation, fmt.Sprintf("number %d", i))
	}
	gone := w.say(t, w.conversation, "not in the file")
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *gone.ID})
	w.say(t, w.conversation, "two\n# lines")
	lines := strings.Split(w.export(w.conversation, api.ExportJSONL), "\n")
	var begin api.ExportBegin
	var end api.ExportEnd
	if err := json.Unmarshal([]byte(lines[0]), &begin); err != nil || begin.Version != api.ExportVersion || begin.ConversationID != w.conversation {
		t.Errorf("it begins with %s, %v", lines[0], err)
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || end.Messages != len(lines)-2 || end.Messages != more+2 {
		t.Errorf("it ends with %s, %v, behind %d lines", lines[len(lines)-1], err, len(lines))
	}
	var before uint64
	for _, line := range lines[1 : len(lines)-1] {
		var m api.Message
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Position <= before || m.Body == nil {
			t.Fatalf("%s, %v", line, err)
		}
		before = m.Position
	}
	text := w.export(w.conversation, api.ExportText)
	if strings.Contains(text, "not in the file") || !strings.Contains(text, ": number 7\n") || !strings.Contains(text, ": two\n\t# lines\n") ||
		!strings.HasPrefix(text, "# ") || !strings.HasSuffix(text, fmt.Sprintf("\n# %d", more+2)) {
		t.Errorf("the text is %.400q…", text)
	}
	if got := w.export(otherConversation(w), api.ExportText); strings.Contains(got, "number") {
		t.Errorf("another conversation is %q", got)
	}
}

// TestExportIsTold: the audit log, the copies of a message and the warrant report tell of it, and a
// message that came later is not said to be in the file.
func TestExportIsTold(t *testing.T) {
	w := newWorld(t)
	w.export(w.conversation, api.ExportText)
	if got := w.d.audited(); got[len(got)-1] != "export.made owner ok" {
		t.Errorf("the audit log is %v", got)
	}
	copies := func(id string) string {
		return w.d.must(200, call{method: "GET", path: "/v1/messages/" + id + "/copies"}).body
	}
	if got := copies(w.message); !strings.Contains(got, `"place":"export","content":"readable","certainty":"known"`) {
		t.Errorf("the copies are %s", got)
	}
	var report api.Warrant
	w.d.must(200, call{method: "GET", path: "/v1/warrant"}).into(t, &report)
	var told *api.WarrantTarget
	for i, target := range report.Targets {
		if target.Target == api.TargetExports {
			told = &report.Targets[i]
		}
	}
	if told == nil || told.Messages != 1 || told.Key != api.KeyNone {
		t.Errorf("the warrant report says %+v", told)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + w.message})
	w.d.must(404, call{method: "GET", path: "/v1/messages/" + w.message + "/copies"})
}

func TestExportRefusals(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]api.Code{
		`{"conversation_id":"cv_` + zeros + `","format":"text"}`:       api.CodeNotFound,
		`{"conversation_id":"cv_x","format":"text"}`:                   api.CodeNotFound,
		`{"conversation_id":"` + w.conversation + `","format":"html"}`: api.CodeValidationFailed,
		`{"conversation_id":"` + w.conversation + `"}`:                 api.CodeValidationFailed,
		`{"format":"text"}`: api.CodeValidationFailed,
		`{"conversation_id":"` + w.conversation + `","format":"text","to":"/x"}`: api.CodeUnknownField,
	} {
		if a := w.d.do(call{method: "POST", path: "/v1/exports", body: body}); a.problem() != want {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	body := `{"conversation_id":"` + w.conversation + `","format":"text"}`
	if a := w.d.must(403, call{method: "POST", path: "/v1/exports", body: body, token: w.owner}); a.problem() != api.CodeScopeMissing {
		t.Errorf("a token: %s", a.body)
	}
	if a := w.d.must(403, call{method: "POST", path: "/v1/exports", body: body, token: w.d.session()}); a.problem() != api.CodeConfirmationNeeded {
		t.Errorf("a session: %s", a.body)
	}
	w.d.fail = store.ErrFull
	if a := w.d.must(507, call{method: "POST", path: "/v1/exports", body: body}); a.problem() != api.CodeStorageFull {
		t.Errorf("what cannot be noted is not exported: %s", a.body)
	}
	w.d.fail = nil
}
