package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// doorLife is how long the file stays that leads a browser to the page: browsers
// read it once, some of them late.
const doorLife = 15 * time.Second

// door is the file, around the link, which thus is in no argument of a process:
// other users see those.
const door = `<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url=%s">
<title>Pabal</title>
`

func (c *cli) webCommand() *cobra.Command {
	var printed bool
	cmd := c.command("web", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		link, err := daemon.CreateLoginLink(ctx, api.LoginLinkRequest{ClientName: "web"})
		if err != nil {
			return err
		}
		if !printed && !c.flags.json {
			return c.openBrowser(ctx, link)
		}
		c.say(speech.WebDigits, link.CodeDigits)
		return c.show(link, func() error { return c.print(link.URL) })
	}))
	cmd.Flags().BoolVar(&printed, "print", false, "")
	return withExample(cmd, `  pabal web
  pabal web --print`)
}

// openBrowser opens the page by way of a file that only the user can read, and
// takes the file away again.
func (c *cli) openBrowser(ctx context.Context, link api.LoginLink) (err error) {
	file, err := os.CreateTemp(filepath.Dir(c.daemon.Socket), "web-*.html") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = fmt.Fprintf(file, door, html.EscapeString(link.URL))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	name, arguments := opener()
	browser := exec.Command(name, append(arguments, file.Name())...) // may go on when we end
	if err := browser.Start(); err != nil {
		return fail(exitError, "no_browser", speech.NoBrowser)
	}
	c.say(speech.WebOpened, link.CodeDigits)
	ended := make(chan error, 1)
	go func() { ended <- browser.Wait() }()
	life := time.After(doorLife)
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fail(exitError, "no_browser", speech.NoBrowser)
			}
			ended = nil // it has handed the file on
		case <-life:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// opener is the program that opens a file as the desktop would.
func opener() (name string, arguments []string) {
	switch runtime.GOOS {
	case "darwin":
		return "open", nil
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler"}
	}
	return "xdg-open", nil
}
