package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
	"pabal/node/surroundings"
)

// The verdicts of a check.
const (
	verdictOK   = "ok"
	verdictWarn = "warn"
	verdictFail = "fail"
)

// earliestYear is before any clock that can be right.
const earliestYear = 2026

// check is one row of the report.
type check struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Code    string `json:"code"`
	Detail  string `json:"detail,omitempty"` // what the sentence of the code is about: a path, a device
}

func (c *cli) doctorCommand() *cobra.Command {
	return c.command("doctor", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		checks, err := c.examine(ctx, daemon)
		if err != nil {
			return err
		}
		err = c.show(listOf(checks), func() error {
			rows := make([][]string, len(checks))
			for i, k := range checks {
				rows[i] = []string{c.word("verdict", k.Verdict), k.Check, c.text(speech.Key("doctor."+k.Code), k.Detail)}
			}
			return c.table(rows)
		})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(checks, func(k check) bool { return k.Verdict == verdictFail }) {
			return silent(exitError)
		}
		return nil
	}))
}

// examine looks at the daemon and at what surrounds its files.
func (c *cli) examine(ctx context.Context, daemon *api.Client) ([]check, error) {
	status, err := daemon.Status(ctx)
	if err != nil {
		return nil, err
	}
	checks := []check{checkDaemon(status), checkPassphrase(status), checkClock(status, time.Now())}
	checks = append(checks, checkReach(status))
	run := filepath.Dir(c.daemon.Socket)
	private := []string{run, c.daemon.Socket, filepath.Join(run, api.DiscoveryFile)}
	data := c.dataDir(status.Profile)
	if data != "" {
		private = append(private, data)
	}
	checks = append(checks, checkPermissions(private))
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	return append(checks, checkSurroundings(data, home)...), nil
}

// checkSurroundings reports what the system may keep of what we delete.
func checkSurroundings(data, home string) (checks []check) {
	for _, row := range surroundings.Look(data, home) {
		k := check{Check: row.Check, Verdict: verdictOK, Code: row.Code, Detail: row.Detail}
		if row.Warn {
			k.Verdict = verdictWarn
		}
		checks = append(checks, k)
	}
	return checks
}

// dataDir returns where the data of the daemon's profile is, or "" if it is not
// where we would put it, as in a demonstration.
func (c *cli) dataDir(name string) string {
	places := c.places()
	paths, err := places.Paths(name)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(paths.Data); err != nil {
		return ""
	}
	return paths.Data
}

func checkDaemon(s api.Status) check {
	k := check{Check: "daemon", Verdict: verdictOK, Code: "daemon_ready"}
	switch s.State {
	case api.StateReady:
	case api.StateReadOnly:
		k.Verdict, k.Code = verdictFail, "daemon_read_only"
	default:
		k.Verdict, k.Code, k.Detail = verdictWarn, "daemon_not_ready", string(s.State)
	}
	return k
}

func hasWarning(s api.Status, code string) bool {
	return slices.ContainsFunc(s.Warnings, func(w api.Warning) bool { return w.Code == code })
}

func checkPassphrase(s api.Status) check {
	if hasWarning(s, api.WarningNoPassphrase) {
		return check{Check: "passphrase", Verdict: verdictWarn, Code: "passphrase_none"}
	}
	if s.State == api.StateUninitialised {
		return check{Check: "passphrase", Verdict: verdictWarn, Code: "passphrase_unknown"}
	}
	return check{Check: "passphrase", Verdict: verdictOK, Code: "passphrase_set"}
}

func checkClock(s api.Status, now time.Time) check {
	if hasWarning(s, api.WarningClockSuspect) || now.Year() < earliestYear {
		return check{Check: "clock", Verdict: verdictFail, Code: "clock_suspect", Detail: now.Format(time.RFC3339)}
	}
	return check{Check: "clock", Verdict: verdictOK, Code: "clock_plausible"}
}

func checkReach(s api.Status) check {
	if s.Network.Reachability == api.ReachabilityOffline && s.State == api.StateReady {
		return check{Check: "network", Verdict: verdictWarn, Code: "network_offline"}
	}
	return check{Check: "network", Verdict: verdictOK, Code: "network_up"}
}

// checkPermissions looks for files that others may read or enter.
func checkPermissions(paths []string) check {
	var open []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s (%#o)", path, info.Mode().Perm()))
		}
	}
	if len(open) > 0 {
		return check{Check: "permissions", Verdict: verdictFail, Code: "permissions_open", Detail: strings.Join(open, ", ")}
	}
	return check{Check: "permissions", Verdict: verdictOK, Code: "permissions_private"}
}
