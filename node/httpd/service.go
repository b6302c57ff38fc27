package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

func (s *Server) getStatus(ctx context.Context, _ *none) (*reply[api.Status], error) {
	state := s.daemon.State()
	out := api.Status{
		State: state.State, Since: api.NewTime(state.Since), Version: s.config.Version, Commit: s.config.Commit,
		API:     api.Version{Major: api.Major, Minor: api.Minor, Features: []string{}},
		Profile: s.config.Profile, Network: state.Network, Warnings: notNil(state.Warnings),
	}
	if state.State == api.StateLocked {
		lock := api.LockKeys
		if state.Screen {
			lock = api.LockScreen
		}
		out.Lock = &lock
	}
	if s.daemon.Store() == nil {
		return ok(0, out), nil
	}
	err := s.read(ctx, func(r *reader) error {
		totals, err := r.Totals()
		out.UnreadTotal, out.OutboxTotal = int(totals.Unread), int(totals.Waiting)
		return err
	})
	if errors.Is(err, store.ErrClosed) { // locked meanwhile: the state says so next time
		err = nil
	}
	return ok(0, out), err
}

type setupInput struct{ Body api.SetupRequest }

func (s *Server) setup(ctx context.Context, in *setupInput) (*reply[api.SetupResponse], error) {
	req := in.Body
	if err := checkName("/display_name", req.DisplayName); err != nil {
		return nil, err
	}
	if _, err := timer(req.Disappearing); err != nil {
		return nil, err
	}
	set := Setup{DisplayName: req.DisplayName, Disappearing: req.Disappearing}
	switch {
	case req.Keyfile && req.Passphrase != "":
		return nil, invalid("/keyfile", api.FieldNotAllowed)
	case req.Keyfile:
	case req.Passphrase == "":
		return nil, invalid("/passphrase", api.FieldRequired)
	case len(req.Passphrase) < api.PassphraseBytesMin:
		return nil, invalid("/passphrase", api.FieldTooShort)
	case len(req.Passphrase) > api.PassphraseBytesMax:
		return nil, invalid("/passphrase", api.FieldTooLong)
	default:
		set.Passphrase = []byte(req.Passphrase)
	}
	ctx, cancel := context.WithTimeout(ctx, operationMax)
	defer cancel()
	if err := s.daemon.Setup(ctx, set); err != nil {
		return nil, err
	}
	out, err := s.self(ctx)
	return ok(0, api.SetupResponse{Self: out}), err
}

// invalid refuses one field.
func invalid(pointer string, code api.Code) error {
	return api.NewProblem(api.CodeValidationFailed).At(pointer, code)
}

// checkName refuses what is no name for a person: empty, too long, or with
// characters that are not seen or that turn the text around them.
func checkName(pointer, name string) error {
	visible := false
	for _, r := range name {
		if unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) {
			return api.NewProblem(api.CodeInvalidName).At(pointer, api.FieldNotAllowed)
		}
		visible = visible || unicode.IsGraphic(r) && !unicode.IsSpace(r)
	}
	switch {
	case len(name) > api.NameBytesMax:
		return api.NewProblem(api.CodeInvalidName).At(pointer, api.FieldTooLong)
	case !visible:
		return api.NewProblem(api.CodeInvalidName).At(pointer, api.FieldTooShort)
	}
	return nil
}

type unlockInput struct{ Body *api.UnlockRequest }

func (s *Server) unlock(ctx context.Context, in *unlockInput) (*done, error) {
	var passphrase []byte
	if in.Body != nil && in.Body.Passphrase != "" {
		if len(in.Body.Passphrase) > api.PassphraseBytesMax {
			return nil, invalid("/passphrase", api.FieldTooLong)
		}
		passphrase = []byte(in.Body.Passphrase)
	}
	if err := s.guess(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, operationMax)
	defer cancel()
	if err := s.daemon.Unlock(ctx, passphrase); err != nil {
		return nil, err
	}
	s.auth.guessed(requestOf(ctx).actor)
	return &done{}, nil
}

type lockInput struct{ Body *api.LockRequest }

// lock locks as asked. What is locked already stays so: the keys of a locked screen are
// erased, but erased keys do not come back.
func (s *Server) lock(ctx context.Context, in *lockInput) (*done, error) {
	defer s.auth.endConfirmations()
	defer s.pairings.end()
	by := requestOf(ctx).actor
	switch state := s.daemon.State(); {
	case in.Body != nil && in.Body.Screen:
		return &done{}, s.locks(by, func() error { return s.lockScreen(ctx) })
	case state.State == api.StateLocked && !state.Screen:
		return &done{}, nil
	}
	defer s.presence.end()
	return &done{}, s.locks(by, func() error { return s.daemon.Lock(ctx) })
}

type passphraseInput struct{ Body api.PassphraseRequest }

// changePassphrase asks for the old passphrase, as putDuress does. Whoever was logged in must
// log in again.
func (s *Server) changePassphrase(ctx context.Context, in *passphraseInput) (*reply[api.Job], error) {
	var old, passphrase []byte
	if p := in.Body.Old; p != nil {
		if len(*p) > api.PassphraseBytesMax {
			return nil, invalid("/old", api.FieldTooLong)
		}
		old = []byte(*p)
	}
	if p := in.Body.New; p != nil {
		switch {
		case len(*p) < api.PassphraseBytesMin:
			return nil, invalid("/new", api.FieldTooShort)
		case len(*p) > api.PassphraseBytesMax:
			return nil, invalid("/new", api.FieldTooLong)
		}
		passphrase = []byte(*p)
	}
	if err := s.guess(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, operationMax)
	defer cancel()
	job, err := s.daemon.ChangePassphrase(ctx, old, passphrase)
	if err != nil {
		return nil, err
	}
	s.auth.guessed(requestOf(ctx).actor)
	s.auth.endSessions()
	s.pairings.end()
	return ok(0, job), nil
}

// guess refuses whoever has guessed at the passphrase too often.
func (s *Server) guess(ctx context.Context) error {
	if s.auth.mayGuess(requestOf(ctx).actor, s.now()) {
		return nil
	}
	return tooManyGuesses()
}

func tooManyGuesses() error {
	p := api.NewProblem(api.CodeRateLimited)
	p.RetryAfterMS = failuresEvery.Milliseconds()
	return p
}

type duressInput struct{ Body api.DuressRequest }

// putDuress sets or clears the duress passphrase. It asks for the passphrase of what is open:
// whoever finds the machine unlocked must not set one.
func (s *Server) putDuress(ctx context.Context, in *duressInput) (*done, error) {
	req := in.Body
	set := Duress{Passphrase: []byte(req.Passphrase), DisplayName: req.DisplayName}
	if len(req.Passphrase) > api.PassphraseBytesMax {
		return nil, invalid("/passphrase", api.FieldTooLong)
	}
	if d := req.DuressPassphrase; d != nil {
		switch {
		case len(*d) < api.PassphraseBytesMin:
			return nil, invalid("/duress_passphrase", api.FieldTooShort)
		case len(*d) > api.PassphraseBytesMax:
			return nil, invalid("/duress_passphrase", api.FieldTooLong)
		}
		set.Duress = []byte(*d)
		if req.DisplayName == "" {
			self, err := s.self(ctx)
			if err != nil {
				return nil, err
			}
			set.DisplayName = self.DisplayName
		}
		if err := checkName("/display_name", set.DisplayName); err != nil {
			return nil, err
		}
	}
	if err := s.guess(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, operationMax)
	defer cancel()
	if err := s.daemon.SetDuress(ctx, set); err != nil {
		return nil, err
	}
	s.auth.guessed(requestOf(ctx).actor)
	return &done{}, nil
}

type wipeInput struct{ Body api.WipeRequest }

func (s *Server) wipe(ctx context.Context, in *wipeInput) (*done, error) {
	if !in.Body.Confirm {
		return nil, invalid("/confirm", api.FieldRequired)
	}
	s.noteFirst(api.AuditWipe, requestOf(ctx).actor)
	return &done{}, s.daemon.Wipe(ctx)
}

// shutdownAnswer is the empty object that POST /v1/shutdown answers with.
type shutdownAnswer struct{}

func (s *Server) shutdown(context.Context, *none) (*reply[shutdownAnswer], error) {
	s.daemon.Stop()
	return ok(0, shutdownAnswer{}), nil
}

type snapshotInput struct {
	Conversations int `query:"conversations" minimum:"0" maximum:"200" default:"50"`
	Messages      int `query:"messages" minimum:"0" maximum:"50" default:"1" doc:"of each conversation"`
}

func (s *Server) snapshot(ctx context.Context, in *snapshotInput) (*reply[api.SnapshotResponse], error) {
	self, err := s.self(ctx)
	if err != nil {
		return nil, err
	}
	out := api.SnapshotResponse{Self: self}
	actor := requestOf(ctx).actor
	err = s.read(ctx, func(r *reader) error {
		out.Cursor = requestOf(ctx).cursor
		if out.Self.DisplayName, err = r.ownName(); err != nil {
			return err
		}
		if out.Settings, err = r.settings(); err != nil {
			return err
		}
		if err := r.snapshotPeople(&out); err != nil {
			return err
		}
		return r.snapshotConversations(&out, in)
	})
	if !actor.has(api.ScopeSettingsRead) {
		out.Settings = api.Settings{}
	}
	return ok(0, out), err
}

func (r *reader) snapshotPeople(out *api.SnapshotResponse) error {
	out.Contacts, out.Requests = []api.Contact{}, []api.Request{}
	contacts, err := r.allContacts() // also fills the cache that names come from
	if err != nil || !r.actor.has(api.ScopeContactsRead) {
		return err
	}
	for i := range contacts {
		view, err := r.contactView(&contacts[i])
		if err != nil {
			return err
		}
		out.Contacts = append(out.Contacts, view)
	}
	requests, err := r.requests()
	for i := range requests {
		if requests[i].Phase != protocol.RequestWaiting {
			continue
		}
		view, err := r.requestView(&requests[i])
		if err != nil {
			return err
		}
		out.Requests = append(out.Requests, view)
	}
	return err
}

func (r *reader) snapshotConversations(out *api.SnapshotResponse, in *snapshotInput) error {
	out.Conversations, out.Messages = []api.Conversation{}, []api.Message{}
	rows, err := r.visibleConversations(in.Conversations)
	if err != nil {
		return err
	}
	messages := r.actor.has(api.ScopeMessagesRead) || r.actor.has(api.ScopeMessagesMeta)
	for i := range rows {
		view, err := r.conversationView(&rows[i])
		if err != nil {
			return err
		}
		if !messages {
			view.Last = nil
		}
		out.Conversations = append(out.Conversations, view)
		if in.Messages == 0 || !messages {
			continue
		}
		page, err := r.Messages(rows[i].ID, store.PageQuery{Limit: in.Messages})
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			m, err := r.itemView(&rows[i], item)
			if err != nil {
				return err
			}
			out.Messages = append(out.Messages, m)
		}
	}
	return nil
}

// The names of settings in the store.
const (
	settingDisappearing = "disappearing"
	settingLanguage     = "language"
	settingDeletions    = "deletions"
	settingLockIdle     = "lock_idle_seconds"
	settingNotify       = "notifications"

	// What was ever set of the setting before, each in a row of its own that stays.
	settingNotified = "notified_"
)

// DisappearingSetting is the row of the setting that shows the timer of new
// conversations; the implementation of [Daemon] commits it when it makes a profile.
func DisappearingSetting(d *api.Disappearing) store.Row { return settingRow(settingDisappearing, d) }

func settingRow(name string, value any) store.Row {
	b, err := json.Marshal(value)
	if err != nil {
		panic("httpd: encode setting: " + err.Error()) // numbers and strings
	}
	return store.PutSetting{Name: name, Value: b}
}

// settings reads all settings; one that was never set has its zero value.
func (r *reader) settings() (api.Settings, error) {
	out := api.Settings{Deletions: api.DeletionsConfirm, Notify: api.NotifyNone}
	for name, field := range map[string]any{
		settingDisappearing: &out.Disappearing, settingLanguage: &out.Language, settingDeletions: &out.Deletions,
		settingLockIdle: &out.LockIdle, settingNotify: &out.Notify,
	} {
		value, err := r.Setting(name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		if err := json.Unmarshal(value, field); err != nil {
			return out, fmt.Errorf("read setting %s: %w", name, err)
		}
	}
	return out, nil
}

func (s *Server) getSettings(ctx context.Context, _ *none) (*reply[api.Settings], error) {
	var out api.Settings
	err := s.read(ctx, func(r *reader) (err error) {
		out, err = r.settings()
		return err
	})
	return ok(0, out), err
}

// mostNotified is the most that the setting of notifications ever allowed: what a system has shown it
// may keep, whatever is set now.
func (r *reader) mostNotified() (string, error) {
	for _, level := range []string{api.NotifyFull, api.NotifySome} {
		_, err := r.Setting(settingNotified + level)
		if err == nil || !errors.Is(err, store.ErrNotFound) {
			return level, err
		}
	}
	now, err := r.settings()
	return now.Notify, err // set before any was noted
}

// notifyRows are the rows of the setting of notifications. A token may have less shown, not more:
// what is shown is the system's, even texts that the token cannot read.
func (s *Server) notifyRows(ctx context.Context, to string) ([]store.Row, error) {
	var was api.Settings
	err := s.read(ctx, func(r *reader) (err error) {
		was, err = r.settings()
		return err
	})
	if err != nil {
		return nil, err
	}
	levels := []string{api.NotifyNone, api.NotifySome, api.NotifyFull}
	if requestOf(ctx).actor.kind == api.ActorToken && slices.Index(levels, to) > slices.Index(levels, was.Notify) {
		return nil, api.NewProblem(api.CodeConfirmRequired)
	}
	rows := []store.Row{settingRow(settingNotify, to)}
	for _, level := range []string{was.Notify, to} { // the first may have been set before any was noted
		if level != api.NotifyNone {
			rows = append(rows, settingRow(settingNotified+level, true))
		}
	}
	return rows, nil
}

type settingsInput struct{ Body api.SettingsPatch }

func (s *Server) patchSettings(ctx context.Context, in *settingsInput) (*reply[api.Settings], error) {
	patch := in.Body
	var rows []store.Row
	if patch.Language != nil {
		rows = append(rows, settingRow(settingLanguage, *patch.Language))
	}
	if patch.Notify != nil {
		notify, err := s.notifyRows(ctx, *patch.Notify)
		if err != nil {
			return nil, err
		}
		rows = append(rows, notify...)
	}
	if patch.LockIdle != nil {
		if *patch.LockIdle != 0 && *patch.LockIdle < api.LockIdleMin {
			return nil, invalid("/lock_idle_seconds", api.FieldTooSmall)
		}
		rows = append(rows, settingRow(settingLockIdle, *patch.LockIdle))
	}
	var steps []Step
	if patch.Deletions != nil {
		rows = append(rows, settingRow(settingDeletions, *patch.Deletions))
		steps = append(steps, Step{Input: func(ref uint64) protocol.Input {
			return protocol.SetDeletions{Ref: ref, Refuse: *patch.Deletions == api.DeletionsRefuse}
		}})
	}
	if patch.Disappearing.Present {
		t, err := timer(patch.Disappearing.Value)
		if err != nil {
			return nil, err
		}
		rows = append(rows, DisappearingSetting(patch.Disappearing.Value))
		steps = append(steps, Step{Input: func(ref uint64) protocol.Input { return protocol.SetDefaultTimer{Ref: ref, Timer: t} }})
	}
	if len(rows) > 0 {
		if err := s.changeAll(ctx, steps, rows, protocol.Event{Type: api.EventSettingsChanged}); err != nil {
			return nil, err
		}
		s.idle.forget() // it may be another now
	}
	return s.getSettings(ctx, nil)
}

// network answers the addresses and the contacts that are live: those that the actor may see, and
// to who may read contacts, whether they write and are here.
func (s *Server) network(ctx context.Context, _ *none) (*reply[api.Network], error) {
	out := s.daemon.Network()
	out.Listen, out.Networks = notNil(out.Listen), notNil(out.Networks)
	live := out.Peers
	err := s.read(ctx, func(r *reader) error {
		out.Peers = make([]api.NetworkPeer, 0, len(live))
		for _, p := range live {
			seen, err := r.seesPeer(p.ContactID)
			switch {
			case err != nil:
				return err
			case !seen:
				continue
			case !r.actor.has(api.ScopeContactsRead):
				p.Typing, p.Here = false, false
			}
			out.Peers = append(out.Peers, p)
		}
		return nil
	})
	return ok(0, out), err
}

// seesPeer reports whether the actor's token shows it a live contact.
func (r *reader) seesPeer(contact string) (bool, error) {
	if !r.actor.narrowed() {
		return true, nil
	}
	id, err := protocol.ParseContactID(contact)
	if err != nil {
		return false, err
	}
	_, err = r.contact(id)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
