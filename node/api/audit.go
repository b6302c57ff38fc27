package api

import (
	"context"
	"net/url"
)

// AuditKind says what was done with the profile. Clients must expect kinds they do not know.
type AuditKind string

// The kinds of entries of the audit log.
const (
	AuditUnlocked        AuditKind = "unlocked"
	AuditLocked          AuditKind = "locked" // asked for, or by itself; noted just before, as wipe.asked is, if anything is open
	AuditPassphrase      AuditKind = "passphrase.changed"
	AuditRotation        AuditKind = "rotation.started"
	AuditWipe            AuditKind = "wipe.asked"
	AuditConfirmed       AuditKind = "session.confirmed" // the owner has shown to sit at a session
	AuditLogin           AuditKind = "login.created"
	AuditSession         AuditKind = "session.started"
	AuditTokenCreated    AuditKind = "token.created"
	AuditTokenRevoked    AuditKind = "token.revoked"
	AuditBackup          AuditKind = "backup.made"
	AuditExport          AuditKind = "export.made"
	AuditApproved        AuditKind = "approval.approved"
	AuditRefused         AuditKind = "approval.refused"
	AuditWebhookCreated  AuditKind = "webhook.created"
	AuditWebhookEnabled  AuditKind = "webhook.enabled"
	AuditWebhookDisabled AuditKind = "webhook.disabled" // by the daemon: it has failed for days
	AuditWebhookDeleted  AuditKind = "webhook.deleted"
)

// AuditKinds returns every kind.
func AuditKinds() []AuditKind {
	return []AuditKind{
		AuditUnlocked, AuditLocked, AuditPassphrase, AuditRotation, AuditWipe, AuditConfirmed, AuditLogin, AuditSession,
		AuditTokenCreated, AuditTokenRevoked, AuditBackup, AuditExport, AuditApproved, AuditRefused,
		AuditWebhookCreated, AuditWebhookEnabled, AuditWebhookDisabled, AuditWebhookDeleted,
	}
}

// AuditOK is the outcome of what was done. Other outcomes are codes of problems.
const AuditOK = "ok"

// AuditCut is the outcome of an answer that was not written to its end.
const AuditCut = "cut"

// ActorDaemon does what nobody asked for at that moment. It is only seen in the audit log.
const ActorDaemon ActorKind = "daemon"

// AuditEntry is something that was done with the profile, or refused. It holds no name and
// no text.
type AuditEntry struct {
	ID      int64     `json:"id" doc:"the order of the entries"`
	At      Time      `json:"at" doc:"of the last one, if count is more than 1"`
	What    AuditKind `json:"what"`
	Actor   ActorKind `json:"actor" enum:"owner,session,token,daemon"`
	ActorID *string   `json:"actor_id" doc:"of a token or session"`
	Outcome string    `json:"outcome" doc:"ok, cut if the answer was not written to its end, or the code of the refusal"`
	About   *string   `json:"about" doc:"the id of what it is about"`
	Count   int       `json:"count" doc:"how often in a row it was refused so"`
}

// AuditQuery selects entries: at most Limit before an entry; zero values are the defaults.
type AuditQuery struct {
	Before int64
	Limit  int
}

// Audit returns entries of the audit log, the newest first.
func (c *Client) Audit(ctx context.Context, q AuditQuery) ([]AuditEntry, error) {
	query := url.Values{}
	setInt(query, "before", int(q.Before))
	setInt(query, "limit", q.Limit)
	return list[AuditEntry](ctx, c, "/v1/audit", query)
}
