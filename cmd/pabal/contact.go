package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) contactCommand() *cobra.Command {
	return c.group("contact",
		c.contactList(), c.contactShow(), c.contactRename(),
		c.contactVerify(), c.contactUnverify(),
		c.contactSwitch("acknowledge", speech.KeyChangeAcknowledged, (*api.Client).AcknowledgeKeyChange),
		c.contactSwitch("block", speech.ContactBlocked, (*api.Client).Block),
		c.contactSwitch("unblock", speech.ContactUnblocked, (*api.Client).Unblock),
		c.contactTold("receipts", speech.ReceiptsOn, speech.ReceiptsOff, func(on *bool) api.ContactPatch { return api.ContactPatch{ReadReceipts: on} }),
		c.contactTold("typing", speech.TypingOn, speech.TypingOff, func(on *bool) api.ContactPatch { return api.ContactPatch{Typing: on} }),
		c.contactTold("presence", speech.PresenceOn, speech.PresenceOff, func(on *bool) api.ContactPatch { return api.ContactPatch{Presence: on} }),
		c.contactPicture(), c.contactRemove(),
	)
}

func (c *cli) contactList() *cobra.Command {
	var query api.ContactQuery
	cmd := c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		contacts, err := daemon.Contacts(ctx, query)
		if err != nil {
			return err
		}
		defer func() {
			for _, k := range contacts {
				c.warnOfName(contactName(k), k.Warnings, contacts)
			}
		}()
		return showList(c, contacts, speech.NoContacts, func(k api.Contact) []string {
			state := c.word("contact", k.State)
			if k.Blocked {
				state = c.word("contact", "blocked")
			}
			return []string{k.ID, dash(contactName(k)), state, c.word("verification", k.Verification)}
		})
	}))
	cmd.Flags().StringVar(&query.State, "state", "", "")
	cmd.Flags().StringVar(&query.Query, "query", "", "")
	return cmd
}

// onContact makes a command whose one or first argument names a contact.
func (c *cli) onContact(use string, args cobra.PositionalArgs, do func(context.Context, *api.Client, api.Contact, []string) error) *cobra.Command {
	cmd := c.command(use, args, c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		contact, err := findContact(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		return do(ctx, daemon, contact, args[1:])
	}))
	cmd.ValidArgsFunction = c.completeContacts
	return cmd
}

func (c *cli) contactShow() *cobra.Command {
	return c.onContact("show <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		if err := c.warnOfNames(ctx, daemon, contactName(k), k.Warnings); err != nil {
			return err
		}
		return c.show(k, func() error {
			return c.table([][]string{
				{"id", k.ID},
				{c.text(speech.LabelName), dash(k.Name)},
				{c.text(speech.LabelAlias), orDash(k.Alias)},
				{c.text(speech.LabelState), c.word("contact", k.State)},
				{c.text(speech.LabelVerification), c.word("verification", k.Verification)},
				{c.text(speech.LabelBlocked), c.yesNo(k.Blocked)},
				{c.text(speech.LabelReceipts), c.yesNo(k.ReadReceipts)},
				{c.text(speech.LabelTyping), c.yesNo(k.Typing)},
				{c.text(speech.LabelPresence), c.yesNo(k.Presence)},
				{c.text(speech.LabelPicture), c.yesNo(k.Picture != nil)},
				{c.text(speech.LabelConversation), orDash(k.ConversationID)},
				{c.text(speech.LabelSince), localTime(&k.CreatedAt)},
			})
		})
	})
}

func (c *cli) yesNo(b bool) string {
	if b {
		return c.text(speech.Yes)
	}
	return c.text(speech.No)
}

func (c *cli) contactRename() *cobra.Command {
	return c.onContact("rename <contact> [name]", c.between(1, 2), func(ctx context.Context, daemon *api.Client, k api.Contact, args []string) error {
		var alias *string // null gives the contact's own name back
		if len(args) == 1 && args[0] != "" {
			alias = &args[0]
		}
		changed, err := daemon.UpdateContact(ctx, k.ID, api.ContactPatch{Alias: api.Some(alias)})
		if err != nil {
			return err
		}
		c.say(speech.ContactRenamed, screen.Line(contactName(changed)))
		return c.show(changed, func() error { return nil })
	})
}

func (c *cli) contactVerify() *cobra.Command {
	var compare string
	cmd := c.onContact("verify <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		return c.recordVerification(ctx, daemon, k, compare)
	})
	cmd.Flags().StringVar(&compare, "compare", "", "")
	return cmd
}

func (c *cli) contactUnverify() *cobra.Command {
	return c.onContact("unverify <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		if err := daemon.Unverify(ctx, k.ID); err != nil {
			return err
		}
		c.say(speech.ContactUnverified, screen.Line(contactName(k)))
		return nil
	})
}

func (c *cli) contactSwitch(verb string, done speech.Key, do func(*api.Client, context.Context, string) error) *cobra.Command {
	return c.onContact(verb+" <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		if err := do(daemon, ctx, k.ID); err != nil {
			return err
		}
		c.say(done, screen.Line(contactName(k)))
		return nil
	})
}

func (c *cli) contactRemove() *cobra.Command {
	var yes bool
	cmd := c.onContact("remove <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		name := screen.Line(contactName(k))
		if err := c.confirm(yes, c.text(speech.AskRemoveContact, name)); err != nil {
			return err
		}
		if err := daemon.RemoveContact(ctx, k.ID); err != nil {
			return err
		}
		c.say(speech.ContactRemoved, name)
		return nil
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "")
	return cmd
}
