package identity

import (
	"crypto/sha512"
	"fmt"
	"slices"
	"strings"
)

// fingerprintRounds is how often SHA-512 is applied per account, to make the
// search for a look-alike account dear.
const fingerprintRounds = 5200

// Fingerprint is what two people compare to know that nobody stands between them:
// 12 groups of 5 digits made from both account keys, equal on both sides.
type Fingerprint [12]uint32

// NewFingerprint computes the fingerprint of a pair of accounts (about 2 ms). The
// order of the two does not matter.
func NewFingerprint(a, b AccountPublic) Fingerprint {
	x, y := fingerprintHalf(a), fingerprintHalf(b)
	if slices.Compare(x[:], y[:]) > 0 {
		x, y = y, x
	}
	var f Fingerprint
	copy(f[:6], x[:])
	copy(f[6:], y[:])
	return f
}

// String returns the 12 groups of 5 digits, separated by spaces (71 characters).
func (f Fingerprint) String() string {
	groups := make([]string, len(f))
	for i, g := range f {
		groups[i] = fmt.Sprintf("%05d", g)
	}
	return strings.Join(groups, " ")
}

func fingerprintHalf(account AccountPublic) [6]uint32 {
	h := sha512.Sum512(LabelFingerprint.Join(account[:]))
	var buf [sha512.Size + len(account)]byte
	copy(buf[sha512.Size:], account[:])
	for range fingerprintRounds - 1 {
		copy(buf[:], h[:])
		h = sha512.Sum512(buf[:])
	}
	var half [6]uint32
	for i := range half {
		var v uint64
		for _, b := range h[5*i : 5*i+5] {
			v = v<<8 | uint64(b)
		}
		half[i] = uint32(v % 100000)
	}
	return half
}
