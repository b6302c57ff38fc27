package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
	"pabal/store"
)

// cli is one call of the program. Only the command's own goroutine uses it,
// unless a command says otherwise.
type cli struct {
	in     io.Reader
	out    io.Writer // data
	talk   io.Writer // everything else
	getenv func(string) string
	uid    int

	flags    globals
	running  bool            // a command has begun: errors are no longer about usage
	language speech.Language // empty: not resolved yet
	client   *api.Client     // nil: not connected
	daemon   profile.Daemon  // of client; only Socket is set after --socket
	buffered *bufio.Reader   // nil: standard input was not read by lines
}

// globals are the flags that every command takes.
type globals struct {
	profile string
	home    string
	socket  string
	timeout time.Duration // 0: the default of the command
	json    bool
	plain   bool
	quiet   bool
	noInput bool
	color   string
	lang    string
}

// execute runs the command that args name and returns the exit code.
func (c *cli) execute(ctx context.Context, args []string) int {
	c.language = c.languageOf(args)
	root := c.rootCommand()
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.talk)
	err := root.ExecuteContext(ctx)
	defer c.disconnect()
	if err != nil && !c.running {
		c.complain(fail(exitUsage, "usage", speech.UsageWrong, err.Error()))
		return exitUsage
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	c.complain(err)
	return exitCode(err)
}

// languageOf finds the language before the flags are parsed, because the help
// is in it, too.
func (c *cli) languageOf(args []string) speech.Language {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	for i, a := range args {
		value, ok := strings.CutPrefix(a, "--lang=")
		if a == "--lang" && i+1 < len(args) {
			value, ok = args[i+1], true
		}
		if l, known := speech.Parse(value); ok && known {
			return l
		}
	}
	return speech.FromLocale(c.getenv)
}

// text returns a sentence in the language of the user.
func (c *cli) text(key speech.Key, args ...string) string {
	return speech.Text(c.language, key, args...)
}

// say prints a sentence for the user, unless --quiet. What peers wrote may be among
// its arguments: none of them can do more than stand in their place.
func (c *cli) say(key speech.Key, args ...string) {
	if c.flags.quiet {
		return
	}
	safe := make([]string, len(args))
	for i, arg := range args {
		safe[i] = screen.Line(arg)
	}
	fmt.Fprintln(c.talk, c.text(key, safe...))
}

// print writes a line of data.
func (c *cli) print(line string) error {
	_, err := fmt.Fprintln(c.out, line)
	return err
}

// printJSON writes an object of the API as one indented document.
func (c *cli) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes rows in columns, or separated by tabs with --plain. Every cell
// is made safe to print.
func (c *cli) table(rows [][]string) error {
	_, err := io.WriteString(c.out, screen.Table(rows, c.flags.plain))
	return err
}

// complain says on standard error what went wrong: a sentence and the code in
// parentheses, or the problem as JSON.
func (c *cli) complain(err error) {
	if err == nil || errors.As(err, new(silent)) {
		return
	}
	p := c.problemOf(err)
	if c.flags.json {
		e := json.NewEncoder(c.talk)
		e.SetEscapeHTML(false)
		_ = e.Encode(p) // there is nowhere left to say that standard error is gone
		return
	}
	fmt.Fprintf(c.talk, "pabal: %s (%s)\n", screen.Block(c.sentence(err, p)), screen.Line(string(p.Code)))
	for _, e := range p.Errors {
		fmt.Fprintf(c.talk, "  %s: %s\n", screen.Line(e.Pointer), screen.Line(string(e.Code)))
	}
	if p.Code != "no_daemon" {
		return
	}
	hint := c.text(speech.HintRun)
	if c.flags.profile != "" {
		_, hint = c.noDaemon(c.flags.profile)
	}
	if hint != "" {
		fmt.Fprintf(c.talk, "  %s\n", hint)
	}
}

// problemOf returns err as a problem, with a code of ours if it is none of the API.
func (c *cli) problemOf(err error) *api.Problem {
	var (
		problem *api.Problem
		failed  *failure
		several *profile.SeveralError
	)
	if errors.As(err, &problem) {
		return problem
	}
	own := &api.Problem{Title: err.Error(), Code: "failed"}
	switch {
	case errors.As(err, &failed):
		own.Code = failed.code
	case errors.As(err, &several):
		own.Code = "several_daemons"
		own.Params = map[string]any{"profiles": several.Names}
	case errors.Is(err, profile.ErrNone):
		own.Code = "no_daemon"
	case errors.Is(err, profile.ErrName):
		own.Code = "profile_name_invalid"
	case errors.Is(err, profile.ErrNotOurs):
		own.Code = "directory_not_ours"
	case errors.Is(err, context.DeadlineExceeded):
		own.Code = api.CodeTimeout
	}
	own.Type = "urn:pabal:problem:" + string(own.Code)
	return own
}

// sentence returns what to tell the user about err, whose problem is p.
func (c *cli) sentence(err error, p *api.Problem) string {
	var (
		failed  *failure
		several *profile.SeveralError
	)
	switch {
	case errors.As(err, &failed):
		return c.text(failed.key, failed.args...)
	case errors.As(err, &several):
		return c.text(speech.SeveralDaemons, strings.Join(several.Names, ", "))
	case errors.Is(err, profile.ErrNone) && c.flags.profile != "":
		said, _ := c.noDaemon(c.flags.profile)
		return said
	}
	if key := speech.Key("problem." + string(p.Code)); speech.Has(key) {
		return c.text(key)
	}
	if p.Title != "" {
		return screen.Line(p.Title)
	}
	return screen.Line(err.Error())
}

// noDaemon says that no daemon runs for a profile, or that there is no such profile, and what to
// do if it is clear.
func (c *cli) noDaemon(name string) (said, hint string) {
	shown := screen.Line(name)
	if c.dataDir(name) != "" {
		return c.text(speech.NoDaemonOf, shown), c.text(speech.HintRunProfile, screen.Line(shellWord(name)))
	}
	all, _ := c.places().All() // what cannot be read is not offered
	var names []string
	for _, paths := range all {
		if store.Remains(paths.Data) {
			names = append(names, screen.Line(paths.Name))
		}
	}
	if len(names) == 0 {
		return c.text(speech.NoProfileYet, shown), c.text(speech.HintRunProfile, screen.Line(shellWord(name)))
	}
	return c.text(speech.NoProfileAmong, shown, strings.Join(names, ", ")), ""
}

// terminal reports whether a person can be asked: standard input is a terminal
// and --no-input is not given.
func (c *cli) terminal() bool {
	f, ok := c.in.(*os.File)
	return ok && !c.flags.noInput && term.IsTerminal(int(f.Fd()))
}

// coloured reports whether standard output takes colours.
func (c *cli) coloured() bool {
	switch c.flags.color {
	case "always":
		return true
	case "never":
		return false
	}
	f, ok := c.out.(*os.File)
	return ok && c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb" && !c.flags.plain && term.IsTerminal(int(f.Fd()))
}

// The styles of text on a terminal.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	reset = "\x1b[0m"
)

// paint puts text, which must be safe to print, in a style if standard output
// takes colours.
func (c *cli) paint(style, text string) string {
	if !c.coloured() {
		return text
	}
	return style + text + reset
}

// command returns a subcommand. Its help comes from the catalogue; see
// describe. use is as cobra wants it.
func (c *cli) command(use string, args cobra.PositionalArgs, do func(context.Context, []string) error) *cobra.Command {
	return &cobra.Command{
		Use:  use,
		Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.running = true
			return do(cmd.Context(), args)
		},
	}
}

// group returns a command that only holds others.
func (c *cli) group(use string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Args: c.knownCommand, RunE: func(cmd *cobra.Command, _ []string) error {
		return fmt.Errorf("%s", c.text(speech.SubcommandMissing, cmd.CommandPath()))
	}}
	g.AddCommand(commands...)
	return g
}
