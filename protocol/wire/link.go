package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"pabal/protocol/identity"
)

// Errors of links.
var (
	// ErrNoLink reports a text in which no link begins.
	ErrNoLink = errors.New("wire: no link in the text")
	// ErrLink reports a link that is cut, mistyped or otherwise damaged.
	ErrLink = errors.New("wire: malformed link")
	// ErrLinkVersion reports a link of a version or kind this program does not know.
	ErrLinkVersion = errors.New("wire: link of an unsupported version")
	// ErrLinkSuite reports a link of a suite this program does not know.
	ErrLinkSuite = errors.New("wire: link of an unsupported suite")
	// ErrLinkTooLong reports a link of ours that would exceed LinkCharactersMax.
	ErrLinkTooLong = errors.New("wire: link too long")
)

// LinkKind says what a link is for; it travels in the link's version byte.
type LinkKind uint8

// The kinds of links.
const (
	LinkContact LinkKind = 1 // one-time invite
	LinkCard    LinkKind = 2 // reusable invite
	LinkHome    LinkKind = 3 // pairs a home node or courier
	LinkGroup   LinkKind = 4 // invite to a group
)

const (
	linkPrefix   = "pabal:i"
	linkVersion  = 1
	linkChecksum = 4
)

// Link is an invite link, as one person gives it to another:
//
//	"pabal:i1#" ‖ base64url, no padding, of:
//	version and kind u8 (high half 1, low half the kind) ‖ suite u8 ‖ expiry u32 ‖
//	secret 32 ‖ pin 32 ‖ [stamp bits u8, cards only] ‖ counts u8 ‖
//	transport keys 32 each ‖ packed addresses ‖ couriers (key 32 ‖ packed address) ‖ checksum 4
//	counts: bits 0–2 addresses, bits 3–4 transport keys, bits 5–6 couriers
//	checksum: the first four bytes of SHA-256 of all bytes before
//
// It holds a secret: it must not reach logs, errors or metrics.
type Link struct {
	Kind LinkKind
	// Expiry is in seconds since 1970-01-01 UTC.
	Expiry uint32
	// Secret is what every key and capability of the invite is derived from.
	Secret [32]byte
	// Pin binds the inviter's account and device key to the secret.
	Pin [32]byte
	// StampBits is how many zero bits a card asks of a stamp; 0 for other kinds.
	StampBits uint8
	// Keys are the inviter's transport keys of the day the link was made and of the
	// days after, at most LinkKeysMax.
	Keys []identity.TransportKey
	// Addresses are the inviter's own, at most LinkAddressesMax.
	Addresses []Address
	// Couriers hold the bundle and take requests, at most LinkCouriersMax.
	Couriers []Courier
}

// Format keeps the link's secret out of every formatted text.
func (l Link) Format(f fmt.State, _ rune) {
	// A fmt.State never fails to write; there is nobody to tell if it did.
	_, _ = io.WriteString(f, "invite link")
}

// Encode returns the link's text. Error: ErrLinkTooLong; the caller then leaves out an
// address. More list elements than allowed are a mistake of ours and panic.
func (l Link) Encode() (string, error) {
	b := l.append(nil)
	sum := identity.Hash(b)
	b = append(b, sum[:linkChecksum]...)
	text := fmt.Sprintf("%s%d#%s", linkPrefix, linkVersion, base64.RawURLEncoding.EncodeToString(b))
	if len(text) > LinkCharactersMax {
		return "", ErrLinkTooLong
	}
	return text, nil
}

func (l Link) append(b []byte) []byte {
	if len(l.Addresses) > LinkAddressesMax || len(l.Keys) > LinkKeysMax || len(l.Couriers) > LinkCouriersMax {
		panic("wire: link holds too many addresses, keys or couriers")
	}
	b = append(b, linkVersion<<4|byte(l.Kind), Suite)
	b = binary.BigEndian.AppendUint32(b, l.Expiry)
	b = append(b, l.Secret[:]...)
	b = append(b, l.Pin[:]...)
	if l.Kind == LinkCard {
		b = append(b, l.StampBits)
	}
	b = append(b, byte(len(l.Addresses)|len(l.Keys)<<3|len(l.Couriers)<<5))
	for _, k := range l.Keys {
		b = append(b, k[:]...)
	}
	b = AppendAddresses(b, l.Addresses)
	for _, c := range l.Couriers {
		b = c.append(b)
	}
	return b
}

// ParseLink finds the first whole link in a text and reads it. It bears what mail and
// chat programs do to links: text around it, broken and quoted lines, zero-width
// characters, full-width letters, a changed case of the prefix. Errors: ErrNoLink,
// ErrLink, ErrLinkVersion, ErrLinkSuite; of several damaged links the first decides.
// It does not check the expiry.
func ParseLink(text string) (Link, error) {
	if len(text) > LinkTextBytesMax {
		return Link{}, ErrNoLink
	}
	squeezed := squeeze(text)
	lower := bytes.ToLower(squeezed)
	first := ErrNoLink
	for at := 0; ; {
		i := bytes.Index(lower[at:], []byte(linkPrefix))
		if i < 0 {
			return Link{}, first
		}
		at += i + len(linkPrefix)
		l, err := parseLinkTail(squeezed[at:])
		if err == nil {
			return l, nil
		}
		if errors.Is(first, ErrNoLink) {
			first = err
		}
	}
}

// parseLinkTail reads what follows the prefix: the number of the format, "#", the
// payload, and any text after it.
func parseLinkTail(tail []byte) (Link, error) {
	digits := 0
	for digits < len(tail) && tail[digits] >= '0' && tail[digits] <= '9' {
		digits++
	}
	number, tail := string(tail[:digits]), tail[digits:]
	switch {
	case bytes.HasPrefix(tail, []byte("#")):
		tail = tail[1:]
	case bytes.HasPrefix(tail, []byte("%23")):
		tail = tail[3:]
	default:
		return Link{}, ErrNoLink
	}
	if number != "1" {
		return Link{}, ErrLinkVersion
	}
	n := 0
	for n < len(tail) && n < LinkCharactersMax && isBase64URL(tail[n]) {
		n++
	}
	// Text may follow the payload without a break, so the payload's own counts say
	// where it ends. Four characters more or less decode independently.
	payload := tail[:n-n%4]
	if rest := n % 4; rest >= 2 {
		payload = tail[:n]
	}
	b := make([]byte, base64.RawURLEncoding.DecodedLen(len(payload)))
	if _, err := base64.RawURLEncoding.Decode(b, payload); err != nil {
		return Link{}, ErrLink
	}
	l, size, err := parseLinkBytes(b)
	if err != nil {
		return Link{}, err
	}
	strict := make([]byte, size)
	used := base64.RawURLEncoding.EncodedLen(size)
	if _, err := base64.RawURLEncoding.Strict().Decode(strict, payload[:used]); err != nil {
		return Link{}, ErrLink
	}
	return l, nil
}

// parseLinkBytes reads a link's payload from the front of b and returns its size.
func parseLinkBytes(b []byte) (Link, int, error) {
	r := reader{b: b}
	head, suite := r.byte(), r.byte()
	if r.failed() {
		return Link{}, 0, ErrLink
	}
	l := Link{Kind: LinkKind(head & 0x0f)}
	if head>>4 != linkVersion || l.Kind < LinkContact || l.Kind > LinkGroup {
		return Link{}, 0, ErrLinkVersion
	}
	if suite != Suite {
		return Link{}, 0, ErrLinkSuite
	}
	l.Expiry = r.uint32()
	r.bytes(l.Secret[:])
	r.bytes(l.Pin[:])
	if l.Kind == LinkCard {
		l.StampBits = r.byte()
	}
	counts := r.byte()
	addresses, keys, couriers := int(counts&7), int(counts>>3&3), int(counts>>5&3)
	if counts&0x80 != 0 || addresses > LinkAddressesMax || couriers > LinkCouriersMax || l.StampBits > StampBitsMax {
		return Link{}, 0, ErrLink
	}
	l.Keys = r.transportKeys(keys)
	var ok bool
	if l.Addresses, ok = r.addresses(addresses); !ok {
		return Link{}, 0, ErrLink
	}
	if l.Couriers, ok = r.couriers(couriers); !ok {
		return Link{}, 0, ErrLink
	}
	sum := identity.Hash(b[:len(b)-len(r.b)])
	check := r.take(linkChecksum)
	if r.failed() || !bytes.Equal(check, sum[:linkChecksum]) {
		return Link{}, 0, ErrLink
	}
	return l, len(b) - len(r.b), nil
}

func isBase64URL(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// squeeze undoes what programs do to a link: it joins lines, drops the quote marks in
// front of them and the soft break behind them, drops white space and invisible
// characters, and makes full-width characters plain. Other characters beyond ASCII
// become a zero byte, which ends a link.
func squeeze(text string) []byte {
	out := make([]byte, 0, len(text))
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n\u00a0\u3000")
		line = strings.TrimSuffix(line, "=")
		line = strings.TrimLeft(line, "> \t|\u00a0\u3000")
		for _, c := range line {
			switch {
			case c >= 0xff01 && c <= 0xff5e:
				out = append(out, byte(c-0xff01+'!'))
			case c > ' ' && c < 0x7f:
				out = append(out, byte(c))
			case c == ' ' || c == '\t' || c == '\r' || c == 0xa0 || c == 0x3000 || invisible(c):
			default:
				out = append(out, 0)
			}
		}
	}
	return out
}

// invisible reports characters of no width: joiners, direction marks, soft hyphen.
func invisible(c rune) bool {
	switch {
	case c >= 0x200b && c <= 0x200f, c >= 0x202a && c <= 0x202e, c >= 0x2060 && c <= 0x2069:
		return true
	}
	return c == 0xfeff || c == 0x00ad || c == 0x180e || c >= 0xfe00 && c <= 0xfe0f
}
