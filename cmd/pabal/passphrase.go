package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// passphraseTries is how often a person may mistype before the command ends.
const passphraseTries = 3

// passphraseFlags are how a command is told the passphrase. It is never a flag
// or an environment variable itself: other programs could read those.
type passphraseFlags struct {
	none bool   // --no-passphrase
	file string // --passphrase-file, "-" for standard input
}

// check refuses both at once.
func (f passphraseFlags) check() error {
	if f.none && f.file != "" {
		return fail(exitUsage, "usage", speech.BothPassphraseFlags)
	}
	return nil
}

// given reports whether either flag is set.
func (f passphraseFlags) given() bool { return f.none || f.file != "" }

// readPassphraseFile returns the first line of a file, without its end, or the next line of
// standard input for "-".
func (c *cli) readPassphraseFile(name string) (string, error) {
	if name == "-" {
		return firstLine(c.lines())
	}
	f, err := os.Open(name)
	if err != nil {
		return "", fail(exitUsage, "passphrase_file", speech.PassphraseFileUnreadable)
	}
	defer f.Close()
	return firstLine(bufio.NewReader(f))
}

// firstLine reads no further than to the end of the line. A buffer holds any passphrase.
func firstLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return "", fail(exitUsage, "passphrase_file", speech.PassphraseFileUnreadable)
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) == 0 || len(line) > api.PassphraseBytesMax {
		return "", fail(exitUsage, "passphrase_file", speech.PassphraseFileEmpty)
	}
	return string(line), nil
}

// askPassphrase asks for a passphrase on the terminal without showing it. When
// ctx ends it gives the terminal back and returns: the read itself cannot be
// interrupted, its goroutine stays until the next line or the end of the
// process, which follows.
func (c *cli) askPassphrase(ctx context.Context, prompt speech.Key) (string, error) {
	f, ok := c.in.(*os.File)
	if !ok {
		return "", errors.New("passphrase: standard input is no terminal")
	}
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	fmt.Fprint(c.talk, c.text(prompt)+" ")
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1) // so that a late line finds a place
	go func() {
		b, err := term.ReadPassword(int(f.Fd()))
		read <- line{b, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(int(f.Fd()), before))
	case l := <-read:
		fmt.Fprintln(c.talk)
		if l.err != nil {
			return "", fmt.Errorf("read passphrase: %w", l.err)
		}
		return string(l.text), nil
	}
}

// passphraseOnce asks for a passphrase that there is, or reads it.
func (c *cli) passphraseOnce(ctx context.Context, file string, prompt speech.Key) (string, error) {
	switch {
	case file != "":
		return c.readPassphraseFile(file)
	case !c.terminal():
		return "", fail(exitUsage, api.CodePassphraseRequired, speech.PassphraseFileMissing)
	}
	return c.askPassphrase(ctx, prompt)
}

// passphraseTwice asks twice for a passphrase that is new, or reads it.
func (c *cli) passphraseTwice(ctx context.Context, file string, prompt speech.Key) (passphrase string, err error) {
	switch {
	case file != "":
		passphrase, err = c.readPassphraseFile(file)
	case !c.terminal():
		return "", fail(exitUsage, api.CodePassphraseRequired, speech.PassphraseFileMissing)
	default:
		passphrase, err = c.askTwice(ctx, prompt)
	}
	if err == nil && len(passphrase) < api.PassphraseBytesMin {
		err = fail(exitUsage, "passphrase_too_short", speech.PassphraseTooShort)
	}
	return passphrase, err
}

// askNewPassphrase asks twice. Nothing twice means no passphrase.
func (c *cli) askNewPassphrase(ctx context.Context) (string, error) {
	return c.askTwice(ctx, speech.AskNewPassphrase)
}

// askTwice asks for a passphrase until it is typed twice.
func (c *cli) askTwice(ctx context.Context, prompt speech.Key) (string, error) {
	for range passphraseTries {
		first, err := c.askPassphrase(ctx, prompt)
		if err != nil {
			return "", err
		}
		if first != "" && len(first) < api.PassphraseBytesMin {
			c.say(speech.PassphraseTooShort)
			continue
		}
		second, err := c.askPassphrase(ctx, speech.AskPassphraseAgain)
		if err != nil {
			return "", err
		}
		if first == second {
			return first, nil
		}
		c.say(speech.PassphrasesDiffer)
	}
	return "", silent(exitUsage)
}

// askLine asks for a line on the terminal.
func (c *cli) askLine(question string) (string, error) {
	fmt.Fprint(c.talk, question+" ")
	line, err := c.lines().ReadString('\n')
	if err != nil && line == "" {
		return "", fail(exitUsage, "no_input", speech.NoInput)
	}
	return strings.TrimSpace(line), nil
}

// lines buffers standard input, once for the whole run.
func (c *cli) lines() *bufio.Reader {
	if c.buffered == nil {
		c.buffered = bufio.NewReader(c.in)
	}
	return c.buffered
}

// confirm asks a question and reports whether the answer is yes. Without a
// terminal the answer must have been given as --yes.
func (c *cli) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !c.terminal() {
		return fail(exitUsage, "confirm_required", speech.YesMissing)
	}
	answer, err := c.askLine(question + " [y/N]")
	if err != nil {
		return err
	}
	switch speech.Fold(answer) {
	case "y", "yes", "네", "예", "ㅇ", "응":
		return nil
	}
	c.say(speech.NothingDone)
	return silent(exitError)
}
