package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"pabal/protocol/identity"
)

func v4(last byte) Address {
	return Address{Network: QUIC, IP: netip.AddrFrom4([4]byte{203, 0, 113, last}), Port: 4001}
}

func v6(last byte) Address {
	return Address{Network: QUIC, IP: netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: last}), Port: 4001}
}

func filled(b byte) (k [32]byte) {
	for i := range k {
		k[i] = b + byte(i)
	}
	return k
}

func threeKeys() []identity.TransportKey {
	return []identity.TransportKey{filled(1), filled(2), filled(3)}
}

func sampleLink() Link {
	return Link{
		Kind: LinkContact, Expiry: 1800000000, Secret: filled(10), Pin: filled(20), Keys: threeKeys(),
		Addresses: []Address{v4(1), v4(2), v6(3)},
	}
}

func sampleCard() Link {
	return Link{
		Kind: LinkCard, Expiry: 1800000000, Secret: filled(10), Pin: filled(20), StampBits: 4,
		Couriers: []Courier{{Key: filled(4), Address: v4(9)}, {Key: filled(5), Address: v6(9)}},
	}
}

func mustEncode(t testing.TB, l Link) string {
	t.Helper()
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestLinkRoundTrip(t *testing.T) {
	loopback := sampleLink()
	loopback.Addresses = []Address{{Network: TCP, IP: netip.MustParseAddr("127.0.0.1"), Port: 9, HostTag: [8]byte{1}}}
	home := sampleLink()
	home.Kind = LinkHome
	for _, want := range []Link{sampleLink(), sampleCard(), loopback, home} {
		got, err := ParseLink(mustEncode(t, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("kind %d changed on the way: %v\n got %#v\nwant %#v", want.Kind, err, got.Addresses, want.Addresses)
		}
	}
}

func TestLinkLengths(t *testing.T) {
	one, usual, card := sampleLink(), sampleLink(), sampleCard()
	one.Addresses = []Address{v4(1)}
	full := sampleLink()
	full.Addresses = []Address{v4(1), v4(2), v6(3), v6(4)}
	full.Couriers = sampleCard().Couriers
	for name, row := range map[string]struct {
		link        Link
		least, most int
	}{
		"one address":                {one, 230, 290},
		"two v4 and v6":              {usual, 270, 370},
		"two couriers, no addresses": {card, 230, 370},
	} {
		if n := len(mustEncode(t, row.link)); n < row.least || n > row.most || n > LinkCharactersMax {
			t.Errorf("%s: %d characters", name, n)
		}
	}
	if _, err := full.Encode(); !errors.Is(err, ErrLinkTooLong) {
		t.Errorf("a link beyond the QR code: %v", err)
	}
}

func TestLinkSurvivesWhatProgramsDo(t *testing.T) {
	want := sampleLink()
	text := mustEncode(t, want)
	var fullWidth, zeroWidth, hard, quoted strings.Builder
	for i, c := range text {
		fullWidth.WriteRune(c - '!' + 0xff01)
		zeroWidth.WriteRune(c)
		zeroWidth.WriteString([]string{"\u200b", "\ufeff", "\u00ad", "\u2060"}[i%4])
		hard.WriteRune(c)
		quoted.WriteRune(c)
		if i%60 == 59 {
			hard.WriteString("=\r\n")
			quoted.WriteString("\n> > ")
		}
	}
	for name, pasted := range map[string]string{
		"alone":            text,
		"sentence":         "안녕하세요! 제 링크예요: " + text + " 추가해 주세요.",
		"glued to a word":  "link:" + text + "Please add me",
		"angle brackets":   "<" + text + ">",
		"markdown":         "[me](" + text + ")",
		"full width":       fullWidth.String(),
		"zero width":       zeroWidth.String(),
		"quoted printable": hard.String(),
		"mail quote":       "> " + quoted.String(),
		"wrapped and text": hard.String() + "\nBest regards\nJiwoo",
		"upper prefix":     "PABAL:I1#" + text[len("pabal:i1#"):],
		"percent":          strings.Replace(text, "#", "%23", 1),
		"spaces":           strings.Replace(text, "#", "# ", 1),
		"after a bad one":  "pabal:i1#AAAA pabal:i9#zzzz pabal: " + text,
		"no-break space":   text[:50] + "\u00a0\u3000" + text[50:],
	} {
		got, err := ParseLink(pasted)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLinkErrors(t *testing.T) {
	text := mustEncode(t, sampleLink())
	card := sampleCard()
	encode := func(spoil func(b []byte)) string {
		b := sampleLink().append(nil)
		spoil(b)
		sum := identity.Hash(b)
		return "pabal:i1#" + base64.RawURLEncoding.EncodeToString(append(b, sum[:4]...))
	}
	card.StampBits = 9
	for name, row := range map[string]struct {
		text string
		want error
	}{
		"nothing":          {"hello", ErrNoLink},
		"prefix only":      {"pabal:i1", ErrNoLink},
		"too much text":    {text + strings.Repeat(" ", LinkTextBytesMax), ErrNoLink},
		"empty":            {"pabal:i1#", ErrLink},
		"cut":              {text[:len(text)-1], ErrLink},
		"one character":    {strings.Replace(text, text[100:101], "-", 1) + "x", ErrLink},
		"mistyped":         {text[:100] + string(rune(text[100]^1)) + text[101:], ErrLink},
		"other format":     {"pabal:i2#" + text[9:], ErrLinkVersion},
		"other version":    {encode(func(b []byte) { b[0] = 0x21 }), ErrLinkVersion},
		"unknown kind":     {encode(func(b []byte) { b[0] = 0x15 }), ErrLinkVersion},
		"no kind":          {encode(func(b []byte) { b[0] = 0x10 }), ErrLinkVersion},
		"other suite":      {encode(func(b []byte) { b[1] = 2 }), ErrLinkSuite},
		"counts":           {encode(func(b []byte) { b[70] |= 0x80 }), ErrLink},
		"five addresses":   {encode(func(b []byte) { b[70] = 5 }), ErrLink},
		"three couriers":   {encode(func(b []byte) { b[70] = 3 << 5 }), ErrLink},
		"bad address":      {encode(func(b []byte) { b[71+96] = 7 }), ErrLink},
		"bad courier":      {encode(func(b []byte) { b[70] = 1 << 5; b[71+32] = 0 }), ErrLink},
		"too many bits":    {mustEncode(t, card), ErrLink},
		"the first counts": {"pabal:i1#AAAA pabal:i3#AAAA", ErrLinkVersion},
	} {
		if _, err := ParseLink(row.text); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
}

func TestLinkDoesNotPrint(t *testing.T) {
	if text := fmt.Sprintf("%v %s %#v %+v", sampleLink(), sampleLink(), sampleLink(), sampleLink()); strings.ContainsAny(text, "0123456789{") {
		t.Errorf("a link prints as %q", text)
	}
}

func TestLinkTooManyOfOursPanics(t *testing.T) {
	l := sampleLink()
	l.Keys = append(l.Keys, identity.TransportKey{})
	mustPanic(t, func() { _, _ = l.Encode() })
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f()
}

func FuzzLink(f *testing.F) {
	f.Add(mustEncode(f, sampleLink()))
	f.Add(mustEncode(f, sampleCard()))
	f.Add("see pabal:i1%23" + mustEncode(f, sampleCard())[9:] + "\n> bye")
	f.Add("pabal:i2#AAAA ｐabal:i1#")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLink(text)
		if err != nil {
			return
		}
		again, err := l.Encode()
		if err != nil {
			t.Fatalf("a parsed link does not encode: %v", err)
		}
		if !bytes.Contains(squeeze(text), []byte(again[len("pabal:i1#"):])) {
			t.Error("the link has a second encoding")
		}
		if second, err := ParseLink(again); err != nil || !reflect.DeepEqual(second, l) {
			t.Errorf("changed on the way: %v", err)
		}
	})
}
