package httpd

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
)

// route is one operation of the API. The table in routes is the only place that
// says who may call it and when.
type route struct {
	method, path string
	summary      string
	scopes       []api.Scope // one of them is needed; none: whoever is known
	states       states      // when it answers
	status       int         // of success; 0: 200

	public       bool // answers without a token
	pairs        bool // a page of an origin that has a token may read the answer, without one
	stepUp       bool // only the owner on the unix socket, whatever a token's scopes
	confirm      bool // a session may, too, once its owner has confirmed it
	noToken      bool // no token may, whatever its scopes
	stream       bool // writes for as long as it likes
	text         bool // also takes text/plain
	file         bool // takes a bundle file, and no JSON
	upload       bool // reads its body itself, as it comes
	sends        bool // counts as a sent message
	scans        bool // looks for a code in a picture, which takes seconds: a place and a rate of its own
	holds        bool // waits for the owner, where a token's messages do
	quiet        bool // no other side notices it, so it need not wait for the owner
	human        bool // also for a session that may send messages: whoever sits there can click
	secret       bool // answers with a secret, so it takes no Idempotency-Key
	experimental bool // may change within v1

	audit api.AuditKind // what the audit log calls it; empty: it is not noted, or the operation does that

	register func(*Server, huma.API, huma.Operation)
}

// name returns the route's pattern, or "none" for no route.
func (rt *route) name() string {
	if rt == nil {
		return "none"
	}
	return rt.method + " " + rt.path
}

func (rt *route) stability() string {
	if rt.experimental {
		return "experimental"
	}
	return "stable"
}

// routes returns every operation.
func routes() []route {
	var all []route
	for _, group := range [][]route{
		serviceRoutes(), authRoutes(), eventRoutes(), selfRoutes(), inviteRoutes(), contactRoutes(),
		conversationRoutes(), messageRoutes(), markRoutes(scopes(api.ScopeMessagesManage)), reactionRoutes(), signalRoutes(), pictureRoutes(), courierRoutes(), bundleRoutes(), fileRoutes(), jobRoutes(), auditRoutes(), webhookRoutes(), approvalRoutes(), pairingRoutes(), exportRoutes(), opsRoutes(),
	} {
		all = append(all, group...)
	}
	return all
}

func scopes(s ...api.Scope) []api.Scope { return s }

func serviceRoutes() []route {
	owner := scopes(api.ScopeOwner)
	return []route{
		{method: http.MethodGet, path: "/v1/status", summary: "What the daemon can do now",
			scopes: scopes(api.ScopeStatusRead), states: always, register: operation((*Server).getStatus)},
		{method: http.MethodPost, path: "/v1/setup", summary: "Make the profile",
			scopes: scopes(api.ScopeLock), // of a session that the owner let in: there are no tokens yet
			states: inUninitialised, status: http.StatusCreated, register: operation((*Server).setup)},
		{method: http.MethodPost, path: "/v1/setup/restore", summary: "Make the profile that is in a backup", scopes: owner,
			states: inUninitialised, stepUp: true, stream: true, upload: true, secret: true, register: registerRestore},
		{method: http.MethodPost, path: "/v1/backups", summary: "A backup of the profile, sealed under a passphrase of its own",
			scopes: owner, states: reading, stepUp: true, stream: true, secret: true, audit: api.AuditBackup, register: registerBackup},
		{method: http.MethodPost, path: "/v1/unlock", summary: "Open a locked profile",
			scopes: scopes(api.ScopeLock), states: inLocked, status: http.StatusNoContent, audit: api.AuditUnlocked, register: operation((*Server).unlock)},
		{method: http.MethodPost, path: "/v1/lock", summary: "Erase the keys from memory and close the network, or lock the screen only",
			scopes: scopes(api.ScopeLock), states: inLocked | reading, status: http.StatusNoContent, register: operation((*Server).lock)},
		{method: http.MethodPost, path: "/v1/self/passphrase", summary: "Change what opens the profile, end all logins, and begin a rotation", scopes: owner,
			states: writing, status: http.StatusAccepted, stepUp: true, secret: true, audit: api.AuditPassphrase, register: operation((*Server).changePassphrase)},
		{method: http.MethodPut, path: "/v1/duress", summary: "Have a second passphrase open a decoy, or none; what another passphrase opened is destroyed", scopes: owner,
			states: writing, status: http.StatusNoContent, stepUp: true, secret: true, register: operation((*Server).putDuress)},
		{method: http.MethodPost, path: "/v1/wipe", summary: "Destroy the profile, the keys first, and end", scopes: owner,
			states: inLocked | inStarting | reading, status: http.StatusNoContent, stepUp: true, secret: true, register: operation((*Server).wipe)},
		{method: http.MethodPost, path: "/v1/shutdown", summary: "Commit what is held and end", scopes: owner,
			states: always, status: http.StatusAccepted, register: operation((*Server).shutdown)},
		{method: http.MethodGet, path: "/v1/warrant", summary: "What would be obtained from whom, as things are now", scopes: owner,
			states: reading, confirm: true, register: operation((*Server).warrant)},
		{method: http.MethodGet, path: "/v1/snapshot", summary: "What a first screen needs, with the cursor to go on from",
			scopes: scopes(api.ScopeConversationsRead), states: reading, register: operation((*Server).snapshot)},
		{method: http.MethodGet, path: "/v1/settings", summary: "All settings",
			scopes: scopes(api.ScopeSettingsRead), states: reading, register: operation((*Server).getSettings)},
		{method: http.MethodPatch, path: "/v1/settings", summary: "Change settings",
			scopes: scopes(api.ScopeSettingsWrite), states: writing, register: operation((*Server).patchSettings)},
		{method: http.MethodGet, path: "/v1/network", summary: "Own addresses and live contacts",
			scopes: scopes(api.ScopeNetworkRead), states: reading, register: operation((*Server).network)},
		{method: http.MethodPost, path: "/v1/network/trust", summary: "Be heard on a local network from now on",
			scopes: scopes(api.ScopeNetworkManage), states: writing, register: operation((*Server).trustNetwork)},
		{method: http.MethodDelete, path: "/v1/network/trust/{network}", summary: "Be silent on a local network",
			scopes: scopes(api.ScopeNetworkManage), states: writing, status: http.StatusNoContent, register: operation((*Server).distrustNetwork)},
		{method: http.MethodPut, path: "/v1/network/dht", summary: "Look for contacts to whom no path works in a public DHT, which shows strangers whose addresses belong together",
			scopes: scopes(api.ScopeNetworkManage), states: writing, register: operation((*Server).switchDHT)},
		{method: http.MethodDelete, path: "/v1/network/dht", summary: "Use no public DHT",
			scopes: scopes(api.ScopeNetworkManage), states: writing, status: http.StatusNoContent, register: operation((*Server).switchDHTOff)},
		{method: http.MethodGet, path: "/v1/network/egress", summary: "Whom the daemon has sent to, and why",
			scopes: scopes(api.ScopeNetworkRead), states: reading, register: operation((*Server).egress)},
	}
}

func authRoutes() []route {
	manage := scopes(api.ScopeTokensManage)
	return []route{
		{method: http.MethodPost, path: "/v1/auth/proof", summary: "Prove that the daemon knows a token",
			states: anyLocked, public: true, secret: true, register: operation((*Server).proof)},
		{method: http.MethodPost, path: "/v1/auth/exchange", summary: "Turn the code of a login link into a session",
			states: anyLocked, public: true, secret: true, register: operation((*Server).exchange)},
		{method: http.MethodGet, path: "/v1/auth/me", summary: "What this client may do",
			states: anyLocked, register: operation((*Server).me)},
		{method: http.MethodDelete, path: "/v1/auth/me", summary: "End this session or revoke this token",
			states: anyLocked, status: http.StatusNoContent, quiet: true, register: operation((*Server).logout)},
		{method: http.MethodPost, path: "/v1/auth/confirm", summary: "Show that whoever sits at a session is the owner",
			states: reading, status: http.StatusCreated, secret: true, noToken: true, audit: api.AuditConfirmed, register: operation((*Server).confirm)},
		{method: http.MethodPost, path: "/v1/login-links", summary: "Let one browser in, once", scopes: scopes(api.ScopeOwner),
			states: anyLocked, status: http.StatusCreated, stepUp: true, secret: true, audit: api.AuditLogin, register: operation((*Server).createLoginLink)},
		{method: http.MethodGet, path: "/v1/tokens", summary: "All tokens", scopes: manage,
			states: reading, confirm: true, register: operation((*Server).listTokens)},
		{method: http.MethodPost, path: "/v1/tokens", summary: "Make a token, no stronger than oneself", scopes: manage,
			states: writing, status: http.StatusCreated, secret: true, confirm: true, audit: api.AuditTokenCreated, register: operation((*Server).createToken)},
		{method: http.MethodGet, path: "/v1/tokens/{id}", summary: "One token", scopes: manage,
			states: reading, confirm: true, register: operation((*Server).getToken)},
		{method: http.MethodDelete, path: "/v1/tokens/{id}", summary: "Revoke a token and end its streams", scopes: manage,
			states: reading, status: http.StatusNoContent, confirm: true, audit: api.AuditTokenRevoked, register: operation((*Server).revokeToken)},
	}
}

func eventRoutes() []route {
	events := scopes(api.ScopeEvents)
	return []route{
		{method: http.MethodGet, path: "/v1/events", summary: "The event log: stream (SSE, NDJSON) or long poll (JSON)",
			scopes: events, states: inLocked | reading, stream: true, register: registerEvents},
		{method: http.MethodPost, path: "/v1/events/ack", summary: "Move a consumer forward", scopes: events,
			states: writing, quiet: true, register: operation((*Server).ackEvents)},
		{method: http.MethodGet, path: "/v1/consumers", summary: "All event consumers", scopes: events,
			states: reading, register: operation((*Server).listConsumers)},
		{method: http.MethodPut, path: "/v1/consumers/{name}", summary: "Make an event consumer or move it", scopes: events,
			states: writing, quiet: true, register: operation((*Server).putConsumer)},
		{method: http.MethodDelete, path: "/v1/consumers/{name}", summary: "Forget an event consumer", scopes: events,
			states: reading, status: http.StatusNoContent, quiet: true, register: operation((*Server).deleteConsumer)},
	}
}

func selfRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/v1/self", summary: "The account", states: reading, register: operation((*Server).getSelf)},
		{method: http.MethodPatch, path: "/v1/self", summary: "Change the display name", scopes: scopes(api.ScopeIdentityManage),
			states: writing, confirm: true, register: operation((*Server).patchSelf)},
		{method: http.MethodGet, path: "/v1/self/fingerprint", summary: "This account's half of every safety number",
			states: reading, register: operation((*Server).selfFingerprint)},
		{method: http.MethodGet, path: "/v1/self/qr.svg", summary: "The own fingerprint as a QR code",
			states: reading, register: raw(svgType, (*Server).selfQR)},
	}
}

func inviteRoutes() []route {
	manage, write := scopes(api.ScopeInvitesManage), scopes(api.ScopeContactsWrite)
	return []route{
		{method: http.MethodGet, path: "/v1/invites", summary: "Invites made here", scopes: manage,
			states: reading, register: operation((*Server).listInvites)},
		{method: http.MethodPost, path: "/v1/invites", summary: "Make an invite link", scopes: manage,
			states: writing, status: http.StatusCreated, register: operation((*Server).createInvite)},
		{method: http.MethodPost, path: "/v1/invites/inspect", summary: "What a link is, without touching the network",
			scopes: scopes(api.ScopeContactsRead), states: reading, quiet: true, register: operation((*Server).inspectInvite)},
		{method: http.MethodPost, path: "/v1/invites/scan", summary: "What the link in a picture of a QR code is: a JPEG, PNG or GIF",
			scopes: scopes(api.ScopeContactsRead), states: reading, file: true, scans: true, secret: true, quiet: true, register: takingFile(api.PictureType, (*Server).scanInvite)},
		{method: http.MethodPost, path: "/v1/invites/accept", summary: "Answer someone's invite link", scopes: write,
			states: writing, status: http.StatusAccepted, register: operation((*Server).acceptInvite)},
		{method: http.MethodGet, path: "/v1/invites/{id}", summary: "One invite", scopes: manage,
			states: reading, register: operation((*Server).getInvite)},
		{method: http.MethodDelete, path: "/v1/invites/{id}", summary: "Make a link useless", scopes: manage,
			states: reading, status: http.StatusNoContent, register: operation((*Server).revokeInvite)},
		{method: http.MethodGet, path: "/v1/invites/{id}/qr.svg", summary: "An invite link as a QR code", scopes: manage,
			states: reading, register: raw(svgType, (*Server).inviteQR)},
		{method: http.MethodGet, path: "/v1/requests", summary: "Contact requests that reached us", scopes: scopes(api.ScopeContactsRead),
			states: reading, register: operation((*Server).listRequests)},
		{method: http.MethodPost, path: "/v1/requests/{id}/accept", summary: "Make a contact of who asked", scopes: write,
			states: writing, register: operation((*Server).acceptRequest)},
		{method: http.MethodPost, path: "/v1/requests/{id}/decline", summary: "Refuse, silently", scopes: write,
			states: writing, register: operation((*Server).declineRequest)},
		{method: http.MethodPost, path: "/v1/requests/{id}/block", summary: "Refuse, also what the account asks later", scopes: write,
			states: writing, register: operation((*Server).blockRequest)},
	}
}

func contactRoutes() []route {
	read, write := scopes(api.ScopeContactsRead), scopes(api.ScopeContactsWrite)
	return []route{
		{method: http.MethodGet, path: "/v1/contacts", summary: "Contacts by name", scopes: read,
			states: reading, register: operation((*Server).listContacts)},
		{method: http.MethodGet, path: "/v1/contacts/{id}", summary: "One contact, by id or @alias", scopes: read,
			states: reading, register: operation((*Server).getContact)},
		{method: http.MethodPatch, path: "/v1/contacts/{id}", summary: "Change what we call a contact", scopes: write,
			states: writing, register: operation((*Server).patchContact)},
		{method: http.MethodDelete, path: "/v1/contacts/{id}", summary: "Erase a contact and its conversation here", scopes: write,
			states: reading, status: http.StatusNoContent, register: operation((*Server).removeContact)},
		{method: http.MethodGet, path: "/v1/contacts/{id}/why", summary: "What a contact waits for", scopes: read,
			states: reading, register: operation((*Server).whyContact)},
		{method: http.MethodGet, path: "/v1/contacts/{id}/verification", summary: "The safety number with a contact", scopes: read,
			states: reading, register: operation((*Server).getVerification)},
		{method: http.MethodGet, path: "/v1/contacts/{id}/verification/qr.svg", summary: "The safety number with a contact as a QR code", scopes: read,
			states: reading, register: raw(svgType, (*Server).verificationQR)},
		{method: http.MethodPost, path: "/v1/contacts/{id}/verify", summary: "Record that the safety numbers are equal", scopes: write,
			states: writing, register: operation((*Server).verify)},
		{method: http.MethodDelete, path: "/v1/contacts/{id}/verification", summary: "Take a verification back", scopes: write,
			states: writing, status: http.StatusNoContent, register: operation((*Server).unverify)},
		{method: http.MethodPost, path: "/v1/contacts/{id}/key-change/acknowledge", summary: "Write on to a contact whose devices changed, unverified", scopes: write,
			states: writing, status: http.StatusNoContent, register: operation((*Server).acknowledge)},
		{method: http.MethodGet, path: "/v1/blocks", summary: "Blocked contacts", scopes: read,
			states: reading, register: operation((*Server).listBlocks)},
		{method: http.MethodPut, path: "/v1/blocks/{id}", summary: "Block a contact: to them we look like off", scopes: write,
			states: writing, status: http.StatusNoContent, register: operation((*Server).block)},
		{method: http.MethodDelete, path: "/v1/blocks/{id}", summary: "Take a block back", scopes: write,
			states: writing, status: http.StatusNoContent, register: operation((*Server).unblock)},
	}
}

func conversationRoutes() []route {
	read, write := scopes(api.ScopeConversationsRead), scopes(api.ScopeConversationsWrite)
	return []route{
		{method: http.MethodGet, path: "/v1/conversations", summary: "Conversations, newest first", scopes: read,
			states: reading, register: operation((*Server).listConversations)},
		{method: http.MethodPost, path: "/v1/conversations", summary: "The conversation with a contact or with oneself",
			scopes: write, states: writing, register: operation((*Server).openConversation)},
		{method: http.MethodGet, path: "/v1/conversations/{id}", summary: "One conversation", scopes: read,
			states: reading, register: operation((*Server).getConversation)},
		{method: http.MethodPatch, path: "/v1/conversations/{id}", summary: "Change the timer of new messages, mute, archive, pin",
			scopes: write, states: writing, register: operation((*Server).patchConversation)},
		{method: http.MethodPost, path: "/v1/conversations/{id}/read", summary: "Say that the user has read up to a position",
			scopes: scopes(api.ScopeMessagesRead), states: writing, register: operation((*Server).markRead)},
		{method: http.MethodPost, path: "/v1/conversations/{id}/unread", summary: "Mark a conversation as unread until it is read again",
			scopes: write, states: writing, register: operation((*Server).markUnread)},
		{method: http.MethodPut, path: "/v1/conversations/{id}/draft", summary: "Keep what is begun to be written; sending that text ends it",
			scopes: scopes(api.ScopeDrafts), states: writing, register: operation((*Server).putDraft)},
		{method: http.MethodDelete, path: "/v1/conversations/{id}/draft", summary: "Erase a draft",
			scopes: scopes(api.ScopeDrafts), states: reading, status: http.StatusNoContent, register: operation((*Server).deleteDraft)},
	}
}

func messageRoutes() []route {
	read, send := scopes(api.ScopeMessagesRead, api.ScopeMessagesMeta), scopes(api.ScopeMessagesSend)
	return []route{
		{method: http.MethodGet, path: "/v1/conversations/{id}/messages", summary: "A page of a conversation, oldest first",
			scopes: read, states: reading, register: operation((*Server).listMessages)},
		{method: http.MethodPost, path: "/v1/conversations/{id}/messages", summary: "Send a message", scopes: send,
			states: writing, status: http.StatusCreated, text: true, sends: true, holds: true, register: operation((*Server).postMessage)},
		{method: http.MethodPut, path: "/v1/conversations/{id}/messages/{message_id}", summary: "Send a message under an id of one's choice",
			scopes: send, states: writing, status: http.StatusCreated, sends: true, holds: true, register: operation((*Server).putMessage)},
		{method: http.MethodPost, path: "/v1/contacts/{id}/messages", summary: "Send a message to a contact, by id or @alias",
			scopes: send, states: writing, status: http.StatusCreated, text: true, sends: true, holds: true, register: operation((*Server).postToContact)},
		{method: http.MethodGet, path: "/v1/messages", summary: "Pinned or starred messages, newest first", scopes: read,
			states: reading, register: operation((*Server).listMarked)},
		{method: http.MethodGet, path: "/v1/messages/{id}", summary: "One message", scopes: read,
			states: reading, register: operation((*Server).getMessage)},
		{method: http.MethodPatch, path: "/v1/messages/{id}", summary: "Give a message of ours a new text",
			scopes: scopes(api.ScopeMessagesManage), states: writing, sends: true, register: operation((*Server).editMessage)},
		{method: http.MethodPost, path: "/v1/messages/{id}/forward", summary: "Send what a message says, and its files, to others", status: http.StatusCreated,
			scopes: scopes(api.ScopeMessagesSend), states: writing, sends: true, register: operation((*Server).forwardMessage)},
		{method: http.MethodGet, path: "/v1/messages/{id}/history", summary: "What a message said before it was edited, and says now", scopes: read,
			states: reading, register: operation((*Server).messageHistory)},
		{method: http.MethodDelete, path: "/v1/messages/{id}", summary: "Delete a message here, which takes a queued one back, or for everyone",
			scopes: scopes(api.ScopeMessagesManage), states: reading, status: http.StatusNoContent, register: operation((*Server).deleteMessage)},
		{method: http.MethodGet, path: "/v1/messages/{id}/copies", summary: "Who may hold a message, as far as it can be known here", scopes: read,
			states: reading, register: operation((*Server).copies)},
		{method: http.MethodGet, path: "/v1/messages/{id}/why", summary: "What a message of ours waits for", scopes: read,
			states: reading, register: operation((*Server).whyMessage)},
		{method: http.MethodGet, path: "/v1/search", summary: "Messages by their words, newest first, and contacts by their names",
			scopes: scopes(api.ScopeSearch), states: reading, register: operation((*Server).search)},
		{method: http.MethodGet, path: "/v1/outbox", summary: "Messages of ours that are not delivered", scopes: send,
			states: reading, register: operation((*Server).outbox)},
	}
}

func courierRoutes() []route {
	manage := scopes(api.ScopeNetworkManage)
	return []route{
		{method: http.MethodGet, path: "/v1/couriers", summary: "Contacts that keep mail for us, or we for them",
			scopes: scopes(api.ScopeNetworkRead), states: reading, register: operation((*Server).listCouriers)},
		{method: http.MethodPost, path: "/v1/couriers", summary: "Keep mail for a contact while it is off", scopes: manage,
			states: writing, status: http.StatusCreated, register: operation((*Server).offerCourier)},
		{method: http.MethodPost, path: "/v1/couriers/home", summary: "Pair with a home node of one's own", scopes: manage,
			states: writing, status: http.StatusCreated, register: operation((*Server).addHome)},
		{method: http.MethodPost, path: "/v1/couriers/{id}/accept", summary: "Use a contact's help as a courier that was declined", scopes: manage,
			states: writing, status: http.StatusNoContent, register: operation((*Server).acceptCourier)},
		{method: http.MethodDelete, path: "/v1/couriers/{id}", summary: "End a contact's and our help as couriers", scopes: manage,
			states: writing, status: http.StatusNoContent, register: operation((*Server).endCourier)},
	}
}

func bundleRoutes() []route {
	send := scopes(api.ScopeMessagesSend)
	return []route{
		{method: http.MethodPost, path: "/v1/bundles/export", summary: "A file with what waits for a contact, for any hands to carry",
			scopes: send, states: writing, sends: true, secret: true, register: registerExport},
		{method: http.MethodPost, path: "/v1/bundles/import", summary: "Take what is in a file of a contact",
			scopes: send, states: writing, file: true, register: takingFile(api.BundleType, (*Server).importBundle)},
	}
}

func opsRoutes() []route {
	status := scopes(api.ScopeStatusRead)
	return []route{
		{method: http.MethodGet, path: "/healthz", summary: "Whether the process answers", scopes: status,
			states: always, register: operation((*Server).healthz)},
		{method: http.MethodGet, path: "/readyz", summary: "Whether a message would be taken now", scopes: status,
			states: always, register: operation((*Server).readyz)},
		{method: http.MethodGet, path: "/metrics", summary: "Metrics in the text format of Prometheus",
			scopes: scopes(api.ScopeMetricsRead), states: reading, register: raw("text/plain", (*Server).serveMetrics)},
		{method: http.MethodGet, path: "/v1/openapi.json", summary: "This description",
			states: anyLocked, register: raw("application/json", (*Server).serveOpenAPI)},
	}
}
