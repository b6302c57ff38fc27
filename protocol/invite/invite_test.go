package invite

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"pabal/protocol/identity"
	"pabal/protocol/session"
	"pabal/protocol/wire"
)

const (
	now    = 1_800_000_000
	today  = now / 86400
	expiry = now + 7*86400
)

// fixed returns the same stream of bytes for the same seed.
func fixed(seed byte) io.Reader {
	return bytes.NewReader(identity.Expand([32]byte{seed}, []byte("test"), 8160))
}

// person is an account with one device.
type person struct {
	account identity.AccountSeed
	self    Self
	random  io.Reader
}

func newPerson(t testing.TB, seed byte) *person {
	t.Helper()
	p := &person{random: fixed(seed)}
	var err error
	if p.account, err = identity.NewAccountSeed(p.random); err != nil {
		t.Fatal(err)
	}
	p.renewDevice(t)
	return p
}

// renewDevice gives the person another device.
func (p *person) renewDevice(t testing.TB) {
	t.Helper()
	device, err := identity.NewKEMSeed(p.random)
	if err != nil {
		t.Fatal(err)
	}
	list := identity.NewDeviceList(p.account, identity.ListedDevice{Key: device.Public(), Name: "laptop", AddedDay: today})
	entry, ok := identity.NewDeviceEntry(p.account, list, device.Public())
	if !ok {
		t.Fatal("no entry for a listed device")
	}
	p.self = Self{Entry: entry, Device: device}
}

func (p *person) device() PeerDevice {
	return PeerDevice{Account: p.self.Entry.Account, Device: p.self.Entry.Device}
}

func (p *person) offer(t testing.TB, kind wire.LinkKind, bits uint8) *Offer {
	t.Helper()
	o, err := NewOffer(p.random, kind, expiry, bits, p.account, p.self)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (p *person) link(t testing.TB, o *Offer) wire.Link {
	t.Helper()
	text, err := o.Link(p.self, Places{Keys: []identity.TransportKey{{1}}, Addresses: []wire.Address{address(1)}})
	if err != nil {
		t.Fatal(err)
	}
	link, err := wire.ParseLink(text)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func address(last byte) wire.Address {
	return wire.Address{Network: wire.QUIC, IP: netip.AddrFrom4([4]byte{203, 0, 113, last}), Port: 4001}
}

func (p *person) sealed(t testing.TB, o *Offer) []byte {
	t.Helper()
	sealed, err := o.SealBundle(p.random)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// ask lets the person follow a link and make the request.
func (p *person) ask(t testing.TB, link wire.Link, sealed []byte) *Asking {
	t.Helper()
	bundle, err := OpenBundle(link, sealed, now)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Ask(p.random, p.self, link, bundle, wire.RequestPayload{Name: "지우", Greeting: "안녕하세요"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func acceptPayload() wire.AcceptPayload {
	return wire.AcceptPayload{Day: today, Record: wire.AddressRecord{Sequence: 1, Expiry: expiry, Addresses: []wire.Address{address(2)}}}
}

// made is a handshake up to the request.
type made struct {
	inviter, invitee *person
	offer            *Offer
	link             wire.Link
	asking           *Asking
}

func makeRequest(t testing.TB) *made {
	t.Helper()
	m := &made{inviter: newPerson(t, 1), invitee: newPerson(t, 2)}
	m.offer = m.inviter.offer(t, wire.LinkContact, 0)
	m.link = m.inviter.link(t, m.offer)
	m.asking = m.invitee.ask(t, m.link, m.inviter.sealed(t, m.offer))
	return m
}

func (m *made) accept(t testing.TB) *Accepted {
	t.Helper()
	in, err := m.offer.OpenRequest(m.inviter.self, m.asking.Request)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := in.Accept(m.inviter.random, acceptPayload())
	if err != nil {
		t.Fatal(err)
	}
	return accepted
}

func TestHandshake(t *testing.T) {
	m := makeRequest(t)
	if len(m.asking.Request) != wire.RequestSize {
		t.Errorf("a request has %d bytes", len(m.asking.Request))
	}
	in, err := m.offer.OpenRequest(m.inviter.self, m.asking.Request)
	if err != nil {
		t.Fatal(err)
	}
	if in.Payload.Name != "지우" || in.Payload.Greeting != "안녕하세요" || in.Payload.Entry != m.invitee.self.Entry {
		t.Error("the request says something else than it was told")
	}
	if in.Slot() != m.asking.Slot() || in.Hash != m.asking.Hash {
		t.Error("the two sides name the reply slot differently")
	}
	accepted, err := in.Accept(m.inviter.random, acceptPayload())
	if err != nil {
		t.Fatal(err)
	}
	answered, err := m.asking.OpenAccept(m.invitee.self, accepted.Accept)
	if err != nil {
		t.Fatal(err)
	}
	if len(accepted.Accept) != wire.AcceptSize || accepted.Root != answered.Root {
		t.Error("the two sides hold different roots")
	}
	if accepted.Ratchet.Public() != answered.PeerRatchet || answered.Ratchet.Public() != accepted.PeerRatchet {
		t.Error("ratchet keys got mixed up")
	}
	if !reflect.DeepEqual(answered.Payload.Record, acceptPayload().Record) || answered.Payload.Day != today {
		t.Error("the accept says something else than it was told")
	}
}

func TestRepair(t *testing.T) {
	alice, bob := newPerson(t, 1), newPerson(t, 2)
	recovery := [32]byte{7}
	have := []wire.Have{{Sequence: 12}}
	list := identity.NewDeviceList(bob.account, identity.ListedDevice{Key: bob.self.Entry.Device, Name: "laptop", AddedDay: today})
	asking, err := AskRepair(bob.random, bob.self, alice.device(), recovery, wire.RequestPayload{Generation: 2, List: &list, Have: have})
	if err != nil {
		t.Fatal(err)
	}
	in, err := OpenRepair(alice.self, bob.self.Entry.Account, recovery, asking.Request)
	if err != nil {
		t.Fatal(err)
	}
	if in.Payload.Generation != 2 || !reflect.DeepEqual(in.Payload.Have, have) || in.Payload.List.Hash() != list.Hash() {
		t.Error("the repair says something else than it was told")
	}
	accepted, err := in.Accept(alice.random, acceptPayload())
	if err != nil {
		t.Fatal(err)
	}
	answered, err := asking.OpenAccept(bob.self, accepted.Accept)
	if err != nil || answered.Root != accepted.Root {
		t.Fatalf("repair ends with different roots: %v", err)
	}

	eve := newPerson(t, 3)
	if _, err := OpenRepair(alice.self, bob.self.Entry.Account, [32]byte{8}, asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("without the recovery secret: %v", err)
	}
	if _, err := OpenRepair(eve.self, bob.self.Entry.Account, recovery, asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("another device: %v", err)
	}
	if _, err := OpenRepair(alice.self, eve.self.Entry.Account, recovery, asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("repair of another contact: %v", err)
	}
	if _, err := AskRepair(bob.random, bob.self, alice.device(), recovery, wire.RequestPayload{}); !errors.Is(err, ErrLimit) {
		t.Errorf("repair without a generation: %v", err)
	}
	offer := alice.offer(t, wire.LinkContact, 0)
	if _, err := offer.OpenRequest(alice.self, asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("a repair sent to an invite: %v", err)
	}
	if _, err := OpenRepair(alice.self, bob.self.Entry.Account, recovery, makeRequest(t).asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("a request sent as a repair: %v", err)
	}
}

func TestCardRenewal(t *testing.T) {
	inviter, early, late := newPerson(t, 1), newPerson(t, 2), newPerson(t, 3)
	card := inviter.offer(t, wire.LinkCard, 4)
	link := inviter.link(t, card)
	first := early.ask(t, link, inviter.sealed(t, card))
	for range BundlesMax - 1 {
		if err := card.Renew(inviter.random, expiry, inviter.account, inviter.self); err != nil {
			t.Fatal(err)
		}
	}
	second := late.ask(t, link, inviter.sealed(t, card))
	for name, request := range map[string][]byte{"old prekey": first.Request, "new prekey": second.Request} {
		if _, err := card.OpenRequest(inviter.self, request); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := card.Renew(inviter.random, expiry, inviter.account, inviter.self); err != nil {
		t.Fatal(err)
	}
	if _, err := card.OpenRequest(inviter.self, first.Request); !errors.Is(err, ErrRequest) || len(card.Bundles) != BundlesMax {
		t.Errorf("a prekey that was erased opens a request: %v", err)
	}
	if bytes.Equal(inviter.sealed(t, card), inviter.sealed(t, card)) {
		t.Error("a bundle sealed twice with one nonce")
	}
}

func TestOfferLimits(t *testing.T) {
	p := newPerson(t, 1)
	for name, row := range map[string]struct {
		kind wire.LinkKind
		bits uint8
	}{"kind": {0, 0}, "bits": {wire.LinkCard, 9}, "bits of a contact": {wire.LinkContact, 4}} {
		if _, err := NewOffer(p.random, row.kind, expiry, row.bits, p.account, p.self); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range 2 {
		short := io.LimitReader(fixed(9), int64(32*n))
		if _, err := NewOffer(short, wire.LinkContact, expiry, 0, p.account, p.self); err == nil {
			t.Error("an offer without randomness")
		}
	}
	o := p.offer(t, wire.LinkContact, 0)
	if _, err := o.SealBundle(strings.NewReader("")); err == nil {
		t.Error("a bundle sealed without a nonce")
	}
	o.Bundles = nil
	if _, err := o.SealBundle(p.random); !errors.Is(err, ErrExpired) {
		t.Errorf("a bundle of a used offer: %v", err)
	}
}

func TestLinkDropsAddressesToFit(t *testing.T) {
	p := newPerson(t, 1)
	o := p.offer(t, wire.LinkContact, 0)
	v6 := wire.Address{Network: wire.QUIC, IP: netip.MustParseAddr("2001:db8::1"), Port: 1}
	at := Places{
		Keys:      make([]identity.TransportKey, 5),
		Addresses: []wire.Address{v6, v6, v6, v6, v6},
		Couriers:  []wire.Courier{{Address: v6}, {Address: v6}, {Address: v6}},
	}
	text, err := o.Link(p.self, at)
	if err != nil {
		t.Fatal(err)
	}
	link, err := wire.ParseLink(text)
	if err != nil || len(link.Keys) != 3 || len(link.Couriers) != 2 || len(link.Addresses) == 0 || len(link.Addresses) > 2 {
		t.Errorf("%d keys, %d couriers, %d addresses, %v", len(link.Keys), len(link.Couriers), len(link.Addresses), err)
	}
}

func TestCapabilitiesDiffer(t *testing.T) {
	p := newPerson(t, 1)
	o := p.offer(t, wire.LinkContact, 0)
	a, b := identity.TransportKey{1}, identity.TransportKey{2}
	all := map[wire.Capability]bool{
		FetchCapability(o.Secret, a): true, FetchCapability(o.Secret, b): true,
		DepositCapability(o.Secret, a): true, DepositCapability(o.Secret, b): true,
		wire.Capability(o.Trace().Hello): true, wire.Capability(o.Secret): true,
	}
	if len(all) != 6 {
		t.Error("two capabilities are the same")
	}
	if o.Trace().Tag != RequestTag(o.Secret) {
		t.Error("the trace does not recognise the requests")
	}
}

func TestStamp(t *testing.T) {
	if testing.Short() {
		t.Log("one stamp only, because of -short")
	}
	request, tag := make([]byte, wire.RequestSize), [16]byte{1}
	const zeroBits = 2
	s, err := MakeStamp(fixed(5), tag, today, request, zeroBits)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckStamp(s, tag, today+1, request, zeroBits); err != nil {
		t.Errorf("a good stamp: %v", err)
	}
	for name, day := range map[string]uint32{"late": today + 2, "early": today - 2} {
		if err := CheckStamp(s, tag, day, request, zeroBits); !errors.Is(err, ErrStamp) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckStamp(s, tag, today, request, wire.StampBitsMax+1); !errors.Is(err, ErrStamp) {
		t.Errorf("impossible demand: %v", err)
	}
	if _, err := MakeStamp(fixed(5), tag, today, request, wire.StampBitsMax+1); !errors.Is(err, ErrLimit) {
		t.Errorf("impossible stamp: %v", err)
	}
	if _, err := MakeStamp(strings.NewReader(""), tag, today, request, 1); err == nil {
		t.Error("a stamp without randomness")
	}
	if testing.Short() {
		return
	}
	strong, err := MakeStamp(fixed(6), tag, today, request, 6)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"other request": CheckStamp(strong, tag, today, request[1:], 6), // all fixed, so these never pass by luck
		"other card":    CheckStamp(strong, [16]byte{2}, today, request, 6),
		"other day":     CheckStamp(wire.Stamp{Day: today + 1, Nonce: strong.Nonce}, tag, today, request, 6),
	} {
		if !errors.Is(err, ErrStamp) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// reseal makes a sealed bundle of the offer's secret around any bundle.
func reseal(o *Offer, b *wire.Bundle) []byte {
	key, bound := bundleSeal(o.Secret)
	nonce := [identity.NonceSize]byte{1}
	return identity.Seal(nonce[:], key, nonce, b.Padded(), bound)
}

func TestBundleRefused(t *testing.T) {
	inviter, eve := newPerson(t, 1), newPerson(t, 9)
	offer := inviter.offer(t, wire.LinkContact, 0)
	link := inviter.link(t, offer)
	good := func() *wire.Bundle {
		b, err := wire.ParseBundle(offer.Bundles[0].Bundle)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sign := func(b *wire.Bundle) []byte {
		b.Signature = inviter.account.Sign(bundleSigned(b))
		return reseal(offer, b)
	}
	evePrekey := identity.KEMSeed{9}.Public()
	misbound := good() // Eve's prekey under the inviter's entry
	misbound.Prekey = evePrekey
	misbound.Signature = eve.account.Sign(bundleSigned(misbound))
	replaced := good()
	replaced.Entry, replaced.Prekey = eve.self.Entry, evePrekey
	replaced.Signature = eve.account.Sign(bundleSigned(replaced))
	unsigned := good()
	unsigned.Entry.AddedDay++
	badPrekey := good()
	badPrekey.Prekey = identity.KEMPublic{0xff, 0xff, 0xff}
	lowOrder := good()
	clear(lowOrder.Prekey[identity.KEMPublicSize-32:])
	past := good()
	past.Expiry = now
	flipped := inviter.sealed(t, offer)
	flipped[500] ^= 1
	otherKey := link
	otherKey.Secret[0] ^= 1
	otherPin := link
	otherPin.Pin[0] ^= 1
	over := link
	over.Expiry = now

	rows := map[string]struct {
		link   wire.Link
		sealed []byte
		want   error
	}{
		"misbound prekey":  {link, reseal(offer, misbound), ErrBundle},
		"another account":  {link, reseal(offer, replaced), ErrBundle},
		"entry unsigned":   {link, sign(unsigned), ErrBundle},
		"malformed prekey": {link, sign(badPrekey), ErrBundle},
		"low order prekey": {link, sign(lowOrder), ErrBundle},
		"bundle expired":   {link, sign(past), ErrExpired},
		"link expired":     {over, inviter.sealed(t, offer), ErrExpired},
		"flipped bit":      {link, flipped, ErrBundle},
		"other secret":     {otherKey, inviter.sealed(t, offer), ErrBundle},
		"other pin":        {otherPin, inviter.sealed(t, offer), ErrBundle},
		"cut":              {link, flipped[:100], ErrBundle},
		"version":          {link, resealChanged(offer, good(), 0), wire.ErrVersion},
		"suite":            {link, resealChanged(offer, good(), 1), wire.ErrSuite},
		"padding":          {link, resealChanged(offer, good(), wire.BundleSize), ErrBundle},
	}
	for name, row := range rows {
		if _, err := OpenBundle(row.link, row.sealed, now); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// resealChanged seals a bundle of which one byte was changed.
func resealChanged(o *Offer, b *wire.Bundle, at int) []byte {
	padded := b.Padded()
	padded[at] ^= 0x40
	key, bound := bundleSeal(o.Secret)
	nonce := [identity.NonceSize]byte{1}
	return identity.Seal(nonce[:], key, nonce, padded, bound)
}

func TestOwnInvite(t *testing.T) {
	p := newPerson(t, 1)
	offer := p.offer(t, wire.LinkContact, 0)
	link := p.link(t, offer)
	bundle, err := OpenBundle(link, p.sealed(t, offer), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(p.random, p.self, link, bundle, wire.RequestPayload{}); !errors.Is(err, ErrOwn) {
		t.Errorf("a request to ourselves: %v", err)
	}
	if Pin(link.Secret, p.self.Entry.Account, p.self.Entry.Device) != link.Pin {
		t.Error("our own link is not recognised by its pin")
	}
}

func TestRequestBitFlips(t *testing.T) {
	m := makeRequest(t)
	for at := 0; at < wire.RequestSize; at += 97 {
		b := bytes.Clone(m.asking.Request)
		b[at] ^= 1 << (at % 8)
		if _, err := m.offer.OpenRequest(m.inviter.self, b); err == nil {
			t.Errorf("opens with byte %d changed", at)
		}
	}
	for name, row := range map[string]struct {
		at   int
		want error
	}{"version": {0, wire.ErrVersion}, "suite": {1, wire.ErrSuite}, "tag": {3, ErrRequest}} {
		b := bytes.Clone(m.asking.Request)
		b[row.at] ^= 0x40
		if _, err := m.offer.OpenRequest(m.inviter.self, b); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.offer.OpenRequest(m.inviter.self, nil); !errors.Is(err, ErrRequest) {
		t.Errorf("no bytes: %v", err)
	}
}

func TestAcceptBitFlips(t *testing.T) {
	m := makeRequest(t)
	accept := m.accept(t).Accept
	before := *m.asking
	for at := 0; at < wire.AcceptSize; at += 131 {
		b := bytes.Clone(accept)
		b[at] ^= 1 << (at % 8)
		if _, err := m.asking.OpenAccept(m.invitee.self, b); err == nil {
			t.Errorf("opens with byte %d changed", at)
		}
	}
	b := bytes.Clone(accept)
	b[1] = 9
	if _, err := m.asking.OpenAccept(m.invitee.self, b); !errors.Is(err, wire.ErrSuite) {
		t.Errorf("suite: %v", err)
	}
	if _, err := m.asking.OpenAccept(m.invitee.self, accept[:9]); !errors.Is(err, ErrAccept) {
		t.Errorf("cut: %v", err)
	}
	if !reflect.DeepEqual(before, *m.asking) {
		t.Error("a refused accept changed the request's state")
	}
}

// TestPrekeyAloneOrDeviceKeyAlone lets a thief with one of the inviter's two keys play
// the inviter.
func TestPrekeyAloneOrDeviceKeyAlone(t *testing.T) {
	m := makeRequest(t)
	thief := newPerson(t, 9)
	prekeyOnly := m.inviter.self
	prekeyOnly.Device = thief.self.Device
	if _, err := m.offer.OpenRequest(prekeyOnly, m.asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("with the prekey alone: %v", err)
	}
	deviceOnly := *m.offer
	deviceOnly.Bundles = []SignedBundle{{Bundle: m.offer.Bundles[0].Bundle, Prekey: thief.self.Device}}
	if _, err := deviceOnly.OpenRequest(m.inviter.self, m.asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("with the device key alone: %v", err)
	}
	linkOnly := deviceOnly
	if _, err := linkOnly.OpenRequest(prekeyOnly, m.asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("with the link alone: %v", err)
	}
}

// TestMisboundRequest lets Eve put her ratchet key, or all of her keys, under Bob's entry:
// what she gets is an accept that does not open.
func TestMisboundRequest(t *testing.T) {
	m := makeRequest(t)
	eve := newPerson(t, 9)
	posing := eve.self
	posing.Entry = m.invitee.self.Entry // Bob's signed entry, Eve's device key
	bundle, err := OpenBundle(m.link, m.inviter.sealed(t, m.offer), now)
	if err != nil {
		t.Fatal(err)
	}
	asking, err := Ask(eve.random, posing, m.link, bundle, wire.RequestPayload{})
	if err != nil {
		t.Fatal(err)
	}
	m.asking = asking
	accepted := m.accept(t)
	if _, err := asking.OpenAccept(posing, accepted.Accept); !errors.Is(err, ErrAccept) {
		t.Errorf("Eve opens an accept made for Bob: %v", err)
	}
	if _, err := asking.OpenAccept(eve.self, accepted.Accept); !errors.Is(err, ErrAccept) {
		t.Errorf("Eve opens an accept made for Bob: %v", err)
	}
}

// TestInviterKeyStolen is key compromise impersonation: with all of the inviter's secrets
// a thief reads the request, but cannot finish the handshake as the invitee.
func TestInviterKeyStolen(t *testing.T) {
	m := makeRequest(t)
	accepted := m.accept(t)
	in, err := m.offer.OpenRequest(m.inviter.self, m.asking.Request)
	if err != nil {
		t.Fatal(err)
	}
	// The thief has s, ss1 and ss2, and even a ratchet seed of its own choice; ss3 is
	// told to the invitee's device key only.
	posing := &Asking{Kind: in.Kind, Secret: in.Secret, Shared: in.Shared, Hash: in.Hash, Ratchet: m.asking.Ratchet}
	if _, err := posing.OpenAccept(m.inviter.self, accepted.Accept); !errors.Is(err, ErrAccept) {
		t.Errorf("the inviter's keys open the accept: %v", err)
	}
}

func TestOtherRatchetSeed(t *testing.T) {
	m := makeRequest(t)
	accepted := m.accept(t)
	m.asking.Ratchet = identity.KEMSeed{1}
	if _, err := m.asking.OpenAccept(m.invitee.self, accepted.Accept); !errors.Is(err, ErrAccept) {
		t.Errorf("the accept opens without the ratchet seed: %v", err)
	}
}

func TestAcceptForAnotherRequest(t *testing.T) {
	m := makeRequest(t)
	other := m.invitee.ask(t, m.link, m.inviter.sealed(t, m.offer))
	accepted := m.accept(t)
	if _, err := other.OpenAccept(m.invitee.self, accepted.Accept); !errors.Is(err, ErrAccept) {
		t.Errorf("an accept opens for another request: %v", err)
	}
	again := m.accept(t)
	if bytes.Equal(again.Accept, accepted.Accept) || again.Root.SID == accepted.Root.SID {
		t.Error("two accepts of one request are the same session")
	}
	if other.Slot() == m.asking.Slot() || bytes.Equal(other.Request, m.asking.Request) {
		t.Error("two requests of one link are the same")
	}
}

func TestReplayAfterErasure(t *testing.T) {
	m := makeRequest(t)
	m.accept(t)
	m.offer.Bundles = nil // what the inviter does in the commit of the accept
	if _, err := m.offer.OpenRequest(m.inviter.self, m.asking.Request); !errors.Is(err, ErrRequest) {
		t.Errorf("a request opens after its prekey was erased: %v", err)
	}
}

// TestHostilePayloads seals, with the right keys, what an honest invitee never says.
func TestHostilePayloads(t *testing.T) {
	m := makeRequest(t)
	prekey, device := m.offer.Bundles[0].Prekey.Public(), m.inviter.self.Entry.Device
	binding := bundleHash(m.offer.Bundles[0].Bundle)
	seal := func(padded []byte) []byte {
		ct1, ss1, err := session.Encapsulate(prekey, purposePrekey, binding[:])
		if err != nil {
			t.Fatal(err)
		}
		ct2, ss2, err := session.Encapsulate(device, purposeInviter, binding[:])
		if err != nil {
			t.Fatal(err)
		}
		head := (&wire.RequestHead{Kind: wire.RequestInvite, Tag: RequestTag(m.offer.Secret), Prekey: ct1, Device: ct2}).Append(nil)
		key, bound := requestSeal(m.offer.Secret, append(ss1[:], ss2[:]...), binding, head)
		return identity.SealZero(head, key, padded, bound)
	}
	padded := func(spoil func(p *wire.RequestPayload)) []byte {
		p := wire.RequestPayload{Ratchet: m.asking.Ratchet.Public(), Entry: m.invitee.self.Entry}
		spoil(&p)
		b, err := p.Padded(wire.RequestInvite)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if _, err := m.offer.OpenRequest(m.inviter.self, seal(padded(func(*wire.RequestPayload) {}))); err != nil {
		t.Fatalf("the honest one: %v", err)
	}
	rows := map[string]struct {
		padded []byte
		want   error
	}{
		"malformed ratchet key": {padded(func(p *wire.RequestPayload) { p.Ratchet = identity.KEMPublic{0xff, 0xff, 0xff} }), ErrRequest},
		"low order ratchet key": {padded(func(p *wire.RequestPayload) { clear(p.Ratchet[identity.KEMPublicSize-32:]) }), ErrRequest},
		"entry unsigned":        {padded(func(p *wire.RequestPayload) { p.Entry.AddedDay++ }), ErrRequest},
		"our own account":       {padded(func(p *wire.RequestPayload) { p.Entry = m.inviter.self.Entry }), ErrOwn},
		"no payload":            {make([]byte, len(padded(func(*wire.RequestPayload) {}))), ErrRequest},
	}
	for name, row := range rows {
		if _, err := m.offer.OpenRequest(m.inviter.self, seal(row.padded)); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHostileAccept(t *testing.T) {
	m := makeRequest(t)
	in, err := m.offer.OpenRequest(m.inviter.self, m.asking.Request)
	if err != nil {
		t.Fatal(err)
	}
	ct3, ss3, err := session.Encapsulate(in.Payload.Entry.Device, purposeInvitee, in.Hash[:])
	if err != nil {
		t.Fatal(err)
	}
	ct4, ss4, err := session.Encapsulate(in.Payload.Ratchet, purposeRatchet, in.Hash[:])
	if err != nil {
		t.Fatal(err)
	}
	for name, ratchet := range map[string]identity.KEMPublic{"malformed": {0xff, 0xff, 0xff}, "low order": {}} {
		p := acceptPayload()
		p.Ratchet = ratchet
		padded, err := p.Padded()
		if err != nil {
			t.Fatal(err)
		}
		head := (&wire.AcceptHead{Device: ct3, Ratchet: ct4}).Append(nil)
		key, bound := acceptSeal(identity.Extract(in.Secret[:], in.Shared, ss3[:], ss4[:]), in.Hash, head)
		if _, err := m.asking.OpenAccept(m.invitee.self, identity.SealZero(head, key, padded, bound)); !errors.Is(err, ErrAccept) {
			t.Errorf("%s ratchet key: %v", name, err)
		}
	}
}

func TestArgumentsOutOfBounds(t *testing.T) {
	m := makeRequest(t)
	bundle, err := OpenBundle(m.link, m.inviter.sealed(t, m.offer), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(m.invitee.random, m.invitee.self, m.link, bundle, wire.RequestPayload{Name: strings.Repeat("x", 65)}); !errors.Is(err, ErrLimit) {
		t.Errorf("long name: %v", err)
	}
	if _, err := Ask(strings.NewReader(""), m.invitee.self, m.link, bundle, wire.RequestPayload{}); err == nil {
		t.Error("a request without randomness")
	}
	if _, err := AskRepair(strings.NewReader(""), m.invitee.self, m.inviter.device(), [32]byte{}, wire.RequestPayload{Generation: 1}); err == nil {
		t.Error("a repair without randomness")
	}
	lowOrder := m.inviter.device()
	clear(lowOrder.Device[identity.KEMPublicSize-32:])
	if _, err := AskRepair(m.invitee.random, m.invitee.self, lowOrder, [32]byte{}, wire.RequestPayload{Generation: 1}); !errors.Is(err, ErrBundle) {
		t.Errorf("a repair to a key of low order: %v", err)
	}
	in, err := m.offer.OpenRequest(m.inviter.self, m.asking.Request)
	if err != nil {
		t.Fatal(err)
	}
	p := acceptPayload()
	p.Have = make([]wire.Have, wire.HaveEntriesMax+1)
	if _, err := in.Accept(m.inviter.random, p); !errors.Is(err, ErrLimit) {
		t.Errorf("long have vector: %v", err)
	}
	if _, err := in.Accept(strings.NewReader(""), acceptPayload()); err == nil {
		t.Error("an accept without randomness")
	}
}

func BenchmarkHandshake(b *testing.B) {
	inviter, invitee := newPerson(b, 1), newPerson(b, 2)
	offer := inviter.offer(b, wire.LinkContact, 0)
	link, sealed := inviter.link(b, offer), inviter.sealed(b, offer)
	for b.Loop() {
		m := &made{inviter: inviter, invitee: invitee, offer: offer, link: link}
		inviter.random, invitee.random = fixed(3), fixed(4)
		m.asking = invitee.ask(b, link, sealed)
		if _, err := m.asking.OpenAccept(invitee.self, m.accept(b).Accept); err != nil {
			b.Fatal(err)
		}
	}
}
