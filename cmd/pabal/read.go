package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// readFlags select what read prints.
type readFlags struct {
	number int
	since  string
	follow bool
	mark   bool
	ids    bool
}

func (c *cli) readCommand() *cobra.Command {
	flags := readFlags{}
	cmd := c.command("read <chat>", c.exactly(1), func(ctx context.Context, args []string) error {
		since, err := parseSince(flags.since, time.Now())
		if err != nil {
			return err
		}
		if flags.number < 1 {
			return fail(exitUsage, "usage", speech.NumberWrong)
		}
		limit := callTimeout
		if flags.follow {
			limit = followForever
		}
		return c.remote(limit, func(ctx context.Context, daemon *api.Client, args []string) error {
			conversation, err := findConversation(ctx, daemon, args[0])
			if err != nil {
				return err
			}
			r := &reader{cli: c, daemon: daemon, conversation: conversation, flags: flags, since: since}
			if flags.follow {
				return r.follow(ctx)
			}
			return r.printPage(ctx)
		})(ctx, args)
	})
	cmd.Flags().IntVarP(&flags.number, "number", "n", api.ListDefault, "")
	cmd.Flags().StringVar(&flags.since, "since", "", "")
	cmd.Flags().BoolVarP(&flags.follow, "follow", "f", false, "")
	cmd.Flags().BoolVar(&flags.mark, "mark", false, "")
	cmd.Flags().BoolVar(&flags.ids, "ids", false, "")
	cmd.ValidArgsFunction = c.completeContacts
	return withExample(cmd, `  pabal read Mina
  pabal read Mina -n 200 --since 24h
  pabal read Mina --follow --mark`)
}

// parseSince reads a time (RFC 3339), a date, or how long ago.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := parseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t, nil
	}
	return time.Time{}, fail(exitUsage, "usage", speech.SinceWrong)
}

// reader prints one conversation.
type reader struct {
	*cli
	daemon       *api.Client
	conversation api.Conversation
	flags        readFlags
	since        time.Time

	names   map[string]string
	printed map[string]bool // ids of messages, of a follow only
}

// printPage prints the newest messages, oldest first.
func (r *reader) printPage(ctx context.Context) error {
	page, err := r.page(ctx)
	if err != nil {
		return err
	}
	if r.cli.flags.json {
		if err := r.printJSON(page); err != nil {
			return err
		}
	} else if err := r.printLines(ctx, page.Items); err != nil {
		return err
	}
	return r.mark(ctx, page.Items)
}

// page collects the newest messages over as many pages as they need.
func (r *reader) page(ctx context.Context) (api.MessagePage, error) {
	all := api.MessagePage{Items: []api.Message{}}
	query := api.MessageQuery{}
	for len(all.Items) < r.flags.number {
		query.Limit = min(api.ListMax, r.flags.number-len(all.Items))
		page, err := r.daemon.Messages(ctx, r.conversation.ID, query)
		if err != nil {
			return all, err
		}
		if len(all.Items) == 0 {
			all.HasAfter = page.HasAfter
		}
		fresh := slices.DeleteFunc(slices.Clone(page.Items), r.tooOld)
		all.Items = append(fresh, all.Items...)
		all.HasBefore = page.HasBefore || len(fresh) < len(page.Items)
		if !page.HasBefore || len(fresh) < len(page.Items) || len(page.Items) == 0 {
			break
		}
		query.Before = page.Items[0].Position
	}
	return all, nil
}

func (r *reader) tooOld(m api.Message) bool {
	at := arrival(m)
	return !r.since.IsZero() && at != nil && at.Before(r.since)
}

// arrival is when a message came to this machine, or was written on it.
func arrival(m api.Message) *api.Time {
	if m.ReceivedAt != nil {
		return m.ReceivedAt
	}
	return m.CreatedAt
}

func (r *reader) printLines(ctx context.Context, messages []api.Message) error {
	if r.names == nil {
		var err error
		if r.names, err = names(ctx, r.daemon); err != nil {
			return err
		}
	}
	for _, m := range messages {
		if err := r.print(r.line(m)); err != nil {
			return err
		}
	}
	return nil
}

// line is "time sender text", with the message's id behind the time if it is wanted.
func (r *reader) line(m api.Message) string {
	sender := r.names[m.Sender.ContactID]
	switch {
	case m.Direction == api.DirectionOut || m.Sender.ContactID == api.SenderSelf:
		sender = r.text(speech.Me)
	case sender == "":
		sender = m.Sender.Name
	}
	id := ""
	if r.flags.ids {
		id = dash("") + " "
		if m.ID != nil {
			id = *m.ID + " "
		}
	}
	return r.paint(dim, localTime(arrival(m))) + " " + id + r.paint(bold, dash(screen.Line(sender))) + " " + r.content(m) + r.reactions(m.Reactions)
}

// reactions is "[👍 ❤️ 2]" behind a message that has emojis.
func (r *reader) reactions(list []api.Reaction) string {
	if len(list) == 0 {
		return ""
	}
	items := make([]string, len(list))
	for i, e := range list {
		items[i] = screen.Line(e.Emoji)
		if e.Count > 1 {
			items[i] += " " + strconv.Itoa(e.Count)
		}
	}
	return " " + r.paint(dim, "["+strings.Join(items, " ")+"]")
}

// content is what a message says, and that it is forwarded or edited.
func (r *reader) content(m api.Message) string {
	said := r.said(m)
	if m.Direction == api.DirectionIn && m.Body != nil && slices.ContainsFunc(m.Body.Mentions, func(n api.Mention) bool { return n.ContactID == api.SenderSelf }) {
		said = r.paint(dim, r.text(speech.MentionsYou)) + " " + said
	}
	if m.Forwarded {
		said = r.paint(dim, r.text(speech.ForwardedItem)) + " " + said
	}
	if m.Revision > 0 && m.Deleted == nil {
		said += " " + r.paint(dim, r.text(speech.EditedItem))
	}
	return said
}

func (r *reader) said(m api.Message) string {
	switch {
	case m.Deleted != nil:
		return r.text(speech.DeletedItem, r.word("deletion", deletionWord(m.Deleted)))
	case len(m.Attachments) > 0:
		items := make([]string, len(m.Attachments))
		for i := range m.Attachments {
			items[i] = r.fileItem(&m.Attachments[i])
		}
		if m.Body != nil {
			items = append(items, screen.Line(m.Body.Text))
		}
		return strings.Join(items, " ")
	case m.Body != nil && m.ReplyTo != nil:
		return r.text(speech.ReplyItem, r.quoted(m.ReplyTo)) + " " + screen.Line(m.Body.Text)
	case m.Body != nil:
		return screen.Line(m.Body.Text)
	case m.Kind == api.MessageGap:
		return r.text(speech.GapItem, strconv.FormatUint(m.Count, 10))
	case m.Kind == api.MessageUnsupported:
		return r.text(speech.UnsupportedItem)
	case m.System != nil && m.System.Code == api.SystemTimer:
		timer, err := m.System.Timer()
		if err != nil {
			return r.text(speech.UnsupportedItem)
		}
		return r.text(speech.TimerItem, r.timer(timer))
	case m.System != nil:
		return r.text(speech.SystemItem, r.word("system", m.System.Code))
	}
	return "-"
}

// quoted is what is shown of the message that another one answers.
func (r *reader) quoted(q *api.Quote) string {
	switch {
	case q.ID == nil:
		return r.text(speech.QuoteGone)
	case q.Excerpt == nil:
		return "-"
	}
	return screen.Line(*q.Excerpt)
}

// deletionWord is what became of the deletion of a message of ours, or that its sender has
// deleted it.
func deletionWord(d *api.Deletion) string {
	if d.State != nil {
		return *d.State
	}
	return d.By
}

// mark marks what was printed as read.
func (r *reader) mark(ctx context.Context, messages []api.Message) error {
	if !r.flags.mark || len(messages) == 0 {
		return nil
	}
	_, err := r.daemon.MarkRead(ctx, r.conversation.ID, messages[len(messages)-1].Position)
	return err
}

// follow prints the newest messages and then each one as it comes. The stream
// is open before the page is read, so that none falls between the two.
func (r *reader) follow(ctx context.Context) error {
	r.printed = map[string]bool{}
	options := api.EventsOptions{Latest: true, Types: []string{api.EventMessageCreated}, Conversation: r.conversation.ID}
	err := r.daemon.Follow(ctx, options, func(e api.Event) error {
		switch e.Type {
		case api.EventHello:
			page, err := r.page(ctx)
			if err != nil {
				return err
			}
			return r.printNew(ctx, page.Items)
		case api.EventMessageCreated:
			var m api.Message
			if err := json.Unmarshal(e.Data, &m); err != nil {
				return err
			}
			return r.printNew(ctx, []api.Message{m})
		}
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) && r.cli.flags.timeout > 0 {
		return nil // --timeout says how long to follow
	}
	return err
}

func (r *reader) printNew(ctx context.Context, messages []api.Message) error {
	messages = slices.DeleteFunc(slices.Clone(messages), func(m api.Message) bool {
		return m.ID == nil || r.printed[*m.ID] || m.ConversationID != r.conversation.ID
	})
	for _, m := range messages {
		r.printed[*m.ID] = true
	}
	if r.cli.flags.json {
		for _, m := range messages {
			if err := json.NewEncoder(r.out).Encode(m); err != nil {
				return err
			}
		}
	} else if err := r.printLines(ctx, messages); err != nil {
		return err
	}
	return r.mark(ctx, messages)
}
