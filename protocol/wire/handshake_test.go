package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pabal/protocol/identity"
)

func sampleEntry() identity.DeviceEntry {
	e, _ := identity.NewDeviceEntry(identity.AccountSeed{1}, *sampleList(), identity.KEMSeed{2}.Public())
	return e
}

func sampleBundle() *Bundle {
	return &Bundle{Expiry: 1800000000, Entry: sampleEntry(), Prekey: identity.KEMSeed{3}.Public(), Signature: identity.Signature{4}}
}

func sampleReply() ReplyPath {
	return ReplyPath{FirstDay: 20600, Keys: threeKeys(), Addresses: []Address{v4(1), v6(2)}, Couriers: sampleCard().Couriers}
}

func inviteRequest() *RequestPayload {
	return &RequestPayload{
		Ratchet: identity.KEMPublic{1}, Entry: sampleEntry(), Reply: sampleReply(), Name: "지우", Greeting: "안녕하세요!\n저예요.",
	}
}

func repairRequest() *RequestPayload {
	return &RequestPayload{
		Ratchet: identity.KEMPublic{1}, Entry: sampleEntry(), Reply: sampleReply(), Generation: 2, List: sampleList(),
		Have: []Have{{Sequence: 9}, {Conversation: [16]byte{3}, Sequence: 70000}},
	}
}

func sampleAccept() *AcceptPayload {
	return &AcceptPayload{Ratchet: identity.KEMPublic{5}, Day: 20600, Record: *sampleRecord(), Have: []Have{{Sequence: 1}}, Generation: 3}
}

func TestBundle(t *testing.T) {
	want := sampleBundle()
	padded := want.Padded()
	if n := len(want.Append(nil)); n != BundleSize {
		t.Errorf("a bundle has %d bytes", n)
	}
	if len(padded)+identity.NonceSize+identity.Overhead != SealedBundleSize {
		t.Errorf("a padded bundle has %d bytes", len(padded))
	}
	got, err := ParseBundle(padded)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("bundle changed on the way: %v", err)
	}
	if got, err := ParseBundle(padded[:BundleSize]); err != nil || got.Expiry != want.Expiry {
		t.Errorf("bundle without padding: %v", err)
	}
	checkRefused(t, padded, func(b []byte) error { return second(ParseBundle(b)) })
}

// checkRefused checks what all padded or versioned layouts refuse: other versions and
// suites, cut bytes, padding that is not zero.
func checkRefused(t *testing.T, good []byte, parse func(b []byte) error) {
	t.Helper()
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, row := range map[string]struct {
		b    []byte
		want error
	}{
		"version": {changed(0, 2), ErrVersion},
		"suite":   {changed(1, 9), ErrSuite},
		"padding": {changed(len(good)-1, 1), ErrHandshake},
		"cut":     {good[:100], ErrHandshake},
		"empty":   {nil, ErrHandshake},
	} {
		if err := parse(row.b); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequestHead(t *testing.T) {
	for _, want := range []*RequestHead{
		{Kind: RequestInvite, Tag: [16]byte{1}, Prekey: Ciphertext{2}, Device: Ciphertext{3}},
		{Kind: RequestRepair, Tag: [16]byte{1}, Device: Ciphertext{3}},
	} {
		head := want.Append(nil)
		request := append(bytes.Clone(head), make([]byte, RequestSize-len(head))...)
		got, raw, sealed, err := ParseRequest(request)
		if err != nil || *got != *want || !bytes.Equal(raw, head) || len(raw)+len(sealed) != RequestSize {
			t.Errorf("kind %d changed on the way: %v", want.Kind, err)
		}
		if tag, ok := RequestTag(request); !ok || tag != want.Tag {
			t.Errorf("kind %d: tag %x", want.Kind, tag)
		}
		request[2] = 9
		if _, _, _, err := ParseRequest(request); !errors.Is(err, ErrVersion) {
			t.Errorf("unknown kind: %v", err)
		}
		request[1] = 9
		if _, _, _, err := ParseRequest(request); !errors.Is(err, ErrSuite) {
			t.Errorf("unknown suite: %v", err)
		}
	}
	if _, _, _, err := ParseRequest(make([]byte, 100)); !errors.Is(err, ErrHandshake) {
		t.Errorf("short request: %v", err)
	}
	if _, ok := RequestTag(nil); ok {
		t.Error("no request, and yet a tag")
	}
}

func TestAcceptHead(t *testing.T) {
	want := &AcceptHead{Device: Ciphertext{1}, Ratchet: Ciphertext{2}}
	head := want.Append(nil)
	accept := append(bytes.Clone(head), make([]byte, AcceptSize-len(head))...)
	got, raw, sealed, err := ParseAccept(accept)
	if err != nil || *got != *want || !bytes.Equal(raw, head) || len(raw)+len(sealed) != AcceptSize {
		t.Errorf("accept changed on the way: %v", err)
	}
	accept[0] = 7
	if _, _, _, err := ParseAccept(accept); !errors.Is(err, ErrVersion) {
		t.Errorf("version: %v", err)
	}
	if _, _, _, err := ParseAccept(nil); !errors.Is(err, ErrHandshake) {
		t.Errorf("empty: %v", err)
	}
}

func TestRequestPayloads(t *testing.T) {
	bare := &RequestPayload{Entry: sampleEntry()}
	for name, row := range map[string]struct {
		kind RequestKind
		want *RequestPayload
	}{
		"invite": {RequestInvite, inviteRequest()}, "repair": {RequestRepair, repairRequest()}, "bare": {RequestInvite, bare},
	} {
		padded, err := row.want.Padded(row.kind)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := ParseRequestPayload(row.kind, padded)
		if err != nil || !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s changed on the way: %v", name, err)
		}
		padded[len(padded)-1] = 1
		if _, err := ParseRequestPayload(row.kind, padded); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: padding not zero: %v", name, err)
		}
		if _, err := ParseRequestPayload(row.kind, padded[:3000]); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: cut: %v", name, err)
		}
	}
}

func TestFullestRequestsFit(t *testing.T) {
	r := ReplyPath{Keys: make([]identity.TransportKey, ReplyPathKeysMax)}
	for range ReplyPathAddressesMax {
		r.Addresses = append(r.Addresses, Address{Network: QUIC, IP: v6(1).IP, Port: 1})
	}
	r.Couriers = []Courier{{Address: v6(1)}, {Address: v6(2)}}
	p := inviteRequest()
	p.Reply, p.Name, p.Greeting = r, strings.Repeat("파", NameRunesMax), strings.Repeat("x", GreetingBytesMax)
	if _, err := p.Padded(RequestInvite); err != nil {
		t.Errorf("the fullest request: %v", err)
	}
	if b, err := r.append(nil); err != nil || len(b) > ReplyPathBytesMax {
		t.Errorf("the fullest reply path has %d bytes, %v", len(b), err)
	}
	q := repairRequest()
	q.Reply, q.Have = r, make([]Have, HaveEntriesMax)
	if _, err := q.Padded(RequestRepair); err != nil {
		t.Errorf("the fullest repair: %v", err)
	}
	for range 15 {
		q.List.Devices = append(q.List.Devices, q.List.Devices[0])
	}
	if _, err := q.Padded(RequestRepair); !errors.Is(err, ErrHandshake) {
		t.Errorf("a list that does not fit: %v", err)
	}
	a := sampleAccept()
	a.Have = make([]Have, HaveEntriesMax)
	a.Record = *fullestRecord()
	if _, err := a.Padded(); err != nil {
		t.Errorf("the fullest accept: %v", err)
	}
}

func fullestRecord() *AddressRecord {
	r := &AddressRecord{Sequence: 1 << 60, Expiry: 1 << 31, FirstDay: 1 << 31, Keys: make([]identity.TransportKey, identity.TransportDaysMax)}
	for range RecordAddressesMax {
		r.Addresses = append(r.Addresses, v6(1))
		r.Candidates = append(r.Candidates, v6(2))
	}
	for range RecordCouriersMax {
		r.Couriers = append(r.Couriers, Courier{Address: v6(3)})
	}
	r.Mailboxes = make([]Mailbox, RecordMailboxesMax)
	return r
}

func TestRequestPayloadRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		kind  RequestKind
		spoil func(p *RequestPayload)
	}{
		"invite with generation": {RequestInvite, func(p *RequestPayload) { p.Generation = 1 }},
		"invite with have":       {RequestInvite, func(p *RequestPayload) { p.Have = []Have{{}} }},
		"repair with name":       {RequestRepair, func(p *RequestPayload) { p.Generation, p.Greeting = 1, "" }},
		"repair without number":  {RequestRepair, func(p *RequestPayload) { p.Name, p.Greeting = "", "" }},
		"long name":              {RequestInvite, func(p *RequestPayload) { p.Name = strings.Repeat("x", NameRunesMax+1) }},
		"line in name":           {RequestInvite, func(p *RequestPayload) { p.Name = "a\u2028b" }},
		"long greeting":          {RequestInvite, func(p *RequestPayload) { p.Greeting = strings.Repeat("x", GreetingBytesMax+1) }},
		"long have":              {RequestRepair, func(p *RequestPayload) { p.Have = make([]Have, HaveEntriesMax+1) }},
		"long reply": {RequestInvite, func(p *RequestPayload) {
			p.Reply.Keys = make([]identity.TransportKey, ReplyPathKeysMax+1)
		}},
	} {
		p := inviteRequest()
		row.spoil(p)
		if _, err := p.Padded(row.kind); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := sampleAccept()
	a.Record.Addresses = make([]Address, RecordAddressesMax+1)
	if _, err := a.Padded(); !errors.Is(err, ErrHandshake) {
		t.Errorf("accept with a long record: %v", err)
	}
}

// TestHostileRows seals maps that this program never writes.
func TestHostileRows(t *testing.T) {
	prefix := sampleEntry().Append(make([]byte, identity.KEMPublicSize))
	reply, err := (&ReplyPath{}).append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]requestRow{
		"no reply":     {},
		"reply counts": {Reply: []byte{0, 0, 0, 0, 9, 0, 0}},
		"reply keys":   {Reply: []byte{0, 0, 0, 0, 1, 0, 0}},
		"reply place":  {Reply: []byte{0, 0, 0, 0, 0, 1, 0}},
		"courier":      {Reply: []byte{0, 0, 0, 0, 0, 0, 1}},
		"reply rest":   {Reply: append(bytes.Clone(reply), 1)},
		"have":         {Reply: reply, Generation: 1, Have: []byte{1}},
		"list":         {Reply: reply, Generation: 1, List: []byte{1}},
	} {
		for _, kind := range []RequestKind{RequestInvite, RequestRepair} {
			padded := append(bytes.Clone(prefix), encodeMap(row)...)
			padded = append(padded, make([]byte, kind.plainSize()-len(padded))...)
			if _, err := ParseRequestPayload(kind, padded); !errors.Is(err, ErrHandshake) {
				t.Errorf("%s, kind %d: %v", name, kind, err)
			}
		}
	}
	for name, row := range map[string]acceptRow{
		"no record": {Record: []byte{}},
		"have":      {Record: mustRecord(t), Have: []byte{1}},
	} {
		padded := append(make([]byte, identity.KEMPublicSize), encodeMap(row)...)
		padded = append(padded, make([]byte, acceptPlainSize-len(padded))...)
		if _, err := ParseAcceptPayload(padded); !errors.Is(err, ErrHandshake) {
			t.Errorf("accept, %s: %v", name, err)
		}
	}
	if _, err := ParseAcceptPayload(nil); !errors.Is(err, ErrHandshake) {
		t.Errorf("empty accept: %v", err)
	}
}

func mustRecord(t testing.TB) []byte {
	t.Helper()
	b, err := sampleRecord().Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAcceptPayload(t *testing.T) {
	want := sampleAccept()
	padded, err := want.Padded()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseAcceptPayload(padded); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("accept changed on the way: %v", err)
	}
}

func TestAddressRecord(t *testing.T) {
	for name, want := range map[string]*AddressRecord{"sample": sampleRecord(), "fullest": fullestRecord(), "empty": {}} {
		b, err := want.Encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := ParseAddressRecord(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s changed on the way: %v", name, err)
		}
	}
	for name, row := range map[string]recordRow{
		"keys":       {Keys: []byte{1}},
		"many keys":  {Keys: make([]byte, 91*32)},
		"addresses":  {Addresses: []byte{1}},
		"candidates": {Candidates: []byte{1}},
		"couriers":   {Couriers: []byte{1}},
		"mailboxes":  {Mailboxes: make([]byte, 4*mailboxSize)},
		"mailbox":    {Mailboxes: []byte{1}},
	} {
		if _, err := ParseAddressRecord(encodeMap(row)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"empty": nil, "rest": append(mustRecord(t), 0), "other map": {0xa0}} {
		if _, err := ParseAddressRecord(b); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := fullestRecord()
	for i := range long.Addresses {
		long.Addresses[i] = Address{Network: QUIC, IP: v6(0).IP, Port: 1}
		long.Candidates[i] = Address{Network: QUIC, IP: sampleRecord().Addresses[2].IP, Port: 1, HostTag: [8]byte{1}}
	}
	if _, err := long.Encode(); err != nil {
		t.Errorf("a record with loopback candidates: %v", err)
	}
}

func TestDevices(t *testing.T) {
	entry := sampleEntry()
	if got, err := ParseDeviceEntry(entry.Append(nil)); err != nil || got != entry {
		t.Errorf("entry changed on the way: %v", err)
	}
	list := sampleList()
	b := list.Append(nil)
	if got, err := ParseDeviceList(b); err != nil || !reflect.DeepEqual(got, list) {
		t.Errorf("list changed on the way: %v", err)
	}
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(b)
		b[at] = to
		return b
	}
	const count = 32 + 4 + 32
	name := count + 1 + identity.KEMPublicSize + 4
	for what, bad := range map[string][]byte{
		"empty": nil, "cut": b[:len(b)-1], "rest": append(bytes.Clone(b), 0), "no device": changed(count, 0), "many devices": changed(count, 17),
		"missing device": changed(count, 2), "long name": changed(name, 65), "name not UTF-8": changed(name+1, 0xff),
	} {
		if _, err := ParseDeviceList(bad); !errors.Is(err, ErrDevice) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ParseDeviceEntry(b[:100]); !errors.Is(err, ErrDevice) {
		t.Errorf("short entry: %v", err)
	}
}

func FuzzBundle(f *testing.F) {
	f.Add(sampleBundle().Padded())
	f.Fuzz(func(t *testing.T, b []byte) {
		bundle, err := ParseBundle(b)
		if err == nil && !bytes.Equal(bundle.Append(nil), b[:BundleSize]) {
			t.Error("a bundle has a second encoding")
		}
	})
}

func FuzzRequest(f *testing.F) {
	head := (&RequestHead{Kind: RequestInvite}).Append(nil)
	f.Add(head)
	f.Add((&RequestHead{Kind: RequestRepair, Tag: [16]byte{1}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(b, make([]byte, max(0, RequestSize-len(b)))...)
		if h, head, _, err := ParseRequest(b); err == nil && !bytes.Equal(h.Append(nil), head) {
			t.Error("a request's head has a second encoding")
		}
		if h, head, _, err := ParseAccept(b); err == nil && !bytes.Equal(h.Append(nil), head) {
			t.Error("an accept's head has a second encoding")
		}
	})
}

func FuzzRequestPayload(f *testing.F) {
	add := func(p *RequestPayload, kind RequestKind) {
		padded, err := p.Padded(kind)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimRight(padded, "\x00"), kind == RequestRepair)
	}
	add(inviteRequest(), RequestInvite)
	add(repairRequest(), RequestRepair)
	f.Fuzz(func(t *testing.T, b []byte, repair bool) {
		kind := RequestInvite
		if repair {
			kind = RequestRepair
		}
		b = append(b, make([]byte, max(0, kind.plainSize()-len(b)))...)
		p, err := ParseRequestPayload(kind, b)
		if err != nil {
			return
		}
		again, err := p.Padded(kind)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("a request has a second encoding: %v", err)
		}
	})
}

func FuzzAcceptPayload(f *testing.F) {
	padded, err := sampleAccept().Padded()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.TrimRight(padded, "\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(b, make([]byte, max(0, acceptPlainSize-len(b)))...)
		p, err := ParseAcceptPayload(b)
		if err != nil {
			return
		}
		again, err := p.Padded()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("an accept has a second encoding: %v", err)
		}
	})
}

func FuzzDevices(f *testing.F) {
	f.Add(sampleList().Append(nil))
	entry := sampleEntry()
	f.Add(entry.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseDeviceList(b); err == nil && !bytes.Equal(l.Append(nil), b) {
			t.Error("a device list has a second encoding")
		}
		if e, err := ParseDeviceEntry(b); err == nil && !bytes.Equal(e.Append(nil), b) {
			t.Error("a device entry has a second encoding")
		}
	})
}

func FuzzDepositedRequest(f *testing.F) {
	f.Add((&DepositedRequest{Stamp: Stamp{Day: 1}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := ParseDepositedRequest(b); err == nil && !bytes.Equal(d.Append(nil), b) {
			t.Error("a deposited request has a second encoding")
		}
	})
}
