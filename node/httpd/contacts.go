package httpd

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/store"
)

type contactsInput struct {
	State string `query:"state" enum:"requested,pending,established,failed"`
	Query string `query:"query" maxLength:"256" doc:"part of a name or alias"`
}

func (s *Server) listContacts(ctx context.Context, in *contactsInput) (*reply[list[api.Contact]], error) {
	var out list[api.Contact]
	err := s.read(ctx, func(r *reader) error {
		rows, err := r.allContacts()
		if err != nil {
			return err
		}
		want := foldName(in.Query)
		if r.actor.redacted() {
			want = "" // or names could be guessed
		}
		rows = slices.DeleteFunc(rows, func(c protocol.PutContact) bool {
			return in.State != "" && string(c.Phase) != in.State || !nameHas(c.Name, want) && !nameHas(c.Alias, want)
		})
		out.Items, err = r.contactViews(rows)
		return err
	})
	return ok(0, out), err
}

// contactViews shows contacts by name.
func (r *reader) contactViews(rows []protocol.PutContact) ([]api.Contact, error) {
	slices.SortStableFunc(rows, func(a, b protocol.PutContact) int {
		return cmp.Compare(foldName(r.name(&a)), foldName(r.name(&b)))
	})
	out := make([]api.Contact, 0, len(rows))
	for i := range rows {
		view, err := r.contactView(&rows[i])
		if err != nil {
			return nil, err
		}
		out = append(out, view)
	}
	return out, nil
}

// nameHas reports whether a name contains a folded text, also as the initial
// consonants of its Hangul: ㅎㄱ finds 한글.
func nameHas(name, want string) bool {
	name = foldName(name)
	return strings.Contains(name, want) || strings.Contains(strings.Map(initialConsonant, name), want)
}

// initialConsonant returns the first letter of a Hangul syllable, else r.
func initialConsonant(r rune) rune {
	const (
		first, last      = '가', '힣'
		syllablesPerHead = 21 * 28
	)
	if r < first || r > last {
		return r
	}
	return []rune("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")[(r-first)/syllablesPerHead]
}

func (s *Server) contact(ctx context.Context, id string) (*reply[api.Contact], error) {
	var out api.Contact
	err := s.read(ctx, func(r *reader) error {
		c, err := r.resolve(id)
		if err != nil {
			return err
		}
		out, err = r.contactView(c)
		return err
	})
	return ok(0, out), err
}

func (s *Server) getContact(ctx context.Context, in *byID) (*reply[api.Contact], error) {
	return s.contact(ctx, in.ID)
}

type contactInput struct {
	ID   string `path:"id"`
	Body api.ContactPatch
}

func (s *Server) patchContact(ctx context.Context, in *contactInput) (*reply[api.Contact], error) {
	c, err := s.readContact(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	flags := contactFlags(&in.Body)
	if len(flags) > 0 && c.Conversation == (protocol.ConversationID{}) {
		return nil, api.NewProblem(api.CodeNotEstablished)
	}
	var steps []Step
	if in.Body.Alias.Present {
		alias := ""
		if v := in.Body.Alias.Value; v != nil && *v != "" {
			if err := checkName("/alias", *v); err != nil {
				return nil, err
			}
			alias = *v
		}
		steps = append(steps, Step{Input: func(ref uint64) protocol.Input {
			return protocol.SetAlias{Ref: ref, Contact: c.ID, Alias: alias}
		}})
	}
	if err := s.setContact(ctx, c, steps, flags); err != nil {
		return nil, err
	}
	return s.contact(ctx, c.ID.String())
}

// contactFlags is what of a patch is about what the contact hears.
func contactFlags(patch *api.ContactPatch) map[store.Flag]bool {
	flags := make(map[store.Flag]bool)
	for flag, on := range map[store.Flag]*bool{
		store.FlagReceipts: patch.ReadReceipts, store.FlagTyping: patch.Typing, store.FlagPresence: patch.Presence,
	} {
		if on != nil {
			flags[flag] = *on
		}
	}
	return flags
}

// setContact changes a contact as steps and flags say, all at once.
func (s *Server) setContact(ctx context.Context, c *protocol.PutContact, steps []Step, flags map[store.Flag]bool) error {
	if len(steps)+len(flags) == 0 {
		return nil
	}
	var rows []store.Row
	for flag, on := range flags {
		rows = append(rows, store.SetFlag{Conversation: c.Conversation, Flag: flag, Value: bit(on)})
	}
	var events []protocol.Event
	if len(flags) > 0 {
		events = []protocol.Event{{Type: protocol.ContactUpdated, Contact: c.ID}}
	}
	if err := s.changeAll(ctx, steps, rows, events...); err != nil {
		return err
	}
	if _, ok := flags[store.FlagPresence]; ok {
		return s.presenceAgain(ctx)
	}
	return nil
}

func (s *Server) removeContact(ctx context.Context, in *byID) (*done, error) {
	c, err := s.readContact(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input {
		return protocol.RemoveContact{Ref: ref, Contact: c.ID}
	})
}

func (s *Server) whyContact(ctx context.Context, in *byID) (*reply[api.Why], error) {
	c, err := s.readContact(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	why, err := s.why(ctx, Question{Contact: c.ID})
	why.Subject = c.ID.String()
	return ok(0, why), err
}

// why asks one question.
func (s *Server) why(ctx context.Context, about Question) (api.Why, error) {
	answers, err := s.daemon.Why(ctx, about)
	switch {
	case err != nil:
		return api.Why{}, err
	case answers[0] == nil:
		return api.Why{}, store.ErrNotFound
	}
	return *answers[0], nil
}

// verification compares the account with a contact's.
func (s *Server) verification(ctx context.Context, c *protocol.PutContact) (api.Verification, error) {
	if c.Account == (identity.AccountPublic{}) {
		return api.Verification{}, api.NewProblem(api.CodeNotEstablished)
	}
	id, err := s.daemon.Identity(ctx)
	if err != nil {
		return api.Verification{}, err
	}
	groups := strings.Fields(identity.NewFingerprint(id.Account, c.Account).String())
	state := string(c.Verification)
	if state == "" {
		state = string(protocol.Unverified)
	}
	return api.Verification{State: state, SafetyNumber: groups, QRPayload: safetyQRPrefix + strings.Join(groups, "")}, nil
}

func (s *Server) getVerification(ctx context.Context, in *byID) (*reply[api.Verification], error) {
	c, err := s.readContact(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out, err := s.verification(ctx, c)
	return ok(0, out), err
}

// verificationQR draws what the other side's program can compare.
func (s *Server) verificationQR(w http.ResponseWriter, r *http.Request) {
	c, err := s.readContact(r.Context(), r.PathValue("id"))
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	v, err := s.verification(r.Context(), c)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	s.answerQR(w, r, v.QRPayload)
}

type verifyInput struct {
	ID   string `path:"id"`
	Body api.VerifyRequest
}

func (s *Server) verify(ctx context.Context, in *verifyInput) (*reply[api.Verification], error) {
	c, err := s.readContact(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out, err := s.verification(ctx, c)
	if err != nil {
		return nil, err
	}
	if in.Body.Method == "qr" && in.Body.Payload == "" {
		return nil, invalid("/payload", api.FieldRequired)
	}
	if in.Body.Payload != "" && !sameNumber(in.Body, out) {
		return nil, api.NewProblem(api.CodeVerificationMismatch)
	}
	err = s.change(ctx, func(ref uint64) protocol.Input {
		return protocol.SetVerified{Ref: ref, Contact: c.ID, Verified: true}
	})
	if err != nil {
		return nil, err
	}
	return s.getVerification(ctx, &byID{ID: c.ID.String()})
}

// sameNumber compares what was scanned or typed with the safety number.
func sameNumber(in api.VerifyRequest, v api.Verification) bool {
	if in.Method == "qr" {
		return strings.TrimSpace(in.Payload) == v.QRPayload
	}
	digits := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, in.Payload)
	return digits == strings.Join(v.SafetyNumber, "")
}

func (s *Server) unverify(ctx context.Context, in *byID) (*done, error) {
	c, err := s.readContact(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input {
		return protocol.SetVerified{Ref: ref, Contact: c.ID}
	})
}

// acknowledge has mail go on to a contact whose devices changed since it was
// verified, without a comparison: it is not verified any more.
func (s *Server) acknowledge(ctx context.Context, in *byID) (*done, error) {
	c, err := s.readContact(ctx, in.ID)
	if err != nil || c.Verification != protocol.VerifiedChanged {
		return &done{}, err
	}
	return s.unverify(ctx, in)
}

func (s *Server) listBlocks(ctx context.Context, _ *none) (*reply[list[api.Block]], error) {
	var out list[api.Block]
	err := s.read(ctx, func(r *reader) error {
		rows, err := r.allContacts()
		out.Items = []api.Block{}
		for i := range rows {
			if rows[i].Blocked {
				out.Items = append(out.Items, api.Block{ContactID: rows[i].ID.String(), Name: r.name(&rows[i])})
			}
		}
		return err
	})
	return ok(0, out), err
}

func (s *Server) block(ctx context.Context, in *byID) (*done, error) {
	return s.setBlocked(ctx, in.ID, true)
}

func (s *Server) unblock(ctx context.Context, in *byID) (*done, error) {
	return s.setBlocked(ctx, in.ID, false)
}

func (s *Server) setBlocked(ctx context.Context, id string, blocked bool) (*done, error) {
	c, err := s.readContact(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.Blocked == blocked {
		return &done{}, nil
	}
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input {
		return protocol.SetBlocked{Ref: ref, Contact: c.ID, Blocked: blocked}
	})
}
