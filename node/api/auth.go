package api

// Scope is one right of a token.
type Scope string

// The scopes.
const (
	ScopeStatusRead         Scope = "status:read"
	ScopeContactsRead       Scope = "contacts:read"
	ScopeContactsWrite      Scope = "contacts:write"
	ScopeConversationsRead  Scope = "conversations:read"
	ScopeConversationsWrite Scope = "conversations:write"
	ScopeMessagesRead       Scope = "messages:read"
	ScopeMessagesMeta       Scope = "messages:meta" // that something came, no texts, no names
	ScopeMessagesSend       Scope = "messages:send"
	ScopeMessagesManage     Scope = "messages:manage" // delete
	ScopeFilesRead          Scope = "files:read"
	ScopeFilesWrite         Scope = "files:write" // bring, fetch and delete them
	ScopeSearch             Scope = "search"      // finds messages and shows what it finds
	ScopeDrafts             Scope = "drafts"
	ScopeInvitesManage      Scope = "invites:manage"
	ScopeEvents             Scope = "events"
	ScopeSettingsRead       Scope = "settings:read"
	ScopeSettingsWrite      Scope = "settings:write"
	ScopeNetworkRead        Scope = "network:read"
	ScopeNetworkManage      Scope = "network:manage" // who keeps mail for whom
	ScopeIdentityManage     Scope = "identity:manage"
	ScopeTokensManage       Scope = "tokens:manage"
	ScopeLock               Scope = "lock"
	ScopeMetricsRead        Scope = "metrics:read"
	ScopeOwner              Scope = "owner" // everything; only made on the unix socket
)

// Scopes returns every scope.
func Scopes() []Scope {
	return []Scope{
		ScopeStatusRead, ScopeContactsRead, ScopeContactsWrite, ScopeConversationsRead, ScopeConversationsWrite,
		ScopeMessagesRead, ScopeMessagesMeta, ScopeMessagesSend, ScopeMessagesManage, ScopeFilesRead, ScopeFilesWrite, ScopeSearch, ScopeDrafts, ScopeInvitesManage, ScopeEvents,
		ScopeSettingsRead, ScopeSettingsWrite, ScopeNetworkRead, ScopeNetworkManage, ScopeIdentityManage, ScopeTokensManage,
		ScopeLock, ScopeMetricsRead, ScopeOwner,
	}
}

// Preset names a usual set of scopes.
type Preset string

// The presets.
const (
	PresetFrontend Preset = "frontend" // all of a user interface
	PresetBot      Preset = "bot"      // read, send, events
	PresetReader   Preset = "reader"   // read only
	PresetNotifier Preset = "notifier" // that something came, not what
	PresetMetrics  Preset = "metrics"
)

// Scopes returns the scopes of a preset, or nil for an unknown one.
func (p Preset) Scopes() []Scope {
	switch p {
	case PresetFrontend:
		return []Scope{
			ScopeStatusRead, ScopeContactsRead, ScopeContactsWrite, ScopeConversationsRead, ScopeConversationsWrite,
			ScopeMessagesRead, ScopeMessagesSend, ScopeMessagesManage, ScopeFilesRead, ScopeFilesWrite, ScopeSearch, ScopeDrafts, ScopeInvitesManage, ScopeEvents,
			ScopeSettingsRead, ScopeSettingsWrite, ScopeNetworkRead, ScopeNetworkManage, ScopeLock,
		}
	case PresetBot:
		return []Scope{
			ScopeStatusRead, ScopeContactsRead, ScopeConversationsRead, ScopeMessagesRead, ScopeMessagesSend,
			ScopeFilesRead, ScopeFilesWrite, ScopeEvents,
		}
	case PresetReader:
		return []Scope{ScopeStatusRead, ScopeContactsRead, ScopeConversationsRead, ScopeMessagesRead, ScopeFilesRead, ScopeSearch, ScopeEvents}
	case PresetNotifier:
		return []Scope{ScopeStatusRead, ScopeMessagesMeta, ScopeEvents}
	case PresetMetrics:
		return []Scope{ScopeStatusRead, ScopeMetricsRead}
	default:
		return nil
	}
}

// Constraints narrow a token further. The zero value narrows nothing.
type Constraints struct {
	Conversations []string `json:"conversations,omitempty" nullable:"false" maxItems:"64" doc:"only these conversations"`
	Origins       []string `json:"origins,omitempty" nullable:"false" maxItems:"8" doc:"web origins that may use the token; empty: none"`
	ExpiresAt     *Time    `json:"expires_at,omitempty" format:"date-time"`
	IdleSeconds   int64    `json:"idle_seconds,omitempty" minimum:"60" doc:"ends after so long without use"`
	Rate          int      `json:"rate,omitempty" minimum:"1" maximum:"1000" doc:"requests a second, default 50"`
	Transports    []string `json:"transports,omitempty" nullable:"false" enum:"unix,tcp" doc:"empty: both"`
	Content       string   `json:"content,omitempty" enum:"full,meta" doc:"meta: no texts, no names"`
	Approval      bool     `json:"approval,omitempty" doc:"messages wait until the owner approves them, and whatever else another side would notice is refused"`
}

// The values of Constraints.Transports and Constraints.Content.
const (
	TransportUnix = "unix"
	TransportTCP  = "tcp"
	ContentFull   = "full"
	ContentMeta   = "meta"
)

// TokenRequest makes a token. Exactly one of Preset and Scopes is set.
type TokenRequest struct {
	Name        string      `json:"name" minLength:"1"`
	Preset      Preset      `json:"preset,omitempty" enum:"frontend,bot,reader,notifier,metrics"`
	Scopes      []Scope     `json:"scopes,omitempty" nullable:"false" maxItems:"32"`
	Constraints Constraints `json:"constraints,omitzero"`
}

// Token describes a token without its secret.
type Token struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Scopes      []Scope     `json:"scopes"`
	Constraints Constraints `json:"constraints"`
	CreatedAt   Time        `json:"created_at"`
	LastUsedAt  *Time       `json:"last_used_at" doc:"of a request with it, of the last hour at most not known exactly behind a restart; null: none was made"`
}

// TokenCreated answers POST /v1/tokens. Token is shown this once.
type TokenCreated struct {
	Secret string `json:"token" doc:"the bearer token; shown once"`
	Token
}

// ActorKind says how a request was let in.
type ActorKind string

// The kinds of actors.
const (
	ActorOwner   ActorKind = "owner"   // the same user on the unix socket
	ActorSession ActorKind = "session" // a login link that was exchanged; in memory only
	ActorToken   ActorKind = "token"
)

// Me answers GET /v1/auth/me.
type Me struct {
	Actor       ActorKind   `json:"actor" enum:"owner,session,token"`
	TokenID     *string     `json:"token_id"`
	Scopes      []Scope     `json:"scopes"`
	Constraints Constraints `json:"constraints"`
	ExpiresAt   *Time       `json:"expires_at"`
}

// HeaderBackground marks, with any value, a call that a page makes by itself: it keeps no idle
// screen open. Otherwise whoever writes to us often would.
const HeaderBackground = "Pabal-Background"

// HeaderConfirm carries the secret of a [Confirmation].
const HeaderConfirm = "Pabal-Confirm"

// ConfirmRequest shows that whoever sits at a session is the owner. Exactly one is set.
type ConfirmRequest struct {
	Passphrase string `json:"passphrase,omitempty" doc:"of the profile that is open"`
	Code       string `json:"code,omitempty" doc:"of a login link for all scopes of the preset frontend, or its digits: only for a profile without a passphrase"`
}

// Confirmation lets a session do for a few minutes what else is left to the owner: the
// operations that the description marks with x-confirm.
type Confirmation struct {
	Secret    string `json:"confirm" doc:"for the header Pabal-Confirm; shown once"`
	ExpiresAt Time   `json:"expires_at"`
}

// ProofRequest asks the daemon to prove that it knows a token before the token
// is sent to it. [NewTCPClient] does it.
type ProofRequest struct {
	TokenID string `json:"token_id"`
	Nonce   string `json:"nonce" minLength:"22" maxLength:"86" doc:"at least 16 random bytes, base64url"`
}

// ProofResponse holds base64url of HMAC-SHA256(SHA-256(token),
// "pabal-proof-v1" ‖ 0 ‖ host ‖ 0 ‖ nonce), where host is the Host header.
type ProofResponse struct {
	Proof string `json:"proof"`
}

// LoginLinkRequest asks for a login link. Without Scopes the session gets those
// of the preset frontend.
type LoginLinkRequest struct {
	ClientName string  `json:"client_name,omitempty" doc:"what the session is called"`
	Scopes     []Scope `json:"scopes,omitempty" nullable:"false" maxItems:"32"`
	TTLSeconds int     `json:"ttl_seconds,omitempty" minimum:"1" maximum:"300" doc:"of the code, default 60"`
}

// LoginLink lets one browser in, once.
type LoginLink struct {
	URL        string `json:"url" doc:"the code is in the fragment, which browsers never send"`
	Code       string `json:"code"`
	CodeDigits string `json:"code_digits" doc:"six digits for where a link cannot be opened"`
	ExpiresAt  Time   `json:"expires_at"`
}

// ExchangeRequest turns the code of a login link, or its six digits, into a session.
type ExchangeRequest struct {
	Code       string `json:"code" minLength:"6" maxLength:"64"`
	ClientName string `json:"client_name,omitempty"`
}

// ExchangeResponse is a session. Its token lives in the daemon's memory only and
// ends with the process.
type ExchangeResponse struct {
	Secret    string  `json:"token"`
	TokenID   string  `json:"token_id"`
	Scopes    []Scope `json:"scopes"`
	ExpiresAt Time    `json:"expires_at"`
}
