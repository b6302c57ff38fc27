package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exposureMax is how exposed systemd-analyze security may call a system unit, of 100.
const exposureMax = 25

// sampleUnits are units of every shape. The program must exist for systemd-analyze.
func sampleUnits(t *testing.T) map[string]*unit {
	t.Helper()
	program, err := filepath.EvalSymlinks(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	port := []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:4001"), netip.MustParseAddrPort("[::]:443")}
	return map[string]*unit{
		"user":         {profile: "default", program: program},
		"user home":    {profile: "지우", program: program, home: "/home/mina/p 100%/pabal", lan: true, courier: true},
		"user data":    {profile: "a-b.c", program: program, dataHome: "/mnt/data", listen: port[:1]},
		"system":       {system: true, profile: "default", program: program, home: systemHome, listen: port[:1]},
		"system low":   {system: true, profile: "home_node", program: program, home: systemHome, listen: port},
		"system home":  {system: true, profile: "집", program: program, home: "/srv/p 100%", sharedTmp: true},
		"system cred.": {system: true, profile: "default", program: program, home: systemHome, credential: "/etc/credstore.encrypted/pabal"},
	}
}

func TestUnitText(t *testing.T) {
	all := sampleUnits(t)
	for name, wants := range map[string][]string{
		"user":         {`"default" run --setup-later` + "\n", "WantedBy=default.target", "MemoryDenyWriteExecute=yes"},
		"user home":    {`--home "/home/mina/p 100%%/pabal" --profile "지우" run --setup-later --lan --courier`},
		"user data":    {`--listen "0.0.0.0:4001"`, `Environment="XDG_DATA_HOME=/mnt/data"`},
		"system":       {"\nCapabilityBoundingSet=\n", "ProtectSystem=strict", "StateDirectory=pabal/default\n", "WantedBy=multi-user.target", "PrivateTmp=yes"},
		"system low":   {"CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n", `--listen "[::]:443"`},
		"system home":  {`BindPaths="/srv/p 100%%/집"`, `ReadWritePaths="/srv/p 100%%/집"`, "ReadWritePaths=/tmp"},
		"system cred.": {"--passphrase-file %d/passphrase\n", `LoadCredentialEncrypted="passphrase:/etc/credstore.encrypted/pabal"`},
	} {
		text := all[name].text()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
	}
	if text := all["user"].text(); strings.Contains(text, "Protect") || strings.Contains(text, "Private") || strings.Contains(text, "Bind") {
		t.Errorf("a unit of a user needs namespaces:\n%s", text)
	}
	for profile, want := range map[string]string{"default": "pabal.service", "a-b_c.d": "pabal-a-b_c.d.service", "é x": `pabal-\xc3\xa9\x20x.service`} {
		if got := (&unit{profile: profile}).name(); got != want {
			t.Errorf("unit of %q is %q, want %q", profile, got, want)
		}
	}
}

// TestPlaceOf reads every unit again.
func TestPlaceOf(t *testing.T) {
	for name, u := range sampleUnits(t) {
		if home, data := placeOf(u.text()); home != u.home || data != u.dataHome {
			t.Errorf("%s: %q and %q, want %q and %q", name, home, data, u.home, u.dataHome)
		}
	}
}

func TestUnitRefuses(t *testing.T) {
	for name, u := range map[string]*unit{
		"a quote":          {program: `/a"b`},
		"a new line":       {program: "/a", home: "/x\nExecStart=/bin/sh"},
		"a dollar":         {program: "/a", dataHome: "/$HOME"},
		"a colon":          {program: "/a", system: true, credential: "/a:b"},
		"a user's secret":  {program: "/a", credential: "/a"},
		"a name too long":  {program: "/a", profile: strings.Repeat("가", 21)},
		"a back slash":     {program: `/a\x20`},
		"a control letter": {program: "/a\x7f"},
	} {
		if err := u.check(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for name, u := range sampleUnits(t) {
		if err := u.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSystemdTakesTheUnits has systemd-analyze read every unit: it must find nothing wrong,
// and call the system units safe.
func TestSystemdTakesTheUnits(t *testing.T) {
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("NOT RUN: systemd-analyze verify, which is not on this machine")
		return
	}
	runtime := t.TempDir()
	analyze := func(args ...string) string {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+runtime, "SYSTEMD_COLORS=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%s (%v)", out, err)
		}
		return string(out)
	}
	for name, u := range sampleUnits(t) {
		path := filepath.Join(t.TempDir(), u.name())
		if err := os.WriteFile(path, []byte(u.text()), 0o600); err != nil {
			t.Fatal(err)
		}
		kind := "--user"
		if u.system {
			kind = "--system"
			out := analyze("security", "--offline=true", "--no-pager", fmt.Sprintf("--threshold=%d", exposureMax), path)
			if !strings.Contains(out, "Overall exposure level") || strings.Contains(out, "exit status") {
				t.Errorf("%s: %s", name, out)
			}
			t.Logf("%s: %s", name, out[max(0, strings.LastIndex(out, "→")):])
		}
		for line := range strings.Lines(analyze("verify", "--man=no", kind, path)) {
			if strings.Contains(line, u.name()) || strings.Contains(line, "exit status") { // others are of other units here
				t.Errorf("%s: %s\n%s", name, line, u.text())
			}
		}
	}
}
