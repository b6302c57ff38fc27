package surroundings

import (
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestHistory(t *testing.T) {
	home := t.TempDir()
	if r := history(home); r.Warn {
		t.Errorf("%+v", r)
	}
	write(t, filepath.Join(home, ".bash_history"), "ls\npabal send Mina \"see you\"\npabal status\necho send pabal\n")
	write(t, filepath.Join(home, ".zsh_history"), ": 1700000000:0;/usr/bin/pabal --profile x send 민아 '점심'\n")
	if r := history(home); !r.Warn || r.Code != "history_texts" || r.Detail != "2: .bash_history, .zsh_history" {
		t.Errorf("%+v", r)
	}
}

func TestSnapshots(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "home", "profile")
	write(t, filepath.Join(dir, "home", ".snapshots", "1", "info.xml"), "")
	if r := snapshots(data); r.Code != "snapshots_found" || r.Detail != filepath.Join(dir, "home", ".snapshots") {
		t.Errorf("%+v", r)
	}
}

func TestLookSaysSomethingOfEach(t *testing.T) {
	want := []string{"swap", "core", "filesystem", "snapshots", "history"}
	rows := Look(t.TempDir(), t.TempDir())
	if len(rows) != len(want) {
		t.Fatalf("%+v", rows)
	}
	for i, r := range rows {
		if r.Check != want[i] || r.Code == "" {
			t.Errorf("%+v, want %s", r, want[i])
		}
	}
}
