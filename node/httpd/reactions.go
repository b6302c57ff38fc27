package httpd

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

func reactionRoutes() []route {
	manage := scopes(api.ScopeMessagesManage)
	return []route{
		{method: http.MethodPut, path: "/v1/messages/{id}/reactions/{emoji}", summary: "Put an emoji on a message, for both sides",
			scopes: manage, states: writing, status: http.StatusNoContent, register: operation(setReaction(true))},
		{method: http.MethodDelete, path: "/v1/messages/{id}/reactions/{emoji}", summary: "Take one's emoji off a message",
			scopes: manage, states: writing, status: http.StatusNoContent, register: operation(setReaction(false))},
	}
}

type reactionInput struct {
	ID    string `path:"id"`
	Emoji string `path:"emoji" doc:"one emoji, percent-encoded; at most 8 of one person on one message"`
}

// setReaction returns the handler that puts an emoji on a message or takes it off.
func setReaction(on bool) func(*Server, context.Context, *reactionInput) (*done, error) {
	return func(s *Server, ctx context.Context, in *reactionInput) (*done, error) {
		var say protocol.React
		changes := false
		leave, err := s.onMessage(ctx, in.ID, func(r *reader, c *protocol.PutConversation, m *store.Message) error {
			about, err := referenceTo(m, "path:id")
			if err != nil {
				return err
			}
			say = protocol.React{ID: m.ID, Conversation: c.ID, About: *about}
			all, err := r.Reactions(m)
			if err != nil {
				return err
			}
			for i := range all {
				if !all[i].In {
					say.Before, say.Emojis = &all[i].Reaction, all[i].Emojis
				}
			}
			say.Emojis, changes = withEmoji(say.Emojis, in.Emoji, on)
			return nil
		})
		if err != nil {
			return nil, err
		}
		defer leave()
		if !changes {
			return &done{}, nil
		}
		return &done{}, s.change(ctx, func(ref uint64) protocol.Input {
			say.Ref = ref
			return say
		})
	}
}

// withEmoji returns a set of emojis with one more or one less.
func withEmoji(set []string, emoji string, on bool) (changed []string, changes bool) {
	at := slices.IndexFunc(set, func(e string) bool { return protocol.SameEmoji(e, emoji) })
	switch {
	case on && at < 0:
		return append(slices.Clone(set), emoji), true
	case !on && at >= 0:
		return slices.Delete(slices.Clone(set), at, at+1), true
	}
	return set, false
}

// reactionsView counts the emojis on a message. What a contact says that is no emoji is not
// shown.
func (r *reader) reactionsView(m *store.Message) ([]api.Reaction, error) {
	out := []api.Reaction{}
	if r.actor.redacted() {
		return out, nil
	}
	all, err := r.Reactions(m)
	if err != nil {
		return out, err
	}
	slices.SortFunc(all, func(a, b store.Reaction) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, said := range all {
		seen := make([]bool, len(out)+wire.ReactionsMax) // each person counts once
		for _, emoji := range said.Emojis {
			if !protocol.ValidEmoji(emoji) {
				continue
			}
			at := slices.IndexFunc(out, func(o api.Reaction) bool { return protocol.SameEmoji(o.Emoji, emoji) })
			if at < 0 {
				at = len(out)
				out = append(out, api.Reaction{Emoji: emoji})
			}
			if !seen[at] {
				seen[at] = true
				out[at].Count++
				out[at].Mine = out[at].Mine || !said.In
			}
		}
	}
	return out, nil
}
