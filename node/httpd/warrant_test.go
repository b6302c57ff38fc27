package httpd

import (
	"fmt"
	"strings"
	"testing"

	"pabal/node/api"
)

// TestWarrant walks the targets: what is said of each is what is there.
func TestWarrant(t *testing.T) {
	w := newWorld(t)
	other := otherConversation(w)
	gone := w.say(t, w.conversation, "gone soon")
	w.d.token(api.TokenRequest{Name: "reads", Preset: api.PresetReader, Constraints: api.Constraints{Conversations: []string{other}}})
	w.d.token(api.TokenRequest{Name: "told", Preset: api.PresetNotifier})
	report := func(query string) map[string]api.WarrantTarget {
		t.Helper()
		var out api.Warrant
		w.d.must(200, call{method: "GET", path: "/v1/warrant" + query}).into(t, &out)
		all := make(map[string]api.WarrantTarget)
		for _, target := range out.Targets {
			all[strings.TrimSpace(target.Target+" "+target.Name)] = target
		}
		return all
	}
	check := func(all map[string]api.WarrantTarget, target string, messages, fresh uint64, key, obtains string) {
		t.Helper()
		got := all[target]
		if got.Messages != messages || got.Fresh != fresh || got.Key != key || fmt.Sprint(got.Obtains) != obtains || (got.Oldest != nil) != (messages > 0) {
			t.Errorf("%s: %+v", target, got)
		}
	}
	all := report("?since=2001-01-01T00:00:00Z")
	check(all, api.TargetMachineUnlocked, 3, 3, api.KeyNone, "[texts files names contacts drafts times]")
	check(all, "contact", 0, 0, api.KeyTheirs, "[texts files names addresses times]") // what waits is not there
	check(all, api.TargetContactCouriers, 0, 0, api.KeyDevices, "[sealed_mail addresses times sizes]")
	check(all, api.TargetNetwork, 0, 0, api.KeyDevices, "[addresses times sizes]")
	check(all, api.TargetNotifications, 0, 0, api.KeyNone, "[]")
	w.d.must(422, call{method: "PATCH", path: "/v1/settings", body: `{"notifications":"loud"}`})
	for _, step := range []struct{ setting, obtains string }{ // a system may keep what it has shown
		{api.NotifyNone, "[]"}, {api.NotifySome, "[times]"}, {api.NotifyNone, "[times]"},
		{api.NotifyFull, "[times texts names]"}, {api.NotifySome, "[times texts names]"}, {api.NotifyNone, "[times texts names]"},
	} {
		w.d.must(200, call{method: "PATCH", path: "/v1/settings", body: `{"notifications":"` + step.setting + `"}`})
		check(report(""), api.TargetNotifications, 0, 0, api.KeyNone, step.obtains)
	}
	check(all, api.TargetWebhooks, 0, 0, api.KeyNone, "[]")
	check(all, "token reads", 1, 1, api.KeyNone, "[times files texts names]")
	check(all, "token told", 0, 0, api.KeyNone, "[times]")
	locked := all[api.TargetMachineLocked]
	if open := locked.Key == api.KeyKeyfile; open != (locked.Messages == 3) || !open && locked.Key != api.KeyPassphrase {
		t.Errorf("locked: %+v", locked)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *gone.ID})
	check(report(""), api.TargetMachineUnlocked, 2, 0, api.KeyNone, "[texts files names contacts drafts times]")
}

func TestMachineWithAndWithoutPassphrase(t *testing.T) {
	for open, want := range map[bool]string{true: "keyfile [texts files names contacts drafts times held_mail] 4", false: "passphrase [sizes times] 0"} {
		locked := machineTargets(nil, 4, open)[0]
		if got := fmt.Sprint(locked.Key, " ", locked.Obtains, " ", locked.Sealed); got != want {
			t.Errorf("without a passphrase %v: %s", open, got)
		}
	}
}

// TestNotificationsAreRaisedByTheOwner: a program that may change settings cannot have texts shown to the
// system; it can end that.
func TestNotificationsAreRaisedByTheOwner(t *testing.T) {
	w := newWorld(t)
	token := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeSettingsWrite, api.ScopeSettingsRead}})
	set := func(status int, token, setting string) {
		t.Helper()
		a := w.d.must(status, call{method: "PATCH", path: "/v1/settings", body: `{"language":"ko","notifications":"` + setting + `"}`, token: token})
		if status != 200 && a.problem() != api.CodeConfirmRequired {
			t.Errorf("%s", a.body)
		}
	}
	set(403, token, api.NotifySome)
	set(403, token, api.NotifyFull)
	set(200, token, api.NotifyNone)
	set(200, "", api.NotifySome)
	set(403, token, api.NotifyFull)
	set(200, token, api.NotifySome)
	set(200, "", api.NotifyFull)
	set(200, token, api.NotifyNone)
	set(200, w.d.session(), api.NotifyFull)
}
