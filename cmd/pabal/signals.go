package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// contactTold makes the command that says whether a contact hears something of what the user
// does: of reading, of writing, of being here.
func (c *cli) contactTold(verb string, toldNow, notNow speech.Key, patch func(on *bool) api.ContactPatch) *cobra.Command {
	off := false
	cmd := c.onContact(verb+" <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		on, said := !off, toldNow
		if off {
			said = notNow
		}
		changed, err := daemon.UpdateContact(ctx, k.ID, patch(&on))
		if err != nil {
			return err
		}
		c.say(said, screen.Line(contactName(changed)))
		return c.show(changed, func() error { return nil })
	})
	cmd.Flags().BoolVar(&off, "off", false, "")
	return cmd
}

// chatTyping says that the user, or a program that thinks, writes in a conversation.
func (c *cli) chatTyping() *cobra.Command {
	var lasts time.Duration
	off := false
	cmd := c.command("typing <chat>", c.exactly(1), c.remote(followForever, func(ctx context.Context, daemon *api.Client, args []string) error {
		v, err := findConversation(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		return saying(ctx, lasts, api.TypingEvery, !off, func(ctx context.Context, on bool) error { return daemon.SetTyping(ctx, v.ID, on) })
	}))
	cmd.ValidArgsFunction = c.completeContacts
	cmd.Flags().DurationVar(&lasts, "for", 0, "")
	cmd.Flags().BoolVar(&off, "off", false, "")
	return withExample(cmd, `  pabal chat typing Mina
  pabal chat typing Mina --for 20s`)
}

// meHere says that the user is here.
func (c *cli) meHere() *cobra.Command {
	var lasts time.Duration
	off := false
	cmd := c.command("here", c.exactly(0), c.remote(followForever, func(ctx context.Context, daemon *api.Client, _ []string) error {
		return saying(ctx, lasts, api.PresenceEvery, !off, daemon.SetPresence)
	}))
	cmd.Flags().DurationVar(&lasts, "for", 0, "")
	cmd.Flags().BoolVar(&off, "off", false, "")
	return withExample(cmd, `  pabal me here
  pabal me here --for 8h
  pabal me here --off`)
}

// saying says something once or, with a time, again and again as long as that lasts, and
// then that it has ended; also when the user ends it.
func saying(ctx context.Context, lasts, every time.Duration, on bool, say func(context.Context, bool) error) error {
	if lasts <= 0 || !on {
		return say(ctx, on)
	}
	ended, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		if err := say(ctx, true); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ended.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
			defer cancel()
			return say(last, false)
		case <-again.C:
		}
	}
}
