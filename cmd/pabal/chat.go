package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// chatLines is how many messages an interactive chat begins with.
const chatLines = 20

func (c *cli) chatCommand() *cobra.Command {
	cmd := c.command("chat <chat>", c.exactly(1), c.remote(followForever, c.interactive))
	cmd.ValidArgsFunction = c.completeContacts
	cmd.AddCommand(c.chatList(), c.chatShow(), c.chatDisappear(), c.chatMute(), c.chatArchive(), c.chatPin(), c.chatMarkUnread(), c.chatDraft(), c.chatTyping())
	return withExample(cmd, `  pabal chat Mina
  pabal chat list`)
}

func (c *cli) chatList() *cobra.Command {
	var archived bool
	cmd := c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		all, err := allConversations(ctx, daemon)
		if err != nil {
			return err
		}
		count := len(all)
		conversations := slices.DeleteFunc(all, func(v api.Conversation) bool { return v.Archived != archived })
		slices.SortStableFunc(conversations, func(a, b api.Conversation) int { return cmp.Compare(rank(a), rank(b)) })
		none := speech.NoConversations
		switch {
		case archived:
			none = speech.NoneArchived
		case count > 0:
			none = speech.AllArchived
		}
		return showList(c, conversations, none, func(v api.Conversation) []string {
			at, excerpt := "-", "-"
			if v.Last != nil {
				at, excerpt = localTime(&v.Last.At), orDash(v.Last.Excerpt)
			}
			return []string{v.ID, c.chatTitle(v), unread(v), at, excerpt, c.chatFlags(v)}
		})
	}))
	cmd.Flags().BoolVar(&archived, "archived", false, "")
	return cmd
}

// rank has pinned conversations before the others.
func rank(v api.Conversation) int {
	if v.Pinned {
		return 0
	}
	return 1
}

// unread is how many messages are unread, or a mark of the user's own.
func unread(v api.Conversation) string {
	if v.Unread.Count == 0 && v.Unread.Marked {
		return "*"
	}
	return strconv.FormatUint(v.Unread.Count, 10)
}

// chatFlags says what the user set of a conversation.
func (c *cli) chatFlags(v api.Conversation) string {
	var set []string
	for _, flag := range []struct {
		on   bool
		word speech.Key
	}{
		{v.Pinned, speech.FlagPinned}, {v.MutedUntil != nil, speech.FlagMuted}, {v.Archived, speech.FlagArchived}, {v.Draft != nil, speech.FlagDraft},
	} {
		if flag.on {
			set = append(set, c.text(flag.word))
		}
	}
	return dash(strings.Join(set, ", "))
}

// allConversations reads the list page by page, newest first.
func allConversations(ctx context.Context, daemon *api.Client) ([]api.Conversation, error) {
	query := url.Values{"limit": {strconv.Itoa(api.ListMax)}}
	var all []api.Conversation
	for {
		response, err := daemon.Raw(ctx, api.RawRequest{Method: http.MethodGet, Path: "/v1/conversations", Query: query})
		if err != nil {
			return nil, err
		}
		var page struct {
			Items []api.Conversation `json:"items"`
			Next  *string            `json:"next"`
		}
		if err := readAnswer(response, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			return all, nil
		}
		query.Set("after", *page.Next)
	}
}

func (c *cli) chatTitle(v api.Conversation) string {
	if v.Kind == api.KindSelf {
		return c.text(speech.NoteToSelf)
	}
	return dash(v.Title)
}

func (c *cli) chatShow() *cobra.Command {
	cmd := c.command("show <chat>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		v, err := findConversation(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		return c.show(v, func() error {
			return c.table([][]string{
				{"id", v.ID},
				{c.text(speech.LabelName), c.chatTitle(v)},
				{c.text(speech.LabelUnread), unread(v)},
				{c.text(speech.LabelTimer), disappearing(v.Disappearing)},
				{c.text(speech.LabelFlags), c.chatFlags(v)},
				{c.text(speech.LabelVerification), c.word("security", v.Security.State)},
				{c.text(speech.LabelSince), localTime(&v.CreatedAt)},
			})
		})
	}))
	cmd.ValidArgsFunction = c.completeContacts
	return cmd
}

func (c *cli) chatDisappear() *cobra.Command {
	cmd := c.command("disappear <chat> [timer]", c.between(1, 2), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		v, err := findConversation(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		if len(args) == 2 {
			timer, err := parseDisappearing(args[1])
			if err != nil {
				return err
			}
			if v, err = daemon.UpdateConversation(ctx, v.ID, api.ConversationPatch{Disappearing: api.Some(timer)}); err != nil {
				return err
			}
		}
		return c.show(v, func() error { return c.print(disappearing(v.Disappearing)) })
	}))
	cmd.ValidArgsFunction = c.completeContacts
	return withExample(cmd, `  pabal chat disappear Mina 1w:read
  pabal chat disappear Mina never`)
}

// interactive shows a conversation as it goes on and sends each line that is
// typed, until the end of the input.
func (c *cli) interactive(ctx context.Context, daemon *api.Client, args []string) error {
	conversation, err := findConversation(ctx, daemon, args[0])
	if err != nil {
		return err
	}
	c.say(speech.ChatHow)
	following, end := context.WithCancel(ctx)
	group, following := errgroup.WithContext(following)
	group.Go(func() error {
		defer end()
		r := &reader{cli: c, daemon: daemon, conversation: conversation, flags: readFlags{number: chatLines, follow: true, mark: true}}
		if err := r.follow(following); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	sendErr := c.sendLines(following, daemon, conversation.ID)
	end()
	return errors.Join(sendErr, group.Wait())
}

// sendLines sends each line of standard input as a message.
func (c *cli) sendLines(ctx context.Context, daemon *api.Client, conversation string) error {
	for ctx.Err() == nil {
		line, err := c.lines().ReadString('\n')
		if text := strings.TrimRight(line, "\r\n"); text != "" {
			if _, err := c.send(ctx, daemon, conversation, "", api.MessageRequest{Text: text}, api.SendOptions{}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
