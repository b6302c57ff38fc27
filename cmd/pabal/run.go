package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node"
	"pabal/node/api"
	"pabal/node/httpd"
	"pabal/store"
)

// defaultProfile is the profile that run serves unless --profile names one.
const defaultProfile = "default"

// gcPercent is how much garbage a daemon collects at, in percent of what lives: half of Go's
// usual, since it rests most of the time, on machines whose memory others want.
const gcPercent = 50

// homeName is what a home node is called that was not given a name.
const homeName = "Home"

// runFlags are those of run.
type runFlags struct {
	setup  setupFlags
	later  bool // --setup-later: a missing profile waits for POST /v1/setup
	demo   bool
	listen []string
	lan    bool
	home   bool // --courier: a home node
	log    string
}

func (c *cli) runCommand() *cobra.Command {
	flags := &runFlags{}
	cmd := c.command("run", c.exactly(0), func(ctx context.Context, _ []string) error {
		if err := flags.setup.passphrase.check(); err != nil {
			return err
		}
		logger, err := c.logger(flags.log)
		if err != nil {
			return err
		}
		if flags.demo {
			return c.runDemo(ctx, flags, logger)
		}
		return c.serve(ctx, flags, logger)
	})
	flags.setup.add(cmd)
	f := cmd.Flags()
	f.BoolVar(&flags.later, "setup-later", false, "")
	f.BoolVar(&flags.demo, "demo", false, "")
	f.StringSliceVar(&flags.listen, "listen", nil, "")
	f.BoolVar(&flags.lan, "lan", false, "")
	f.BoolVar(&flags.home, "courier", false, "")
	f.StringVar(&flags.log, "log", "warn", "")
	return withExample(cmd, `  pabal run
  pabal run --name Mina --passphrase-file FILE
  pabal run --courier
  pabal run --demo`)
}

// logger writes to standard error, where the daemon's talk goes.
func (c *cli) logger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fail(exitUsage, "usage", speech.LogLevelWrong)
	}
	return slog.New(slog.NewTextHandler(c.talk, &slog.HandlerOptions{Level: l})), nil
}

// serve runs the daemon of one profile until it is told to stop.
func (c *cli) serve(ctx context.Context, flags *runFlags, logger *slog.Logger) error {
	name := c.flags.profile
	if name == "" {
		name = defaultProfile
	}
	places := c.places()
	paths, err := places.Paths(name)
	if err != nil {
		return err
	}
	if err := places.MakeRun(paths); err != nil {
		return err
	}
	config := node.Config{
		Profile: paths.Name, DataDir: paths.Data, RuntimeDir: filepath.Dir(paths.Socket),
		Listen: flags.listen, LAN: flags.lan, Home: flags.home, Version: version, Commit: programVersion().Commit, Log: logger,
	}
	unlockAsking, err := c.prepare(ctx, &config, flags)
	if err != nil {
		return daemonError(err)
	}
	return daemonError(c.serveNode(ctx, config, paths, unlockAsking))
}

// prepare decides how the profile is made or opened. It reports whether the
// passphrase is to be asked for once the daemon runs.
func (c *cli) prepare(ctx context.Context, config *node.Config, all *runFlags) (asking bool, err error) {
	flags := &all.setup
	exists, keyfile, err := profileState(config)
	if err != nil {
		return false, err
	}
	switch {
	case !exists && all.home && flags.passphrase.file == "" && !flags.passphrase.none:
		// It starts by itself, also after a power cut, and has nothing that reads anybody's mail.
		config.Create = &node.NewProfile{Name: cmp.Or(flags.name, homeName)}
		return false, nil
	case !exists && all.later:
		return false, nil
	case !exists:
		request, err := c.setupRequest(ctx, flags)
		if err != nil {
			return false, err
		}
		config.Create = &node.NewProfile{Name: request.DisplayName, Disappearing: request.Disappearing}
		if !request.Keyfile {
			config.Create.Passphrase = []byte(request.Passphrase)
		}
		return false, nil
	case keyfile && flags.passphrase.file != "":
		return false, fail(exitUsage, "passphrase_unfit", speech.ProfileHasNone)
	case !keyfile && flags.passphrase.none:
		return false, fail(exitUsage, "passphrase_unfit", speech.ProfileHasOne)
	}
	if flags.name != "" {
		c.say(speech.NameIgnored)
	}
	if flags.passphrase.file != "" {
		passphrase, err := c.readPassphraseFile(flags.passphrase.file)
		config.Passphrase = []byte(passphrase)
		return false, err
	}
	return !keyfile && c.terminal(), nil
}

// profileState takes the profile's lock for a moment to look what is there. A
// profile that another daemon serves is an error at once.
func profileState(config *node.Config) (exists, keyfile bool, err error) {
	held, err := store.Lock(config.DataDir, store.Self(httpd.SocketPath(config.RuntimeDir)))
	if err != nil {
		return false, false, err
	}
	exists, keyfile, err = held.Exists()
	return exists, keyfile, errors.Join(err, held.Close())
}

// serveNode runs the node and, beside it, what there is to do when it is up.
func (c *cli) serveNode(ctx context.Context, config node.Config, paths profile.Paths, unlockAsking bool) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	group, ctx := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(ctx)
	up := make(chan api.Discovery, 1) // the daemon tells once
	config.Ready = func(d api.Discovery) { up <- d }
	group.Go(func() error {
		defer stop()
		return node.Run(running, config)
	})
	group.Go(func() error {
		select {
		case <-running.Done():
			return nil
		case d := <-up:
			err := c.whenUp(running, d, paths, unlockAsking)
			if err != nil {
				stop()
			}
			if running.Err() != nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
	})
	err := group.Wait()
	unpublish(paths, config.RuntimeDir)
	return err
}

// whenUp tells where the daemon is, also in the discovery file of the runtime
// directory if its socket is elsewhere, and unlocks the profile.
func (c *cli) whenUp(ctx context.Context, d api.Discovery, paths profile.Paths, unlockAsking bool) error {
	if err := publish(d, paths); err != nil {
		return err
	}
	daemon := api.NewUnixClient(d.Unix)
	defer daemon.Close()
	if unlockAsking {
		if err := c.unlockAsking(ctx, daemon); err != nil {
			return err
		}
	}
	status, err := daemon.Status(ctx)
	if err != nil {
		return err
	}
	c.say(speech.Running, paths.Name, c.word("daemon", string(status.State)), d.Unix)
	switch status.State {
	case api.StateLocked:
		c.say(speech.RunningLocked)
	case api.StateUninitialised:
		c.say(speech.RunningEmpty)
	}
	for _, w := range status.Warnings {
		c.warn(w)
	}
	return nil
}

// publish writes the discovery file where clients look for it, unless the
// daemon's own is there already.
func publish(d api.Discovery, paths profile.Paths) error {
	if filepath.Dir(d.Unix) == paths.Run {
		return nil
	}
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	temporary := paths.API + ".new"
	if err := os.WriteFile(temporary, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write discovery file: %w", err)
	}
	if err := os.Rename(temporary, paths.API); err != nil {
		return fmt.Errorf("write discovery file: %w", err)
	}
	return nil
}

// unpublish takes back what publish wrote.
func unpublish(paths profile.Paths, runtimeDir string) {
	if filepath.Clean(runtimeDir) != paths.Run {
		_ = os.Remove(paths.API) // a file left behind names a dead socket, and is passed over
	}
}

// daemonError gives the errors of the daemon codes and sentences.
func daemonError(err error) error {
	var held *store.LockedError
	switch {
	case errors.As(err, &held):
		return fail(exitConflict, "profile_in_use", speech.ProfileInUse, fmt.Sprint(held.Holder.PID))
	case errors.Is(err, store.ErrBadPassphrase):
		return fail(exitLocked, api.CodeBadPassphrase, "problem.bad_passphrase")
	case errors.Is(err, node.ErrPassphraseUnfit):
		return fail(exitUsage, "passphrase_unfit", speech.ProfileHasNone)
	case errors.Is(err, store.ErrMoved):
		return fail(exitConflict, "profile_moved", speech.ProfileMoved)
	case errors.Is(err, store.ErrDeparting):
		return fail(exitConflict, "move_unfinished", speech.MoveOutUnfinished, "FILE")
	case errors.Is(err, store.ErrArriving):
		return fail(exitConflict, "move_unfinished", speech.MoveInUnfinished, "FILE")
	case errors.Is(err, store.ErrDamaged):
		return fail(exitError, api.CodeProfileDamaged, speech.ProfileDamaged, screen.Line(err.Error()))
	case errors.Is(err, store.ErrNewer):
		return fail(exitError, api.CodeProfileNewer, "problem.profile_newer")
	case errors.Is(err, store.ErrFull):
		return fail(exitError, api.CodeStorageFull, "problem.storage_full")
	}
	return err
}
