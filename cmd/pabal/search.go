package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// searchFlags narrow a search.
type searchFlags struct {
	in, from, kind, since, until string
	number                       int
}

func (c *cli) searchCommand() *cobra.Command {
	flags := searchFlags{}
	cmd := c.command("search <query>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		query, err := flags.query(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		page, err := searchAll(ctx, daemon, query, flags.number)
		if err != nil {
			return err
		}
		return c.show(page, func() error { return c.printFound(ctx, daemon, page) })
	}))
	cmd.Flags().StringVar(&flags.in, "in", "", "")
	cmd.Flags().StringVar(&flags.from, "from", "", "")
	cmd.Flags().StringVar(&flags.kind, "kind", "", "")
	cmd.Flags().StringVar(&flags.since, "since", "", "")
	cmd.Flags().StringVar(&flags.until, "until", "", "")
	cmd.Flags().IntVarP(&flags.number, "number", "n", api.ListDefault, "")
	return withExample(cmd, `  pabal search 회의실 --in Mina
  pabal search ㅎㅇㅅ --since 7d
  pabal search meet --from self`)
}

// query finds the conversation and the sender that the flags name.
func (f *searchFlags) query(ctx context.Context, daemon *api.Client, text string) (q api.SearchQuery, err error) {
	if f.number < 1 {
		return q, fail(exitUsage, "usage", speech.NumberWrong)
	}
	kinds := []string{api.SearchText, api.SearchContact}
	if f.kind != "" && !slices.Contains(kinds, f.kind) {
		return q, fail(exitUsage, "usage", speech.KindWrong, strings.Join(kinds, ", "))
	}
	q = api.SearchQuery{Text: text, Kind: f.kind}
	now := time.Now()
	if q.Since, err = parseSince(f.since, now); err != nil {
		return q, err
	}
	if q.Until, err = parseSince(f.until, now); err != nil {
		return q, err
	}
	if f.in != "" {
		conversation, err := findConversation(ctx, daemon, f.in)
		if err != nil {
			return q, err
		}
		q.Conversation = conversation.ID
	}
	if f.from == "" {
		return q, nil
	}
	contact, err := findContact(ctx, daemon, f.from)
	if isNotFound(err) && f.from == noteToSelf {
		q.From = api.SenderSelf
		return q, nil
	}
	q.From = contact.ID
	return q, err
}

// searchAll reads page by page until there are enough messages.
func searchAll(ctx context.Context, daemon *api.Client, query api.SearchQuery, number int) (api.SearchPage, error) {
	all := api.SearchPage{Items: []api.SearchHit{}, Contacts: []api.Contact{}}
	for {
		query.Limit = min(api.SearchMax, number-len(all.Items))
		page, err := daemon.Search(ctx, query)
		if err != nil {
			return all, err
		}
		page.Items = append(all.Items, page.Items...)
		page.Contacts = append(all.Contacts, page.Contacts...)
		page.Partial = page.Partial || all.Partial
		all = page
		if all.Next == nil || len(all.Items) >= number {
			return all, nil
		}
		query.After = *all.Next
	}
}

// printFound prints contacts, then messages, a line each: id, time, conversation,
// sender and the text around what was found.
func (c *cli) printFound(ctx context.Context, daemon *api.Client, page api.SearchPage) error {
	titles, err := c.titles(ctx, daemon)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, k := range page.Contacts {
		rows = append(rows, []string{k.ID, "-", contactName(k), "-", c.word("contact", k.State)})
	}
	for _, hit := range page.Items {
		rows = append(rows, c.messageRow(hit.Message, titles, around(hit)))
	}
	if len(rows) == 0 {
		c.say(speech.NothingFound)
	}
	if err := c.table(rows); err != nil {
		return err
	}
	if page.Next != nil {
		c.say(speech.SearchMore, strconv.Itoa(2*len(page.Items)))
	}
	if page.Partial {
		c.say(speech.SearchPartial)
	}
	return nil
}

// messageRow is a line of a list of messages of several conversations.
func (c *cli) messageRow(m api.Message, titles map[string]string, text string) []string {
	sender := m.Sender.Name
	if m.Sender.ContactID == api.SenderSelf {
		sender = c.text(speech.Me)
	}
	return []string{orDash(m.ID), localTime(arrival(m)), dash(titles[m.ConversationID]), dash(sender), text}
}

// titles maps the ids of conversations to what we call them.
func (c *cli) titles(ctx context.Context, daemon *api.Client) (map[string]string, error) {
	all, err := allConversations(ctx, daemon)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]string, len(all))
	for _, v := range all {
		byID[v.ID] = c.chatTitle(v)
	}
	return byID, nil
}

const (
	aroundBefore = 20 // code points shown before the first highlight
	aroundMax    = 80 // and in all
)

// around returns a part of a found text with the first highlight in it.
func around(hit api.SearchHit) string {
	if hit.Message.Body == nil {
		return "-"
	}
	text := []rune(hit.Message.Body.Text)
	first := 0
	if len(hit.Highlights) > 0 && len(text) > aroundMax {
		first = min(max(hit.Highlights[0][0]-aroundBefore, 0), len(text)-aroundMax)
	}
	last := min(first+aroundMax, len(text))
	out := string(text[first:last])
	if first > 0 {
		out = "…" + out
	}
	if last < len(text) {
		out += "…"
	}
	return out
}
