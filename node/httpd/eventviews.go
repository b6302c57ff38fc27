package httpd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// eventScopes says which scopes show events of a type; one of them is enough,
// none means that every reader of events sees them.
func eventScopes(t string) []api.Scope {
	switch t {
	case api.EventMessageCreated, api.EventMessageStatus, api.EventMessageEdited, api.EventMessageDeleted, api.EventMessageExpired,
		api.EventMessagePinned, api.EventMessageStarred, api.EventMessageReaction:
		return scopes(api.ScopeMessagesRead, api.ScopeMessagesMeta)
	case api.EventConversationCreated, api.EventConversationUpdated, api.EventConversationRead:
		return scopes(api.ScopeConversationsRead)
	case api.EventDraft:
		return scopes(api.ScopeDrafts)
	case api.EventInviteUsed, api.EventInviteSecondUse, api.EventInviteExpired:
		return scopes(api.ScopeInvitesManage)
	case api.EventFileAvailable, api.EventFileFailed, api.EventTransfer:
		return scopes(api.ScopeFilesRead)
	case api.EventBackupMade:
		return scopes(api.ScopeIdentityManage)
	case api.EventSettingsChanged:
		return scopes(api.ScopeSettingsRead)
	case api.EventTokenCreated, api.EventTokenRevoked, api.EventPairingRequested, api.EventPairingResolved, api.EventWebhookCreated, api.EventWebhookDisabled, api.EventWebhookDeleted:
		return scopes(api.ScopeTokensManage)
	case api.EventApprovalRequested, api.EventApprovalApproved, api.EventApprovalRefused, api.EventApprovalExpired:
		return scopes(api.ScopeMessagesSend, api.ScopeTokensManage)
	case api.EventCourierUpdated:
		return scopes(api.ScopeNetworkRead)
	case api.EventSelfUpdated:
		return nil
	default:
		return scopes(api.ScopeContactsRead)
	}
}

// ofAccess reports whether an event is of who may come in: the owner's page reads what it refers to
// once the owner has confirmed to sit there.
func ofAccess(t string) bool {
	switch t {
	case api.EventTokenCreated, api.EventTokenRevoked, api.EventPairingRequested, api.EventPairingResolved:
		return true
	}
	return false
}

// sees reports whether the actor may know of an event at all.
func (r *reader) sees(e *protocol.Event) (bool, error) {
	needed := eventScopes(string(e.Type))
	if len(needed) > 0 && !slices.ContainsFunc(needed, r.actor.has) {
		return r.actor.kind == api.ActorSession && ofAccess(string(e.Type)), nil
	}
	if !r.actor.narrowed() {
		return true, nil
	}
	if e.Conversation != (protocol.ConversationID{}) {
		return r.actor.sees(e.Conversation.String()), nil
	}
	if e.Contact == (protocol.ContactID{}) {
		return len(needed) == 0, nil
	}
	_, err := r.contact(e.Contact)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// events shows a row of the log as the events that it stands for.
func (r *reader) events(l store.Logged, refs bool) ([]api.Event, error) {
	visible, err := r.sees(&l.Event)
	if err != nil || !visible {
		return nil, err
	}
	out := make([]api.Event, l.Event.Count)
	for i := range out {
		at := api.Milli(l.At)
		cursor := store.Cursor{Epoch: l.First.Epoch, Sequence: l.First.Sequence + uint64(i)}
		out[i] = api.Event{Cursor: cursor.String(), Type: string(l.Event.Type), At: &at}
		if l.Event.Conversation != (protocol.ConversationID{}) {
			out[i].ConversationID = l.Event.Conversation.String()
		}
	}
	objects, err := r.objects(&l.Event, refs)
	if err != nil {
		return nil, err
	}
	for i, o := range objects {
		if o == nil || i >= len(out) {
			continue
		}
		if out[i].Data, err = json.Marshal(o); err != nil {
			return nil, fmt.Errorf("encode event: %w", err)
		}
	}
	return out, nil
}

// objects returns what the events of a row are about, as it is now.
func (r *reader) objects(e *protocol.Event, refs bool) ([]any, error) {
	switch string(e.Type) {
	case api.EventMessageCreated:
		return r.createdMessages(e, refs)
	case api.EventMessageStatus:
		return r.changedMessages(e, refs)
	}
	object, err := r.object(e)
	if isNotFound(err) || err == nil && refs {
		return []any{reference(e)}, nil
	}
	return []any{object}, err
}

// reference names what an event is about.
func reference(e *protocol.Event) any {
	var none [16]byte
	switch {
	case e.Type == protocol.ContactRemoved && e.Ref != none:
		return api.Reference{ID: e.Contact.String(), Became: protocol.ContactID(e.Ref).String()}
	case e.Ref != none:
		return api.Reference{ID: refText(e), Position: e.First}
	case e.Contact != none:
		return api.Reference{ID: e.Contact.String()}
	case strings.HasPrefix(e.Code, approvalPrefix):
		return api.Reference{ID: e.Code} // beside its conversation
	case e.Conversation != none:
		return api.Reference{ID: e.Conversation.String()}
	case e.Code != "":
		return api.Reference{ID: e.Code} // of a token
	}
	return nil
}

// refText writes the id in Event.Ref, whose kind follows from the type.
func refText(e *protocol.Event) string {
	switch string(e.Type) {
	case api.EventFileAvailable, api.EventFileFailed, api.EventTransfer:
		return protocol.FileID(e.Ref).String()
	case api.EventRequestReceived, api.EventRequestResolved:
		return protocol.RequestID(e.Ref).String()
	case api.EventInviteUsed, api.EventInviteSecondUse, api.EventInviteExpired:
		return protocol.InviteID(e.Ref).String()
	default:
		return protocol.MessageID(e.Ref).String()
	}
}

func (r *reader) object(e *protocol.Event) (any, error) {
	switch string(e.Type) {
	case api.EventMessageDeleted:
		c, m, err := r.message(protocol.MessageID(e.Ref).String())
		if isNotFound(err) {
			return reference(e), nil
		}
		if err != nil {
			return nil, err
		}
		return r.messageData(c, &m, false)
	case api.EventMessageExpired, api.EventContactRemoved, api.EventTokenCreated, api.EventTokenRevoked, api.EventPairingRequested, api.EventPairingResolved,
		api.EventWebhookCreated, api.EventWebhookDisabled, api.EventWebhookDeleted, api.EventCourierUpdated,
		api.EventApprovalRequested, api.EventApprovalApproved, api.EventApprovalRefused, api.EventApprovalExpired:
		return reference(e), nil
	case api.EventConversationCreated, api.EventConversationUpdated, api.EventConversationRead:
		c, err := r.conversation(e.Conversation)
		if err != nil {
			return nil, err
		}
		view, err := r.conversationView(c)
		return r.withoutMessages(view), err
	case api.EventMessageEdited, api.EventMessagePinned, api.EventMessageStarred, api.EventMessageReaction:
		c, m, err := r.message(refText(e))
		if err != nil {
			return nil, err
		}
		return r.messageData(c, &m, false)
	case api.EventRequestReceived, api.EventRequestResolved:
		row, err := r.Request(e.Ref)
		if err != nil {
			return nil, err
		}
		if row.At < r.actor.texts {
			return reference(e), nil
		}
		return r.requestView(&row)
	case api.EventInviteUsed, api.EventInviteSecondUse, api.EventInviteExpired:
		row, err := r.Invite(e.Ref)
		return r.inviteView(&row, r.now), err
	case api.EventFileAvailable, api.EventFileFailed:
		f, err := r.file(e.Ref)
		if err != nil {
			return nil, err
		}
		if f.At < r.actor.texts {
			return reference(e), nil
		}
		return r.fileView(&f)
	case api.EventSettingsChanged:
		return r.settings()
	case api.EventSelfUpdated:
		name, err := r.ownName()
		if err != nil {
			return nil, err
		}
		picture, err := r.pictureView(protocol.ContactID{})
		return api.SelfChange{DisplayName: name, Picture: picture}, err
	case api.EventSecurityAlert:
		return api.Alert{Code: e.Code, ContactID: idOrNil(e.Contact)}, nil
	}
	if e.Contact == (protocol.ContactID{}) {
		return nil, nil // a type that a newer core logs
	}
	c, err := r.contact(e.Contact)
	if err != nil {
		return nil, err
	}
	return r.contactView(c)
}

// createdMessages returns the messages at positions First, First+1, …; one that
// was deleted since is a reference to its position.
func (r *reader) createdMessages(e *protocol.Event, refs bool) ([]any, error) {
	out := make([]any, e.Count)
	for i := range out {
		out[i] = api.Reference{Position: e.First + uint64(i)}
	}
	c, err := r.conversation(e.Conversation)
	if isNotFound(err) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	end := e.First + e.Count
	for after := e.First; after < end; after += store.PageMax {
		before := min(after+store.PageMax, end)
		page, err := r.Messages(c.ID, store.PageQuery{Before: before, Limit: int(before - after)})
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			if item.Position < after || item.Message == nil {
				continue
			}
			if out[item.Position-e.First], err = r.messageData(c, item.Message, refs); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// changedMessages returns our messages with sequences First, First+1, …; one that
// was deleted since is nil.
func (r *reader) changedMessages(e *protocol.Event, refs bool) ([]any, error) {
	out := make([]any, e.Count)
	c, err := r.conversation(e.Conversation)
	if isNotFound(err) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for first, end := e.First, e.First+e.Count; first < end; first += store.PageMax {
		messages, err := r.OwnMessages(c.ID, first, min(first+store.PageMax, end)-1)
		if err != nil {
			return nil, err
		}
		for i := range messages {
			m := &messages[i]
			if out[m.Sequence-e.First], err = r.messageData(c, m, refs); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (r *reader) messageData(c *protocol.PutConversation, m *store.Message, refs bool) (any, error) {
	if refs || m.At < r.actor.texts {
		return api.Reference{ID: messageID(m), Position: m.Position}, nil
	}
	return r.messageView(c, m)
}

// announcement shows an event that is not logged, or nil if the actor may not
// know of it.
func (r *reader) announcement(e *protocol.Event) (*api.Event, error) {
	visible, err := r.sees(e)
	if err != nil || !visible {
		return nil, err
	}
	out := &api.Event{Type: string(e.Type)}
	var data any = api.Reference{ID: e.Contact.String()}
	switch e.Type {
	case protocol.TransferProgress:
		f, err := r.file(e.Ref)
		if err != nil {
			return nil, nil // deleted meanwhile
		}
		out.ConversationID = f.Conversation.String()
		if data, err = r.fileView(&f); err != nil {
			return nil, err
		}
	case protocol.PeerState:
		data = api.PeerState{ContactID: e.Contact.String(), State: e.Code}
	case protocol.Typing:
		if e.Conversation != (protocol.ConversationID{}) {
			out.ConversationID = e.Conversation.String()
		}
		data = api.TypingState{ContactID: e.Contact.String(), Active: e.Code == protocol.TypingOn}
	case protocol.Presence:
		data = api.PresenceState{ContactID: e.Contact.String(), Here: e.Code == protocol.PresenceHere}
	case protocol.Draft:
		out.ConversationID = e.Conversation.String()
		if data, err = r.draftView(e.Conversation); err != nil {
			return nil, err
		}
	}
	if out.Data, err = json.Marshal(data); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return out, nil
}
