package main

import (
	"context"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// warnOfNames is warnOfName where the contacts were not read.
func (c *cli) warnOfNames(ctx context.Context, daemon *api.Client, name string, warnings []api.Warning) error {
	if len(warnings) == 0 {
		return nil
	}
	contacts, err := daemon.Contacts(ctx, api.ContactQuery{})
	if err == nil {
		c.warnOfName(name, warnings, contacts)
	}
	return err
}

// warnOfName tells why a name that somebody gave themselves may deceive.
func (c *cli) warnOfName(name string, warnings []api.Warning, contacts []api.Contact) {
	for _, w := range warnings {
		other, _ := w.Params["contact_id"].(string)
		switch {
		case w.Code == api.WarningMixedAlphabets:
			c.say(speech.NameMixesAlphabets, name)
		case w.Code == api.WarningLooksLike && other == api.SenderSelf:
			c.say(speech.NameLooksLikeOwn, name)
		case w.Code == api.WarningLooksLike:
			c.say(speech.NameLooksLike, name, calledBy(contacts, other), other)
		}
	}
}

// calledBy returns what a contact is called, by its id.
func calledBy(contacts []api.Contact, id string) string {
	for _, k := range contacts {
		if k.ID == id {
			return contactName(k)
		}
	}
	return id
}
