package node

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"pabal/node/api"
	"pabal/node/lan"
	"pabal/node/p2p"
)

// Config says which profile a node serves and how. Profile, DataDir and
// RuntimeDir are required, everything else works when it is zero.
type Config struct {
	// Profile is the profile's name, as `status` shows it.
	Profile string
	// DataDir holds the sealed profile. It is made, 0700, if it is not there.
	DataDir string
	// RuntimeDir holds the socket and the discovery file. It is made, 0700, if
	// it is not there.
	RuntimeDir string

	// Create makes the profile at the start if there is none. Without it a
	// missing profile waits for setup.
	Create *NewProfile
	// Passphrase opens an existing profile at the start. Nil means: by the
	// keyfile, and without one the node starts locked. Run erases it.
	Passphrase []byte

	// Listen names the addresses to listen on for other nodes, "ip:port"; port
	// 0 is chosen once and kept. Empty means every address of every interface.
	Listen []string
	// LAN keeps the node to private and loopback addresses.
	LAN bool

	// Home makes the node a home node: it stays where it is, keeps one transport key, and
	// may be paired with owners, for whom it keeps mail and relays.
	Home bool

	// Clock tells the time of day, for tests of what the days bring. Nil means the
	// machine's. Deadlines on the network are the machine's in any case.
	Clock func() time.Time

	// Version and Commit are shown in `status`.
	Version, Commit string
	// Log gets lifecycle lines, never texts, names, keys or whole IDs. Nil
	// discards them.
	Log *slog.Logger
	// Ready, if not nil, is called once when the API's listeners are up.
	Ready func(api.Discovery)

	// Set by tests of this package only.
	simulation *p2p.Simulation               // in place of the machine's network
	look       func() ([]lan.Network, error) // in place of the machine's local networks
}

// NewProfile is what a new profile begins with.
type NewProfile struct {
	Name         string
	Passphrase   []byte            // nil makes a keyfile: whoever has the disk reads everything
	Disappearing *api.Disappearing // the timer of new conversations; nil = never
}

// Errors of Run that its caller may want to tell apart. Those of package store
// (in use by another process, wrong passphrase, damaged, newer) come through as
// they are.
var (
	// ErrConfig says that a required field is missing or does not fit the profile.
	ErrConfig = errors.New("node: configuration")
	// ErrPassphraseUnfit says that a passphrase was given for a profile that
	// has a keyfile.
	ErrPassphraseUnfit = errors.New("node: the profile has a keyfile, no passphrase")
)

func (c *Config) prepare() error {
	if c.Profile == "" || c.DataDir == "" || c.RuntimeDir == "" {
		return fmt.Errorf("%w: profile, data and runtime directory are required", ErrConfig)
	}
	c.DataDir, c.RuntimeDir = filepath.Clean(c.DataDir), filepath.Clean(c.RuntimeDir)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (c *Config) now() time.Time {
	if c.Clock != nil {
		return c.Clock()
	}
	return time.Now()
}

func (c *Config) place() p2p.Profile {
	if c.LAN {
		return p2p.LAN
	}
	return p2p.Laptop
}
