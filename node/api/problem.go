package api

import (
	"fmt"
	"net/http"
	"strings"
)

// Problem is a refusal (RFC 9457, application/problem+json). Code is the
// contract: it never changes its meaning. Params feed translations. No field
// ever repeats a value of the request.
type Problem struct {
	Type         string         `json:"type" doc:"urn:pabal:problem: and the code"`
	Code         Code           `json:"code" doc:"stable name of what went wrong"`
	Title        string         `json:"title" doc:"the code in English"`
	Status       int            `json:"status" doc:"the HTTP status"`
	Detail       string         `json:"detail,omitempty" doc:"more in English"`
	Params       map[string]any `json:"params,omitempty" doc:"facts for a translation of the code"`
	Retryable    bool           `json:"retryable" doc:"whether the same request may succeed later"`
	RetryAfterMS int64          `json:"retry_after_ms,omitempty" doc:"when to try again at the earliest"`
	Errors       []FieldError   `json:"errors,omitempty" doc:"which fields of the request are wrong"`
	Instance     string         `json:"instance,omitempty" doc:"the Pabal-Request-Id of the request"`
}

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	Pointer string         `json:"pointer" doc:"JSON pointer into the body, or query:name, path:name, header:name"`
	Code    Code           `json:"code"`
	Params  map[string]any `json:"params,omitempty"`
}

// Error returns the code, the wrong fields and the detail.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(string(p.Code))
	for _, e := range p.Errors {
		fmt.Fprintf(&b, " %s=%s", e.Pointer, e.Code)
	}
	if p.Detail != "" {
		b.WriteString(": ")
		b.WriteString(p.Detail)
	}
	return b.String()
}

// Is makes errors.Is(err, &Problem{Code: c}) true for every Problem with that code.
func (p *Problem) Is(target error) bool {
	t, ok := target.(*Problem)
	return ok && t.Code == p.Code && t.Status == 0
}

// NewProblem returns the problem of a code with its status and title from the
// table of codes. An unknown code becomes CodeInternal.
func NewProblem(code Code) *Problem {
	info, ok := codeTable[code]
	if !ok {
		code, info = CodeInternal, codeTable[CodeInternal]
	}
	return &Problem{
		Type: problemTypePrefix + string(code), Code: code, Title: info.title,
		Status: info.status, Retryable: info.retryable,
	}
}

// Because sets the detail, an English half sentence, and returns p.
func (p *Problem) Because(detail string) *Problem {
	p.Detail = detail
	return p
}

// With returns p with one more parameter, which must not be a value that the
// request carried.
func (p *Problem) With(name string, value any) *Problem {
	if p.Params == nil {
		p.Params = make(map[string]any)
	}
	p.Params[name] = value
	return p
}

// At returns p with one more wrong field.
func (p *Problem) At(pointer string, code Code) *Problem {
	p.Errors = append(p.Errors, FieldError{Pointer: pointer, Code: code})
	return p
}

const problemTypePrefix = "urn:pabal:problem:"

// Code names what went wrong. Clients must expect codes they do not know.
type Code string

// The codes that a whole request can be refused with.
const (
	CodeUnauthenticated       Code = "unauthenticated"
	CodeScopeMissing          Code = "scope_missing"
	CodeOriginNotAllowed      Code = "origin_not_allowed"
	CodeHostNotAllowed        Code = "host_not_allowed"
	CodeConfirmRequired       Code = "confirm_required"
	CodeConfirmationNeeded    Code = "confirmation_needed" // of a session: see POST /v1/auth/confirm
	CodeLocked                Code = "locked"
	CodeUninitialised         Code = "uninitialised"
	CodeAlreadyInitialised    Code = "already_initialised"
	CodeNotLocked             Code = "not_locked"
	CodeNotReady              Code = "not_ready"
	CodeStopping              Code = "stopping"
	CodeNotFound              Code = "not_found"
	CodeMethodNotAllowed      Code = "method_not_allowed"
	CodeGone                  Code = "gone"
	CodeConflict              Code = "conflict"
	CodeValidationFailed      Code = "validation_failed"
	CodeUnknownField          Code = "unknown_field"
	CodeMalformedJSON         Code = "malformed_json"
	CodeInvalidUTF8           Code = "invalid_utf8"
	CodeUnsupportedMediaType  Code = "unsupported_media_type"
	CodeNotAcceptable         Code = "not_acceptable"
	CodeTooLarge              Code = "too_large"
	CodeRateLimited           Code = "rate_limited"
	CodeTooManyStreams        Code = "too_many_streams"
	CodeIdempotencyMismatch   Code = "idempotency_mismatch"
	CodeIdempotencyNotAllowed Code = "idempotency_not_allowed"
	CodeCursorInvalid         Code = "cursor_invalid"
	CodeBadPassphrase         Code = "bad_passphrase"
	CodePassphraseRequired    Code = "passphrase_required"
	CodePassphraseTaken       Code = "passphrase_taken"        // it opens something already
	CodeDuressNeedsPassphrase Code = "duress_needs_passphrase" // a profile with a keyfile asks for none
	CodeNoKeyfile             Code = "no_keyfile"
	CodeTimeout               Code = "timeout"
	CodeStorageFull           Code = "storage_full"
	CodeProfileDamaged        Code = "profile_damaged"
	CodeProfileNewer          Code = "profile_newer"
	CodeInternal              Code = "internal"

	CodeInvalidText     Code = "invalid_text"
	CodeNothingToSearch Code = "nothing_to_search"

	CodeDrillBlind      Code = "drill_blind" // a drill does not find what it has planted
	CodeTextTooLong     Code = "text_too_long"
	CodeInvalidID       Code = "invalid_id"
	CodeInvalidName     Code = "invalid_name"
	CodeInvalidTimer    Code = "invalid_timer"
	CodeInvalidLifetime Code = "invalid_lifetime"
	CodeInvalidTerms    Code = "invalid_terms"
	CodeTooMany         Code = "too_many"

	CodeInviteInvalid        Code = "invite_invalid"
	CodeInviteExpired        Code = "invite_expired"
	CodeInviteOwn            Code = "invite_own"
	CodeInviteUnsupported    Code = "invite_unsupported"
	CodeInviteWrongKind      Code = "invite_wrong_kind"
	CodeInviteIsHome         Code = "invite_is_home"
	CodeNotHome              Code = "not_a_home"
	CodeInviteLeadsHere      Code = "invite_leads_here"
	CodeAlreadyContact       Code = "already_contact"
	CodeAlreadyRequested     Code = "already_requested"
	CodeSameLink             Code = "same_link_two_people"
	CodeRequestExpired       Code = "request_expired"
	CodeAlreadyAnswered      Code = "already_answered"
	CodeAliasTaken           Code = "alias_taken"
	CodeAmbiguous            Code = "ambiguous"
	CodeNetworkAmbiguous     Code = "network_ambiguous"
	CodeNetworkUnsupported   Code = "network_unsupported"
	CodeInvalidBootstrap     Code = "invalid_bootstrap"
	CodeBlocked              Code = "blocked"
	CodeContactFailed        Code = "contact_failed"
	CodeNotEstablished       Code = "not_established"
	CodeVerificationRequired Code = "verification_required"
	CodeVerificationMismatch Code = "verification_mismatch"
	CodeAlreadyDelivered     Code = "already_delivered"
	CodeNotOwnMessage        Code = "not_own_message"
	CodeInvalidReaction      Code = "invalid_reaction"
	CodeInvalidMention       Code = "invalid_mention"
	CodeInvalidPicture       Code = "invalid_picture"
	CodeNoQRCode             Code = "no_qr_code"
	CodeTooManyReactions     Code = "too_many_reactions"
	CodeEditWindowClosed     Code = "edit_window_closed"
	CodeTooManyEdits         Code = "too_many_edits"
	CodeNotAdmin             Code = "not_admin"
	CodeAlreadyMember        Code = "already_member"
	CodeLastAdmin            Code = "last_admin"
	CodeGroupClosed          Code = "group_closed"
	CodeGroupFull            Code = "group_full"
	CodeNotInGroup           Code = "not_in_group"
	CodeNoMemberKey          Code = "no_member_key"
	CodeUnsupportedInGroup   Code = "unsupported_in_group"
	CodeTokenTooStrong       Code = "token_too_strong"
	CodeApprovalRequired     Code = "approval_required"    // of a token whose messages wait for the owner
	CodeForeignAddress       Code = "foreign_address"      // of a webhook
	CodeConsumerNeedsToken   Code = "consumer_needs_token" // a session ends, and nothing would forget its place

	CodeInvalidFile          Code = "invalid_file"
	CodeFileNotReady         Code = "file_not_ready"
	CodeFileInUse            Code = "file_in_use"
	CodeFileNotRemote        Code = "file_not_remote"
	CodeLengthRequired       Code = "length_required"
	CodeUploadOffsetMismatch Code = "upload_offset_mismatch"
	CodeUploadCut            Code = "upload_cut"
	CodeMetadataNotCleanable Code = "metadata_not_cleanable"

	CodeBundleMalformed   Code = "bundle_malformed"
	CodeBundleNotForYou   Code = "bundle_not_for_you"
	CodeBundleOwn         Code = "bundle_own"
	CodeBundleOutdated    Code = "bundle_outdated"
	CodeBundleUnsupported Code = "bundle_unsupported"
	CodeSessionRenewal    Code = "session_renewal"

	CodeArchiveForeign   Code = "archive_foreign"
	CodeArchiveCut       Code = "archive_cut"
	CodeArchiveDamaged   Code = "archive_damaged"
	CodeArchiveNewer     Code = "archive_newer"
	CodeArchiveOtherKind Code = "archive_other_kind"
)

// The codes of a wrong field; see [FieldError].
const (
	FieldUnknown     Code = "unknown_field"
	FieldRequired    Code = "required"
	FieldWrongType   Code = "wrong_type"
	FieldTooShort    Code = "too_short"
	FieldTooLong     Code = "too_long"
	FieldTooSmall    Code = "too_small"
	FieldTooLarge    Code = "too_large"
	FieldNotAllowed  Code = "not_allowed"
	FieldMalformed   Code = "malformed"
	FieldInvalidUTF8 Code = "invalid_utf8"
	FieldInvalid     Code = "invalid"
)

// Codes returns every code a request can be refused with, in no fixed order.
func Codes() []Code {
	codes := make([]Code, 0, len(codeTable))
	for c := range codeTable {
		codes = append(codes, c)
	}
	return codes
}

// Status returns the HTTP status of a code and whether the code is known.
func (c Code) Status() (int, bool) {
	info, ok := codeTable[c]
	return info.status, ok
}

type codeInfo struct {
	status    int
	title     string
	retryable bool
}

// codeTable is read only.
var codeTable = map[Code]codeInfo{
	CodeUnauthenticated:       {http.StatusUnauthorized, "A valid token is needed", false},
	CodeScopeMissing:          {http.StatusForbidden, "The token lacks the scope", false},
	CodeOriginNotAllowed:      {http.StatusForbidden, "Requests from this origin are refused", false},
	CodeHostNotAllowed:        {http.StatusMisdirectedRequest, "Wrong host", false},
	CodeConfirmRequired:       {http.StatusForbidden, "Only the owner on the unix socket may do this", false},
	CodeConfirmationNeeded:    {http.StatusForbidden, "The owner must confirm this", false},
	CodeLocked:                {http.StatusLocked, "The profile is locked", false},
	CodeUninitialised:         {http.StatusConflict, "The profile is not set up", false},
	CodeAlreadyInitialised:    {http.StatusConflict, "The profile is already set up", false},
	CodeNotLocked:             {http.StatusConflict, "The profile is not locked", false},
	CodeNotReady:              {http.StatusServiceUnavailable, "Not ready yet", true},
	CodeStopping:              {http.StatusServiceUnavailable, "The daemon is stopping", false},
	CodeNotFound:              {http.StatusNotFound, "Not found", false},
	CodeMethodNotAllowed:      {http.StatusMethodNotAllowed, "Method not allowed", false},
	CodeGone:                  {http.StatusGone, "It was deleted", false},
	CodeConflict:              {http.StatusConflict, "It conflicts with what there is", false},
	CodeValidationFailed:      {http.StatusUnprocessableEntity, "The request has wrong fields", false},
	CodeUnknownField:          {http.StatusUnprocessableEntity, "The request has an unknown field", false},
	CodeMalformedJSON:         {http.StatusBadRequest, "The body is not valid JSON", false},
	CodeInvalidUTF8:           {http.StatusBadRequest, "The request is not valid UTF-8", false},
	CodeUnsupportedMediaType:  {http.StatusUnsupportedMediaType, "Unsupported content type", false},
	CodeNotAcceptable:         {http.StatusNotAcceptable, "No acceptable content type", false},
	CodeTooLarge:              {http.StatusRequestEntityTooLarge, "The request is too large", false},
	CodeRateLimited:           {http.StatusTooManyRequests, "Too many requests", true},
	CodeTooManyStreams:        {http.StatusTooManyRequests, "Too many event streams", true},
	CodeIdempotencyMismatch:   {http.StatusConflict, "The same id or key was used for another request", false},
	CodeIdempotencyNotAllowed: {http.StatusBadRequest, "This operation takes no Idempotency-Key", false},
	CodeCursorInvalid:         {http.StatusBadRequest, "Not a cursor", false},
	CodeBadPassphrase:         {http.StatusUnauthorized, "Wrong passphrase", false},
	CodePassphraseRequired:    {http.StatusUnprocessableEntity, "This profile needs a passphrase", false},
	CodePassphraseTaken:       {http.StatusConflict, "The passphrase opens something already", false},
	CodeDuressNeedsPassphrase: {http.StatusConflict, "A profile without a passphrase asks for none, so there is none for duress", false},
	CodeNoKeyfile:             {http.StatusConflict, "This profile takes no passphrase", false},
	CodeTimeout:               {http.StatusGatewayTimeout, "It took too long", true},
	CodeStorageFull:           {http.StatusInsufficientStorage, "The disk is full", true},
	CodeProfileDamaged:        {http.StatusInternalServerError, "The profile is damaged", false},
	CodeProfileNewer:          {http.StatusInternalServerError, "The profile was written by a newer version", false},
	CodeInternal:              {http.StatusInternalServerError, "Internal error", false},

	CodeInvalidText:     {http.StatusUnprocessableEntity, "The text is empty or not valid", false},
	CodeDrillBlind:      {http.StatusInternalServerError, "The drill does not find what it planted itself", false},
	CodeNothingToSearch: {http.StatusUnprocessableEntity, "There is no letter or digit to search for", false},
	CodeTextTooLong:     {http.StatusRequestEntityTooLarge, "The text is too long", false},
	CodeInvalidID:       {http.StatusUnprocessableEntity, "Not a valid id", false},
	CodeInvalidName:     {http.StatusUnprocessableEntity, "Not a valid name", false},
	CodeInvalidTimer:    {http.StatusUnprocessableEntity, "Not a valid timer", false},
	CodeInvalidLifetime: {http.StatusUnprocessableEntity, "The lifetime is too short or too long", false},
	CodeInvalidTerms:    {http.StatusUnprocessableEntity, "A courier cannot help on these terms", false},
	CodeTooMany:         {http.StatusConflict, "There are too many", true},

	CodeInviteInvalid:        {http.StatusUnprocessableEntity, "Not a valid invite link", false},
	CodeInviteExpired:        {http.StatusGone, "The invite link has expired", false},
	CodeInviteOwn:            {http.StatusConflict, "The invite link is your own", false},
	CodeInviteUnsupported:    {http.StatusUnprocessableEntity, "The invite link needs a newer version", false},
	CodeInviteIsHome:         {http.StatusUnprocessableEntity, "The invite link pairs a home node", false},
	CodeNotHome:              {http.StatusConflict, "This is no home node", false},
	CodeInviteLeadsHere:      {http.StatusConflict, "The invite link leads to its maker through this node only, which does not help it", false},
	CodeInviteWrongKind:      {http.StatusUnprocessableEntity, "The invite link is for something else", false},
	CodeAlreadyContact:       {http.StatusConflict, "Already a contact", false},
	CodeSameLink:             {http.StatusConflict, "Another contact was added by this link: two people gave it to you, and one may be trying whom you know", false},
	CodeAlreadyRequested:     {http.StatusConflict, "Already asked", false},
	CodeRequestExpired:       {http.StatusGone, "The request was not answered in time", false},
	CodeAlreadyAnswered:      {http.StatusConflict, "The request is already answered", false},
	CodeAliasTaken:           {http.StatusConflict, "Another contact has this alias", false},
	CodeAmbiguous:            {http.StatusConflict, "More than one contact has this name", false},
	CodeNetworkAmbiguous:     {http.StatusConflict, "This machine is in more than one local network", false},
	CodeInvalidBootstrap:     {http.StatusUnprocessableEntity, "A server of the DHT is not an IP address with a key", false},
	CodeNetworkUnsupported:   {http.StatusConflict, "This system does not tell when it is in another network", false},
	CodeBlocked:              {http.StatusConflict, "The contact is blocked", false},
	CodeContactFailed:        {http.StatusConflict, "The contact could not be established", false},
	CodeNotEstablished:       {http.StatusConflict, "The contact is not established yet", false},
	CodeVerificationRequired: {http.StatusConflict, "The contact's devices changed: verify first", false},
	CodeVerificationMismatch: {http.StatusConflict, "The safety numbers differ", false},
	CodeAlreadyDelivered:     {http.StatusConflict, "The message is already delivered", false},
	CodeNotOwnMessage:        {http.StatusConflict, "Not a message of yours", false},
	CodeInvalidPicture:       {http.StatusUnprocessableEntity, "Not a JPEG, PNG or GIF that can be read, or one that is too large", false},
	CodeNoQRCode:             {http.StatusUnprocessableEntity, "No QR code was found in the picture", false},
	CodeInvalidMention:       {http.StatusUnprocessableEntity, "A mention is not within the text, over another, or of nobody in the conversation", false},
	CodeInvalidReaction:      {http.StatusUnprocessableEntity, "Not one emoji", false},
	CodeTooManyReactions:     {http.StatusConflict, "You have put as many emojis on the message as there may be", false},
	CodeEditWindowClosed:     {http.StatusConflict, "A message can be edited for 24 hours", false},
	CodeTooManyEdits:         {http.StatusConflict, "A message can be edited 50 times", false},
	CodeNotAdmin:             {http.StatusForbidden, "Only an admin of the group may do this", false},
	CodeAlreadyMember:        {http.StatusConflict, "Already a member of the group", false},
	CodeLastAdmin:            {http.StatusConflict, "Somebody else must become an admin first", false},
	CodeGroupClosed:          {http.StatusConflict, "The group has ended", false},
	CodeGroupFull:            {http.StatusConflict, "The group takes no more changes", false},
	CodeNotInGroup:           {http.StatusConflict, "No member of the group", false},
	CodeNoMemberKey:          {http.StatusConflict, "The contact must be on first", false},
	CodeUnsupportedInGroup:   {http.StatusUnprocessableEntity, "Not possible in a group", false},
	CodeTokenTooStrong:       {http.StatusForbidden, "A token can only make weaker tokens", false},
	CodeApprovalRequired:     {http.StatusForbidden, "The messages of this token wait for the owner, and this cannot wait", false},
	CodeForeignAddress:       {http.StatusUnprocessableEntity, "A webhook can only be on this machine", false},
	CodeConsumerNeedsToken:   {http.StatusForbidden, "A login session keeps no place in the events", false},

	CodeInvalidFile:          {http.StatusUnprocessableEntity, "What is said of the file is not valid", false},
	CodeFileNotReady:         {http.StatusConflict, "Not all of the file is here", true},
	CodeFileInUse:            {http.StatusConflict, "The file is part of a message", false},
	CodeFileNotRemote:        {http.StatusConflict, "The file is not a contact's", false},
	CodeLengthRequired:       {http.StatusLengthRequired, "The size of the file must be told before it is sent", false},
	CodeUploadOffsetMismatch: {http.StatusConflict, "The upload goes on elsewhere", false},
	CodeUploadCut:            {http.StatusBadRequest, "The upload was cut off", true},
	CodeMetadataNotCleanable: {http.StatusUnprocessableEntity, "The file may tell of its maker, and that cannot be removed from this type", false},

	CodeBundleMalformed:   {http.StatusUnprocessableEntity, "Not a bundle file, or one that was cut or changed", false},
	CodeBundleNotForYou:   {http.StatusUnprocessableEntity, "No contact of this profile made the file for it", false},
	CodeBundleOwn:         {http.StatusConflict, "The file was made by this profile", false},
	CodeBundleOutdated:    {http.StatusConflict, "The file is of a session that is over", false},
	CodeBundleUnsupported: {http.StatusUnprocessableEntity, "The file needs a newer version", false},
	CodeSessionRenewal:    {http.StatusConflict, "The session must be renewed, over a connection or by couriers", true},

	CodeArchiveForeign:   {http.StatusUnprocessableEntity, "This is no backup", false},
	CodeArchiveCut:       {http.StatusUnprocessableEntity, "The end of the file is missing", false},
	CodeArchiveDamaged:   {http.StatusUnprocessableEntity, "The file was changed", false},
	CodeArchiveNewer:     {http.StatusUnprocessableEntity, "A newer version wrote the file", false},
	CodeArchiveOtherKind: {http.StatusUnprocessableEntity, "The file is a backup where a moved profile is wanted, or the other way round", false},
}
