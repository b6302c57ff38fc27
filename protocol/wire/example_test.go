package wire_test

import (
	"fmt"

	"pabal/protocol/wire"
)

func ExampleParseLink() {
	made := wire.Link{Kind: wire.LinkContact, Expiry: 1800000000, Secret: [32]byte{1}}
	text, err := made.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	link, err := wire.ParseLink("Add me:\n> " + text[:60] + "\n> " + text[60:] + "\n> See you")
	fmt.Println(link.Kind == wire.LinkContact, link.Expiry, err)
	// Output: true 1800000000 <nil>
}

func ExampleDecodeContents() {
	body, err := wire.AppendContent(nil, wire.Content{
		Type: wire.ContentText, ID: [16]byte{1}, Sequence: 1, At: 1790000000000, Text: "안녕하세요",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	contents, err := wire.DecodeContents(body)
	fmt.Println(len(contents), contents[0].Text, err)
	// Output: 1 안녕하세요 <nil>
}

func ExampleParseHeader() {
	frame := wire.AppendFrame(nil, wire.TypePing, make([]byte, 8))
	typ, size, err := wire.ParseHeader([5]byte(frame))
	fmt.Println(typ.Name(), size, err)
	// Output: ping 8 <nil>
}
