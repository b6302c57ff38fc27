package invite

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

var update = flag.Bool("update", false, "rewrite the test vectors")

// hexBytes shows bytes in hexadecimal in a vector.
type hexBytes []byte

// MarshalText makes JSON show hexadecimal.
func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// handshakeVector is a whole handshake: the secrets of both sides, the messages, and what
// they lead to. The encapsulations took randomness, so the messages are inputs here.
type handshakeVector struct {
	Now            uint32   `json:"now"`
	InviterAccount hexBytes `json:"inviter_account_seed"`
	InviterDevice  hexBytes `json:"inviter_device_seed"`
	Prekey         hexBytes `json:"prekey_seed"`
	InviterRatchet hexBytes `json:"inviter_ratchet_seed"`
	InviteeAccount hexBytes `json:"invitee_account_seed"`
	InviteeDevice  hexBytes `json:"invitee_device_seed"`
	InviteeRatchet hexBytes `json:"invitee_ratchet_seed"`
	Link           string   `json:"link,omitempty"`
	Recovery       hexBytes `json:"recovery,omitempty"`
	Bundle         hexBytes `json:"bundle,omitempty"`
	SealedBundle   hexBytes `json:"sealed_bundle,omitempty"`
	RequestTag     hexBytes `json:"request_tag,omitempty"`
	CourierKey     hexBytes `json:"courier_key,omitempty"`
	Fetch          hexBytes `json:"fetch_capability,omitempty"`
	Deposit        hexBytes `json:"deposit_capability,omitempty"`
	Request        hexBytes `json:"request"`
	Shared         hexBytes `json:"ss1_ss2"`
	RequestHash    hexBytes `json:"hr"`
	ReplySlot      hexBytes `json:"reply_slot"`
	Name           string   `json:"name,omitempty"`
	Greeting       string   `json:"greeting,omitempty"`
	Accept         hexBytes `json:"accept"`
	Day            uint32   `json:"d0"`
	SID            hexBytes `json:"sid"`
	Root           hexBytes `json:"root_320"`
}

// vectorSelf rebuilds a device from the seeds of a vector.
func vectorSelf(t *testing.T, account, device hexBytes) Self {
	t.Helper()
	p := &person{account: identity.AccountSeed(account)}
	p.random = bytes.NewReader(device)
	p.renewDevice(t)
	return p.self
}

func TestHandshakeVectors(t *testing.T) {
	path := filepath.Join("..", "doc", "vectors", "handshake.json")
	if *update {
		b, err := json.MarshalIndent([]handshakeVector{newInviteVector(t), newRepairVector(t)}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []handshakeVector
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) != 2 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		checkHandshake(t, v)
	}
}

// checkHandshake plays both sides with the messages of a vector.
func checkHandshake(t *testing.T, v handshakeVector) {
	inviter, invitee := vectorSelf(t, v.InviterAccount, v.InviterDevice), vectorSelf(t, v.InviteeAccount, v.InviteeDevice)
	var in *Incoming
	var err error
	if v.Link == "" {
		in, err = OpenRepair(inviter, invitee.Entry.Account, [32]byte(v.Recovery), v.Request)
	} else {
		link := checkLinkOf(t, v, inviter)
		offer := &Offer{Secret: link.Secret, Bundles: []SignedBundle{{Bundle: v.Bundle, Prekey: identity.KEMSeed(v.Prekey)}}}
		in, err = offer.OpenRequest(inviter, v.Request)
	}
	if err != nil {
		t.Fatalf("request: %v", err)
	}
	slot := in.Slot()
	if !bytes.Equal(in.Shared, v.Shared) || !bytes.Equal(in.Hash[:], v.RequestHash) || !bytes.Equal(slot[:], v.ReplySlot) {
		t.Error("the request leads to other secrets than the vector says")
	}
	if in.Payload.Name != v.Name || in.Payload.Greeting != v.Greeting || in.Payload.Entry != invitee.Entry {
		t.Error("the request says something else than the vector")
	}
	asking := &Asking{Kind: in.Kind, Secret: in.Secret, Shared: in.Shared, Hash: in.Hash, Ratchet: identity.KEMSeed(v.InviteeRatchet)}
	answered, err := asking.OpenAccept(invitee, v.Accept)
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	r := answered.Root
	if !bytes.Equal(r.SID[:], v.SID) || !bytes.Equal(rootBytes(answered), v.Root) || answered.Payload.Day != v.Day {
		t.Error("the accept leads to another session than the vector says")
	}
	if answered.PeerRatchet != identity.KEMSeed(v.InviterRatchet).Public() {
		t.Error("the accept offers another ratchet key than the vector says")
	}
}

// checkLinkOf checks link and bundle of a vector and returns the link.
func checkLinkOf(t *testing.T, v handshakeVector, inviter Self) wire.Link {
	t.Helper()
	link, err := wire.ParseLink(v.Link)
	if err != nil {
		t.Fatalf("link: %v", err)
	}
	bundle, err := OpenBundle(link, v.SealedBundle, v.Now)
	if err != nil {
		t.Fatalf("bundle: %v", err)
	}
	if !bytes.Equal(bundle.Append(nil), v.Bundle) || bundle.Entry != inviter.Entry || bundle.Prekey != identity.KEMSeed(v.Prekey).Public() {
		t.Error("the bundle is another than the vector says")
	}
	signed := *bundle
	signed.Signature = identity.AccountSeed(v.InviterAccount).Sign(bundleSigned(&signed))
	if signed.Signature != bundle.Signature {
		t.Error("the bundle's signature is another than ours")
	}
	tag, node := RequestTag(link.Secret), identity.TransportKey(v.CourierKey)
	fetch, deposit := FetchCapability(link.Secret, node), DepositCapability(link.Secret, node)
	if !bytes.Equal(tag[:], v.RequestTag) || !bytes.Equal(fetch[:], v.Fetch) || !bytes.Equal(deposit[:], v.Deposit) {
		t.Error("the link leads to other capabilities than the vector says")
	}
	return link
}

func rootBytes(a *Answered) hexBytes {
	r := a.Root
	var b []byte
	for _, k := range [][32]byte{
		r.Root, r.Chain, r.Ack, r.Headers[0], r.Headers[1], r.Headers[2], r.Pair, r.Recovery, r.SyncInviter, r.SyncInvitee,
	} {
		b = append(b, k[:]...)
	}
	return b
}

func newInviteVector(t *testing.T) handshakeVector {
	m := makeRequest(t)
	node := identity.TransportKey{7}
	fetch, deposit, tag := FetchCapability(m.link.Secret, node), DepositCapability(m.link.Secret, node), RequestTag(m.link.Secret)
	text, err := m.link.Encode()
	if err != nil {
		t.Fatal(err)
	}
	v := handshakeVector{
		Link: text, Bundle: m.offer.Bundles[0].Bundle, Prekey: m.offer.Bundles[0].Prekey[:],
		SealedBundle: m.inviter.sealed(t, m.offer), RequestTag: tag[:], CourierKey: node[:], Fetch: fetch[:], Deposit: deposit[:],
		Name: "지우", Greeting: "안녕하세요",
	}
	return finishVector(t, v, m, m.accept(t))
}

func newRepairVector(t *testing.T) handshakeVector {
	m := &made{inviter: newPerson(t, 1), invitee: newPerson(t, 2)}
	recovery := [32]byte{7}
	var err error
	m.asking, err = AskRepair(m.invitee.random, m.invitee.self, m.inviter.device(), recovery, wire.RequestPayload{Generation: 2, Have: []wire.Have{{Sequence: 12}}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := OpenRepair(m.inviter.self, m.invitee.self.Entry.Account, recovery, m.asking.Request)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := in.Accept(m.inviter.random, acceptPayload())
	if err != nil {
		t.Fatal(err)
	}
	return finishVector(t, handshakeVector{Recovery: recovery[:]}, m, accepted)
}

func finishVector(t *testing.T, v handshakeVector, m *made, accepted *Accepted) handshakeVector {
	t.Helper()
	answered, err := m.asking.OpenAccept(m.invitee.self, accepted.Accept)
	if err != nil {
		t.Fatal(err)
	}
	slot := m.asking.Slot()
	v.Now, v.Day = now, today
	v.InviterAccount, v.InviterDevice, v.InviterRatchet = m.inviter.account[:], m.inviter.self.Device[:], accepted.Ratchet[:]
	v.InviteeAccount, v.InviteeDevice, v.InviteeRatchet = m.invitee.account[:], m.invitee.self.Device[:], m.asking.Ratchet[:]
	v.Request, v.Shared, v.RequestHash, v.ReplySlot = m.asking.Request, m.asking.Shared, m.asking.Hash[:], slot[:]
	v.Accept, v.SID, v.Root = accepted.Accept, answered.Root.SID[:], rootBytes(answered)
	return v
}
