package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/speech"
	"pabal/node"
)

// serviceFlags are those of the commands of service.
type serviceFlags struct {
	user, system bool
	print        bool
	listen       []string
	lan, courier bool
	credential   string
}

// service is the unit of a profile and where it belongs.
type service struct {
	systemd
	unit   unit
	places profile.Places // where the profiles of such units lie, unless the unit says otherwise
	paths  profile.Paths
	uid    string
}

func (c *cli) serviceCommand() *cobra.Command {
	return c.group("service", c.serviceInstall(), c.serviceUninstall(), c.serviceStatus())
}

// onService makes a command that works on the unit of a profile.
func (c *cli) onService(use string, flags *serviceFlags, do func(context.Context, *service) error) *cobra.Command {
	cmd := c.command(use, c.exactly(0), func(ctx context.Context, _ []string) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		s, err := c.service(runtime.GOOS, flags)
		if err != nil {
			return err
		}
		return do(ctx, s)
	})
	cmd.Flags().BoolVar(&flags.user, "user", false, "")
	cmd.Flags().BoolVar(&flags.system, "system", false, "")
	return cmd
}

func (c *cli) serviceInstall() *cobra.Command {
	flags := &serviceFlags{}
	cmd := c.onService("install", flags, func(ctx context.Context, s *service) error {
		if err := c.complete(s, flags); err != nil {
			return err
		}
		if flags.print {
			_, err := fmt.Fprint(c.out, s.unit.text())
			return err
		}
		return c.install(ctx, s)
	})
	f := cmd.Flags()
	f.BoolVar(&flags.print, "print", false, "")
	f.StringSliceVar(&flags.listen, "listen", nil, "")
	f.BoolVar(&flags.lan, "lan", false, "")
	f.BoolVar(&flags.courier, "courier", false, "")
	f.StringVar(&flags.credential, "credential", "", "")
	return withExample(cmd, `  pabal service install
  pabal service install --courier --listen 0.0.0.0:4001
  sudo pabal service install --credential /etc/credstore.encrypted/pabal`)
}

func (c *cli) serviceUninstall() *cobra.Command {
	return c.onService("uninstall", &serviceFlags{}, func(ctx context.Context, s *service) error {
		if err := c.mayChange(s); err != nil {
			return err
		}
		status, err := s.status(ctx, s.paths.Name, s.unit.name(), s.uid)
		if err != nil {
			return err
		}
		c.say(speech.ServiceRemoves, status.Path)
		if err := s.uninstall(ctx, s.unit.name()); err != nil {
			return err
		}
		c.say(speech.ServiceRemoved, s.paths.Data)
		if status.Lingering != nil && *status.Lingering {
			c.say(speech.LingeringStays)
		}
		return nil
	})
}

func (c *cli) serviceStatus() *cobra.Command {
	return c.onService("status", &serviceFlags{}, func(ctx context.Context, s *service) error {
		status, err := s.status(ctx, s.paths.Name, s.unit.name(), s.uid)
		if err != nil {
			return err
		}
		return c.show(status, func() error {
			rows := [][]string{
				{c.text(speech.LabelProfile), status.Profile}, {c.text(speech.LabelKind), c.word("service", status.Kind)},
				{c.text(speech.LabelUnit), status.Path}, {c.text(speech.LabelBoot), status.Enabled}, {c.text(speech.LabelState), status.Active},
			}
			if status.Lingering != nil {
				rows = append(rows, []string{c.text(speech.LabelLingering), c.yesNo(*status.Lingering)})
			}
			return c.table(rows)
		})
	})
}

// service finds out which unit is meant: of the system for root, else of the user.
func (c *cli) service(system string, flags *serviceFlags) (*service, error) {
	switch {
	case system != "linux":
		return nil, fail(exitError, "unsupported_platform", speech.UnsupportedPlatform)
	case flags.user && flags.system:
		return nil, fail(exitUsage, "usage", speech.BothUnitKinds)
	}
	s := &service{uid: strconv.Itoa(c.uid)}
	s.user, s.run = flags.user || c.uid != 0 && !flags.system, runProgram
	places := c.places()
	if s.user {
		s.units = filepath.Join(c.configHome(), "systemd", "user")
	} else {
		s.units = "/etc/systemd/system"
		if places.Home == "" {
			places.Home = systemHome
		}
	}
	if places.Home != "" {
		home, err := filepath.Abs(places.Home)
		if err != nil {
			return nil, err
		}
		places.Home = home
	}
	name := c.flags.profile
	if name == "" {
		name = defaultProfile
	}
	var err error
	if s.paths, err = places.Paths(name); err != nil {
		return nil, err
	}
	s.places = places
	s.unit = unit{system: !s.user, profile: s.paths.Name, home: places.Home}
	if dir := c.getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		s.unit.dataHome = dir
	}
	return s, nil
}

func (c *cli) configHome() string {
	if dir := c.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(c.getenv("HOME"), ".config")
}

// complete fills in what only a new unit needs.
func (c *cli) complete(s *service, flags *serviceFlags) error {
	u := &s.unit
	for _, text := range flags.listen {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return fail(exitUsage, "usage", speech.ListenWrong, text)
		}
		u.listen = append(u.listen, at)
	}
	u.lan, u.courier, u.sharedTmp = flags.lan, flags.courier, filepath.Dir(s.paths.Socket) != s.paths.Run
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	if u.program, err = filepath.EvalSymlinks(program); err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	if strings.Contains(u.program, "/go-build") { // go run removes it in the end
		return fail(exitUsage, "program_temporary", speech.ProgramTemporary)
	}
	if flags.credential != "" {
		if u.credential, err = filepath.Abs(flags.credential); err != nil {
			return err
		}
	}
	return u.check()
}

// mayChange refuses to change system units to others than root.
func (c *cli) mayChange(s *service) error {
	if !s.user && c.uid != 0 {
		return fail(exitLocked, "needs_root", speech.NeedsRoot)
	}
	return nil
}

// install installs the unit and says what it is and what is to do next.
func (c *cli) install(ctx context.Context, s *service) error {
	if err := c.mayChange(s); err != nil {
		return err
	}
	if !s.user {
		switch open, err := rootOnly(s.unit.program); {
		case err != nil:
			return fmt.Errorf("look at the program: %w", err)
		case open != "":
			return fail(exitConflict, "program_not_roots", speech.ProgramNotRoots, open)
		}
	}
	if _, err := os.Lstat(s.path(s.unit.name())); err == nil {
		return fail(exitConflict, "service_exists", speech.ServiceExists, s.path(s.unit.name()))
	}
	exists, keyfile, err := profileState(&node.Config{DataDir: s.paths.Data, RuntimeDir: s.paths.Run})
	if err != nil {
		return daemonError(err)
	}
	if keyfile && s.unit.credential != "" {
		return daemonError(node.ErrPassphraseUnfit)
	}
	if err := s.systemd.install(ctx, &s.unit, s.uid); err != nil {
		return err
	}
	status, err := s.status(ctx, s.paths.Name, s.unit.name(), s.uid)
	if err != nil {
		return err
	}
	c.say(speech.Key("service_installed."+status.Kind), status.Path)
	switch {
	case !exists:
		c.say(speech.ServiceSetUp, s.client("setup"))
	case !keyfile && s.unit.credential == "":
		c.say(speech.ServiceUnlock, s.client("unlock"))
	default:
		c.say(speech.ServiceTalk, s.client("status"))
	}
	return c.show(status, func() error { return nil })
}

// client is the command line that talks to the unit's daemon.
func (s *service) client(command string) string {
	words := []string{"pabal"}
	if s.unit.home != "" {
		words = append(words, "--home", s.unit.home)
	}
	if s.unit.profile != defaultProfile {
		words = append(words, "--profile", s.unit.profile)
	}
	return strings.Join(append(words, command), " ")
}
