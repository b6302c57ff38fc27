package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// Commands for what the user sets for themselves; no contact is told.

// onChat is a command that changes one conversation and says so.
func (c *cli) onChat(use string, said func() speech.Key, change func(context.Context, *api.Client, string) (api.Conversation, error)) *cobra.Command {
	cmd := c.command(use, c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		v, err := findConversation(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		if v, err = change(ctx, daemon, v.ID); err != nil {
			return err
		}
		c.say(said(), screen.Line(c.chatTitle(v)))
		if c.flags.json {
			return c.printJSON(v)
		}
		return nil
	}))
	cmd.ValidArgsFunction = c.completeContacts
	return cmd
}

// chatFlag is onChat for a flag that --off takes back.
func (c *cli) chatFlag(use string, on, off speech.Key, patch func(set bool) api.ConversationPatch) *cobra.Command {
	var unset bool
	cmd := c.onChat(use, func() speech.Key {
		if unset {
			return off
		}
		return on
	}, func(ctx context.Context, daemon *api.Client, id string) (api.Conversation, error) {
		return daemon.UpdateConversation(ctx, id, patch(!unset))
	})
	cmd.Flags().BoolVar(&unset, "off", false, "")
	return cmd
}

func (c *cli) chatMute() *cobra.Command {
	var length durationValue
	cmd := c.chatFlag("mute <chat>", speech.ChatMuted, speech.ChatUnmuted, func(set bool) api.ConversationPatch {
		switch {
		case !set:
			return api.ConversationPatch{MutedUntil: api.Some[*api.Time](nil)}
		case length == 0:
			return api.ConversationPatch{MutedUntil: api.Some(forever())}
		}
		until := api.NewTime(time.Now().Add(time.Duration(length)))
		return api.ConversationPatch{MutedUntil: api.Some(&until)}
	})
	cmd.Flags().Var(&length, "for", "")
	return withExample(cmd, `  pabal chat mute Mina --for 8h
  pabal chat mute Mina --off`)
}

// forever is a time that is never reached.
func forever() *api.Time {
	t, err := time.Parse(time.RFC3339, api.MutedForever)
	if err != nil {
		panic("pabal: " + err.Error()) // a constant
	}
	at := api.NewTime(t)
	return &at
}

func (c *cli) chatArchive() *cobra.Command {
	return c.chatFlag("archive <chat>", speech.ChatArchived, speech.ChatUnarchived, func(set bool) api.ConversationPatch {
		return api.ConversationPatch{Archived: &set}
	})
}

func (c *cli) chatPin() *cobra.Command {
	return c.chatFlag("pin <chat>", speech.ChatPinned, speech.ChatUnpinned, func(set bool) api.ConversationPatch {
		return api.ConversationPatch{Pinned: &set}
	})
}

func (c *cli) chatMarkUnread() *cobra.Command {
	return c.onChat("mark-unread <chat>", func() speech.Key { return speech.ChatMarkedUnread },
		func(ctx context.Context, daemon *api.Client, id string) (api.Conversation, error) {
			return daemon.MarkUnread(ctx, id)
		})
}

// chatDraft prints a draft, keeps one or erases it.
func (c *cli) chatDraft() *cobra.Command {
	var erase bool
	cmd := c.command("draft <chat> [text|-]", c.between(1, 2), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		v, err := findConversation(ctx, daemon, args[0])
		switch {
		case err != nil:
			return err
		case erase:
			return daemon.DeleteDraft(ctx, v.ID)
		case len(args) == 2:
			text, err := c.messageText(args[1])
			if err != nil {
				return err
			}
			_, err = daemon.PutDraft(ctx, v.ID, api.DraftRequest{Text: text})
			return err
		case v.Draft == nil:
			c.say(speech.NoDraft)
			return nil
		}
		return c.show(v.Draft, func() error { return c.print(screen.Block(v.Draft.Text)) })
	}))
	cmd.Flags().BoolVar(&erase, "off", false, "")
	cmd.ValidArgsFunction = c.completeContacts
	return cmd
}

// markCommand puts a mark on a message, and lists those that have it.
func (c *cli) markCommand(mark string, on, off speech.Key) *cobra.Command {
	var unset bool
	cmd := c.command(mark+" <message>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		if unset {
			err := daemon.RemoveMark(ctx, args[0], mark)
			if err == nil {
				c.say(off)
			}
			return err
		}
		err := daemon.SetMark(ctx, args[0], mark)
		if err == nil {
			c.say(on)
		}
		return err
	}))
	cmd.Flags().BoolVar(&unset, "off", false, "")
	cmd.AddCommand(c.markList(mark))
	return cmd
}

func (c *cli) markList(mark string) *cobra.Command {
	number := 0
	cmd := c.command("list [chat]", c.between(0, 1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		query := api.MarkedQuery{Mark: mark}
		if len(args) == 1 {
			v, err := findConversation(ctx, daemon, args[0])
			if err != nil {
				return err
			}
			query.Conversation = v.ID
		}
		all, err := markedMessages(ctx, daemon, query, number)
		if err != nil {
			return err
		}
		titles, err := c.titles(ctx, daemon)
		if err != nil {
			return err
		}
		return showList(c, all, speech.NothingMarked, func(m api.Message) []string {
			return c.messageRow(m, titles, around(api.SearchHit{Message: m}))
		})
	}))
	cmd.Flags().IntVarP(&number, "number", "n", api.ListDefault, "")
	cmd.ValidArgsFunction = c.completeContacts
	return cmd
}

// markedMessages reads page by page until there are enough.
func markedMessages(ctx context.Context, daemon *api.Client, query api.MarkedQuery, number int) (all []api.Message, err error) {
	for len(all) < number {
		query.Limit = min(api.ListMax, number-len(all))
		page, err := daemon.Marked(ctx, query)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			break
		}
		query.After = *page.Next
	}
	return all, nil
}
