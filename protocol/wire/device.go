package wire

import (
	"errors"
	"unicode/utf8"

	"pabal/protocol/identity"
)

// ErrDevice reports bytes that are no device entry or device list.
var ErrDevice = errors.New("wire: malformed device entry or list")

// ParseDeviceEntry reads a device entry (identity.DeviceEntrySize bytes). It checks
// neither signature nor key: identity.DeviceEntry.Verify and KEMPublic.Check do.
// Error: ErrDevice.
func ParseDeviceEntry(b []byte) (identity.DeviceEntry, error) {
	r := reader{b: b}
	e := r.entry()
	if !r.done() {
		return identity.DeviceEntry{}, ErrDevice
	}
	return e, nil
}

func (r *reader) entry() identity.DeviceEntry {
	var e identity.DeviceEntry
	r.bytes(e.Account[:])
	r.bytes(e.Device[:])
	e.List.Sequence = r.uint32()
	e.AddedDay = r.uint32()
	r.bytes(e.List.Hash[:])
	r.bytes(e.Signature[:])
	return e
}

// ParseDeviceList reads a device list. It checks neither signature nor keys:
// identity.ListHead.Follow does. Error: ErrDevice.
func ParseDeviceList(b []byte) (*identity.DeviceList, error) {
	r := reader{b: b}
	l := new(identity.DeviceList)
	r.bytes(l.Account[:])
	l.Sequence = r.uint32()
	r.bytes(l.Before[:])
	n := int(r.byte())
	if r.failed() || n == 0 || n > identity.DeviceListDevicesMax {
		return nil, ErrDevice
	}
	for range n {
		var d identity.ListedDevice
		r.bytes(d.Key[:])
		d.AddedDay = r.uint32()
		d.Name = string(r.take(int(r.byte())))
		if r.failed() || len(d.Name) > identity.DeviceNameBytesMax || !utf8.ValidString(d.Name) {
			return nil, ErrDevice
		}
		l.Devices = append(l.Devices, d)
	}
	r.bytes(l.Signature[:])
	if !r.done() {
		return nil, ErrDevice
	}
	return l, nil
}
