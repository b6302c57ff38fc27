package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeSystemd answers as systemctl and loginctl do, and notes what it was asked.
type fakeSystemd struct {
	calls   []string
	refuses string // the command that fails; empty: none
	linger  bool
}

func (f *fakeSystemd) run(_ context.Context, program string, args ...string) (string, error) {
	call := strings.Join(append([]string{program}, args...), " ")
	f.calls = append(f.calls, call)
	switch {
	case f.refuses != "" && strings.Contains(call, f.refuses):
		return "Access denied", errors.New("exit status 1")
	case strings.Contains(call, "Linger") && f.linger:
		return "yes", nil
	case strings.Contains(call, "enable-linger"):
		f.linger = true
	case strings.Contains(call, "disable-linger"):
		f.linger = false
	case strings.Contains(call, "is-enabled"):
		return "enabled", nil
	case strings.Contains(call, "is-active"):
		return "inactive", errors.New("exit status 3") // an answer all the same
	}
	return "", nil
}

func codeOf(err error) string {
	if failed := (*failure)(nil); errors.As(err, &failed) {
		return string(failed.code)
	}
	return ""
}

func TestInstallUnit(t *testing.T) {
	for _, user := range []bool{true, false} {
		fake := &fakeSystemd{}
		s := &systemd{user: user, units: filepath.Join(t.TempDir(), "units"), run: fake.run}
		u := &unit{system: !user, profile: "default", program: "/bin/pabal", home: systemHome}
		if _, err := s.status(t.Context(), "default", u.name(), "7"); codeOf(err) != "service_missing" {
			t.Errorf("status before: %v", err)
		}
		if err := s.install(t.Context(), u, "7"); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(s.path("pabal.service")); err != nil || string(b) != u.text() {
			t.Errorf("unit %q, %v", b, err)
		}
		want := []string{"systemctl daemon-reload", "systemctl enable --now pabal.service"}
		if user {
			want = []string{"loginctl show-user 7 --property=Linger --value", "loginctl enable-linger",
				"systemctl --user daemon-reload", "systemctl --user enable --now pabal.service"}
		}
		if !slices.Equal(fake.calls, want) {
			t.Errorf("calls %q, want %q", fake.calls, want)
		}
		status, err := s.status(t.Context(), "default", u.name(), "7")
		if err != nil || status.Enabled != "enabled" || status.Active != "inactive" || status.Kind != s.kind() || (status.Lingering != nil) != user {
			t.Errorf("status %+v, %v", status, err)
		}
		if err := s.install(t.Context(), u, "7"); codeOf(err) != "service_exists" {
			t.Errorf("again: %v", err)
		}
		if err := s.uninstall(t.Context(), u.name()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(s.path(u.name())); err == nil {
			t.Error("the unit is left")
		}
		if user && !fake.linger {
			t.Error("lingering, which other units may need, was ended")
		}
	}
}

// TestRefusedInstallLeavesNothing has systemd refuse each step.
func TestRefusedInstallLeavesNothing(t *testing.T) {
	for _, step := range []string{"enable-linger", "daemon-reload", "enable --now"} {
		fake := &fakeSystemd{refuses: step}
		s := &systemd{user: true, units: t.TempDir(), run: fake.run}
		u := &unit{profile: "default", program: "/bin/pabal"}
		err := s.install(t.Context(), u, "7")
		if codeOf(err) != "systemd_failed" || !strings.Contains(err.Error(), "Access denied") {
			t.Errorf("%s: %v", step, err)
		}
		if _, err := os.Lstat(s.path(u.name())); err == nil {
			t.Errorf("%s: the unit is left", step)
		}
		if fake.linger {
			t.Errorf("%s: lingering is left on", step)
		}
	}
}

func TestNoSystemd(t *testing.T) {
	missing := func(context.Context, string, ...string) (string, error) {
		return "", &exec.Error{Err: exec.ErrNotFound}
	}
	s := &systemd{units: t.TempDir(), run: missing}
	u := &unit{system: true, profile: "default", program: "/bin/pabal"}
	if err := s.install(t.Context(), u, "0"); codeOf(err) != "systemd_missing" {
		t.Errorf("install: %v", err)
	}
	if _, err := os.Lstat(s.path(u.name())); err == nil {
		t.Error("the unit is left")
	}
}

// TestWhichUnit: the system's for root, the user's for others, and none on other systems.
func TestWhichUnit(t *testing.T) {
	environment := map[string]string{"HOME": "/home/mina", "XDG_DATA_HOME": "/d", "XDG_RUNTIME_DIR": "/run/user/7"}
	for _, tt := range []struct {
		platform, home string
		uid            int
		flags          serviceFlags
		units, place   string
		code           string
	}{
		{platform: "linux", uid: 7, units: "/home/mina/.config/systemd/user"},
		{platform: "linux", units: "/etc/systemd/system", place: systemHome},
		{platform: "linux", home: "/srv/x", units: "/etc/systemd/system", place: "/srv/x"},
		{platform: "linux", flags: serviceFlags{user: true}, units: "/home/mina/.config/systemd/user"},
		{platform: "linux", uid: 7, flags: serviceFlags{system: true}, units: "/etc/systemd/system", place: systemHome},
		{platform: "linux", flags: serviceFlags{system: true, user: true}, code: "usage"},
		{platform: "darwin", code: "unsupported_platform"},
		{platform: "windows", uid: 7, code: "unsupported_platform"},
	} {
		c := &cli{getenv: func(name string) string { return environment[name] }, uid: tt.uid, flags: globals{home: tt.home}}
		s, err := c.service(tt.platform, &tt.flags)
		if codeOf(err) != tt.code {
			t.Errorf("%+v: %v", tt, err)
		}
		if err == nil && (s.units != tt.units || s.unit.home != tt.place || s.unit.system == s.user || s.unit.dataHome != "/d") {
			t.Errorf("%+v: %+v", tt, s)
		}
		if err == nil && tt.uid != 0 && !s.user && codeOf(c.mayChange(s)) != "needs_root" {
			t.Errorf("%+v: may change the system", tt)
		}
	}
}
