package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"rsc.io/qr"

	"pabal/protocol/wire"
)

// stopWithin is what a daemon has to commit and close.
const stopWithin = 5 * time.Second

// awaitMax is how long await tries.
const awaitMax = 2 * time.Minute

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"pabal":     func() { os.Exit(run()) },
		"smalldisk": onSmallDisk,
		"reminder":  func() { os.Exit(reminderBot()) },
		"receiver":  func() { os.Exit(hookReceiver()) },
	})
}

func TestScripts(t *testing.T) {
	params := testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon":  startDaemon,
			"cramped": startCramped,
			"halt":    haltDaemon,
			"gone":    goneDaemon,
			"exits":   exits,
			"keep":    keep,
			"await":   await,
			"same":    same,
			"repeat":  repeat,
			"qr":      drawQR,
			"expire":  expire,
			"mistype": mistype,
			"readme":  readme,
		},
	}
	if testing.Short() {
		params.Files = []string{filepath.Join("testdata", "script", "conversation.txtar")}
	} else {
		params.Dir = filepath.Join("testdata", "script")
	}
	testscript.Run(t, params)
}

func setupScript(env *testscript.Env) error {
	env.Setenv("PABAL_HOME", filepath.Join(env.WorkDir, "h"))
	env.Setenv("XDG_RUNTIME_DIR", filepath.Join(env.WorkDir, "r"))
	env.Setenv("LANG", "C")
	env.Setenv("TZ", "UTC")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err := errors.Join(err, free.Close()); err != nil {
		return err
	}
	env.Setenv("HOOKPORT", port) // of the receiver of a webhook
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	env.Setenv("REPOSITORY", repository)
	env.Values[daemonsKey{}] = map[string]*daemon{}
	return err
}

type daemonsKey struct{}

// daemon is a program in the background whose standard error is read.
type daemon struct {
	cmd    *exec.Cmd
	up     chan struct{} // closed when the daemon said so
	exited chan error    // capacity 1: the result of Wait
	talk   strings.Builder
}

func daemons(ts *testscript.TestScript) map[string]*daemon {
	return ts.Value(daemonsKey{}).(map[string]*daemon)
}

// startDaemon runs "daemon PROFILE args…": pabal run on loopback in the
// background, and returns when the daemon says that it is up.
func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: daemon PROFILE [args…]")
	}
	start(ts, args, "pabal")
}

// start runs a daemon in the background by a program that takes the arguments of
// pabal behind its own.
func start(ts *testscript.TestScript, args []string, by ...string) *daemon {
	program, err := lookPath(ts, by[0])
	ts.Check(err)
	line := []string{"--profile", args[0], "--lang", "en", "run"}
	ready := "Profile " + args[0] + ":"
	if args[0] == demoProfile {
		line = []string{"--lang", "en", "run", "--demo"}
		ready = "Ctrl-C ends the demo"
	} else {
		line = append(line, "--listen", demoLoopback)
	}
	d := &daemon{up: make(chan struct{}), exited: make(chan error, 1)}
	d.cmd = exec.Command(program, slices.Concat(by[1:], line, args[1:])...)
	cramp(d.cmd, by[0])
	d.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "PABAL_HOME", "XDG_RUNTIME_DIR", "LANG", "TZ", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			d.cmd.Env = append(d.cmd.Env, name+"="+v)
		}
	}
	talk, err := d.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(d.cmd.Start())
	daemons(ts)[args[0]] = d
	ts.Defer(func() {
		_ = d.cmd.Process.Kill() // it may have ended
	})
	go func() {
		lines := bufio.NewScanner(talk)
		said := false
		for lines.Scan() {
			d.talk.WriteString(lines.Text() + "\n")
			if !said && strings.HasPrefix(lines.Text(), ready) {
				said = true
				close(d.up)
			}
		}
		d.exited <- d.cmd.Wait()
	}()
	select {
	case <-d.up:
	case err := <-d.exited:
		ts.Fatalf("daemon %s ended: %v\n%s", args[0], err, d.talk.String())
	}
	return d
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// haltDaemon runs "halt PROFILE [kill]": SIGTERM must end the daemon well and
// soon; kill is SIGKILL.
func haltDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: halt PROFILE [kill]")
	}
	d := daemons(ts)[args[0]]
	if len(args) == 2 && args[1] == "kill" {
		ts.Check(d.cmd.Process.Kill())
		<-d.exited
		return
	}
	began := time.Now()
	ts.Check(d.cmd.Process.Signal(syscall.SIGTERM))
	if err := <-d.exited; err != nil {
		ts.Fatalf("daemon %s: %v\n%s", args[0], err, d.talk.String())
	}
	if took := time.Since(began); took > stopWithin {
		ts.Fatalf("daemon %s took %v to stop", args[0], took)
	}
}

// goneDaemon runs "gone PROFILE": the daemon ends by itself, and well.
func goneDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gone PROFILE")
	}
	d := daemons(ts)[args[0]]
	if err := <-d.exited; err != nil {
		ts.Fatalf("daemon %s: %v\n%s", args[0], err, d.talk.String())
	}
}

// exits runs "exits CODE program args…".
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program [args…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// keep runs "keep NAME": the last standard output, which must be one line,
// becomes the variable NAME.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: keep NAME [REGEXP]")
	}
	out := strings.TrimSuffix(ts.ReadFile("stdout"), "\n")
	if len(args) == 2 {
		found := regexp.MustCompile(args[1]).FindStringSubmatch(out)
		if len(found) != 2 {
			ts.Fatalf("standard output has no %s", args[1])
		}
		out = found[1]
	}
	if out == "" || strings.Contains(out, "\n") {
		ts.Fatalf("standard output is not one line: %q", out)
	}
	ts.Setenv(args[0], out)
}

// await runs "await TEXT program args…" again and again until its output has TEXT:
// for what no event tells.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] await TEXT program [args…]")
	}
	for end := time.Now().Add(awaitMax); ; {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if strings.Contains(ts.ReadFile("stdout"), args[0]) != neg {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%q never came, or never went", args[0])
		}
	}
}

// same runs "same FILE FILE": two files are equal. Unlike cmp it takes stdout
// on either side.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same FILE FILE")
	}
	if equal := ts.ReadFile(args[0]) == ts.ReadFile(args[1]); equal == neg {
		ts.Fatalf("%s and %s: equal is %v", args[0], args[1], equal)
	}
}

// drawQR runs "qr FILE TEXT": a PNG of the QR code of TEXT.
func drawQR(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: qr FILE TEXT")
	}
	code, err := qr.Encode(args[1], qr.L)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), code.PNG(), 0o600))
}

// repeat runs "repeat FILE COUNT TEXT": a file of COUNT times TEXT, in which \x
// escapes are bytes.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat FILE COUNT TEXT")
	}
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	text, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(text, count)), 0o600))
}

// expire runs "expire NAME LINK": NAME becomes LINK with a time that is over.
func expire(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: expire NAME LINK")
	}
	link, err := wire.ParseLink(args[1])
	ts.Check(err)
	link.Expiry = uint32(time.Now().Add(-time.Hour).Unix())
	text, err := link.Encode()
	ts.Check(err)
	ts.Setenv(args[0], text)
}

// mistype runs "mistype NAME LINK": NAME becomes LINK with one other character.
func mistype(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mistype NAME LINK")
	}
	b := []byte(args[1])
	middle := len(b) / 2
	if b[middle] == 'A' {
		b[middle] = 'B'
	} else {
		b[middle] = 'A'
	}
	ts.Setenv(args[0], string(b))
}

// readme runs "readme BLOCK FILE": the fenced block of the README that follows
// the comment <!-- BLOCK --> becomes a file.
func readme(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: readme BLOCK FILE")
	}
	block, err := readmeBlock(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(block), 0o700))
}

func readmeBlock(name string) (string, error) {
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(string(b), "<!-- "+name+" -->\n```sh\n")
	block, _, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		return "", fmt.Errorf("the README has no block %q", name)
	}
	return block, nil
}

// TestReadmeBotIsShort keeps the promise of the README.
func TestReadmeBotIsShort(t *testing.T) {
	block, err := readmeBlock("bot.sh")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(block, "\n"); n > 15 {
		t.Errorf("the bot has %d lines", n)
	}
}
