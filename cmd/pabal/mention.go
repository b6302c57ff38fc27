package main

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// mentionsTo returns the places in a text to somebody that name one of the two.
func mentionsTo(ctx context.Context, daemon *api.Client, to, text string) ([]api.Mention, error) {
	var contact *api.Contact
	if !strings.HasPrefix(to, "cv_") {
		found, err := findContact(ctx, daemon, to)
		if err != nil && (!isNotFound(err) || to != noteToSelf) {
			return nil, err
		}
		if err == nil {
			contact = &found
		}
		return mentionsIn(ctx, daemon, contact, text)
	}
	v, err := daemon.Conversation(ctx, to)
	if err != nil {
		return nil, err
	}
	return mentionsBetween(ctx, daemon, v, text)
}

// mentionsOf returns those in a new text for a message.
func mentionsOf(ctx context.Context, daemon *api.Client, message, text string) ([]api.Mention, error) {
	m, err := daemon.Message(ctx, message)
	if err != nil {
		return nil, err
	}
	v, err := daemon.Conversation(ctx, m.ConversationID)
	if err != nil {
		return nil, err
	}
	return mentionsBetween(ctx, daemon, v, text)
}

func mentionsBetween(ctx context.Context, daemon *api.Client, v api.Conversation, text string) ([]api.Mention, error) {
	if v.ContactID == nil {
		return mentionsIn(ctx, daemon, nil, text)
	}
	contact, err := daemon.Contact(ctx, *v.ContactID)
	if err != nil {
		return nil, err
	}
	return mentionsIn(ctx, daemon, &contact, text)
}

// named is a way in which a text may name somebody.
type named struct{ name, id string }

// mentionsIn returns the places where an @ stands before a name of the contact, ours for it or
// its own, or before our own name. That there is none is refused: it was asked for.
func mentionsIn(ctx context.Context, daemon *api.Client, contact *api.Contact, text string) ([]api.Mention, error) {
	self, err := daemon.Self(ctx)
	if err != nil {
		return nil, err
	}
	people := []named{{self.DisplayName, api.SenderSelf}}
	if contact != nil {
		people = append(people, named{contact.Name, contact.ID})
		if contact.Alias != nil {
			people = append(people, named{*contact.Alias, contact.ID})
		}
	}
	found := findMentions(text, people)
	if len(found) == 0 {
		return nil, fail(exitUsage, "usage", speech.NobodyMentioned)
	}
	return found, nil
}

// findMentions looks for names behind an @; of names that begin alike the longest counts.
func findMentions(text string, people []named) (found []api.Mention) {
	people = slices.DeleteFunc(slices.Clone(people), func(p named) bool { return p.name == "" })
	slices.SortStableFunc(people, func(a, b named) int { return len(b.name) - len(a.name) })
	at := uint32(0)
	for len(text) > 0 {
		length := uint32(1)
		for _, p := range people {
			name := "@" + norm.NFC.String(p.name)
			if strings.HasPrefix(text, name) {
				length = uint32(utf8.RuneCountInString(name))
				found = append(found, api.Mention{ContactID: p.id, Start: at, Length: length})
				break
			}
		}
		at += length
		for range length {
			_, size := utf8.DecodeRuneInString(text)
			text = text[size:]
		}
	}
	return found
}
