package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// items is the shape of every list.
type items[T any] struct {
	Items []T `json:"items"`
}

func list[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	var out items[T]
	err := c.get(ctx, path, query, &out)
	return out.Items, err
}

// fetch gets one object.
func fetch[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	err := c.get(ctx, path, query, &out)
	return out, err
}

func seg(s string) string { return url.PathEscape(s) }

// Status returns what the daemon can do now; it works in every state.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return fetch[Status](ctx, c, "/v1/status", nil)
}

// Setup makes the profile. The daemon is ready when it returns.
func (c *Client) Setup(ctx context.Context, in SetupRequest) (SetupResponse, error) {
	var out SetupResponse
	err := c.post(ctx, "/v1/setup", in, &out)
	return out, err
}

// Unlock opens a locked profile; an empty passphrase reads the keyfile.
func (c *Client) Unlock(ctx context.Context, passphrase string) error {
	return c.post(ctx, "/v1/unlock", UnlockRequest{Passphrase: passphrase}, nil)
}

// Lock erases the keys from the daemon's memory and closes its network.
func (c *Client) Lock(ctx context.Context) error { return c.post(ctx, "/v1/lock", nil, nil) }

// LockScreen closes the API and the UI until Unlock; mail still comes in.
func (c *Client) LockScreen(ctx context.Context) error {
	return c.post(ctx, "/v1/lock", LockRequest{Screen: true}, nil)
}

// SetDuress has a second passphrase open a decoy, or none.
func (c *Client) SetDuress(ctx context.Context, in DuressRequest) error {
	return c.put(ctx, "/v1/duress", in, nil)
}

// ChangePassphrase changes what opens the profile, and returns the rotation that follows.
func (c *Client) ChangePassphrase(ctx context.Context, in PassphraseRequest) (Job, error) {
	var out Job
	err := c.post(ctx, "/v1/self/passphrase", in, &out)
	return out, err
}

// Wipe destroys the profile, what opens it first, and ends the daemon.
func (c *Client) Wipe(ctx context.Context) error {
	return c.post(ctx, "/v1/wipe", WipeRequest{Confirm: true}, nil)
}

// Shutdown makes the daemon commit what it holds and end, within 5 seconds.
func (c *Client) Shutdown(ctx context.Context) error { return c.post(ctx, "/v1/shutdown", nil, nil) }

// Snapshot returns what a first screen needs, and the cursor to go on from.
func (c *Client) Snapshot(ctx context.Context, o SnapshotOptions) (SnapshotResponse, error) {
	q := url.Values{}
	setInt(q, "conversations", o.Conversations)
	setInt(q, "messages", o.Messages)
	return fetch[SnapshotResponse](ctx, c, "/v1/snapshot", q)
}

func setInt(q url.Values, name string, v int) {
	if v != 0 {
		q.Set(name, strconv.Itoa(v))
	}
}

// Settings returns the settings.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	return fetch[Settings](ctx, c, "/v1/settings", nil)
}

// UpdateSettings changes settings and returns them all.
func (c *Client) UpdateSettings(ctx context.Context, in SettingsPatch) (Settings, error) {
	var out Settings
	err := c.patch(ctx, "/v1/settings", in, &out)
	return out, err
}

// Network returns our addresses and who is live.
func (c *Client) Network(ctx context.Context) (Network, error) {
	return fetch[Network](ctx, c, "/v1/network", nil)
}

// Healthy reports whether the process answers.
func (c *Client) Healthy(ctx context.Context) (Health, error) {
	return fetch[Health](ctx, c, "/healthz", nil)
}

// Ready reports whether the store was written and the core stepped within the
// last 5 seconds; if not, the error is CodeNotReady with the reasons.
func (c *Client) Ready(ctx context.Context) (Health, error) {
	return fetch[Health](ctx, c, "/readyz", nil)
}

// Metrics returns the metrics in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	return fetch[[]byte](ctx, c, "/metrics", nil)
}

// OpenAPI returns the description of the API, OpenAPI 3.1 in JSON.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	return fetch[[]byte](ctx, c, "/v1/openapi.json", nil)
}

// Proof asks the server to prove that it knows a token.
func (c *Client) Proof(ctx context.Context, in ProofRequest) (ProofResponse, error) {
	var out ProofResponse
	err := c.post(ctx, "/v1/auth/proof", in, &out)
	return out, err
}

// Exchange turns the code of a login link into a session.
func (c *Client) Exchange(ctx context.Context, in ExchangeRequest) (ExchangeResponse, error) {
	var out ExchangeResponse
	err := c.post(ctx, "/v1/auth/exchange", in, &out)
	return out, err
}

// Me returns what this client may do.
func (c *Client) Me(ctx context.Context) (Me, error) { return fetch[Me](ctx, c, "/v1/auth/me", nil) }

// Logout ends the session or revokes the token that the client uses.
func (c *Client) Logout(ctx context.Context) error { return c.delete(ctx, "/v1/auth/me", nil) }

// CreateLoginLink makes a link that lets one browser in.
func (c *Client) CreateLoginLink(ctx context.Context, in LoginLinkRequest) (LoginLink, error) {
	var out LoginLink
	err := c.post(ctx, "/v1/login-links", in, &out)
	return out, err
}

// Tokens lists the tokens.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	return list[Token](ctx, c, "/v1/tokens", nil)
}

// CreateToken makes a token; its secret is in the answer only.
func (c *Client) CreateToken(ctx context.Context, in TokenRequest) (TokenCreated, error) {
	var out TokenCreated
	err := c.post(ctx, "/v1/tokens", in, &out)
	return out, err
}

// Token returns one token.
func (c *Client) Token(ctx context.Context, id string) (Token, error) {
	return fetch[Token](ctx, c, "/v1/tokens/"+seg(id), nil)
}

// RevokeToken ends a token and the streams that were opened with it.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.delete(ctx, "/v1/tokens/"+seg(id), nil)
}

// Self returns the account.
func (c *Client) Self(ctx context.Context) (Self, error) { return fetch[Self](ctx, c, "/v1/self", nil) }

// UpdateSelf changes the account.
func (c *Client) UpdateSelf(ctx context.Context, in SelfPatch) (Self, error) {
	var out Self
	err := c.patch(ctx, "/v1/self", in, &out)
	return out, err
}

// SetPicture makes our picture of a JPEG, PNG or GIF.
func (c *Client) SetPicture(ctx context.Context, picture []byte) (Self, error) {
	var out Self
	err := c.do(ctx, RawRequest{Method: http.MethodPut, Path: "/v1/self/picture", Body: picture, Header: http.Header{"Content-Type": {PictureType}}}, nil, &out)
	return out, err
}

// ClearPicture has us be without a picture.
func (c *Client) ClearPicture(ctx context.Context) error {
	return c.delete(ctx, "/v1/self/picture", nil)
}

// Picture returns our picture, a JPEG.
func (c *Client) Picture(ctx context.Context) ([]byte, error) {
	return fetch[[]byte](ctx, c, "/v1/self/picture", nil)
}

// PictureOf returns the picture of a contact, a JPEG.
func (c *Client) PictureOf(ctx context.Context, contact string) ([]byte, error) {
	return fetch[[]byte](ctx, c, "/v1/contacts/"+seg(contact)+"/picture", nil)
}

// SelfFingerprint returns the account's own fingerprint.
func (c *Client) SelfFingerprint(ctx context.Context) (SelfFingerprint, error) {
	return fetch[SelfFingerprint](ctx, c, "/v1/self/fingerprint", nil)
}

// SelfQR returns the own fingerprint as a QR code in SVG.
func (c *Client) SelfQR(ctx context.Context) ([]byte, error) {
	return fetch[[]byte](ctx, c, "/v1/self/qr.svg", nil)
}

// Invites lists the invites that were made here.
func (c *Client) Invites(ctx context.Context) ([]Invite, error) {
	return list[Invite](ctx, c, "/v1/invites", nil)
}

// CreateInvite makes an invite; its link is in URI.
func (c *Client) CreateInvite(ctx context.Context, in InviteRequest) (Invite, error) {
	var out Invite
	err := c.post(ctx, "/v1/invites", in, &out)
	return out, err
}

// Invite returns one invite.
func (c *Client) Invite(ctx context.Context, id string) (Invite, error) {
	return fetch[Invite](ctx, c, "/v1/invites/"+seg(id), nil)
}

// RevokeInvite makes a link useless.
func (c *Client) RevokeInvite(ctx context.Context, id string) error {
	return c.delete(ctx, "/v1/invites/"+seg(id), nil)
}

// InviteQR returns an invite's link as a QR code in SVG.
func (c *Client) InviteQR(ctx context.Context, id string) ([]byte, error) {
	return fetch[[]byte](ctx, c, "/v1/invites/"+seg(id)+"/qr.svg", nil)
}

// ScanInvite says what the link in a picture of a QR code is: a JPEG, PNG or GIF of at most
// [PictureBytesMax] bytes.
func (c *Client) ScanInvite(ctx context.Context, picture []byte) (Scan, error) {
	var out Scan
	err := c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/invites/scan", Body: picture, Header: http.Header{"Content-Type": {PictureType}}}, nil, &out)
	return out, err
}

// InspectInvite says what a link is, without touching the network.
func (c *Client) InspectInvite(ctx context.Context, in InspectRequest) (Inspection, error) {
	var out Inspection
	err := c.post(ctx, "/v1/invites/inspect", in, &out)
	return out, err
}

// AcceptInvite asks the maker of a link to become contacts. The request is
// durable when it returns.
func (c *Client) AcceptInvite(ctx context.Context, in AcceptRequest) (Accepted, error) {
	var out Accepted
	err := c.post(ctx, "/v1/invites/accept", in, &out)
	return out, err
}

// Requests lists contact requests; state "" means those that wait.
func (c *Client) Requests(ctx context.Context, state string) ([]Request, error) {
	return list[Request](ctx, c, "/v1/requests", stateQuery(state))
}

func stateQuery(state string) url.Values {
	if state == "" {
		return nil
	}
	return url.Values{"state": {state}}
}

// AcceptRequest makes a contact of who asked.
func (c *Client) AcceptRequest(ctx context.Context, id string) (Request, error) {
	return c.answerRequest(ctx, id, "accept")
}

// DeclineRequest refuses silently.
func (c *Client) DeclineRequest(ctx context.Context, id string) (Request, error) {
	return c.answerRequest(ctx, id, "decline")
}

// BlockRequest refuses, and every later request of the same account.
func (c *Client) BlockRequest(ctx context.Context, id string) (Request, error) {
	return c.answerRequest(ctx, id, "block")
}

func (c *Client) answerRequest(ctx context.Context, id, verb string) (Request, error) {
	var out Request
	err := c.post(ctx, "/v1/requests/"+seg(id)+"/"+verb, nil, &out)
	return out, err
}

// ContactQuery narrows a list of contacts.
type ContactQuery struct {
	State string // one of the Contact… states
	Query string // part of a name or alias
}

// Contacts lists contacts by name.
func (c *Client) Contacts(ctx context.Context, o ContactQuery) ([]Contact, error) {
	q := url.Values{}
	if o.State != "" {
		q.Set("state", o.State)
	}
	if o.Query != "" {
		q.Set("query", o.Query)
	}
	return list[Contact](ctx, c, "/v1/contacts", q)
}

// Contact returns a contact by its id or by "@" and its alias or name.
func (c *Client) Contact(ctx context.Context, id string) (Contact, error) {
	return fetch[Contact](ctx, c, "/v1/contacts/"+seg(id), nil)
}

// UpdateContact changes a contact.
func (c *Client) UpdateContact(ctx context.Context, id string, in ContactPatch) (Contact, error) {
	var out Contact
	err := c.patch(ctx, "/v1/contacts/"+seg(id), in, &out)
	return out, err
}

// RemoveContact erases a contact and its conversation here.
func (c *Client) RemoveContact(ctx context.Context, id string) error {
	return c.delete(ctx, "/v1/contacts/"+seg(id), nil)
}

// WhyContact says what a contact waits for.
func (c *Client) WhyContact(ctx context.Context, id string) (Why, error) {
	return fetch[Why](ctx, c, "/v1/contacts/"+seg(id)+"/why", nil)
}

// Verification returns the safety number with a contact.
func (c *Client) Verification(ctx context.Context, contact string) (Verification, error) {
	return fetch[Verification](ctx, c, "/v1/contacts/"+seg(contact)+"/verification", nil)
}

// VerificationQR returns the safety number with a contact as a QR code in SVG.
func (c *Client) VerificationQR(ctx context.Context, contact string) ([]byte, error) {
	return fetch[[]byte](ctx, c, "/v1/contacts/"+seg(contact)+"/verification/qr.svg", nil)
}

// Verify records that the safety numbers are equal.
func (c *Client) Verify(ctx context.Context, contact string, in VerifyRequest) (Verification, error) {
	var out Verification
	err := c.post(ctx, "/v1/contacts/"+seg(contact)+"/verify", in, &out)
	return out, err
}

// Unverify takes a verification back.
func (c *Client) Unverify(ctx context.Context, contact string) error {
	return c.delete(ctx, "/v1/contacts/"+seg(contact)+"/verification", nil)
}

// AcknowledgeKeyChange has mail go on to a contact whose devices changed since it was
// verified. It is not verified any more.
func (c *Client) AcknowledgeKeyChange(ctx context.Context, contact string) error {
	return c.post(ctx, "/v1/contacts/"+seg(contact)+"/key-change/acknowledge", nil, nil)
}

// Blocks lists the blocked contacts.
func (c *Client) Blocks(ctx context.Context) ([]Block, error) {
	return list[Block](ctx, c, "/v1/blocks", nil)
}

// Block blocks a contact: to them we look like off.
func (c *Client) Block(ctx context.Context, contact string) error {
	return c.put(ctx, "/v1/blocks/"+seg(contact), nil, nil)
}

// Unblock takes a block back.
func (c *Client) Unblock(ctx context.Context, contact string) error {
	return c.delete(ctx, "/v1/blocks/"+seg(contact), nil)
}

// Conversations lists the conversations, newest first.
func (c *Client) Conversations(ctx context.Context) ([]Conversation, error) {
	return list[Conversation](ctx, c, "/v1/conversations", nil)
}

// Conversation returns one conversation.
func (c *Client) Conversation(ctx context.Context, id string) (Conversation, error) {
	return fetch[Conversation](ctx, c, "/v1/conversations/"+seg(id), nil)
}

// OpenConversation returns the conversation with a contact or with oneself.
func (c *Client) OpenConversation(ctx context.Context, in ConversationRequest) (Conversation, error) {
	var out Conversation
	err := c.post(ctx, "/v1/conversations", in, &out)
	return out, err
}

// UpdateConversation changes a conversation.
func (c *Client) UpdateConversation(ctx context.Context, id string, in ConversationPatch) (Conversation, error) {
	var out Conversation
	err := c.patch(ctx, "/v1/conversations/"+seg(id), in, &out)
	return out, err
}

// MarkRead says that the user has read up to a position.
func (c *Client) MarkRead(ctx context.Context, conversation string, upTo uint64) (Conversation, error) {
	var out Conversation
	err := c.post(ctx, "/v1/conversations/"+seg(conversation)+"/read", ReadRequest{UpTo: upTo}, &out)
	return out, err
}

// Couriers lists who keeps mail for whom.
func (c *Client) Couriers(ctx context.Context) ([]Courier, error) {
	return list[Courier](ctx, c, "/v1/couriers", nil)
}

// OfferCourier makes us a courier of a contact, or changes the terms.
func (c *Client) OfferCourier(ctx context.Context, in CourierRequest) (Courier, error) {
	var out Courier
	err := c.post(ctx, "/v1/couriers", in, &out)
	return out, err
}

// AddHome pairs us with a home node.
func (c *Client) AddHome(ctx context.Context, in HomeRequest) (Courier, error) {
	var out Courier
	err := c.post(ctx, "/v1/couriers/home", in, &out)
	return out, err
}

// AcceptCourier uses the help that a contact offers and that was declined.
func (c *Client) AcceptCourier(ctx context.Context, contact string) error {
	return c.post(ctx, "/v1/couriers/"+seg(contact)+"/accept", nil, nil)
}

// EndCourier ends what a contact and we do for each other as couriers.
func (c *Client) EndCourier(ctx context.Context, contact string) error {
	return c.delete(ctx, "/v1/couriers/"+seg(contact), nil)
}

// ExportBundle makes a bundle file with all that waits for a contact: its id, or "@" and
// its alias or name.
func (c *Client) ExportBundle(ctx context.Context, contact string) (Bundle, error) {
	body, err := json.Marshal(BundleRequest{ContactID: contact})
	if err != nil {
		return Bundle{}, fmt.Errorf("encode request: %w", err)
	}
	resp, err := c.Raw(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/bundles/export", Body: body})
	if err != nil {
		return Bundle{}, err
	}
	defer resp.Body.Close()
	file, err := io.ReadAll(io.LimitReader(resp.Body, responseBytesMax))
	if err != nil {
		return Bundle{}, fmt.Errorf("read response: %w", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return Bundle{}, responseProblem(resp, file)
	}
	messages, err := strconv.Atoi(resp.Header.Get(BundleMessagesHeader))
	if err != nil {
		return Bundle{}, fmt.Errorf("decode response: %w", err)
	}
	waiting, err := strconv.Atoi(resp.Header.Get(BundleWaitingHeader))
	if err != nil {
		return Bundle{}, fmt.Errorf("decode response: %w", err)
	}
	return Bundle{File: file, Messages: messages, Waiting: waiting}, nil
}

// ImportBundle takes what is in a bundle file of a contact. The same file again has no
// effect.
func (c *Client) ImportBundle(ctx context.Context, file []byte) (BundleImported, error) {
	var out BundleImported
	r := RawRequest{
		Method: http.MethodPost, Path: "/v1/bundles/import", Body: file, Header: http.Header{"Content-Type": {BundleType}},
	}
	err := c.do(ctx, r, nil, &out)
	return out, err
}

// Consumers lists the named event consumers.
func (c *Client) Consumers(ctx context.Context) ([]Consumer, error) {
	return list[Consumer](ctx, c, "/v1/consumers", nil)
}

// PutConsumer makes a consumer or moves it.
func (c *Client) PutConsumer(ctx context.Context, name string, in ConsumerRequest) (Consumer, error) {
	var out Consumer
	err := c.put(ctx, "/v1/consumers/"+seg(name), in, &out)
	return out, err
}

// DeleteConsumer forgets a consumer.
func (c *Client) DeleteConsumer(ctx context.Context, name string) error {
	return c.delete(ctx, "/v1/consumers/"+seg(name), nil)
}

// Ack says that a consumer has handled all events up to a cursor.
func (c *Client) Ack(ctx context.Context, in Ack) (Consumer, error) {
	var out Consumer
	err := c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/events/ack"}, in, &out)
	return out, err
}

// TrustNetwork has contacts on a local network that we are in find us, and everybody on
// it see that this program runs here. An empty name means the one with a gateway.
func (c *Client) TrustNetwork(ctx context.Context, network string) (LocalNetwork, error) {
	var out LocalNetwork
	err := c.post(ctx, "/v1/network/trust", TrustRequest{Network: network}, &out)
	return out, err
}

// SwitchDHT has contacts to whom no path works looked for in a public DHT that is entered
// by these servers. What it costs is told at [DHTRequest].
func (c *Client) SwitchDHT(ctx context.Context, servers []string) (DHT, error) {
	var out DHT
	err := c.do(ctx, RawRequest{Method: http.MethodPut, Path: "/v1/network/dht"}, DHTRequest{Bootstrap: servers}, &out)
	return out, err
}

// SwitchDHTOff ends that.
func (c *Client) SwitchDHTOff(ctx context.Context) error {
	return c.delete(ctx, "/v1/network/dht", nil)
}

// DistrustNetwork ends that, by the network's id or the interface.
func (c *Client) DistrustNetwork(ctx context.Context, network string) error {
	return c.delete(ctx, "/v1/network/trust/"+seg(network), nil)
}

// Egress returns to whom the daemon has sent anything, and why.
func (c *Client) Egress(ctx context.Context) (Egress, error) {
	return fetch[Egress](ctx, c, "/v1/network/egress", nil)
}
