package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/crash"
	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/speech"
	"pabal/node"
	"pabal/node/api"
	"pabal/store"
)

const (
	// drillPoll is how often a drill of the daemon's is looked at.
	drillPoll = 200 * time.Millisecond
	// drillKills is how often daemons are killed: some minutes long.
	drillKills = 200
)

func (c *cli) drillCommand() *cobra.Command {
	var d drillFlags
	cmd := c.command("drill", c.exactly(0), func(ctx context.Context, _ []string) error {
		if d.crash {
			return c.drillCrash(ctx, d.kills)
		}
		return c.drill(ctx, d)
	})
	cmd.Flags().BoolVar(&d.crash, "crash", false, "")
	cmd.Flags().Int64Var(&d.kills, "kills", drillKills, "")
	cmd.Flags().BoolVar(&d.outside, "outside", false, "")
	cmd.Flags().StringVar(&d.file, "passphrase-file", "", "")
	return withExample(cmd, `  pabal drill
  pabal drill --outside
  pabal drill --crash --kills 500
  pabal drill --json > report.json`)
}

// drillFlags say how a profile is attacked.
type drillFlags struct {
	outside bool   // with no key
	file    string // with the passphrase, if no daemon runs
	crash   bool   // not at all: daemons of its own are killed
	kills   int64
}

// drillCrash keeps the program to its contract about crashes, with daemons and profiles of
// its own that are gone afterwards; after a broken promise they stay, and it says where.
func (c *cli) drillCrash(ctx context.Context, kills int64) error {
	if kills < 1 {
		return fail(exitUsage, "usage", speech.DrillKillsWrong)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pabal-crash-")
	if err != nil {
		return err
	}
	c.say(speech.DrillCrashBegins, strconv.FormatInt(kills, 10))
	summary, err := crash.Run(ctx, program, dir, crash.Options{Kills: kills})
	if summary != "" {
		if err := c.print(summary); err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), os.RemoveAll(dir))
	case err != nil:
		c.say(speech.DrillCrashBroken, dir)
		return err
	}
	c.say(speech.DrillCrashKept)
	return os.RemoveAll(dir)
}

// drill attacks the profile: through the daemon that runs, or its files. Only hits make it
// fail: what surrounds the files is said, and is not ours to judge.
func (c *cli) drill(ctx context.Context, d drillFlags) error {
	report, err := c.drilled(ctx, d)
	if err != nil {
		return err
	}
	err = c.show(report, func() error {
		rows := make([][]string, len(report.Rows))
		for i, r := range report.Rows {
			rows[i] = []string{c.word("verdict", string(r.Verdict)), r.Check, c.drillSentence(r)}
		}
		return c.table(rows)
	})
	if err != nil {
		return err
	}
	switch {
	case report.Hits > 0:
		c.say(speech.DrillHits, strconv.Itoa(report.Hits))
		return silent(exitError)
	case report.Opened:
		c.say(speech.DrillClean)
	default:
		c.say(speech.DrillCleanOutside)
	}
	return nil
}

// drillSentence says what a row means; those of the surroundings are doctor's.
func (c *cli) drillSentence(r api.DrillRow) string {
	if key := speech.Key("drill." + r.Code); speech.Has(key) {
		return c.text(key, strconv.Itoa(r.Count), r.Detail)
	}
	return c.text(speech.Key("doctor."+r.Code), r.Detail)
}

// drilled runs the drill that fits: the daemon's own, or one on the files.
func (c *cli) drilled(ctx context.Context, d drillFlags) (api.DrillReport, error) {
	daemon, err := c.connect()
	stopped := errors.Is(err, profile.ErrNone)
	if err != nil && !stopped {
		return api.DrillReport{}, err
	}
	if !stopped {
		_, err := daemon.Status(ctx)
		if stopped = errors.Is(connectionError(err), profile.ErrNone); err != nil && !stopped {
			return api.DrillReport{}, connectionError(err)
		}
	}
	switch {
	case d.outside:
		dir, err := c.drillDir()
		if err != nil {
			return api.DrillReport{}, err
		}
		return explained(node.DrillOutside(ctx, dir))
	case stopped:
		return c.drillStopped(ctx, d)
	}
	c.askLanguage(ctx)
	return c.drillRunning(ctx, daemon)
}

// drillDir finds the directory of the profile that is meant, by a name or by the daemon.
func (c *cli) drillDir() (string, error) {
	name := c.flags.profile
	if name == "" {
		name = c.daemon.Name
	}
	if name == "" {
		name = defaultProfile
	}
	dir := c.dataDir(name)
	if dir == "" {
		return "", fail(exitNotFound, "no_profile", speech.NoProfileHere, name)
	}
	return dir, nil
}

// drillStopped attacks the files of a profile that nobody runs.
func (c *cli) drillStopped(ctx context.Context, d drillFlags) (api.DrillReport, error) {
	dir, err := c.drillDir()
	if err != nil {
		return api.DrillReport{}, err
	}
	tell := func(step store.DrillStep) { c.say(speech.Key("drill.step_" + string(step))) }
	if d.file == "" {
		report, err := node.Drill(ctx, dir, nil, tell)
		if !errors.Is(err, store.ErrBadPassphrase) { // it has a keyfile
			return explained(report, err)
		}
	}
	passphrase, err := c.drillPassphrase(ctx, d.file)
	if err != nil {
		return api.DrillReport{}, err
	}
	defer clear(passphrase)
	return explained(node.Drill(ctx, dir, passphrase, tell))
}

func (c *cli) drillPassphrase(ctx context.Context, file string) ([]byte, error) {
	if file != "" {
		passphrase, err := c.readPassphraseFile(file)
		return []byte(passphrase), err
	}
	if !c.terminal() {
		return nil, fail(exitUsage, api.CodePassphraseRequired, speech.DrillNeedsPassphrase)
	}
	passphrase, err := c.askPassphrase(ctx, speech.AskPassphrase)
	return []byte(passphrase), err
}

// explained gives the errors of the store the exit codes that they have elsewhere.
func explained(report api.DrillReport, err error) (api.DrillReport, error) {
	var held *store.LockedError
	switch {
	case errors.As(err, &held):
		err = fail(exitConflict, "profile_in_use", speech.ProfileInUse, strconv.Itoa(held.Holder.PID))
	case errors.Is(err, store.ErrBadPassphrase):
		err = api.NewProblem(api.CodeBadPassphrase)
	case errors.Is(err, store.ErrBlind):
		err = api.NewProblem(api.CodeDrillBlind)
	case errors.Is(err, store.ErrNoProfile):
		err = fail(exitNotFound, "no_profile", speech.NoProfileHere, "")
	case errors.Is(err, store.ErrDamaged):
		err = api.NewProblem(api.CodeProfileDamaged)
	case errors.Is(err, store.ErrNewer):
		err = api.NewProblem(api.CodeProfileNewer)
	case errors.Is(err, store.ErrFull):
		err = api.NewProblem(api.CodeStorageFull)
	}
	return report, err
}

// drillRunning has the daemon attack itself.
func (c *cli) drillRunning(ctx context.Context, daemon *api.Client) (api.DrillReport, error) {
	job, err := daemon.StartDrill(ctx)
	said := []string{""}
	for err == nil && job.State == api.JobRunning {
		if !slices.Contains(said, job.Step) {
			c.say(speech.Key("drill.step_" + job.Step))
			said = append(said, job.Step)
		}
		select {
		case <-ctx.Done():
			return api.DrillReport{}, ctx.Err()
		case <-time.After(drillPoll):
		}
		job, err = daemon.Job(ctx, job.ID)
	}
	switch {
	case err != nil:
		return api.DrillReport{}, connectionError(err)
	case job.Error != nil:
		return api.DrillReport{}, job.Error
	case job.Drill == nil:
		return api.DrillReport{}, api.NewProblem(api.CodeInternal)
	}
	return *job.Drill, nil
}
