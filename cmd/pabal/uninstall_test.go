package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"pabal/cmd/pabal/profile"
	"pabal/store"
)

// TestPurgeOfTheSystem: with the units of the system go the profiles in the place of such units,
// those in the places that the units name, and the caller's own, each once.
func TestPurgeOfTheSystem(t *testing.T) {
	dir := t.TempDir()
	for _, data := range []string{"var/default/data", "srv/집/data", "root/.local/share/pabal/own", "var/foreign/data"} {
		p, err := store.Lock(filepath.Join(dir, data), store.Self(""))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	tag, err := filepath.Glob(filepath.Join(dir, "var/foreign/data/CACHEDIR.TAG"))
	if err != nil || len(tag) != 1 {
		t.Fatal(tag, err)
	}
	if err := os.Remove(tag[0]); err != nil {
		t.Fatal(err)
	}
	c := &cli{getenv: func(name string) string {
		return map[string]string{"HOME": filepath.Join(dir, "root"), "XDG_RUNTIME_DIR": filepath.Join(dir, "run")}[name]
	}}
	fake := &fakeSystemd{}
	s := &service{
		systemd: systemd{units: filepath.Join(dir, "units"), run: fake.run},
		places:  profile.Places{Home: filepath.Join(dir, "var"), Getenv: c.getenv},
	}
	for _, u := range []*unit{
		{system: true, profile: "default", program: "/bin/pabal", home: s.places.Home},
		{system: true, profile: "집", program: "/bin/pabal", home: filepath.Join(dir, "srv")},
	} {
		if err := s.install(t.Context(), u, "0"); err != nil {
			t.Fatal(err)
		}
	}
	left, err := c.remainsOf(s, false)
	if err != nil || len(left.Units) != 2 || len(left.Profiles) != 0 {
		t.Fatalf("without --purge: %+v, %v", left, err)
	}
	if left, err = c.remainsOf(s, true); err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, p := range left.Profiles {
		names = append(names, p.Name)
	}
	if want := []string{"own", "default", "집"}; !slices.Equal(names, want) {
		t.Errorf("profiles %q, want %q", names, want)
	}
	if err := c.remove(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"var/default", "srv/집", "root/.local/share/pabal/own", "units/pabal.service"} {
		if _, err := os.Lstat(filepath.Join(dir, gone)); err == nil {
			t.Errorf("%s is left", gone)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "var/foreign/data")); err != nil {
		t.Errorf("what is no profile: %v", err)
	}
}

// TestPurgeIsRefusedWhole: who may not remove the units is not asked to destroy the profiles.
func TestPurgeIsRefusedWhole(t *testing.T) {
	want := "needs_root"
	if runtime.GOOS != "linux" { // no units
		want = ""
	}
	dir := t.TempDir()
	c := &cli{uid: 7, getenv: func(string) string { return dir }}
	if _, err := c.remains(&serviceFlags{system: true}, true); codeOf(err) != want {
		t.Errorf("%v, want %q", err, want)
	}
}
