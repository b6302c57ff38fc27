package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"pabal/protocol/identity"
)

func shortText() Content {
	return Content{
		Type: ContentText, ID: [16]byte{1, 2, 3}, Sequence: 70000, Parents: [][16]byte{{9}},
		At: 1790000000000, Timer: &Timer{Mode: TimerFromRead, Seconds: 604800}, Text: "점심 먹었어요?",
	}
}

func sampleRecord() *AddressRecord {
	return &AddressRecord{
		Sequence: 7, Expiry: 1800000000, FirstDay: 20600,
		Keys: []identity.TransportKey{{1}, {2}, {3}},
		Addresses: []Address{
			{Network: QUIC, IP: netip.MustParseAddr("192.0.2.7"), Port: 4001},
			{Network: TCP, IP: netip.MustParseAddr("2001:db8::7"), Port: 4001},
			{Network: QUIC, IP: netip.MustParseAddr("127.0.0.1"), Port: 4002, HostTag: [8]byte{7}},
		},
		Candidates: []Address{{Network: QUIC, IP: netip.MustParseAddr("2001:db8::8"), Port: 1}},
		Couriers:   []Courier{{Key: identity.TransportKey{4}, Address: Address{Network: QUIC, IP: netip.MustParseAddr("198.51.100.1"), Port: 443}}},
		Mailboxes:  []Mailbox{{Courier: identity.TransportKey{4}, ID: [16]byte{5}, Write: Capability{6}, ClosesDay: 20700}},
	}
}

func sampleList() *identity.DeviceList {
	account, device := identity.AccountSeed{1}, identity.KEMSeed{2}
	l := identity.NewDeviceList(account, identity.ListedDevice{Key: device.Public(), Name: "노트북", AddedDay: 20600})
	return &l
}

func sampleManifest() Content {
	return Content{
		Type: ContentManifest, ID: [16]byte{4, 5, 6}, Sequence: 70001, At: 1790000000000, Text: "바다 🌊",
		Files: []File{
			{Name: "제주도.jpg", MediaType: "image/jpeg", SizeBytes: 3 << 20, Root: [32]byte{1}, Key: [32]byte{2}, Width: 4032, Height: 3024},
			{Name: "voice.ogg", MediaType: "audio/ogg", SizeBytes: 40000, Root: [32]byte{3}, Key: [32]byte{4}, DurationMS: 12500, Waveform: []byte{1, 9, 3}},
			{Name: "empty", MediaType: "application/octet-stream", Root: [32]byte{5}, Key: [32]byte{6}},
		},
	}
}

// sampleContents has one content of every type whose fields this version knows.
func sampleContents() []Content {
	return []Content{
		shortText(),
		{Type: ContentReadReceipt, First: 3, Last: 9, At: 1790000000000},
		{Type: ContentProfile, Sequence: 2, Text: "지우"},
		{Type: ContentProfile, Sequence: 3},
		{Type: ContentAddressRecord, Record: sampleRecord()},
		{Type: ContentVoidEnvelopes, Voids: []EnvelopeVoid{{Index: 4, Tag: [16]byte{1}}, {Index: 9, Tag: [16]byte{2}}}},
		{Type: ContentVoidMessages, First: 5, Last: 5, At: 1790000000000},
		{Type: ContentDeviceList, List: sampleList()},
		{Type: ContentListHead, Head: &identity.ListHead{Sequence: 1, Hash: [32]byte{8}}},
		sampleManifest(),
		{Type: ContentReseed, Reseed: &Reseed{Day: 20700, Random: [32]byte{9}}},
		{Type: ContentDelete, ID: [16]byte{4}, Sequence: 8, At: 1790000000000, About: &Reference{Own: true, Sequence: 7, ID: [16]byte{3}}},
		{Type: ContentDeleteAnswer, ID: [16]byte{5}, Sequence: 8, At: 1790000000000, About: &Reference{Sequence: 70, ID: [16]byte{3}}, Answer: DeleteRefused},
		{Type: ContentTimer, ID: [16]byte{6}, Sequence: 9, At: 1790000000000, Timer: &Timer{Mode: TimerFromSent, Seconds: 86400}, Revision: 2},
		{Type: ContentTimer, ID: [16]byte{7}, At: 1790000000000, Revision: 3},
		{Type: ContentReply, ID: [16]byte{8}, Sequence: 10, At: 1790000000000, Text: "네", About: &Reference{Sequence: 70, ID: [16]byte{3}}},
		{Type: ContentReaction, ID: [16]byte{9}, Sequence: 11, At: 1790000000000, About: &Reference{Sequence: 70, ID: [16]byte{3}}, Revision: 1, Emojis: []string{"👍", "❤️"}},
		{Type: ContentReaction, ID: [16]byte{10}, Sequence: 12, At: 1790000000000, About: &Reference{Own: true, Sequence: 10, ID: [16]byte{8}}, Revision: 2},
		{Type: ContentEdit, ID: [16]byte{11}, Sequence: 13, At: 1790000000000, Text: "아니요", About: &Reference{Own: true, Sequence: 10, ID: [16]byte{8}}, Revision: 1},
		{Type: ContentText, ID: [16]byte{12}, Sequence: 14, At: 1790000000000, Text: "네", Forwarded: true},
		{Type: ContentTyping, Signal: SignalTyping},
		{Type: ContentPicture, Sequence: 4, Picture: samplePicture()},
		{Type: ContentPicture, Sequence: 5},
		{Type: ContentText, ID: [16]byte{13}, Sequence: 15, At: 1790000000000, Text: "@지우 👋 @me", Mentions: []Mention{{MentionReceiver, 0, 3}, {MentionSender, 6, 3}}},
		{Type: ContentManifest, ID: [16]byte{14}, Sequence: 16, At: 1790000000000, Files: []File{
			{Name: "1.gif", MediaType: "image/gif", SizeBytes: 9, Root: [32]byte{1}, Key: [32]byte{2}},
			{Name: "2.png", MediaType: "image/png", SizeBytes: 8, Root: [32]byte{3}, Key: [32]byte{4}, Width: 2, Height: 3, Thumbnail: drawn(nil, 2, 3, false)},
		}},
		{Type: ContentPart, About: &Reference{Own: true, Sequence: 16, ID: [16]byte{14}}, Part: &Part{Item: 1, Index: 31, Sealed: bytes.Repeat([]byte{7}, 24)}},
	}
}

func mustAppend(t testing.TB, dst []byte, c Content) []byte {
	t.Helper()
	b, err := AppendContent(dst, c)
	if err != nil {
		t.Fatalf("append content of type %d: %v", c.Type, err)
	}
	return b
}

func TestContentsRoundTrip(t *testing.T) {
	var body []byte
	want := sampleContents()
	for _, c := range want {
		body = mustAppend(t, body, c)
	}
	got, err := DecodeContents(body)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("contents changed on the way:\n got %+v\nwant %+v", got, want)
	}
}

func TestContentIsDeterministicCBOR(t *testing.T) {
	for _, c := range sampleContents() {
		b := mustAppend(t, nil, c)
		var values map[int]any
		if err := cbor.Unmarshal(b, &values); err != nil {
			t.Fatalf("type %d: %v", c.Type, err)
		}
		if _, size, ok := deterministicMap(b); !ok || size != len(b) {
			t.Errorf("type %d is not deterministic", c.Type)
		}
	}
}

func TestShortTextFraming(t *testing.T) {
	c := shortText()
	if framing := len(mustAppend(t, nil, c)) - len(c.Text); framing > 90 {
		t.Errorf("framing of a short text is %d bytes", framing)
	}
}

func TestUnknownContentIsKept(t *testing.T) {
	encoder := newStrictEncoder()
	for name, fields := range map[string]map[int]any{
		"new type":            {1: 900, 2: bytes.Repeat([]byte{7}, 16), 3: 12, 5: 1790000000000, 8: "?", 30: []any{1, 2}},
		"reserved type":       {1: int(ContentReaction), 2: bytes.Repeat([]byte{7}, 16), 3: 12, 5: 1790000000000, 8: "👍"},
		"new key":             {1: int(ContentText), 2: bytes.Repeat([]byte{7}, 16), 3: 12, 5: 1790000000000, 8: "x", 30: true},
		"key of another type": {1: int(ContentText), 2: bytes.Repeat([]byte{7}, 16), 3: 12, 5: 1790000000000, 8: "x", 9: 3},
		"text key":            {1: 900, 2: bytes.Repeat([]byte{7}, 16), 3: 12, 5: 1790000000000, 70: map[string]any{"a": 1}},
	} {
		b, err := encoder.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		c, rest, err := DecodeContent(append(bytes.Clone(b), 0xff))
		if err != nil || len(rest) != 1 {
			t.Errorf("%s: %v, rest %d", name, err, len(rest))
			continue
		}
		if !bytes.Equal(c.Raw, b) || c.Sequence != 12 || c.At != 1790000000000 || c.ID[0] != 7 {
			t.Errorf("%s: common fields or bytes lost: %+v", name, c)
		}
		if again := mustAppend(t, nil, c); !bytes.Equal(again, b) {
			t.Errorf("%s: bytes changed", name)
		}
	}
}

func TestContentRefusals(t *testing.T) {
	text := shortText()
	good := mustAppend(t, nil, text)
	long := text
	long.Text = strings.Repeat("x", TextBytesMax+1)
	badTimer, backwards, noID, invalid := text, Content{Type: ContentReadReceipt, First: 9, Last: 3}, text, text
	badTimer.Timer = &Timer{Mode: 3, Seconds: 1}
	noID.ID = [16]byte{}
	invalid.Text = "\xff"
	stray := text
	stray.First = 1
	parents := text
	parents.Parents = make([][16]byte, ParentsMax+1)
	for name, c := range map[string]Content{
		"long": long, "timer": badTimer, "backwards": backwards, "no id": noID, "utf-8": invalid, "stray field": stray, "parents": parents,
		"time":         {Type: ContentReadReceipt, First: 1, Last: 1, At: -1},
		"no type":      {Text: "x"},
		"unknown type": {Type: 900},
		"no voids":     {Type: ContentVoidEnvelopes},
		"voids order":  {Type: ContentVoidEnvelopes, Voids: []EnvelopeVoid{{Index: 2}, {Index: 2}}},
		"name":         {Type: ContentProfile, Text: "a\nb"},
		"record":       {Type: ContentAddressRecord, Record: &AddressRecord{Keys: make([]identity.TransportKey, 91)}},
		"peer's":       {Type: ContentDelete, ID: [16]byte{1}, Sequence: 8, About: &Reference{Sequence: 7, ID: [16]byte{3}}},
		"peer's text":  {Type: ContentEdit, ID: [16]byte{1}, Sequence: 8, Text: "x", About: &Reference{Sequence: 7, ID: [16]byte{3}}, Revision: 1},
		"no new text":  {Type: ContentEdit, ID: [16]byte{1}, Sequence: 8, About: &Reference{Own: true, Sequence: 7, ID: [16]byte{3}}, Revision: 1},
		"no number":    {Type: ContentEdit, ID: [16]byte{1}, Sequence: 8, Text: "x", About: &Reference{Own: true, Sequence: 7, ID: [16]byte{3}}},
		"own answer":   {Type: ContentDeleteAnswer, ID: [16]byte{1}, Sequence: 8, About: &Reference{Own: true, Sequence: 7, ID: [16]byte{3}}, Answer: DeleteConfirmed},
		"later":        {Type: ContentDelete, ID: [16]byte{1}, Sequence: 8, About: &Reference{Own: true, Sequence: 8, ID: [16]byte{3}}},
		"nothing":      {Type: ContentDelete, ID: [16]byte{1}, Sequence: 8, About: &Reference{Own: true, Sequence: 7}},
		"no quote":     {Type: ContentReply, ID: [16]byte{1}, Sequence: 8, Text: "x"},
		"no revision":  {Type: ContentTimer, ID: [16]byte{1}, Sequence: 8},
		"no part":      {Type: ContentPart, About: &Reference{Own: true, Sequence: 7, ID: [16]byte{3}}},
		"peer's part":  {Type: ContentPart, About: &Reference{Sequence: 7, ID: [16]byte{3}}, Part: &Part{Sealed: make([]byte, 17)}},
		"part of none": {Type: ContentPart, Part: &Part{Sealed: make([]byte, 17)}},
		"empty part":   {Type: ContentPart, About: &Reference{Own: true, Sequence: 7, ID: [16]byte{3}}, Part: &Part{Sealed: make([]byte, 16)}},
		"large part":   {Type: ContentPart, About: &Reference{Own: true, Sequence: 7, ID: [16]byte{3}}, Part: &Part{Sealed: make([]byte, PartBytes+17)}},
		"33rd part":    {Type: ContentPart, About: &Reference{Own: true, Sequence: 7, ID: [16]byte{3}}, Part: &Part{Index: 32, Sealed: make([]byte, 17)}},
		"no answer":    {Type: ContentDeleteAnswer, ID: [16]byte{1}, Sequence: 8, About: &Reference{Sequence: 7, ID: [16]byte{3}}},
		"no order":     {Type: ContentReaction, ID: [16]byte{1}, Sequence: 8, About: &Reference{Sequence: 7, ID: [16]byte{3}}, Emojis: []string{"👍"}},
		"twice":        {Type: ContentReaction, ID: [16]byte{1}, Sequence: 8, About: &Reference{Sequence: 7, ID: [16]byte{3}}, Revision: 1, Emojis: []string{"👍", "👍"}},
		"no emoji":     {Type: ContentReaction, ID: [16]byte{1}, Sequence: 8, About: &Reference{Sequence: 7, ID: [16]byte{3}}, Revision: 1, Emojis: []string{""}},
		"nine emojis":  {Type: ContentReaction, ID: [16]byte{1}, Sequence: 8, About: &Reference{Sequence: 7, ID: [16]byte{3}}, Revision: 1, Emojis: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}},
		"long emoji":   {Type: ContentReaction, ID: [16]byte{1}, Sequence: 8, About: &Reference{Sequence: 7, ID: [16]byte{3}}, Revision: 1, Emojis: []string{strings.Repeat("👍", 17)}},
		"answer":       {Type: ContentDeleteAnswer, ID: [16]byte{1}, Sequence: 8, About: &Reference{Sequence: 7, ID: [16]byte{3}}, Answer: 3},
		"list":         {Type: ContentDeviceList, List: &identity.DeviceList{Devices: make([]identity.ListedDevice, 17)}},
	} {
		dst := []byte("kept")
		b, err := AppendContent(dst, c)
		if !errors.Is(err, ErrContent) || string(b) != "kept" {
			t.Errorf("%s: %v, %d bytes", name, err, len(b))
		}
	}
	for name, b := range map[string][]byte{
		"empty":        {},
		"no map":       {0x01},
		"cut":          good[:len(good)-1],
		"long form":    append([]byte{good[0], 0x01, 0x18, 0x01}, good[3:]...),
		"second bad":   append(bytes.Clone(good), 0x00),
		"twice a key":  {0xa2, 0x01, 0x07, 0x01, 0x07},
		"no type":      {0xa1, 0x03, 0x01},
		"type zero":    {0xa1, 0x01, 0x00},
		"zero field":   {0xa2, 0x01, 0x19, 0x03, 0x84, 0x03, 0x00},
		"indefinite":   {0xbf, 0x01, 0x19, 0x03, 0x84, 0xff},
		"tag":          {0xa2, 0x01, 0x19, 0x03, 0x84, 0x14, 0xc0, 0x01},
		"void size":    {0xa2, 0x01, 0x0f, 0x0b, 0x41, 0x00},
		"huge length":  {0xa2, 0x01, 0x01, 0x08, 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"wrong common": {0xa2, 0x01, 0x19, 0x03, 0x84, 0x02, 0x41, 0x00},
		"big clock":    {0xa2, 0x01, 0x19, 0x03, 0x84, 0x05, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := DecodeContents(b); !errors.Is(err, ErrContent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := bytes.Repeat([]byte{0xa1, 0x01, 0x0d}, ContentsPerBodyMax+1)
	if _, err := DecodeContents(many); !errors.Is(err, ErrContent) {
		t.Errorf("too many contents: %v", err)
	}
}

func FuzzContents(f *testing.F) {
	for _, c := range append(sampleContents(), groupContents(f)...) {
		f.Add(mustAppend(f, nil, c))
	}
	f.Add([]byte{0xa2, 0x01, 0x19, 0x03, 0x84, 0x18, 0x1e, 0x82, 0x01, 0xf9, 0x3c, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		contents, err := DecodeContents(b)
		if err != nil {
			return
		}
		var again []byte
		for _, c := range contents {
			again = mustAppend(t, again, c)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("contents have a second encoding:\n in %x\nout %x", b, again)
		}
		for rest := b; len(rest) > 0; {
			var values map[any]any
			if rest, err = strictDecoder.UnmarshalFirst(rest, &values); err != nil {
				t.Fatalf("not the CBOR that the library reads: %v", err)
			}
		}
	})
}

func BenchmarkAppendContent(b *testing.B) {
	c := shortText()
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		mustAppend(b, buf, c)
	}
}

func BenchmarkDecodeContent(b *testing.B) {
	buf := mustAppend(b, nil, shortText())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeContent(buf); err != nil {
			b.Fatal(err)
		}
	}
}
