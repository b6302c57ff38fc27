package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
	"pabal/store"
)

// remains is what there is of the program on this machine but the program itself.
type remains struct {
	Profiles    []remainingProfile `json:"profiles"`
	Units       []string           `json:"units"`
	Completions []string           `json:"completions"`

	systemd systemd
	staying []remainingProfile
}

// remainingProfile is a profile that is destroyed.
type remainingProfile struct {
	Name    string `json:"name"`
	Data    string `json:"data"`
	Running bool   `json:"running"`

	paths     profile.Paths
	directory string // Data without symbolic links
	daemon    profile.Daemon
	held      *store.Profile
}

func (r *remains) empty() bool { return len(r.Profiles)+len(r.Units)+len(r.Completions) == 0 }

// uninstallCommand removes what the program has left on the machine; with --purge the profiles,
// too. It lists all of it before it asks.
func (c *cli) uninstallCommand() *cobra.Command {
	var purge, yes bool
	var flags serviceFlags
	cmd := c.command("uninstall", c.exactly(0), func(ctx context.Context, _ []string) error {
		if c.flags.profile != "" || c.flags.socket != "" {
			return fail(exitUsage, "usage", speech.UninstallTakesAll)
		}
		left, err := c.remains(&flags, purge)
		if err != nil {
			return err
		}
		if left.empty() {
			c.say(speech.UninstallNothing)
			c.sayStaying(left)
			return c.show(left, func() error { return nil })
		}
		c.sayRemains(left)
		c.sayStaying(left)
		question := speech.UninstallConfirm
		if len(left.Profiles) > 0 {
			question = speech.UninstallPurgeConfirm
		}
		if err := c.confirm(yes, c.text(question, strconv.Itoa(len(left.Profiles)))); err != nil {
			return err
		}
		if err := c.remove(ctx, left); err != nil {
			return err
		}
		c.say(speech.UninstallDone)
		if program, err := os.Executable(); err == nil {
			c.say(speech.UninstallProgram, program)
		}
		if len(left.Units) > 0 && left.systemd.user {
			c.say(speech.LingeringStays)
		}
		return c.show(left, func() error { return nil })
	})
	cmd.Flags().BoolVar(&purge, "purge", false, "")
	cmd.Flags().BoolVar(&yes, "yes", false, "")
	cmd.Flags().BoolVar(&flags.user, "user", false, "")
	cmd.Flags().BoolVar(&flags.system, "system", false, "")
	return withExample(cmd, `  pabal uninstall
  pabal uninstall --purge`)
}

// remains looks for what is to be removed, and refuses what could only be begun.
func (c *cli) remains(flags *serviceFlags, purge bool) (*remains, error) {
	var s *service
	if runtime.GOOS == "linux" {
		var err error
		if s, err = c.service(runtime.GOOS, flags); err != nil {
			return nil, err
		}
		if err := c.mayChange(s); err != nil {
			return nil, err
		}
	}
	return c.remainsOf(s, purge)
}

// remainsOf is remains with the units of s, nil where there are none.
func (c *cli) remainsOf(s *service, purge bool) (left *remains, err error) {
	left = &remains{Profiles: []remainingProfile{}, Units: []string{}, Completions: c.completions()}
	places := []profile.Places{c.places()}
	if s != nil {
		left.systemd = s.systemd
		if left.Units, err = s.ours(); err != nil {
			return nil, err
		}
		more, err := c.unitPlaces(s, left.Units)
		if err != nil {
			return nil, err
		}
		places = append(places, more...)
	}
	seen := map[string]bool{}
	for _, p := range places {
		if err := left.addProfiles(p, seen); err != nil && purge {
			return nil, err
		}
	}
	if !purge {
		left.Profiles, left.staying = []remainingProfile{}, left.Profiles
	}
	return left, nil
}

// unitPlaces returns where the profiles of units lie: of any, and of those that say otherwise.
func (c *cli) unitPlaces(s *service, units []string) ([]profile.Places, error) {
	all := []profile.Places{s.places}
	for _, path := range units {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read unit: %w", err)
		}
		home, dataHome := placeOf(string(b))
		all = append(all, profile.Places{Home: home, UID: c.uid, Getenv: func(name string) string {
			if name == "XDG_DATA_HOME" && dataHome != "" {
				return dataHome
			}
			return c.getenv(name)
		}})
	}
	return all, nil
}

// addProfiles adds the profiles of a place whose directories were not seen yet.
func (r *remains) addProfiles(places profile.Places, seen map[string]bool) error {
	all, err := places.All()
	if err != nil {
		return err
	}
	for _, paths := range all {
		directory, err := filepath.EvalSymlinks(paths.Data)
		if errors.Is(err, fs.ErrNotExist) {
			directory = paths.Data // of a daemon that has no profile yet
		} else if err != nil {
			return err
		}
		daemon, err := places.Choose(paths.Name)
		if err != nil && !errors.Is(err, profile.ErrNone) {
			return err
		}
		if running := err == nil; !seen[directory] && (running || store.Remains(directory)) {
			seen[directory] = true
			r.Profiles = append(r.Profiles, remainingProfile{
				Name: paths.Name, Data: paths.Data, Running: running, paths: paths, directory: directory, daemon: daemon,
			})
		}
	}
	return nil
}

func (c *cli) sayRemains(left *remains) {
	for _, p := range left.Profiles {
		key := speech.UninstallProfile
		if p.Running {
			key = speech.UninstallRunning
		}
		c.say(key, screen.Line(p.Name), screen.Line(p.Data))
	}
	for _, path := range append(left.Units, left.Completions...) {
		c.say(speech.UninstallFile, screen.Line(path))
	}
}

// sayStaying says which profiles are not touched.
func (c *cli) sayStaying(left *remains) {
	for _, p := range left.staying {
		c.say(speech.UninstallStays, screen.Line(p.Name), screen.Line(p.Data))
	}
}

// remove destroys what opens every profile first, then has nothing start any more, and then
// removes the rest. What cannot be removed keeps nothing else from going.
func (c *cli) remove(ctx context.Context, left *remains) (failed error) {
	for i := range left.Profiles {
		failed = errors.Join(failed, left.Profiles[i].destroyKeys(ctx))
	}
	for _, path := range left.Units {
		failed = errors.Join(failed, left.systemd.uninstall(ctx, filepath.Base(path)))
	}
	for i := range left.Profiles {
		failed = errors.Join(failed, left.Profiles[i].remove())
	}
	for _, path := range left.Completions {
		failed = errors.Join(failed, os.Remove(path))
	}
	return failed
}

// destroyKeys has the profile open for nobody any more, and holds what is left of it.
func (p *remainingProfile) destroyKeys(ctx context.Context) (err error) {
	if p.Running {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		daemon := api.NewUnixClient(p.daemon.Socket)
		defer daemon.Close()
		if err := daemon.Wipe(ctx); err != nil {
			return connectionError(err)
		}
		if err := waitGone(ctx, p.daemon.API, p.daemon.PID); err != nil {
			return err
		}
	}
	if p.held, err = store.Lock(p.directory, store.Self("")); err != nil {
		return daemonError(err)
	}
	return p.held.DestroyKeys()
}

// remove removes the directories of a profile whose keys are gone. What is in them that is not
// ours stays.
func (p *remainingProfile) remove() error {
	if p.held == nil { // somebody else holds it
		return nil
	}
	err := p.held.Remove()
	for _, name := range []string{p.paths.API, p.paths.Socket} {
		if e := os.Remove(name); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	for _, dir := range []string{p.Data, filepath.Dir(p.paths.Socket), p.paths.Run, filepath.Dir(p.paths.Run), filepath.Dir(p.Data)} {
		removeEmpty(dir)
	}
	return err
}

// removeEmpty removes a directory if it is empty, and with it the link that leads to it.
func removeEmpty(dir string) {
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		os.Remove(target) // if it is empty
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		os.Remove(dir) // a link to nothing, if anything
	}
}

// ours lists the units that service install has written.
func (s *service) ours() ([]string, error) {
	all, err := filepath.Glob(filepath.Join(s.units, "pabal*.service"))
	found := []string{}
	for _, path := range all {
		if beginsWith(path, "[Unit]\n"+unitDescription) {
			found = append(found, path)
		}
	}
	return found, err
}

// completions lists the completion scripts of this program in the places where shells look for
// them in a user's home.
func (c *cli) completions() []string {
	data := c.getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(c.getenv("HOME"), ".local", "share")
	}
	found := []string{}
	for path, first := range map[string]string{
		filepath.Join(c.configHome(), "fish", "completions", "pabal.fish"): "# fish completion for pabal ",
		filepath.Join(data, "bash-completion", "completions", "pabal"):     "# bash completion V2 for pabal ",
	} {
		if beginsWith(path, first) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

// beginsWith reports whether a file begins with a text.
func beginsWith(path, text string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, len(text))
	_, err = io.ReadFull(f, b)
	return err == nil && bytes.Equal(b, []byte(text))
}
