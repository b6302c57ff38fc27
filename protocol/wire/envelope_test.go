package wire

import (
	"bytes"
	"errors"
	"testing"

	"pabal/protocol/identity"
)

// envelopeOf returns an envelope of the given size whose bytes count up.
func envelopeOf(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i)
	}
	b[0], b[1] = Suite, 0x7f
	return b
}

func TestEnvelopeOverhead(t *testing.T) {
	if n := EnvelopeOverhead(WithoutKeys); n != 85 {
		t.Errorf("overhead %d, want 85", n)
	}
	if n := EnvelopeOverhead(WithKeys); n != 2437 {
		t.Errorf("overhead with keys %d, want 2437", n)
	}
}

func TestEnvelopeSizeFor(t *testing.T) {
	for _, c := range []struct {
		n, want int
		ok      bool
	}{
		{0, 512, true},
		{512, 512, true},
		{513, 3072, true},
		{3073, 8192, true},
		{8193, 24576, true},
		{24577, 65536, true},
		{65536, 65536, true},
		{65537, 0, false},
	} {
		if got, ok := EnvelopeSizeFor(c.n); got != c.want || ok != c.ok {
			t.Errorf("%d bytes: %d, %t", c.n, got, ok)
		}
	}
	// The length field holds what the largest envelope does.
	if EnvelopeBytesMax-EnvelopeOverhead(WithoutKeys) > 0xffff {
		t.Error("the length of the contents overflows")
	}
}

func TestParseEnvelope(t *testing.T) {
	for _, size := range EnvelopeSizes() {
		frame := envelopeOf(size)
		e, err := ParseEnvelope(frame)
		if err != nil {
			t.Fatal(err)
		}
		body, before, err := e.Body(WithoutKeys)
		if err != nil {
			t.Fatal(err)
		}
		if joined := append(bytes.Clone(before), body...); !bytes.Equal(joined, frame) {
			t.Error("body and what is before it are not the envelope")
		}
		if !bytes.Equal(e.Nonce[:], frame[1:13]) || !bytes.Equal(e.Header, frame[13:42]) || len(before) != 42 {
			t.Error("nonce or header differ")
		}
		keys, keysErr := e.Keys()
		_, before, err = e.Body(WithKeys)
		if size == 512 {
			if !errors.Is(err, ErrEnvelope) || !errors.Is(keysErr, ErrEnvelope) {
				t.Errorf("keys in the smallest envelope: %v, %v", err, keysErr)
			}
			continue
		}
		if err != nil || keysErr != nil || !bytes.Equal(keys, frame[42:42+SealedKeysSize]) || len(before) != 42+SealedKeysSize {
			t.Errorf("keys differ, errors %v, %v", err, keysErr)
		}
	}
}

func TestParseEnvelopeRefuses(t *testing.T) {
	if _, err := ParseEnvelope(nil); !errors.Is(err, ErrEnvelope) {
		t.Errorf("nothing: %v", err)
	}
	for _, size := range []int{1, 511, 513, 3071, 65537} {
		if _, err := ParseEnvelope(envelopeOf(max(size, 2))[:size]); !errors.Is(err, ErrEnvelope) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	b := envelopeOf(512)
	b[1] = 0x80
	if _, err := ParseEnvelope(b); !errors.Is(err, ErrEnvelope) {
		t.Errorf("top bit of the nonce: %v", err)
	}
	for _, suite := range []byte{0, 2, 255} {
		if _, err := ParseEnvelope([]byte{suite}); !errors.Is(err, ErrEnvelopeSuite) {
			t.Errorf("suite %d: %v", suite, err)
		}
	}
}

func TestKeysNonce(t *testing.T) {
	n := [identity.NonceSize]byte{0x12, 0x34}
	if got := KeysNonce(n); got != [identity.NonceSize]byte{0x92, 0x34} {
		t.Errorf("nonce %x", got)
	}
}

func TestEnvelopeHeader(t *testing.T) {
	h := EnvelopeHeader{Flags: FlagAck | FlagKeys, Chain: 0x01020304, First: 0x05060708, Index: 0x090a0b0c}
	b := h.Append(nil)
	if want := []byte{3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; !bytes.Equal(b, want) {
		t.Fatalf("header %x", b)
	}
	if got, err := ParseEnvelopeHeader(b); err != nil || got != h || !got.IsAck() || got.KeysKind() != WithKeys {
		t.Fatalf("%+v, %v", got, err)
	}
	plain := EnvelopeHeader{Chain: 1}
	if got, err := ParseEnvelopeHeader(plain.Append(nil)); err != nil || got.IsAck() || got.KeysKind() != WithoutKeys {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, b := range map[string][]byte{
		"short":              h.Append(nil)[:12],
		"long":               append(h.Append(nil), 0),
		"flag":               EnvelopeHeader{Flags: 4, Chain: 1}.Append(nil),
		"chain 0":            EnvelopeHeader{}.Append(nil),
		"index before first": EnvelopeHeader{Chain: 1, First: 2, Index: 1}.Append(nil),
	} {
		if _, err := ParseEnvelopeHeader(b); !errors.Is(err, ErrEnvelope) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnvelopeKeys(t *testing.T) {
	b := envelopeOf(EnvelopeKeysSize)
	k, err := ParseEnvelopeKeys(b)
	if err != nil || !bytes.Equal(k.Append(nil), b) || !bytes.Equal(k.Ciphertext[:], b[1216:]) {
		t.Fatalf("keys differ, error %v", err)
	}
	if _, err := ParseEnvelopeKeys(b[1:]); !errors.Is(err, ErrEnvelope) {
		t.Fatalf("short: %v", err)
	}
}

// bodyOf returns a body with n arrivals beyond the gap at 7.
func bodyOf(n int, contents string, padding int) (BodyPrefix, []byte) {
	p := BodyPrefix{Base: 3, Cum: 7, Digest: [DigestSize]byte{1, 2}, Length: uint16(len(contents))}
	for i := range n {
		p.Beyond = append(p.Beyond, Beyond{Index: 8 + 2*uint32(i), Tag: [ShortTagSize]byte{byte(i)}})
	}
	b := append(p.Append(nil), contents...)
	return p, append(b, make([]byte, padding)...)
}

func TestBody(t *testing.T) {
	for _, n := range []int{0, 1, BeyondMax} {
		want, b := bodyOf(n, "contents", 20)
		got, contents, err := ParseBody(b)
		if err != nil || string(contents) != "contents" || len(b) != want.Size()+8+20 {
			t.Fatalf("%q, %v", contents, err)
		}
		if !bytes.Equal(got.Append(nil), want.Append(nil)) || len(got.Beyond) != n {
			t.Fatalf("%+v", got)
		}
	}
	if _, contents, err := ParseBody(make([]byte, BodyPrefixSizeMin)); err != nil || len(contents) != 0 {
		t.Fatalf("empty body: %v", err)
	}
}

func TestBodyRefuses(t *testing.T) {
	_, tooMany := bodyOf(BeyondMax+1, "", 0)
	_, padded := bodyOf(1, "x", 5)
	padded[len(padded)-1] = 1
	_, short := bodyOf(2, "xy", 0)
	same, _ := bodyOf(2, "", 0)
	same.Beyond[1].Index = same.Beyond[0].Index
	atGap, _ := bodyOf(1, "", 0)
	atGap.Beyond[0].Index = atGap.Cum
	for name, b := range map[string][]byte{
		"too many": tooMany, "padding": padded, "cut contents": short[:len(short)-1],
		"cut list": short[:30], "nothing": nil, "not ascending": same.Append(nil), "the gap itself": atGap.Append(nil),
	} {
		if _, _, err := ParseBody(b); !errors.Is(err, ErrEnvelope) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSyncBody(t *testing.T) {
	want := SyncBody{
		Step: 3, Next: 9, Base: 8, Cum: 5, Digest: [DigestSize]byte{6},
		Check: [CheckSize]byte{7}, CheckBefore: [CheckSize]byte{8},
	}
	b := want.Append(nil)
	if len(b) != SyncBodySize {
		t.Fatalf("%d bytes", len(b))
	}
	got, err := ParseSyncBody(append(b, 0, 0))
	if err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	noStep, ahead := want, want
	noStep.Step, ahead.Base = 0, 10
	for name, b := range map[string][]byte{
		"short": b[1:], "padding": append(want.Append(nil), 1),
		"step 0": noStep.Append(nil), "base beyond next": ahead.Append(nil),
	} {
		if _, err := ParseSyncBody(b); !errors.Is(err, ErrEnvelope) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzEnvelopeHeader(f *testing.F) {
	f.Add(EnvelopeHeader{Flags: FlagKeys, Chain: 2, First: 1, Index: 4}.Append(nil))
	f.Add(make([]byte, EnvelopeHeaderSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseEnvelopeHeader(b)
		if err == nil && !bytes.Equal(h.Append(nil), b) {
			t.Fatalf("%x is encoded as %x", b, h.Append(nil))
		}
	})
}

func FuzzBody(f *testing.F) {
	for n := range 3 {
		_, b := bodyOf(n, "contents", n)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, contents, err := ParseBody(b)
		if err != nil {
			return
		}
		again := append(p.Append(nil), contents...)
		if again = append(again, make([]byte, len(b)-len(again))...); !bytes.Equal(again, b) {
			t.Fatalf("%x is encoded as %x", b, again)
		}
	})
}

func FuzzSyncBody(f *testing.F) {
	f.Add((&SyncBody{Step: 1}).Append(nil))
	f.Add(make([]byte, SyncBodySize+3))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSyncBody(b)
		if err != nil {
			return
		}
		if again := append(s.Append(nil), make([]byte, len(b)-SyncBodySize)...); !bytes.Equal(again, b) {
			t.Fatalf("%x is encoded as %x", b, again)
		}
	})
}

func FuzzParseEnvelope(f *testing.F) {
	f.Add(envelopeOf(512))
	f.Add(envelopeOf(3072))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEnvelope(b)
		if err != nil {
			return
		}
		for _, kind := range []KeysKind{WithoutKeys, WithKeys} {
			body, before, err := e.Body(kind)
			if err == nil && !bytes.Equal(append(bytes.Clone(before), body...), b) {
				t.Fatal("the parts are not the whole")
			}
		}
	})
}
