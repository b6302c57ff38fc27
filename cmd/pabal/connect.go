package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

const (
	callTimeout   = 30 * time.Second  // of a command that waits for nobody but the daemon
	followForever = time.Duration(-1) // no limit unless --timeout
)

// remoteFunc is a command that talks to the daemon.
type remoteFunc func(ctx context.Context, daemon *api.Client, args []string) error

// remote makes a command of do. Its time is --timeout, or limit without it.
func (c *cli) remote(limit time.Duration, do remoteFunc) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if c.flags.timeout > 0 {
			limit = c.flags.timeout
		}
		if limit != followForever {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		daemon, err := c.connect()
		if err != nil {
			return err
		}
		c.askLanguage(ctx)
		if err = do(ctx, daemon, args); !c.flags.json {
			err = missing(err, args)
		}
		return connectionError(err)
	}
}

// connect returns a client of the daemon that is meant. It sends nothing yet.
func (c *cli) connect() (*api.Client, error) {
	if c.client != nil {
		return c.client, nil
	}
	daemon := profile.Daemon{Socket: c.flags.socket}
	if c.flags.socket == "" {
		var err error
		if daemon, err = c.places().Choose(c.flags.profile); err != nil {
			return nil, err
		}
	}
	c.daemon = daemon
	c.client = api.NewUnixClient(daemon.Socket)
	return c.client, nil
}

func (c *cli) disconnect() {
	if c.client != nil {
		c.client.Close()
	}
}

func (c *cli) places() profile.Places {
	return profile.Places{Home: c.flags.home, Getenv: c.getenv, UID: c.uid}
}

// askLanguage takes the profile's language unless --lang was given. A daemon
// that does not tell it leaves the locale's.
func (c *cli) askLanguage(ctx context.Context) {
	if c.flags.lang != "" || c.flags.json {
		return
	}
	settings, err := c.client.Settings(ctx)
	if err != nil {
		return
	}
	if l, ok := speech.Parse(settings.Language); ok {
		c.language = l
	}
}

// checkGlobals refuses global flags that make no sense.
func (c *cli) checkGlobals() error {
	if l := c.flags.lang; l != "" {
		if _, ok := speech.Parse(l); !ok {
			return fmt.Errorf("--lang: %q: en, ko", l)
		}
	}
	switch c.flags.color {
	case "auto", "always", "never":
	default:
		return fmt.Errorf("--color: %q: auto, always, never", c.flags.color)
	}
	if c.flags.timeout < 0 {
		return errors.New("--timeout: < 0")
	}
	return nil
}

// connectionError turns a failure to reach the daemon into one with its own
// code: it ended between being found and being called.
func connectionError(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" && !op.Timeout() {
		return fmt.Errorf("%w: %w", profile.ErrNone, err)
	}
	if errors.Is(err, api.ErrServer) {
		return fail(exitLocked, "server_not_ours", speech.ServerNotOurs)
	}
	return err
}
