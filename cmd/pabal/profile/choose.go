package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNone says that no daemon is running.
var ErrNone = errors.New("profile: no daemon is running")

// SeveralError says that several daemons run, that none of them is "default",
// and that no profile was named.
type SeveralError struct{ Names []string }

// Error lists the profiles.
func (e *SeveralError) Error() string {
	return "profile: several daemons are running: " + strings.Join(e.Names, ", ")
}

// Daemon is a running daemon.
type Daemon struct {
	Name   string
	Socket string
	API    string // its discovery file
	PID    int
}

// Choose returns the daemon that is meant: the one of profile name, or, when
// name is empty, the only live one, or "default" among several. Otherwise it
// returns [ErrNone] or a [SeveralError].
func (p Places) Choose(name string) (Daemon, error) {
	if name != "" {
		paths, err := p.Paths(name)
		if err != nil {
			return Daemon{}, err
		}
		d, ok := live(paths.Name, paths.API)
		if !ok {
			return Daemon{}, fmt.Errorf("%w for profile %q", ErrNone, paths.Name)
		}
		return d, nil
	}
	running, err := p.Running()
	if err != nil {
		return Daemon{}, err
	}
	switch len(running) {
	case 0:
		return Daemon{}, ErrNone
	case 1:
		return running[0], nil
	}
	several := &SeveralError{}
	for _, d := range running {
		if d.Name == defaultName {
			return d, nil
		}
		several.Names = append(several.Names, d.Name)
	}
	return Daemon{}, several
}

// Running returns every live daemon, sorted by name.
func (p Places) Running() ([]Daemon, error) {
	dir, err := p.runtimeDir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for daemons: %w", err)
	}
	if len(entries) > daemonsMax {
		entries = entries[:daemonsMax]
	}
	var running []Daemon
	for _, e := range entries {
		paths, err := p.Paths(e.Name())
		if err != nil || !e.IsDir() {
			continue
		}
		if d, ok := live(paths.Name, paths.API); ok {
			running = append(running, d)
		}
	}
	slices.SortFunc(running, func(a, b Daemon) int { return strings.Compare(a.Name, b.Name) })
	return running, nil
}

// All returns the paths of every directory, or link to one, where a profile could be, sorted
// by name: whether there is one is for package store to say.
func (p Places) All() ([]Paths, error) {
	base := p.dataDir()
	if p.Home != "" {
		base = p.Home
	}
	entries, err := os.ReadDir(base)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for profiles: %w", err)
	}
	var all []Paths
	for _, e := range entries {
		paths, err := p.Paths(e.Name())
		if err != nil {
			continue
		}
		if info, err := os.Stat(filepath.Join(base, e.Name())); err == nil && info.IsDir() {
			all = append(all, paths)
		}
	}
	return all, nil
}

// live reads a discovery file and tries the socket that it names. A socket that
// does not answer in time has somebody behind it who is busy: only a refusal means
// that nobody is there.
func live(name, file string) (Daemon, bool) {
	f, err := os.Open(file)
	if err != nil {
		return Daemon{}, false
	}
	defer f.Close()
	var discovery struct {
		PID  int    `json:"pid"`
		Unix string `json:"unix"`
	}
	if err := json.NewDecoder(io.LimitReader(f, apiFileBytesMax)).Decode(&discovery); err != nil {
		return Daemon{}, false
	}
	socket := strings.TrimPrefix(discovery.Unix, "unix:")
	if !filepath.IsAbs(socket) {
		return Daemon{}, false
	}
	conn, err := net.DialTimeout("unix", socket, dialTimeout)
	switch busy := (net.Error)(nil); {
	case err == nil:
		conn.Close()
	case !errors.As(err, &busy) || !busy.Timeout():
		return Daemon{}, false
	}
	return Daemon{Name: name, Socket: socket, API: file, PID: discovery.PID}, true
}
