package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) inviteCommand() *cobra.Command {
	return c.group("invite", c.inviteCreate(), c.inviteList(), c.inviteShow(), c.inviteRevoke())
}

func (c *cli) inviteCreate() *cobra.Command {
	var (
		request api.InviteRequest
		card    bool
		qr      bool
		expires durationValue
	)
	cmd := c.command("create", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		request.ExpiresIn = int64(time.Duration(expires) / time.Second)
		if card {
			request.Kind = "card"
		}
		invite, err := daemon.CreateInvite(ctx, request)
		if err != nil {
			return err
		}
		for _, w := range invite.Warnings {
			c.warn(w)
		}
		return c.show(invite, func() error { return c.printLink(invite, qr) })
	}))
	f := cmd.Flags()
	f.BoolVar(&request.Ask, "ask", false, "")
	f.BoolVar(&card, "card", false, "")
	f.IntVar(&request.Uses, "uses", 0, "")
	f.Var(&expires, "expires", "")
	f.BoolVar(&request.LAN, "lan", false, "")
	f.StringVar(&request.Note, "note", "", "")
	f.BoolVar(&qr, "qr", false, "")
	f.BoolVar(&request.Direct, "direct", false, "")
	return withExample(cmd, `  pabal invite create
  pabal invite create --card --ask --note "on my web page"`)
}

// printLink prints the link alone on one line of standard output. The QR code
// is talk: a script that reads the link is not disturbed by it.
func (c *cli) printLink(invite api.Invite, qr bool) error {
	if invite.URI == nil {
		return fail(exitNotFound, api.CodeGone, speech.InviteUseless)
	}
	if qr {
		if err := c.drawQR(*invite.URI); err != nil {
			return err
		}
	}
	c.say(speech.InviteExpires, localTime(invite.ExpiresAt))
	return c.print(*invite.URI)
}

func (c *cli) drawQR(text string) error {
	drawn, err := screen.QR(text)
	if err != nil {
		return err
	}
	_, err = c.talk.Write([]byte(drawn))
	return err
}

func (c *cli) inviteList() *cobra.Command {
	return c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		invites, err := daemon.Invites(ctx)
		if err != nil {
			return err
		}
		return showList(c, invites, speech.NoInvites, func(i api.Invite) []string {
			left := "∞"
			if i.UsesLeft != nil {
				left = strconv.Itoa(*i.UsesLeft)
			}
			return []string{i.ID, c.word("invite", i.Kind), c.word("invite", i.State), left, localTime(i.ExpiresAt), dash(i.Note)}
		})
	}))
}

func (c *cli) inviteShow() *cobra.Command {
	var qr bool
	cmd := c.command("show <invite>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		invite, err := daemon.Invite(ctx, args[0])
		if err != nil {
			return err
		}
		return c.show(invite, func() error { return c.printLink(invite, qr) })
	}))
	cmd.Flags().BoolVar(&qr, "qr", false, "")
	return cmd
}

func (c *cli) inviteRevoke() *cobra.Command {
	return c.command("revoke <invite>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		if err := daemon.RevokeInvite(ctx, args[0]); err != nil {
			return err
		}
		c.say(speech.InviteRevoked)
		return nil
	}))
}
