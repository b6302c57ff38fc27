package invite

import (
	"io"
	"math/bits"

	"golang.org/x/crypto/argon2"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// MakeStamp searches the proof of work that a card asks for: 2^bits tries of about 60 ms
// and 64 MiB each on average, so it is a job, not a step of the core. tag is the request
// tag of the card, request the whole request. Errors: ErrLimit, ErrStamp if none is found
// within reason, or one of reading random.
func MakeStamp(random io.Reader, tag [wire.RequestTagSize]byte, day uint32, request []byte, zeroBits uint8) (wire.Stamp, error) {
	if zeroBits > wire.StampBitsMax {
		return wire.Stamp{}, ErrLimit
	}
	salt := stampSalt(tag, day, request)
	for range stampTriesMax {
		s := wire.Stamp{Day: day}
		if _, err := io.ReadFull(random, s.Nonce[:]); err != nil {
			return wire.Stamp{}, err
		}
		if stampHolds(s, salt, zeroBits) {
			return s, nil
		}
	}
	return wire.Stamp{}, ErrStamp
}

// CheckStamp checks a stamp (about 60 ms and 64 MiB: a job). today is the checker's day in
// days since 1970-01-01 UTC. Error: ErrStamp.
func CheckStamp(s wire.Stamp, tag [wire.RequestTagSize]byte, today uint32, request []byte, zeroBits uint8) error {
	if s.Day+StampDaysOff < today || s.Day > today+StampDaysOff || zeroBits > wire.StampBitsMax {
		return ErrStamp
	}
	if !stampHolds(s, stampSalt(tag, s.Day, request), zeroBits) {
		return ErrStamp
	}
	return nil
}

// stampSalt binds a stamp to the card, the day and the request.
func stampSalt(tag [wire.RequestTagSize]byte, day uint32, request []byte) [32]byte {
	h := identity.Hash(request)
	return identity.LabelStamp.Hash(tag[:], identity.Uint32(day), h[:])
}

func stampHolds(s wire.Stamp, salt [32]byte, zeroBits uint8) bool {
	sum := argon2.IDKey(s.Nonce[:], salt[:], stampTime, stampMemoryKiB, stampThreads, 32)
	return bits.LeadingZeros8(sum[0]) >= int(zeroBits)
}
