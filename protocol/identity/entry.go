package identity

import "encoding/binary"

// DeviceEntry says, signed by the account, that a device belongs to it. It is what
// a handshake carries instead of the whole device list.
//
// Its bytes (DeviceEntrySize = 1352):
//
//	account 32 ‖ device key 1216 ‖ list sequence u32 ‖ added day u32 ‖ list hash 32 ‖ signature 64
type DeviceEntry struct {
	Account   AccountPublic
	Device    KEMPublic
	List      ListHead
	AddedDay  uint32
	Signature Signature
}

// ListHead names one version of an account's device list. Contacts echo the head
// they know, so that nobody rolls a list back unseen.
type ListHead struct {
	Sequence uint32
	Hash     [HashSize]byte
}

// NewDeviceEntry signs an entry for the given device of the list. It returns false if
// the list does not hold the device.
func NewDeviceEntry(account AccountSeed, list DeviceList, device KEMPublic) (DeviceEntry, bool) {
	listed, ok := list.Find(device)
	if !ok {
		return DeviceEntry{}, false
	}
	e := DeviceEntry{Account: account.Public(), Device: device, List: list.Head(), AddedDay: listed.AddedDay}
	e.Signature = account.Sign(e.signed())
	return e, true
}

// Verify reports whether the account signed the entry. It does not check that the
// device key is a valid KEM key: KEMPublic.Check does.
func (e DeviceEntry) Verify() bool {
	return e.Account.Verify(e.signed(), e.Signature)
}

// Append appends the entry's bytes to dst.
func (e DeviceEntry) Append(dst []byte) []byte {
	return append(e.appendUnsigned(dst), e.Signature[:]...)
}

func (e DeviceEntry) appendUnsigned(dst []byte) []byte {
	dst = append(dst, e.Account[:]...)
	dst = append(dst, e.Device[:]...)
	dst = binary.BigEndian.AppendUint32(dst, e.List.Sequence)
	dst = binary.BigEndian.AppendUint32(dst, e.AddedDay)
	return append(dst, e.List.Hash[:]...)
}

func (e DeviceEntry) signed() []byte {
	return e.appendUnsigned(LabelDevice.Append(nil))
}
