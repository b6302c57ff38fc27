package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// noteToSelf is what the conversation with oneself is called on the command
// line, unless a contact has that name.
const noteToSelf = "self"

// contactName is what we call a contact: our name for them, else their own.
func contactName(contact api.Contact) string {
	if contact.Alias != nil && *contact.Alias != "" {
		return *contact.Alias
	}
	return contact.Name
}

// findContact returns the contact that word names: an id, else an alias, else
// the name they gave themselves; in NFC and without regard to case. A name that
// several have is refused with the candidates.
func findContact(ctx context.Context, daemon *api.Client, word string) (api.Contact, error) {
	contacts, err := daemon.Contacts(ctx, api.ContactQuery{})
	if err != nil {
		return api.Contact{}, err
	}
	return chooseContact(contacts, word)
}

func chooseContact(contacts []api.Contact, word string) (api.Contact, error) {
	word = strings.TrimPrefix(word, "@")
	wanted := speech.Fold(word)
	ways := []func(api.Contact) bool{
		func(k api.Contact) bool { return k.ID == word },
		func(k api.Contact) bool { return k.Alias != nil && speech.Fold(*k.Alias) == wanted },
		func(k api.Contact) bool { return speech.Fold(k.Name) == wanted },
	}
	for _, way := range ways {
		var found []api.Contact
		for _, k := range contacts {
			if way(k) {
				found = append(found, k)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return api.Contact{}, fail(exitConflict, api.CodeAmbiguous, speech.Ambiguous, screen.Line(word), candidates(found))
		}
	}
	return api.Contact{}, fail(exitNotFound, api.CodeNotFound, speech.NoSuchContact, screen.Line(word))
}

func candidates(contacts []api.Contact) string {
	lines := make([]string, len(contacts))
	for i, k := range contacts {
		lines[i] = "\n  " + k.ID + "  " + screen.Line(contactName(k))
	}
	return strings.Join(lines, "")
}

// findConversation returns the conversation that word names: its id, a contact,
// or "self". A contact that is not established has none yet.
func findConversation(ctx context.Context, daemon *api.Client, word string) (api.Conversation, error) {
	if strings.HasPrefix(word, "cv_") {
		return daemon.Conversation(ctx, word)
	}
	contact, err := findContact(ctx, daemon, word)
	if isNotFound(err) && word == noteToSelf {
		return daemon.OpenConversation(ctx, api.ConversationRequest{Kind: api.KindSelf})
	}
	if err != nil {
		return api.Conversation{}, err
	}
	if contact.ConversationID == nil {
		return api.Conversation{}, fail(exitConflict, api.CodeNotEstablished, speech.NotEstablished, screen.Line(contactName(contact)))
	}
	return daemon.Conversation(ctx, *contact.ConversationID)
}

// localID begins an id of the API.
var localID = regexp.MustCompile(`^[a-z]{2}_`)

// missing says of what was not found how it was called, where an argument did: the first that is
// an id, else the first. The problem names what a flag did.
func missing(err error, args []string) error {
	var p *api.Problem
	if !errors.As(err, &p) || p.Code != api.CodeNotFound || len(args) == 0 {
		return err
	}
	if slices.ContainsFunc(p.Errors, func(e api.FieldError) bool { return !strings.HasPrefix(e.Pointer, "path:") }) {
		return err
	}
	if len(args) > 1 && strings.HasPrefix(args[1], "/") { // a call of the API names no one
		return err
	}
	word := args[max(0, slices.IndexFunc(args, localID.MatchString))]
	return fail(exitNotFound, api.CodeNotFound, speech.NothingCalled, screen.Line(word))
}

func isNotFound(err error) bool { return err != nil && exitCode(err) == exitNotFound }

// names maps the ids of contacts to what we call them.
func names(ctx context.Context, daemon *api.Client) (map[string]string, error) {
	contacts, err := daemon.Contacts(ctx, api.ContactQuery{})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]string, len(contacts))
	for _, k := range contacts {
		byID[k.ID] = contactName(k)
	}
	return byID, nil
}
