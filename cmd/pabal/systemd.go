package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
)

// The kinds of units.
const (
	kindSystem = "system"
	kindUser   = "user"
)

// systemd installs units through systemctl and loginctl.
type systemd struct {
	user  bool
	units string // the directory of units
	// run runs a program and returns what it printed, in one line, also if it failed.
	run func(ctx context.Context, program string, args ...string) (string, error)
}

// serviceStatus tells of the unit of a profile.
type serviceStatus struct {
	Profile   string `json:"profile"`
	Kind      string `json:"kind"` // kindSystem or kindUser
	Unit      string `json:"unit"`
	Path      string `json:"path"`
	Enabled   string `json:"enabled"` // as systemctl is-enabled says it
	Active    string `json:"active"`  // as systemctl is-active says it
	Lingering *bool  `json:"lingering,omitempty"`
}

// runProgram is systemd.run outside of tests.
func runProgram(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	return screen.Line(strings.TrimSpace(string(out))), err
}

func (s *systemd) kind() string {
	if s.user {
		return kindUser
	}
	return kindSystem
}

func (s *systemd) path(name string) string { return filepath.Join(s.units, name) }

// ask runs systemctl and returns its answer.
func (s *systemd) ask(ctx context.Context, args ...string) (string, error) {
	if s.user {
		args = append([]string{"--user"}, args...)
	}
	return s.run(ctx, "systemctl", args...)
}

// order runs systemctl for its effect.
func (s *systemd) order(ctx context.Context, args ...string) error {
	said, err := s.ask(ctx, args...)
	return commandError("systemctl "+strings.Join(args, " "), said, err)
}

func commandError(command, said string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fail(exitError, "systemd_missing", speech.SystemdMissing)
	case said == "":
		said = err.Error()
	}
	return fail(exitError, "systemd_failed", speech.SystemdFailed, command, said)
}

// lingers reports whether the user's units run without the user logged in.
func (s *systemd) lingers(ctx context.Context, uid string) bool {
	said, err := s.run(ctx, "loginctl", "show-user", uid, "--property=Linger", "--value")
	return err == nil && said == "yes" // a user who is not logged in and does not linger is an error
}

// install writes a unit and starts it, now and at each boot. If something refuses, all is
// taken back.
func (s *systemd) install(ctx context.Context, u *unit, uid string) (err error) {
	if err := os.MkdirAll(s.units, 0o755); err != nil {
		return fmt.Errorf("make directory of units: %w", err)
	}
	path := s.path(u.name())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitConflict, "service_exists", speech.ServiceExists, path)
	}
	if err != nil {
		return fmt.Errorf("write unit: %w", err)
	}
	lingered := true
	defer func() {
		if err != nil {
			err = errors.Join(err, s.takeBack(context.WithoutCancel(ctx), u.name(), lingered))
		}
	}()
	_, err = f.WriteString(u.text())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write unit: %w", err)
	}
	if s.user && !s.lingers(ctx, uid) {
		lingered = false
		said, err := s.run(ctx, "loginctl", "enable-linger")
		if err := commandError("loginctl enable-linger", said, err); err != nil {
			return err
		}
	}
	if err := s.order(ctx, "daemon-reload"); err != nil {
		return err
	}
	return s.order(ctx, "enable", "--now", u.name())
}

// takeBack undoes what an install did that was refused. What systemd says to it does not
// matter: it may have refused everything.
func (s *systemd) takeBack(ctx context.Context, name string, lingered bool) error {
	_, _ = s.ask(ctx, "disable", "--now", name)
	err := os.Remove(s.path(name))
	_, _ = s.ask(ctx, "daemon-reload")
	if !lingered {
		_, _ = s.run(ctx, "loginctl", "disable-linger")
	}
	return err
}

// uninstall stops a unit and removes it.
func (s *systemd) uninstall(ctx context.Context, name string) error {
	if err := s.order(ctx, "disable", "--now", name); err != nil {
		return err
	}
	if err := os.Remove(s.path(name)); err != nil {
		return fmt.Errorf("remove unit: %w", err)
	}
	return s.order(ctx, "daemon-reload")
}

// status looks at a unit.
func (s *systemd) status(ctx context.Context, profile, name, uid string) (serviceStatus, error) {
	status := serviceStatus{Profile: profile, Kind: s.kind(), Unit: name, Path: s.path(name)}
	if _, err := os.Lstat(status.Path); errors.Is(err, fs.ErrNotExist) {
		return status, fail(exitNotFound, "service_missing", speech.ServiceMissing, status.Path)
	}
	var err error
	if status.Enabled, err = s.ask(ctx, "is-enabled", name); status.Enabled == "" { // else an error is one of its answers
		return status, commandError("systemctl is-enabled", "", err)
	}
	if status.Active, err = s.ask(ctx, "is-active", name); status.Active == "" {
		return status, commandError("systemctl is-active", "", err)
	}
	if s.user {
		lingers := s.lingers(ctx, uid)
		status.Lingering = &lingers
	}
	return status, nil
}
