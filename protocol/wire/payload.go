package wire

import (
	"encoding/binary"

	"pabal/protocol/identity"
)

// ReplyPath says how the inviter reaches the invitee back: transport keys by day,
// addresses, and couriers that take a deposit. Its bytes, at most ReplyPathBytesMax:
//
//	first day u32 ‖ keys u8 ‖ addresses u8 ‖ couriers u8 ‖
//	keys 32 each ‖ packed addresses ‖ couriers (key 32 ‖ packed address)
type ReplyPath struct {
	// FirstDay is the day of the first key, in days since 1970-01-01 UTC.
	FirstDay uint32
	// Keys are at most ReplyPathKeysMax, one a day.
	Keys []identity.TransportKey
	// Addresses are at most ReplyPathAddressesMax.
	Addresses []Address
	// Couriers are at most LinkCouriersMax.
	Couriers []Courier
}

func (p *ReplyPath) append(b []byte) ([]byte, error) {
	if len(p.Keys) > ReplyPathKeysMax || len(p.Addresses) > ReplyPathAddressesMax || len(p.Couriers) > LinkCouriersMax {
		return nil, ErrHandshake
	}
	b = binary.BigEndian.AppendUint32(b, p.FirstDay)
	b = append(b, byte(len(p.Keys)), byte(len(p.Addresses)), byte(len(p.Couriers)))
	for _, k := range p.Keys {
		b = append(b, k[:]...)
	}
	b = AppendAddresses(b, p.Addresses)
	for _, c := range p.Couriers {
		b = c.append(b)
	}
	return b, nil
}

func parseReplyPath(b []byte) (ReplyPath, bool) {
	r := reader{b: b}
	p := ReplyPath{FirstDay: r.uint32()}
	keys, addresses, couriers := int(r.byte()), int(r.byte()), int(r.byte())
	if keys > ReplyPathKeysMax || addresses > ReplyPathAddressesMax || couriers > LinkCouriersMax {
		return ReplyPath{}, false
	}
	p.Keys = r.transportKeys(keys)
	var ok bool
	if p.Addresses, ok = r.addresses(addresses); !ok {
		return ReplyPath{}, false
	}
	if p.Couriers, ok = r.couriers(couriers); !ok {
		return ReplyPath{}, false
	}
	return p, r.done()
}

// Have is one entry of a have vector: up to which sequence the sender of the vector
// holds what the other device wrote in a conversation. The zero conversation is the
// direct one.
type Have struct {
	Conversation [16]byte
	Sequence     uint64
}

// haveSize is the packed size of a Have.
const haveSize = 16 + 8

func appendHaves(b []byte, list []Have) []byte {
	for _, h := range list {
		b = append(b, h.Conversation[:]...)
		b = binary.BigEndian.AppendUint64(b, h.Sequence)
	}
	return b
}

func parseHaves(b []byte) ([]Have, bool) {
	if len(b)%haveSize != 0 || len(b)/haveSize > HaveEntriesMax {
		return nil, false
	}
	var list []Have
	for ; len(b) > 0; b = b[haveSize:] {
		list = append(list, Have{Conversation: [16]byte(b), Sequence: binary.BigEndian.Uint64(b[16:])})
	}
	return list, true
}

// RequestPayload is the sealed part of a request:
//
//	ratchet key 1216 ‖ device entry 1352 ‖ CBOR map ‖ zeros
type RequestPayload struct {
	Ratchet identity.KEMPublic
	Entry   identity.DeviceEntry
	Reply   ReplyPath
	// Name and Greeting are of invites only.
	Name     string
	Greeting string
	// Generation, List and Have are of repairs only. List is nil if it does not fit.
	Generation uint32
	List       *identity.DeviceList
	Have       []Have
}

// requestRow is the map of a request.
type requestRow struct {
	Reply      []byte `cbor:"1,keyasint"`
	Name       string `cbor:"2,keyasint,omitempty"`
	Greeting   string `cbor:"3,keyasint,omitempty"`
	Generation uint32 `cbor:"4,keyasint,omitempty"`
	List       []byte `cbor:"5,keyasint,omitempty"`
	Have       []byte `cbor:"6,keyasint,omitempty"`
}

// check returns ErrHandshake if the row breaks a limit or has a field of the other kind.
func (row *requestRow) check(kind RequestKind) error {
	repair := row.Generation != 0 || len(row.List) != 0 || len(row.Have) != 0
	invite := row.Name != "" || row.Greeting != ""
	if kind == RequestInvite && repair || kind == RequestRepair && (invite || row.Generation == 0) {
		return ErrHandshake
	}
	if !ValidName(row.Name) || !validText(row.Greeting, GreetingBytesMax) || len(row.Reply) > ReplyPathBytesMax {
		return ErrHandshake
	}
	return nil
}

// Padded returns the payload of a request of the given kind, padded to its fixed size.
// Error: ErrHandshake if a field breaks a limit or does not belong to the kind.
func (p *RequestPayload) Padded(kind RequestKind) ([]byte, error) {
	reply, err := p.Reply.append(nil)
	if err != nil || len(p.Have) > HaveEntriesMax {
		return nil, ErrHandshake
	}
	row := requestRow{Reply: reply, Name: p.Name, Greeting: p.Greeting, Generation: p.Generation, Have: appendHaves(nil, p.Have)}
	if p.List != nil {
		row.List = p.List.Append(nil)
	}
	if err := row.check(kind); err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, RequestSize), p.Ratchet[:]...)
	b = p.Entry.Append(b)
	b = append(b, encodeMap(row)...)
	if len(b) > kind.plainSize() {
		return nil, ErrHandshake
	}
	return b[:kind.plainSize()], nil
}

// ParseRequestPayload reads the payload of a request of the given kind. It checks no
// signature and no key. Error: ErrHandshake.
func ParseRequestPayload(kind RequestKind, padded []byte) (*RequestPayload, error) {
	r := reader{b: padded}
	p := new(RequestPayload)
	r.bytes(p.Ratchet[:])
	p.Entry = r.entry()
	var row requestRow
	size, ok := decodeMap(r.b, &row)
	if !ok || r.failed() || len(padded) != kind.plainSize() || !zeros(r.b[size:]) || row.check(kind) != nil {
		return nil, ErrHandshake
	}
	p.Name, p.Greeting, p.Generation = row.Name, row.Greeting, row.Generation
	if p.Reply, ok = parseReplyPath(row.Reply); !ok {
		return nil, ErrHandshake
	}
	if p.Have, ok = parseHaves(row.Have); !ok {
		return nil, ErrHandshake
	}
	if len(row.List) != 0 {
		var err error
		if p.List, err = ParseDeviceList(row.List); err != nil {
			return nil, ErrHandshake
		}
	}
	return p, nil
}

// AcceptPayload is the sealed part of an accept:
//
//	ratchet key 1216 ‖ CBOR map ‖ zeros
type AcceptPayload struct {
	Ratchet identity.KEMPublic
	// Day is the first day of the pair chain, in days since 1970-01-01 UTC.
	Day uint32
	// Record is where the accepting device is reached, its mailboxes included.
	Record AddressRecord
	// Generation and Have are not of repairs alone: an inviter that knows the invitee
	// already says that this session follows on those it has, and up to where it holds
	// what the invitee wrote, who may have forgotten. In a repair the request says the
	// generation.
	Generation uint32
	Have       []Have
}

// acceptRow is the map of an accept.
type acceptRow struct {
	Day    uint32 `cbor:"1,keyasint"`
	Record []byte `cbor:"2,keyasint"`
	Have   []byte `cbor:"3,keyasint,omitempty"`

	Generation uint32 `cbor:"4,keyasint,omitempty"`
}

// Padded returns the payload padded to its fixed size. Error: ErrHandshake if a field
// breaks a limit.
func (p *AcceptPayload) Padded() ([]byte, error) {
	record, err := p.Record.Encode()
	if err != nil || len(p.Have) > HaveEntriesMax {
		return nil, ErrHandshake
	}
	b := append(make([]byte, 0, AcceptSize), p.Ratchet[:]...)
	b = append(b, encodeMap(acceptRow{Day: p.Day, Record: record, Have: appendHaves(nil, p.Have), Generation: p.Generation})...)
	if len(b) > acceptPlainSize {
		return nil, ErrHandshake
	}
	return b[:acceptPlainSize], nil
}

// ParseAcceptPayload reads the payload of an accept. It checks no key.
// Error: ErrHandshake.
func ParseAcceptPayload(padded []byte) (*AcceptPayload, error) {
	r := reader{b: padded}
	p := new(AcceptPayload)
	r.bytes(p.Ratchet[:])
	var row acceptRow
	size, ok := decodeMap(r.b, &row)
	if !ok || r.failed() || len(padded) != acceptPlainSize || !zeros(r.b[size:]) {
		return nil, ErrHandshake
	}
	record, err := ParseAddressRecord(row.Record)
	if err != nil {
		return nil, ErrHandshake
	}
	p.Day, p.Record, p.Generation = row.Day, *record, row.Generation
	if p.Have, ok = parseHaves(row.Have); !ok {
		return nil, ErrHandshake
	}
	return p, nil
}
