package identity

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// Errors of a device list that was received.
var (
	// ErrList reports a list that breaks a rule of its own: signature, names,
	// number of devices, a device listed twice.
	ErrList = errors.New("identity: invalid device list")
	// ErrListFork reports two different lists that claim one place in the chain:
	// the account key signed two histories. It is an alarm, not a nuisance.
	ErrListFork = errors.New("identity: device list forked")
	// ErrListGap reports a list whose predecessor we have not seen. It may be
	// taken once the missing ones arrive.
	ErrListGap = errors.New("identity: device list before this one is missing")
)

// ListedDevice is one device of a device list.
type ListedDevice struct {
	Key KEMPublic
	// Name is what the owner calls the device, at most DeviceNameBytesMax bytes of UTF-8.
	Name string
	// AddedDay is the day the device was added, in days since 1970-01-01 UTC.
	AddedDay uint32
}

// DeviceList is the signed list of an account's devices. Each version names the
// hash of the version before, so the versions form a chain.
//
// Its bytes:
//
//	account 32 ‖ sequence u32 ‖ hash of the list before 32 ‖ n u8 ‖
//	n × (device key 1216 ‖ added day u32 ‖ name length u8 ‖ name) ‖ signature 64
//
// The list hash covers all bytes before the signature.
type DeviceList struct {
	Account   AccountPublic
	Sequence  uint32
	Before    [HashSize]byte
	Devices   []ListedDevice
	Signature Signature
}

// NewDeviceList signs the first list of an account, with one device in it.
func NewDeviceList(account AccountSeed, device ListedDevice) DeviceList {
	l := DeviceList{Account: account.Public(), Sequence: 1, Devices: []ListedDevice{device}}
	l.Signature = account.Sign(l.signed())
	return l
}

// Next signs the list that follows l, with the devices given. The caller checks the
// result with Check before using it.
func (l DeviceList) Next(account AccountSeed, devices []ListedDevice) DeviceList {
	n := DeviceList{Account: l.Account, Sequence: l.Sequence + 1, Before: l.Hash(), Devices: devices}
	n.Signature = account.Sign(n.signed())
	return n
}

// Find returns the listed device with the given key.
func (l DeviceList) Find(device KEMPublic) (ListedDevice, bool) {
	for _, d := range l.Devices {
		if d.Key.Equal(device) {
			return d, true
		}
	}
	return ListedDevice{}, false
}

// Hash returns the list hash, over all bytes but the signature.
func (l DeviceList) Hash() [HashSize]byte {
	return LabelList.Hash(l.appendUnsigned(nil))
}

// Head names this version of the list.
func (l DeviceList) Head() ListHead {
	return ListHead{Sequence: l.Sequence, Hash: l.Hash()}
}

// Append appends the list's bytes to dst.
func (l DeviceList) Append(dst []byte) []byte {
	return append(l.appendUnsigned(dst), l.Signature[:]...)
}

func (l DeviceList) appendUnsigned(dst []byte) []byte {
	dst = append(dst, l.Account[:]...)
	dst = binary.BigEndian.AppendUint32(dst, l.Sequence)
	dst = append(dst, l.Before[:]...)
	dst = append(dst, byte(len(l.Devices)))
	for _, d := range l.Devices {
		dst = append(dst, d.Key[:]...)
		dst = binary.BigEndian.AppendUint32(dst, d.AddedDay)
		dst = append(dst, byte(len(d.Name)))
		dst = append(dst, d.Name...)
	}
	return dst
}

func (l DeviceList) signed() []byte {
	return l.appendUnsigned(LabelListSignature.Append(nil))
}

// Check returns ErrList if the list breaks a rule of its own or is not signed by
// its account.
func (l DeviceList) Check() error {
	if l.Sequence == 0 || len(l.Devices) == 0 || len(l.Devices) > DeviceListDevicesMax {
		return ErrList
	}
	if first := l.Sequence == 1; first != (l.Before == [HashSize]byte{}) {
		return ErrList
	}
	for i, d := range l.Devices {
		if len(d.Name) > DeviceNameBytesMax || !utf8.ValidString(d.Name) || d.Key.Check() != nil {
			return ErrList
		}
		for _, earlier := range l.Devices[:i] {
			if earlier.Key.Equal(d.Key) {
				return ErrList
			}
		}
	}
	if !l.Account.Verify(l.signed(), l.Signature) {
		return ErrList
	}
	return nil
}

// Relation says how a received list stands to the head we know.
type Relation uint8

// The relations of a received list that is no alarm.
const (
	// ListOlder is a version before the known one: ignored.
	ListOlder Relation = iota + 1
	// ListKnown is the known version itself.
	ListKnown
	// ListNewer is the next version, signed and chained to the known one: taken.
	ListNewer
)

// Follow compares a received list of account with the head known, which comes from
// the handshake's device entry or from the last list taken. Errors: ErrList,
// ErrListFork (alarm; keep the known list), ErrListGap.
func (h ListHead) Follow(account AccountPublic, next DeviceList) (Relation, error) {
	if !next.Account.Equal(account) {
		return 0, ErrList
	}
	if err := next.Check(); err != nil {
		return 0, err
	}
	switch {
	case next.Sequence < h.Sequence:
		return ListOlder, nil
	case next.Sequence == h.Sequence:
		if next.Hash() != h.Hash {
			return 0, ErrListFork
		}
		return ListKnown, nil
	case next.Sequence-h.Sequence > 1:
		return 0, ErrListGap
	case next.Before != h.Hash:
		return 0, ErrListFork
	}
	return ListNewer, nil
}
