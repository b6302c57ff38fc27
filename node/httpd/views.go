package httpd

import (
	"errors"
	"strings"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// Sequences of API objects are never null.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// idOrNil returns the text of an id, or nil for none.
func idOrNil[T interface {
	comparable
	String() string
}](id T) *string {
	var zero T
	if id == zero {
		return nil
	}
	s := id.String()
	return &s
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// disappearing returns a timer as the API shows it.
func disappearing(t *wire.Timer) *api.Disappearing {
	if t == nil {
		return nil
	}
	d := &api.Disappearing{Mode: api.DisappearFromSent, Seconds: int64(t.Seconds)}
	if t.Mode == wire.TimerFromRead {
		d.Mode = api.DisappearFromRead
	}
	return d
}

// timer returns a timer as the core takes it, or a problem.
func timer(d *api.Disappearing) (*wire.Timer, error) {
	if d == nil {
		return nil, nil
	}
	t := &wire.Timer{Mode: wire.TimerFromSent}
	switch d.Mode {
	case api.DisappearFromSent:
	case api.DisappearFromRead:
		t.Mode = wire.TimerFromRead
	default:
		return nil, api.NewProblem(api.CodeInvalidTimer).At("/disappearing/mode", api.FieldNotAllowed)
	}
	if d.Seconds < 1 || d.Seconds > api.DisappearingSecondsMax {
		return nil, api.NewProblem(api.CodeInvalidTimer).At("/disappearing/seconds", api.FieldInvalid)
	}
	t.Seconds = uint32(d.Seconds)
	return t, nil
}

func (r *reader) contactView(c *protocol.PutContact) (api.Contact, error) {
	out := api.Contact{
		ID: c.ID.String(), Name: c.Name, Alias: textOrNil(c.Alias), State: string(c.Phase), Reason: textOrNil(c.Reason),
		ConversationID: idOrNil(c.Conversation), Verification: string(c.Verification), Blocked: c.Blocked,
		InviteID: idOrNil(c.Invite), CreatedAt: api.Milli(c.CreatedAt),
	}
	if out.Verification == "" {
		out.Verification = string(protocol.Unverified)
	}
	if r.actor.redacted() {
		out.Name, out.Alias = "", nil
	}
	flags, err := r.Flags(c.Conversation)
	if err != nil {
		return out, err
	}
	out.ReadReceipts, out.Typing, out.Presence = flags[store.FlagReceipts] != 0, flags[store.FlagTyping] != 0, flags[store.FlagPresence] != 0
	if out.Picture, err = r.pictureView(c.ID); err != nil {
		return out, err
	}
	out.Warnings, err = r.contactWarnings(c)
	return out, err
}

// conversationView shows a conversation with its newest message.
func (r *reader) conversationView(c *protocol.PutConversation) (api.Conversation, error) {
	out := api.Conversation{
		ID: c.ID.String(), Kind: string(c.Kind), ContactID: idOrNil(c.Contact), CreatedAt: api.Milli(c.CreatedAt),
		LastPosition: c.LastPosition, Unread: api.Unread{Count: c.Unread, ReadUpTo: c.ReadUpTo},
		Disappearing: disappearing(c.Timer), Can: api.Can{Send: true}, TitleSource: "derived",
		Security: api.ConversationSafety{State: "ok"},
	}
	if c.Kind == protocol.ConversationDirect {
		if err := r.directView(&out, c); err != nil {
			return out, err
		}
	} else {
		name, err := r.ownName()
		if err != nil {
			return out, err
		}
		out.Title = name
	}
	if err := r.flagsView(&out, c.ID); err != nil {
		return out, err
	}
	last, err := r.LastMessage(c.ID)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	view, err := r.messageView(c, &last)
	if err != nil {
		return out, err
	}
	out.Last = &api.LastMessage{MessageID: *view.ID, At: api.Milli(last.At)}
	if view.Body != nil {
		excerpt := excerptOf(view.Body.Text)
		out.Last.Excerpt = &excerpt
	} else if len(view.Attachments) > 0 && !r.actor.redacted() {
		out.Last.Excerpt = &view.Attachments[0].Name
	}
	return out, nil
}

func (r *reader) directView(out *api.Conversation, c *protocol.PutConversation) error {
	contact, err := r.contact(c.Contact)
	if err != nil {
		return err
	}
	out.Title, out.TitleSource = r.name(contact), "peer"
	if contact.Alias != "" {
		out.TitleSource = "mine"
	}
	out.Can.Send = !contact.Blocked && contact.Phase != protocol.ContactFailed &&
		contact.Verification != protocol.VerifiedChanged
	switch contact.Verification {
	case protocol.Verified:
	case protocol.VerifiedChanged:
		out.Security.State = "key_changed"
	default:
		out.Security.State = "unverified"
	}
	return nil
}

// excerptOf returns the beginning of a text in one line.
func excerptOf(text string) string {
	n := 0
	for i := range text {
		if n == excerptRunesMax {
			text = text[:i] + "…"
			break
		}
		n++
	}
	return strings.ReplaceAll(text, "\n", " ")
}

// messageID returns a message's id as its client knows it.
func messageID(m *store.Message) string {
	if m.ClientID != "" {
		return m.ClientID
	}
	return m.ID.String()
}

func (r *reader) messageView(c *protocol.PutConversation, m *store.Message) (api.Message, error) {
	id := messageID(m)
	status, err := r.statusView(c, m)
	if err != nil {
		return api.Message{}, err
	}
	created, received := api.Milli(m.SentAt), api.Milli(m.At)
	out := api.Message{
		Attachments: []api.File{}, Reactions: []api.Reaction{},
		ID: &id, ConversationID: c.ID.String(), Position: m.Position, Kind: api.MessageText, Direction: api.DirectionOut,
		CreatedAt: &created, Status: status, Trust: string(m.Verification), ExpiresAt: api.MilliOrNil(m.ExpiresAt),
	}
	if out.Trust == "" {
		out.Trust = string(protocol.Unverified)
	}
	if err := r.sender(&out, c, m.Direction); err != nil {
		return out, err
	}
	if m.Direction == protocol.In {
		out.ReceivedAt = &received
	}
	marks, err := r.Marks(m.ID)
	if err != nil {
		return out, err
	}
	out.Pinned, out.Starred = marks[store.MarkPin], marks[store.MarkStar]
	if out.Deleted = deletionView(m); out.Deleted != nil {
		return out, nil
	}
	content, _, err := wire.DecodeContent(m.Content)
	if err == nil && content.Type == wire.ContentTimer {
		out.Kind, out.System = api.MessageSystem, timerView(content.Timer)
		return out, nil
	}
	if err == nil && content.Type == wire.ContentManifest {
		out.Kind = api.MessageFile
		out.Attachments, err = r.attachments(m)
		if err != nil {
			return out, err
		}
	} else if err != nil || content.Type != wire.ContentText && content.Type != wire.ContentReply {
		out.Kind = api.MessageUnsupported
		return out, nil
	}
	out.Disappearing = disappearing(content.Timer)
	if out.Reactions, err = r.reactionsView(m); err != nil {
		return out, err
	}
	out.Forwarded = content.Forwarded
	r.editView(&out, m, &content)
	if text := shownText(m, &content); !r.actor.redacted() && text != "" {
		out.Body = &api.Body{Text: text, Format: api.FormatPlain, Mentions: mentionViews(c.Contact, m.Direction, shownMentions(m, &content))}
	}
	if content.Type == wire.ContentReply {
		out.ReplyTo, err = r.quoteView(c, m, content.About)
	}
	return out, err
}

// attachments shows the files of a message.
func (r *reader) attachments(m *store.Message) ([]api.File, error) {
	files, err := r.FilesOf(m.ID)
	out := make([]api.File, len(files))
	for i := range files {
		if out[i], err = r.fileView(&files[i]); err != nil {
			return nil, err
		}
		out[i].MessageID, out[i].ConversationID = idOrNil(m.ID), idOrNil(m.Conversation)
	}
	return out, err
}

// sender fills in who wrote an item.
func (r *reader) sender(out *api.Message, c *protocol.PutConversation, d protocol.Direction) error {
	if d == protocol.Out {
		name, err := r.ownName()
		out.Sender = api.Sender{ContactID: api.SenderSelf, Name: name}
		return err
	}
	out.Direction = api.DirectionIn
	contact, err := r.contact(c.Contact)
	if err != nil {
		return err
	}
	out.Sender = api.Sender{ContactID: contact.ID.String(), Name: r.name(contact)}
	return nil
}

func (r *reader) statusView(c *protocol.PutConversation, m *store.Message) (*api.MessageState, error) {
	since, err := r.StatusSince(c, m)
	if err != nil {
		return nil, err
	}
	out := &api.MessageState{State: string(store.StatusOf(c, m)), At: api.MilliOrNil(max(since, m.DeletedAt))}
	switch out.State {
	case api.StateCarried:
		out.Carriers = store.CarriedBy(c, m.Sequence)
	case api.StateFailed:
		out.Error = &api.StateError{Code: m.Code}
	}
	return out, nil
}

// itemView shows a place in a conversation: a message or a gap.
func (r *reader) itemView(c *protocol.PutConversation, item store.Item) (api.Message, error) {
	if item.Message != nil {
		return r.messageView(c, item.Message)
	}
	out := api.Message{
		Attachments: []api.File{}, Reactions: []api.Reaction{},
		ConversationID: c.ID.String(), Position: item.Position, Kind: api.MessageGap, Count: item.Missing,
		Trust: string(protocol.Unverified),
	}
	return out, r.sender(&out, c, protocol.In)
}

func (r *reader) requestView(q *protocol.PutRequest) (api.Request, error) {
	out := api.Request{
		ID: q.ID.String(), InviteID: q.Invite.String(), ContactID: idOrNil(q.Contact), State: string(q.Phase),
		Name: q.Name, Greeting: q.Greeting, At: api.Milli(q.At),
	}
	if r.actor.redacted() {
		out.Name, out.Greeting = "", ""
	}
	id := ""
	if out.ContactID != nil {
		id = *out.ContactID
	}
	warnings, err := r.nameWarnings(id, out.Name)
	out.Warnings = warnings
	return out, err
}

// inviteView shows an invite; its link only to who may make one.
func (r *reader) inviteView(i *protocol.PutInvite, now time.Time) api.Invite {
	out := api.Invite{
		ID: i.ID.String(), Kind: string(i.Kind), URI: textOrNil(i.Link), State: api.InviteOpen, Used: i.Used, Note: i.Note,
		Ask: i.Ask, CreatedAt: api.Milli(i.CreatedAt), ExpiresAt: api.MilliOrNil(i.ExpiresAt),
		RevokedAt: api.MilliOrNil(i.RevokedAt), Warnings: []api.Warning{},
	}
	if i.Kind == protocol.InviteOnce || i.UsesLeft != 0 {
		out.UsesLeft = &i.UsesLeft
	}
	switch {
	case i.RevokedAt != 0:
		out.State = api.InviteRevoked
	case i.Kind == protocol.InviteOnce && i.UsesLeft == 0:
		out.State = api.InviteUsed
	case i.ExpiresAt != 0 && i.ExpiresAt <= now.UnixMilli():
		out.State = api.InviteExpired
	}
	if !r.actor.has(api.ScopeInvitesManage) || out.State != api.InviteOpen {
		out.URI = nil
	}
	if r.actor.redacted() {
		out.Note, out.URI = "", nil
	}
	return out
}
