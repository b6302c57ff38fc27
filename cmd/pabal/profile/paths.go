package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrName says that a string cannot name a profile.
var ErrName = errors.New("profile: a name has 1 to 64 bytes of letters, digits, '-', '_' and '.', and begins with a letter or digit")

// ErrNotOurs says that a directory in a shared place belongs to somebody else
// or is open to others, so that nothing may be put there or believed from it.
var ErrNotOurs = errors.New("profile: directory is not ours alone")

// Places says where profiles are looked for. Getenv and UID are those of the
// process outside of tests.
type Places struct {
	Home   string // --home or PABAL_HOME; empty: the XDG directories
	Getenv func(string) string
	UID    int
}

// Paths are the directories and files of one profile. Only Socket may lie
// outside Run: where the path would be too long for a socket it is in a short
// directory of the temporary directory.
type Paths struct {
	Name   string
	Data   string // the database; made by the daemon
	Run    string // runtime files, 0700
	Socket string
	API    string // the discovery file
}

// Paths returns the paths of the profile of that name. It creates nothing. It
// returns [ErrName] for a name that cannot be a directory everywhere.
func (p Places) Paths(name string) (Paths, error) {
	name = norm.NFC.String(name)
	if !validName(name) {
		return Paths{}, ErrName
	}
	runtime, err := p.runtimeDir()
	if err != nil {
		return Paths{}, err
	}
	data := filepath.Join(p.dataDir(), name)
	run := filepath.Join(runtime, name)
	if p.Home != "" {
		data = filepath.Join(runtime, name, "data")
		run = filepath.Join(runtime, name, "run")
	}
	paths := Paths{Name: name, Data: data, Run: run, API: filepath.Join(run, apiFileName)}
	paths.Socket = p.socketPath(run)
	return paths, nil
}

// MakeRun creates the runtime directory, and that of the socket if it is
// another, both 0700. It returns an error that wraps [ErrNotOurs] when one of
// them exists and is not ours alone.
func (p Places) MakeRun(paths Paths) error {
	for _, dir := range []string{paths.Run, filepath.Dir(paths.Socket)} {
		if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
			return fmt.Errorf("make runtime directory: %w", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make runtime directory: %w", err)
		}
		if err := p.ours(dir); err != nil {
			return err
		}
	}
	return nil
}

func validName(name string) bool {
	if name == "" || len(name) > nameBytesMax || !utf8.ValidString(name) {
		return false
	}
	for i, r := range name {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		if !letter && (i == 0 || r != '-' && r != '_' && r != '.' && !unicode.IsMark(r)) {
			return false
		}
	}
	return true
}

func (p Places) dataDir() string {
	if dir := p.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pabal")
	}
	return filepath.Join(p.Getenv("HOME"), ".local", "share", "pabal")
}

// runtimeDir returns the directory that holds one directory for each profile.
func (p Places) runtimeDir() (string, error) {
	if p.Home != "" {
		return filepath.Abs(p.Home)
	}
	if dir := p.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pabal"), nil
	}
	uid := strconv.Itoa(p.UID)
	if dir := filepath.Join("/run/user", uid); p.owned(dir) {
		return filepath.Join(dir, "pabal"), nil
	}
	return p.temporary()
}

// temporary returns our own directory in the shared temporary directory. It is
// refused when it exists and is not ours: somebody else may have made it first.
func (p Places) temporary() (string, error) {
	dir := filepath.Join(p.tempDir(), "pabal-"+strconv.Itoa(p.UID))
	if err := p.ours(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return dir, nil
}

func (p Places) tempDir() string {
	if dir := p.Getenv("TMPDIR"); filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	return os.TempDir()
}

// socketPath returns the socket's place in run, or in a directory of the
// temporary directory whose short name is a hash of run.
func (p Places) socketPath(run string) string {
	path := filepath.Join(run, socketName)
	if len(path) <= socketBytesMax {
		return path
	}
	sum := sha256.Sum256([]byte(run))
	short := "pabal-" + strconv.Itoa(p.UID) + "-" + hex.EncodeToString(sum[:shortDirHexBytes])
	path = filepath.Join(p.tempDir(), short, socketName)
	if len(path) > socketBytesMax {
		path = filepath.Join("/tmp", short, socketName)
	}
	return path
}
