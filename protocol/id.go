package protocol

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// ErrID says that a string is not an ID of the wanted kind.
var ErrID = errors.New("protocol: malformed id")

// IDs are 16 bytes: 48 bits of milliseconds since 1970, then 80 random bits,
// so that rows made later sort later. They are local names: of all of them
// only a MessageID ever travels, and only sealed (spec, "Contents").
type (
	// ContactID names a contact on this profile.
	ContactID [16]byte
	// ConversationID names a conversation on this profile.
	ConversationID [16]byte
	// MessageID names a message: for one of ours it is also its wire id, for
	// an incoming one it is our own and says nothing of the sender's.
	MessageID [16]byte
	// InviteID names an invite that this profile made.
	InviteID [16]byte
	// RequestID names a contact request that this profile received.
	RequestID [16]byte
	// FileID names a file on this profile.
	FileID [16]byte
)

const (
	contactPrefix      = "ct_"
	conversationPrefix = "cv_"
	messagePrefix      = "ms_"
	invitePrefix       = "in_"
	requestPrefix      = "rq_"
	filePrefix         = "fl_"

	idTextBytes = 26 // base32 characters behind the prefix
)

// idTime is when an id was made, by its maker's clock, in Unix milliseconds.
func idTime(id [16]byte) uint64 { return binary.BigEndian.Uint64(id[:8]) >> 16 }

// String returns the API form, "ct_" and 26 characters.
func (id ContactID) String() string { return idText(contactPrefix, id) }

// String returns the API form, "cv_" and 26 characters.
func (id ConversationID) String() string { return idText(conversationPrefix, id) }

// String returns the API form, "ms_" and 26 characters.
func (id MessageID) String() string { return idText(messagePrefix, id) }

// String returns the API form, "in_" and 26 characters.
func (id InviteID) String() string { return idText(invitePrefix, id) }

// String returns the API form, "rq_" and 26 characters.
func (id RequestID) String() string { return idText(requestPrefix, id) }

// String returns the API form, "fl_" and 26 characters.
func (id FileID) String() string { return idText(filePrefix, id) }

// ParseFileID reads the API form of a file's id, or returns ErrID.
func ParseFileID(s string) (FileID, error) {
	id, err := parseID(filePrefix, s)
	return FileID(id), err
}

// NewFileID makes an id of a file that begins to lie here.
func NewFileID(now time.Time, random io.Reader) (FileID, error) {
	id, err := newID(now, random)
	return FileID(id), err
}

// ParseContactID reads the API form of a contact's id, or returns ErrID.
func ParseContactID(s string) (ContactID, error) {
	id, err := parseID(contactPrefix, s)
	return ContactID(id), err
}

// ParseConversationID reads the API form of a conversation's id, or returns ErrID.
func ParseConversationID(s string) (ConversationID, error) {
	id, err := parseID(conversationPrefix, s)
	return ConversationID(id), err
}

// ParseMessageID reads the API form of a message id that the daemon made, or
// returns ErrID; a client's own id need not parse (see [ValidClientID]).
func ParseMessageID(s string) (MessageID, error) {
	id, err := parseID(messagePrefix, s)
	return MessageID(id), err
}

// ParseInviteID reads the API form of an invite's id, or returns ErrID.
func ParseInviteID(s string) (InviteID, error) {
	id, err := parseID(invitePrefix, s)
	return InviteID(id), err
}

// ParseRequestID reads the API form of a request's id, or returns ErrID.
func ParseRequestID(s string) (RequestID, error) {
	id, err := parseID(requestPrefix, s)
	return RequestID(id), err
}

// ValidClientID reports whether a client may choose s as a message's id: "ms_"
// and 26 characters a–z2–7. It is compared and returned as the string given.
func ValidClientID(s string) bool {
	if len(s) != len(messagePrefix)+idTextBytes || s[:len(messagePrefix)] != messagePrefix {
		return false
	}
	for _, c := range []byte(s[len(messagePrefix):]) {
		if !('a' <= c && c <= 'z' || '2' <= c && c <= '7') {
			return false
		}
	}
	return true
}

func idText(prefix string, id [16]byte) string {
	b := make([]byte, 0, len(prefix)+idTextBytes)
	b = append(b, prefix...)
	return string(idEncoding().AppendEncode(b, id[:]))
}

func parseID(prefix, s string) (id [16]byte, err error) {
	if len(s) != len(prefix)+idTextBytes || s[:len(prefix)] != prefix {
		return id, ErrID
	}
	b, err := idEncoding().DecodeString(s[len(prefix):])
	if err != nil || len(b) != len(id) {
		return id, ErrID
	}
	copy(id[:], b)
	if idText(prefix, id) != s { // unused trailing bits must be zero
		return id, ErrID
	}
	return id, nil
}

func idEncoding() *base32.Encoding { return lowerBase32 }

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newID(now time.Time, rand io.Reader) (id [16]byte, err error) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli())<<16)
	copy(id[:6], ms[:6])
	_, err = io.ReadFull(rand, id[6:])
	return id, err
}

// madeAt returns when an id was made, by the clock of its maker.
func (id MessageID) madeAt() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, id[:6]...))))
}
