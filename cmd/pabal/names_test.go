package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func person(id, name, alias string) api.Contact {
	k := api.Contact{ID: id, Name: name}
	if alias != "" {
		k.Alias = &alias
	}
	return k
}

func TestChooseContact(t *testing.T) {
	contacts := []api.Contact{
		person("ct_1", "Mina", ""),
		person("ct_2", "Mina", "미나"),
		person("ct_3", "Jiwoo", "mina kim"),
		person("ct_4", "jiwoo kim", ""),
		person("ct_5", "STRASSE", ""),
	}
	for _, c := range []struct {
		word, want string
		exit       int
	}{
		{"ct_3", "ct_3", exitOK},
		{"미나", "ct_2", exitOK},
		{"미나", "ct_2", exitOK}, // decomposed
		{"@미나", "ct_2", exitOK},
		{"MINA KIM", "ct_3", exitOK},
		{"straße", "ct_5", exitOK},
		{"mina", "", exitConflict},
		{"nobody", "", exitNotFound},
		{"", "", exitNotFound},
	} {
		k, err := chooseContact(contacts, c.word)
		if k.ID != c.want || exitCode(err) != c.exit {
			t.Errorf("%q: got %q, exit %d (%v), want %q, exit %d", c.word, k.ID, exitCode(err), err, c.want, c.exit)
		}
	}
	_, err := chooseContact(contacts, "mina")
	if err == nil || !strings.Contains(err.Error(), "ct_1") || !strings.Contains(err.Error(), "ct_2") {
		t.Errorf("the candidates are not named: %v", err)
	}
}

func TestContactCompletions(t *testing.T) {
	contacts := []api.Contact{person("ct_1", "미나", ""), person("ct_2", "Min", ""), person("ct_3", "bad\tname", "")}
	for _, c := range []struct {
		typed string
		want  []string
	}{
		{"ㅁㄴ", []string{"미나\tct_1"}},
		{"m", []string{"Min\tct_2"}},
		{"ct_", []string{"ct_1\tct_1", "ct_2\tct_2", "ct_3\tct_3"}},
		{"b", nil},
	} {
		if got := contactCompletions(contacts, c.typed); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.typed, got, c.want)
		}
	}
}

func TestTimers(t *testing.T) {
	for _, c := range []struct {
		in   string
		want *api.Disappearing
		out  string
	}{
		{"never", nil, "never"},
		{"1w", &api.Disappearing{Mode: "read", Seconds: 604800}, "1w:read"},
		{"36h:sent", &api.Disappearing{Mode: "sent", Seconds: 129600}, "36h:sent"},
		{"90s:read", &api.Disappearing{Mode: "read", Seconds: 90}, "90s:read"},
		{"5m:sent", &api.Disappearing{Mode: "sent", Seconds: 300}, "5m:sent"},
	} {
		got, err := parseDisappearing(c.in)
		if err != nil || (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%q: %+v, %v", c.in, got, err)
		}
		if s := disappearing(got); s != c.out {
			t.Errorf("%q is printed as %q, want %q", c.in, s, c.out)
		}
	}
	for _, bad := range []string{"", "soon", "1w:later", "-1d", "0s", "1w:", ":read", "99999999999999999w", "0d"} {
		if _, err := parseDisappearing(bad); exitCode(err) != exitUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"":                     {},
		"24h":                  now.Add(-day),
		"2d":                   now.Add(-2 * day),
		"2026-11-01T10:00:00Z": time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC),
		"2026-11-01":           time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local),
	} {
		if got, err := parseSince(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"Mina": "Mina", "미나": "미나", "Mina Kim": "'Mina Kim'", "a'b": `'a'\''b'`, "": "''", "$(x)": "'$(x)'", "a;b": "'a;b'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

// TestEveryCodeHasSentenceAndExit walks the codes of the API.
func TestEveryCodeHasSentenceAndExit(t *testing.T) {
	for _, code := range api.Codes() {
		if !speech.Has(speech.Key("problem." + string(code))) {
			t.Errorf("no sentence for %s", code)
		}
		exit := exitCode(api.NewProblem(code))
		if exit == exitOK {
			t.Errorf("%s exits 0", code)
		}
		if status, _ := code.Status(); exit == exitError && status < 500 {
			t.Errorf("%s (%d) has no exit code of its own", code, status)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{errors.New("any"), exitError},
		{fmt.Errorf("wrapped: %w", profile.ErrNone), exitNoDaemon},
		{profile.ErrName, exitUsage},
		{&profile.SeveralError{}, exitUsage},
		{silent(exitTimeout), exitTimeout},
		{api.NewProblem(api.CodeLocked), exitLocked},
		{api.NewProblem(api.CodeNotFound), exitNotFound},
		{api.NewProblem(api.CodeInviteExpired), exitNotFound},
		{api.NewProblem(api.CodeInviteOwn), exitConflict},
		{api.NewProblem(api.CodeVerificationMismatch), exitVerification},
		{api.NewProblem(api.CodeRateLimited), exitRate},
		{api.NewProblem(api.CodeTimeout), exitTimeout},
		{api.NewProblem(api.CodeStorageFull), exitError},
		{&api.Problem{Code: "of_a_newer_daemon", Status: 409}, exitConflict},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit %d, want %d", c.err, got, c.want)
		}
	}
}

// TestHelpIsComplete walks all commands and flags in both languages.
func TestHelpIsComplete(t *testing.T) {
	for _, language := range []speech.Language{speech.English, speech.Korean} {
		c := &cli{getenv: func(string) string { return "" }, language: language}
		var walk func(cmd *cobra.Command)
		walk = func(cmd *cobra.Command) {
			if cmd.Short == "" || strings.HasPrefix(cmd.Short, "help.") {
				t.Errorf("%s: no help in %s", cmd.CommandPath(), language)
			}
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if f.Usage == "" || strings.HasPrefix(f.Usage, "flag.") {
					t.Errorf("%s --%s: no help in %s", cmd.CommandPath(), f.Name, language)
				}
			})
			for _, sub := range cmd.Commands() {
				walk(sub)
			}
		}
		walk(c.rootCommand())
	}
}
