package api

// State is what the daemon can do now.
type State string

// The states of the daemon.
const (
	StateUninitialised State = "uninitialised" // no profile: POST /v1/setup
	StateLocked        State = "locked"        // Status.Lock says how: POST /v1/unlock
	StateStarting      State = "starting"      // opening the store and the network
	StateReady         State = "ready"         // messages can be sent
	StateReadOnly      State = "read_only"     // disk full: reading and deleting work
	StateStopping      State = "stopping"      // closing
)

// Status answers GET /v1/status, which works in every state.
type Status struct {
	State       State          `json:"state" enum:"uninitialised,locked,starting,ready,read_only,stopping"`
	Lock        *string        `json:"lock" enum:"keys,screen" doc:"keys: erased from memory, the node is off; screen: mail still comes in; null: not locked"`
	Since       Time           `json:"since"`
	Version     string         `json:"version"`
	Commit      string         `json:"commit"`
	API         Version        `json:"api"`
	Profile     string         `json:"profile"`
	UnreadTotal int            `json:"unread_total"`
	OutboxTotal int            `json:"outbox_total" doc:"messages of ours that are not delivered"`
	Network     NetworkSummary `json:"network"`
	Warnings    []Warning      `json:"warnings"`
}

// The values of Status.Lock.
const (
	LockKeys   = "keys"
	LockScreen = "screen"
)

// Version is the version of the API and its optional parts.
type Version struct {
	Major    int      `json:"major"`
	Minor    int      `json:"minor"`
	Features []string `json:"features"`
}

// NetworkSummary is the network in two words.
type NetworkSummary struct {
	Reachability string `json:"reachability" enum:"direct,relay,unconfirmed,lan,offline" doc:"direct: a contact has come to an address of ours from the internet by itself in the last 24 hours; relay: a courier connects others with us; unconfirmed: we know such an address, but nobody has come there; lan: those near us can come; offline: nobody"`
	Peers        int    `json:"peers" doc:"contacts that are live now"`
}

// The values of NetworkSummary.Reachability.
const (
	ReachabilityDirect      = "direct"
	ReachabilityRelay       = "relay"
	ReachabilityUnconfirmed = "unconfirmed"
	ReachabilityLAN         = "lan"
	ReachabilityOffline     = "offline"
)

// Warning is something the user should know, for a frontend to translate.
type Warning struct {
	Code   string         `json:"code"`
	Params map[string]any `json:"params,omitempty"`
}

// The codes of warnings in [Status] and [Invite].
const (
	WarningNoPassphrase = "no_passphrase" // whoever has this disk reads everything
	WarningClockSuspect = "clock_suspect" // our clock and our contacts' differ
	WarningStorageFull  = "storage_full"  // read_only
	// Nobody beyond the own network can follow an invite; or neither side of some contacts
	// is found from outside.
	WarningNoPublicPath = "no_public_path"
	// An invite leads to an address to which nobody has come from outside yet.
	WarningUnconfirmedPath = "unconfirmed_path"
	// A name is easily taken for that of another contact, contact_id, or for our own: self.
	WarningLooksLike = "looks_like"
	// A word of a name has letters of two alphabets that look alike.
	WarningMixedAlphabets = "mixed_alphabets"
)

// WaysOut returns what helps where there is no public path, the simplest first, as codes: the
// parameter "ways" of the warning. The last is for contacts only, not for invites.
func WaysOut() []string { return []string{"lan", "forward", "courier", "home", "bundle"} }

// Disappearing is when a message is deleted on both sides. Where a pointer to
// it is nil, and null in JSON, messages never disappear.
type Disappearing struct {
	_       struct{} `nullable:"true"` // in the description of the API
	Mode    string   `json:"mode" enum:"sent,read" doc:"whether the time runs from sending or from reading"`
	Seconds int64    `json:"seconds" minimum:"1" maximum:"316224000"`
}

// The modes of a Disappearing.
const (
	DisappearFromSent = "sent"
	DisappearFromRead = "read"
)

// SetupRequest makes a new profile. Either Passphrase is set or Keyfile is
// true: a profile without a passphrase must be wished for. Disappearing has no
// default; null means never.
type SetupRequest struct {
	DisplayName  string        `json:"display_name" minLength:"1"`
	Passphrase   string        `json:"passphrase,omitempty" doc:"8 to 1024 bytes"`
	Keyfile      bool          `json:"keyfile,omitempty" doc:"true: no passphrase; whoever has the disk reads everything"`
	Disappearing *Disappearing `json:"disappearing" doc:"the timer of new conversations; null = never"`
}

// SetupResponse answers POST /v1/setup.
type SetupResponse struct {
	Self Self `json:"self"`
}

// UnlockRequest opens a locked profile; without a passphrase the keyfile is read.
type UnlockRequest struct {
	Passphrase string `json:"passphrase,omitempty"`
}

// LockRequest says what is locked; without one it is everything.
type LockRequest struct {
	Screen bool `json:"screen,omitempty" doc:"true: only the API and the UI; the keys stay in memory, and mail still comes in"`
}

// DuressRequest has a second passphrase open a decoy: a profile of its own that looks like any
// other. Without it, whatever another passphrase opened is destroyed and none opens anything.
// Inside the decoy it does the same, and destroys what the decoy hides.
type DuressRequest struct {
	Passphrase       string  `json:"passphrase" doc:"of the profile that is open"`
	DuressPassphrase *string `json:"duress_passphrase,omitempty" doc:"opens the decoy; without it there is none"`
	DisplayName      string  `json:"display_name,omitempty" doc:"of the decoy's account; by default the same as here"`
}

// PassphraseRequest changes what opens the profile.
type PassphraseRequest struct {
	Old *string `json:"old,omitempty" doc:"the passphrase so far; none if it has none"`
	New *string `json:"new,omitempty" doc:"without it the profile opens without a passphrase: whoever has the disk reads everything"`
}

// WipeRequest destroys the profile. There is no way back.
type WipeRequest struct {
	Confirm bool `json:"confirm" doc:"true"`
}

// SnapshotResponse is all that a frontend needs to draw its first screen, read
// in one database snapshot together with Cursor: events after Cursor are new.
type SnapshotResponse struct {
	Self          Self           `json:"self"`
	Settings      Settings       `json:"settings"`
	Conversations []Conversation `json:"conversations" doc:"newest first"`
	Messages      []Message      `json:"messages" doc:"the newest of each conversation, as many as asked"`
	Contacts      []Contact      `json:"contacts"`
	Requests      []Request      `json:"requests" doc:"those that wait for an answer"`
	Cursor        string         `json:"cursor"`
}

// SnapshotOptions bounds a snapshot; zero means the daemon's default.
type SnapshotOptions struct {
	Conversations int // 0–200, default 50
	Messages      int // of each conversation, 0–50, default 1
}

// Settings answers GET /v1/settings.
type Settings struct {
	Disappearing *Disappearing `json:"disappearing" doc:"the timer of new conversations; null = never"`
	Language     string        `json:"language" doc:"BCP 47, empty: the frontend's choice"`
	Deletions    string        `json:"deletions" enum:"confirm,refuse" doc:"what happens when a contact deletes a message of theirs for everyone"`
	LockIdle     int64         `json:"lock_idle_seconds" doc:"the screen is locked after so long without a call of the owner or a session; those with the header Pabal-Background, which a page makes by itself, do not count; 0: never"`
	Notify       string        `json:"notifications" enum:"none,some,full" doc:"what a frontend may have the system show of a message that comes: nothing, that one came, or who wrote what; a system may keep what it has shown. A token can lower it, not raise it"`
}

// SettingsPatch changes settings; absent fields stay.
type SettingsPatch struct {
	Disappearing Optional[*Disappearing] `json:"disappearing,omitzero"`
	Language     *string                 `json:"language,omitempty" enum:",en,ko"`
	Deletions    *string                 `json:"deletions,omitempty" enum:"confirm,refuse"`
	LockIdle     *int64                  `json:"lock_idle_seconds,omitempty" minimum:"0" maximum:"604800" doc:"0: never; else 10 or more"`
	Notify       *string                 `json:"notifications,omitempty" enum:"none,some,full"`
}

// LockIdleMin is the least number of seconds that the setting LockIdle may be, but for 0.
const LockIdleMin = 10

// What the setting Deletions may be.
const (
	DeletionsConfirm = "confirm"
	DeletionsRefuse  = "refuse"
)

// What the setting Notify may be.
const (
	NotifyNone = "none"
	NotifySome = "some"
	NotifyFull = "full"
)

// Health answers GET /healthz and /readyz.
type Health struct {
	OK      bool     `json:"ok"`
	Reasons []string `json:"reasons" doc:"why not, as codes"`
}

// Discovery is the file run/api.json that tells where a daemon listens. It is
// written when the listeners are up and removed on a clean stop.
type Discovery struct {
	PID       int              `json:"pid"`
	StartedAt Time             `json:"started_at"`
	Unix      string           `json:"unix"`
	TCP       string           `json:"tcp"`
	API       DiscoveryVersion `json:"api"`
	Version   string           `json:"version"`
}

// DiscoveryVersion is the API's version as the discovery file tells it.
type DiscoveryVersion struct {
	Major int `json:"major"`
	Minor int `json:"minor"`
}

// The names of files in a profile's runtime directory.
const (
	DiscoveryFile = "api.json"
	SocketFile    = "pabal.sock"
)
