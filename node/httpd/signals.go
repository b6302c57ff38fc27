package httpd

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// presence knows until when it counts that the user is here, as the core does.
type presence struct {
	mu   sync.Mutex // held while the core is told, so that it hears in order
	said atomic.Pointer[here]
}

// here is that the user is at what is open: nobody is at another profile by that.
type here struct {
	store *store.Store
	until time.Time
}

// end has nobody be here, also if the core is just being told so.
func (p *presence) end() { p.said.Store(&here{}) }

func signalRoutes() []route {
	return []route{
		{method: http.MethodPost, path: "/v1/conversations/{id}/typing", summary: "Say that the user writes, for 6 seconds, to a contact that may know",
			scopes: scopes(api.ScopeMessagesSend), states: writing, status: http.StatusNoContent, register: operation((*Server).typing)},
		{method: http.MethodPut, path: "/v1/presence", summary: "Say that the user is here, for two minutes and a half, to the contacts that may know",
			scopes: scopes(api.ScopeConversationsWrite), states: writing, status: http.StatusNoContent, register: operation((*Server).putPresence)},
	}
}

type typingInput struct {
	ID   string `path:"id"`
	Body api.TypingRequest
}

// typing tells the contact, if it is to know. Whoever asks need not look before, and is not
// told by the answer.
func (s *Server) typing(ctx context.Context, in *typingInput) (*done, error) {
	id, err := s.knownConversation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	told := false
	err = s.read(ctx, func(r *reader) error {
		flags, err := r.Flags(id)
		told = flags[store.FlagTyping] != 0
		return err
	})
	if err != nil || !told {
		return &done{}, err
	}
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input {
		return protocol.SetTyping{Ref: ref, Conversation: id, On: in.Body.Active}
	})
}

type presenceInput struct{ Body api.PresenceRequest }

func (s *Server) putPresence(ctx context.Context, in *presenceInput) (*done, error) {
	if requestOf(ctx).actor.narrowed() { // it is of all conversations
		return nil, store.ErrNotFound
	}
	s.presence.mu.Lock()
	defer s.presence.mu.Unlock()
	return &done{}, s.setPresence(ctx, in.Body.Here)
}

// setPresence tells the core. The caller holds the lock.
func (s *Server) setPresence(ctx context.Context, on bool) error {
	input := protocol.SetPresence{Here: on}
	was, now := s.presence.said.Load(), &here{}
	if on {
		now.store = s.daemon.Store()
		err := s.view(s.owner, func(r *reader) (err error) {
			input.To, err = r.Flagged(store.FlagPresence)
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
		input.Ref = ref
		return input
	}, nil)
	if err != nil {
		return err
	}
	if on {
		now.until = s.now().Add(protocol.HereFor)
	}
	s.presence.said.CompareAndSwap(was, now) // a lock meanwhile has ended it
	return nil
}

// presenceAgain has the core know which contacts are to know, if the user is here.
func (s *Server) presenceAgain(ctx context.Context) error {
	s.presence.mu.Lock()
	defer s.presence.mu.Unlock()
	if said := s.presence.said.Load(); said == nil || said.store != s.daemon.Store() || !said.until.After(s.now()) {
		return nil
	}
	return s.setPresence(ctx, true)
}

// lockScreen locks the screen: then nobody is here, which the daemon says. It waits for nobody
// who tells the core something.
func (s *Server) lockScreen(ctx context.Context) error {
	if err := s.daemon.LockScreen(ctx); err != nil {
		return err
	}
	s.presence.end()
	return nil
}
