package main

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// homeWait is how long `home add` waits until the home node takes mail, unless --wait.
const homeWait = 30 * time.Second

func (c *cli) homeCommand() *cobra.Command {
	return c.group("home", c.homeInvite(), c.homeAdd(), c.homeRemove())
}

// homeInvite makes the link that pairs this home node with its owner.
func (c *cli) homeInvite() *cobra.Command {
	request := api.InviteRequest{Kind: api.CourierHome}
	var (
		qr      bool
		expires durationValue
	)
	cmd := c.command("invite", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		request.ExpiresIn = int64(time.Duration(expires) / time.Second)
		invite, err := daemon.CreateInvite(ctx, request)
		if err != nil {
			return err
		}
		if err := c.sayPort(ctx, daemon); err != nil {
			return err
		}
		return c.show(invite, func() error { return c.printLink(invite, qr) })
	}))
	cmd.Flags().Var(&expires, "expires", "")
	cmd.Flags().BoolVar(&qr, "qr", false, "")
	return cmd
}

// sayPort tells which port a router must pass on to this machine.
func (c *cli) sayPort(ctx context.Context, daemon *api.Client) error {
	network, err := daemon.Network(ctx)
	if err != nil {
		return err
	}
	for _, text := range network.Listen {
		_, address, _ := strings.Cut(text, "://")
		if at, err := netip.ParseAddrPort(address); err == nil {
			c.say(speech.HomePort, strconv.Itoa(int(at.Port())))
			return nil
		}
	}
	return nil
}

func (c *cli) homeAdd() *cobra.Command {
	wait := durationValue(homeWait)
	cmd := c.command("add <link|->", c.exactly(1), func(ctx context.Context, args []string) error {
		link, err := c.link(args[0])
		if err != nil {
			return err
		}
		limit := callTimeout + time.Duration(wait)
		return c.remote(limit, func(ctx context.Context, daemon *api.Client, _ []string) error {
			home, err := daemon.AddHome(ctx, api.HomeRequest{URI: link})
			if err != nil {
				return err
			}
			if home, err = waitHome(ctx, daemon, home, time.Duration(wait)); err != nil {
				return err
			}
			switch {
			case home.Ready:
				c.say(speech.HomeReady, dash(screen.Line(home.Name)))
			case home.Pairing == api.ContactFailed:
				return fail(exitNetwork, api.CodeContactFailed, speech.ContactFailed, c.reason(orDash(home.Reason)))
			default:
				c.say(speech.HomeRequested)
			}
			return c.show(home, func() error { return c.print(home.ContactID) })
		})(ctx, nil)
	})
	cmd.Flags().Var(&wait, "wait", "")
	return withExample(cmd, `  pabal home add LINK`)
}

// waitHome waits until a home node takes mail, or the pairing failed, and returns it as
// it then is.
func waitHome(ctx context.Context, daemon *api.Client, home api.Courier, wait time.Duration) (api.Courier, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	options := api.EventsOptions{Latest: true, Types: []string{"courier.*"}}
	err := daemon.Follow(waiting, options, func(api.Event) error { // hello is the first: nothing is missed
		all, err := daemon.Couriers(waiting)
		if err != nil {
			return err
		}
		for _, k := range all {
			if k.ContactID == home.ContactID {
				home = k
			}
		}
		if home.Ready || home.Pairing == api.ContactFailed {
			return errSettled
		}
		return nil
	})
	switch {
	case errors.Is(err, errSettled), waiting.Err() != nil && ctx.Err() == nil:
		return home, nil
	case err != nil:
		return home, err
	}
	return home, ctx.Err()
}

// homeRemove ends the pairing with a home node, or, on it, with an owner.
func (c *cli) homeRemove() *cobra.Command {
	return c.command("remove <id>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		if err := daemon.EndCourier(ctx, args[0]); err != nil {
			return err
		}
		c.say(speech.HomeRemoved)
		return nil
	}))
}
