package protocol

import (
	"io"
	"slices"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/rendezvous"
	"pabal/protocol/wire"
)

// self is our account and this device.
type self struct {
	name  string
	state selfState

	account identity.AccountPublic
	signed  *signed // nil until it is needed
	dirty   bool

	fixed   identity.TransportKey // of state.Fixed, zero until it is needed
	keysDay uint32                // of keys
	keys    []identity.TransportKey
}

// signed is what others get of us: one device, listed once.
type signed struct {
	list  identity.DeviceList
	entry identity.DeviceEntry
}

// selfState is what PutSelf.State holds.
type selfState struct {
	Account         identity.AccountSeed    `cbor:"1,keyasint"`
	Device          identity.KEMSeed        `cbor:"2,keyasint"`
	DeviceName      string                  `cbor:"3,keyasint"`
	AddedDay        uint32                  `cbor:"4,keyasint"`
	Transport       identity.TransportChain `cbor:"5,keyasint"`
	RecordSequence  uint64                  `cbor:"6,keyasint"`
	NameSequence    uint64                  `cbor:"7,keyasint"`
	HighestDay      uint32                  `cbor:"8,keyasint"` // that we and an authenticated contact reached
	DefaultTimer    *wire.Timer             `cbor:"9,keyasint,omitempty"`
	RefuseDeletions bool                    `cbor:"15,keyasint,omitempty"` // that contacts ask for
	Told            [32]byte                `cbor:"11,keyasint"`           // what the address records say, hashed
	Fixed           *identity.TransportSeed `cbor:"12,keyasint,omitempty"` // the one transport key of a courier
	NextTurn        int64                   `cbor:"13,keyasint,omitempty"` // Unix seconds: of the last rung, not before
	Published       bool                    `cbor:"14,keyasint,omitempty"` // in the turn before that one
	Self            ConversationID          `cbor:"10,keyasint"`           // note to self, or zero
	Picture         []byte                  `cbor:"16,keyasint,omitempty"`
	PictureSequence uint64                  `cbor:"17,keyasint,omitempty"` // 0: there was never one
}

func newSelf(random io.Reader, now time.Time, name string) (self, error) {
	s := self{name: name, dirty: true}
	var err error
	if s.state.Account, err = identity.NewAccountSeed(random); err != nil {
		return self{}, err
	}
	if s.state.Device, err = identity.NewKEMSeed(random); err != nil {
		return self{}, err
	}
	if s.state.Transport.Seed, err = identity.NewTransportSeed(random); err != nil {
		return self{}, err
	}
	today := dayOf(now)
	s.state.AddedDay, s.state.HighestDay = today, today
	s.state.Transport.Day = today - min(today, 1) // yesterday's key is still tried
	s.account = s.state.Account.Public()
	return s, nil
}

// presented returns what others get of us. Making it takes two signatures and a key
// pair, so it is made when it is first needed: most starts need none.
func (s *self) presented() *signed {
	if s.signed != nil {
		return s.signed
	}
	device := s.state.Device.Public()
	list := identity.NewDeviceList(s.state.Account, identity.ListedDevice{
		Key: device, Name: s.state.DeviceName, AddedDay: s.state.AddedDay,
	})
	entry, ok := identity.NewDeviceEntry(s.state.Account, list, device)
	if !ok {
		panic("protocol: our own list lacks our device")
	}
	s.signed = &signed{list: list, entry: entry}
	return s.signed
}

// transport returns the chain at the given day, or at the nearest day that it
// reaches: a clock that is off must not leave us without a key.
func (s *self) transport(day uint32) identity.TransportChain {
	if c, ok := s.state.Transport.At(day); ok {
		return c
	}
	return s.state.Transport
}

// reached notes that we and an authenticated contact both reached a day. Older
// transport keys are erased once both are two days past them.
func (s *self) reached(day uint32) {
	if day <= s.state.HighestDay {
		return
	}
	s.state.HighestDay = day
	if c, ok := s.state.Transport.At(day - 2); ok {
		s.state.Transport = c
	}
	s.dirty = true
}

func dayOf(t time.Time) uint32 {
	return uint32(max(t.Unix(), 0) / 86400)
}

// recordKeys returns our transport keys as records name them: from two days ago on,
// which is as far back as we go ourselves. Yesterday's is still tried, and it is the
// oldest that we have left if our clock turns out to be far ahead.
// Making them takes milliseconds, so they are kept, and only what a new day adds is made.
func (s *self) recordKeys(day uint32) (first uint32, keys []identity.TransportKey) {
	chain := s.transport(day)
	for _, ago := range [2]uint32{2, 1} {
		if before, ok := s.state.Transport.At(chain.Day - ago); ok {
			chain = before
			break
		}
	}
	var kept []identity.TransportKey
	if passed := chain.Day - s.keysDay; chain.Day >= s.keysDay && passed < uint32(len(s.keys)) {
		kept = s.keys[passed:]
	}
	if missing := rendezvous.RecordDays - len(kept); missing > 0 {
		if rest, ok := chain.At(chain.Day + uint32(len(kept))); ok {
			s.keysDay, s.keys = chain.Day, slices.Concat(kept, rest.Keys(missing))
		}
	}
	return chain.Day, s.keys
}
