package httpd

import (
	"bytes"
	"errors"
	"testing"

	"pabal/node/api"
)

// TestBackupAndRestore makes a backup with one daemon and restores it with another.
func TestBackupAndRestore(t *testing.T) {
	d := startReady(t)
	conv := new(api.Conversation)
	d.must(200, call{method: "POST", path: "/v1/conversations", body: `{"kind":"self"}`}).into(t, conv)
	d.must(201, call{method: "POST", path: "/v1/conversations/" + conv.ID + "/messages", body: `{"text":"to keep"}`})
	for body, code := range map[string]api.Code{
		`{}`:                     api.CodeValidationFailed,
		`{"passphrase":"short"}`: api.CodeValidationFailed,
		`{"passphrase":"four words of mine","all":true}`: api.CodeUnknownField,
	} {
		a := d.do(call{method: "POST", path: "/v1/backups", body: body})
		if a.problem() != code {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	client := api.NewUnixClient(SocketPath(d.server.config.RuntimeDir))
	defer client.Close()
	var file bytes.Buffer
	if err := client.Backup(t.Context(), api.BackupRequest{Passphrase: "four words of mine", Messages: true}, &file); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file.Bytes(), []byte("to keep")) {
		t.Error("a text can be read in the backup")
	}

	other := start(t)
	there := api.NewUnixClient(SocketPath(other.server.config.RuntimeDir))
	defer there.Close()
	refused := func(in api.RestoreRequest, archive []byte, code api.Code) {
		t.Helper()
		if _, err := there.Restore(t.Context(), in, bytes.NewReader(archive)); !errors.Is(err, &api.Problem{Code: code}) {
			t.Errorf("%v, want %s", err, code)
		}
	}
	good := api.RestoreRequest{Passphrase: "four words of mine", NewPassphrase: testPassphrase}
	refused(api.RestoreRequest{Passphrase: "four words of yours"}, file.Bytes(), api.CodeBadPassphrase)
	refused(api.RestoreRequest{}, file.Bytes(), api.CodeValidationFailed)
	refused(api.RestoreRequest{Passphrase: "four words of mine", Keyfile: true, NewPassphrase: "another one"}, nil, api.CodeValidationFailed)
	refused(good, file.Bytes()[:file.Len()/2], api.CodeArchiveCut)
	refused(good, []byte("hello"), api.CodeArchiveForeign)
	got, err := there.Restore(t.Context(), good, &file)
	if err != nil {
		t.Fatal(err)
	}
	if got.Messages != 1 || got.Self.DisplayName != "Mina" {
		t.Errorf("restored %+v", got)
	}
	var page api.MessagePage
	other.must(200, call{method: "GET", path: "/v1/conversations/" + conv.ID + "/messages"}).into(t, &page)
	if len(page.Items) != 1 || page.Items[0].Body.Text != "to keep" {
		t.Errorf("messages %+v", page.Items)
	}
	refused(good, nil, api.CodeAlreadyInitialised)
	other.must(204, call{method: "POST", path: "/v1/lock"})
	other.must(204, call{method: "POST", path: "/v1/unlock", body: `{"passphrase":"` + testPassphrase + `"}`})
}
