package httpd

import (
	"context"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// copies says who may hold a message: this device, the contact's, couriers, files,
// programs with a token. Nothing is counted that a place has given up, and nothing is
// claimed that only another machine can know.
func (s *Server) copies(ctx context.Context, in *byID) (*reply[api.Copies], error) {
	out := api.Copies{Items: []api.Copy{}}
	var c *protocol.PutConversation
	var m store.Message
	asks := requestOf(ctx).actor
	var tokens []*actor
	everything := asks.has(api.ScopeTokensManage) && !asks.narrowed()
	if everything {
		tokens = s.auth.list(s.daemon.Store())
	}
	err := s.read(ctx, func(r *reader) (err error) {
		if c, m, err = r.message(in.ID); err != nil {
			return err
		}
		out.MessageID, out.Items = messageID(&m), []api.Copy{}
		most, err := r.mostNotified()
		if err != nil {
			return err
		}
		out.Unknown = unknownCopies(c, &m, most)
		if m.State != protocol.MessageErased {
			out.Items = append(out.Items, api.Copy{Place: api.CopyThisDevice, Content: api.CopyReadable, Certainty: api.CopyKnown, At: api.MilliOrNil(m.At)})
			exported, err := r.exportCopy(c, &m)
			if err != nil {
				return err
			}
			if exported != nil {
				out.Items = append(out.Items, *exported)
			}
			if everything {
				if err := r.webhookCopies(c, &m, &out); err != nil {
					return err
				}
			}
			for _, t := range tokens {
				if t.mayHaveRead(c, &m) {
					out.Items = append(out.Items, tokenCopy(t))
				}
			}
		}
		if c.Kind == protocol.ConversationSelf {
			return nil
		}
		held, err := r.contactCopy(c, &m)
		out.Items = append(out.Items, held)
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.Direction == protocol.Out && m.State == "" && c.Kind != protocol.ConversationSelf {
		why, err := s.whyOf(ctx, c, &m)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, carriedCopies(&why)...)
	}
	return ok(0, out), nil
}

// mayHaveRead reports whether a token may have been used since a message came, and shows
// its text.
func (a *actor) mayHaveRead(c *protocol.PutConversation, m *store.Message) bool {
	reads := a.has(api.ScopeMessagesRead) || a.has(api.ScopeSearch)
	return reads && !a.redacted() && a.sees(c.ID.String()) && a.usedBy.Load() >= m.At && a.lastUse() != nil
}

// webhookCopies are those of programs that were sent events since a message came, whether they took them or not.
func (r *reader) webhookCopies(c *protocol.PutConversation, m *store.Message, out *api.Copies) error {
	all, err := r.webhooks()
	for i := range all {
		h := &all[i]
		if h.mayHaveRead(c, m) {
			h.actor.usedAt.Store(max(h.SentAt, h.DeliveredAt))
			k := tokenCopy(h.actor)
			k.Place = api.CopyWebhook
			out.Items = append(out.Items, k)
		}
	}
	return err
}

func tokenCopy(a *actor) api.Copy {
	id := a.id
	return api.Copy{Place: api.CopyToken, Content: api.CopyReadable, Certainty: api.CopyPossible,
		At: api.MilliOrNil(a.usedAt.Load()), ID: &id, Name: a.name}
}

// contactCopy is that of the other side's device. Of a message of ours its
// acknowledgement says that it is there; before that an attempt may have come through.
func (r *reader) contactCopy(c *protocol.PutConversation, m *store.Message) (api.Copy, error) {
	out := api.Copy{Place: api.CopyContactDevice, Content: api.CopyReadable, Certainty: api.CopyPossible, ID: idOrNil(c.Contact)}
	contact, err := r.contact(c.Contact)
	if err != nil {
		return out, err
	}
	out.Name = r.name(contact)
	if m.Direction == protocol.In {
		return out, nil
	}
	if d := deletionView(m); d != nil {
		out.Deletion = d.State
		if d.State != nil && *d.State == api.CopyConfirmed {
			out.Content = api.CopyNone
		}
		return out, nil
	}
	switch status := store.StatusOf(c, m); status {
	case store.StatusDelivered, store.StatusRead:
		out.Certainty = api.CopySaid
		since, err := r.StatusSince(c, m)
		out.At = api.MilliOrNil(since)
		return out, err
	}
	return out, nil
}

// carriedCopies are those of a message on its way, or of parts of its files: with couriers, and
// in a file.
func carriedCopies(why *api.Why) (all []api.Copy) {
	holds := 0
	for _, k := range why.Couriers {
		if k.Holds {
			holds++
		}
	}
	for range max(holds, why.PartCouriers) {
		all = append(all, api.Copy{Place: api.CopyCourier, Content: api.CopySealed, Certainty: api.CopySaid})
	}
	if why.ExportedAt != nil {
		all = append(all, api.Copy{Place: api.CopyBundleFile, Content: api.CopySealed, Certainty: api.CopyKnown, At: why.ExportedAt})
	}
	return all
}

// unknownCopies are the codes of what cannot be known from here. The system may keep what it was
// told to show: most is the most that notifications were ever allowed.
func unknownCopies(c *protocol.PutConversation, m *store.Message, most string) []string {
	all := []string{api.UnknownOwnBackups, api.UnknownOwnerPrograms}
	if c.Kind == protocol.ConversationSelf {
		return all
	}
	all = append(all, api.UnknownScreenshots, api.UnknownContactBackups)
	if m.Direction == protocol.In && most == api.NotifyFull {
		all = append(all, api.UnknownNotifications)
	}
	if m.Direction == protocol.Out && !waits(string(store.StatusOf(c, m))) {
		all = append(all, api.UnknownEarlierFiles)
	}
	return all
}
