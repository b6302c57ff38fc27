package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"pabal/cmd/crash"
	"pabal/node/api"
)

// side is a daemon of a suite, with what the suites here do to it.
type side struct{ *crash.Side }

func newSide(name, binary, dir string) *side { return &side{crash.NewSide(name, binary, dir)} }

// discovery says where the daemon's local API is.
func (s *side) discovery() (api.Discovery, error) {
	return api.ReadDiscovery(filepath.Join(s.Home, s.Name, "run", api.DiscoveryFile))
}

// befriend makes two sides contacts by a link.
func befriend(ctx context.Context, inviter, invitee *side) error {
	return crash.Befriend(ctx, inviter.Side, invitee.Side)
}

// eventually asks until the answer is yes, ctx is done, or the time is up.
func eventually(ctx context.Context, limit time.Duration, what string, ask func(context.Context) (bool, error)) error {
	return crash.Eventually(ctx, limit, what, ask)
}

// pause waits and reports whether ctx was not done before.
func pause(ctx context.Context, d time.Duration) bool { return crash.Pause(ctx, d) }

// withProfiles runs a suite with daemons whose profiles are on a real disk. They are kept if it fails.
func (t tree) withProfiles(ctx context.Context, name, binary, parent string, run func(*cast) error) error {
	parent, err := realDisk(parent)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, name)
	if err != nil {
		return err
	}
	if binary == "" {
		binary = filepath.Join(dir, "pabal")
		err = t.build(ctx, binary)
	}
	if err == nil {
		c := &cast{dir: dir, binary: binary}
		err = run(c)
		c.close()
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("profiles and logs in %s: %w", dir, err)
	}
	return errors.Join(ctx.Err(), os.RemoveAll(dir))
}

// print prints figures and says which miss their bars: an error with gate.
func (t tree) print(figures []figure, gate bool) error {
	missed := 0
	for _, f := range figures {
		fmt.Fprintln(t.stdout, f)
		if !f.met() {
			missed++
			t.note("%s misses its bar", f.name)
		}
	}
	if gate && missed > 0 {
		return errors.New("a bar is missed")
	}
	return nil
}
