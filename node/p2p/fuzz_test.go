package p2p

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"pabal/protocol/wire"
)

// FuzzReadBatch reads hostile bytes as a conn does. What is read makes the same
// bytes again; limits hold; a stranger is never read beyond his share.
func FuzzReadBatch(f *testing.F) {
	f.Add(wire.AppendFrame(nil, wire.TypeHello, hello(1).Body), true)
	f.Add(wire.AppendFrame(wire.AppendFrame(nil, wire.TypeEnvelope, make([]byte, 600)), wire.TypePing, make([]byte, 8)), false)
	f.Add([]byte{255, 255, 255, 255, 6}, true)
	f.Add([]byte{0, 0, 0, 3, 200, 1, 2, 0, 0, 0, 0, 1}, false)
	f.Add(bytes.Repeat(wire.AppendFrame(nil, wire.TypeEnvelope, make([]byte, 5000)), 4), true)
	f.Fuzz(func(t *testing.T, raw []byte, stranger bool) {
		c := &conn{inbound: true}
		c.authenticated.Store(!stranger)
		in := bufio.NewReaderSize(bytes.NewReader(raw), readBufferBytes)
		var again []byte
		var code Code
		for code == "" {
			var frames []Frame
			frames, code = c.readBatch(in)
			if code == "" && len(frames) == 0 || len(frames) > batchFramesMax {
				t.Fatalf("%d frames in a batch", len(frames))
			}
			for _, frame := range frames {
				again = appendAny(again, frame)
			}
		}
		if !bytes.HasPrefix(raw, again) {
			t.Fatal("what was read does not make the same bytes")
		}
		if stranger && len(again) > strangerBytesMax {
			t.Fatalf("%d bytes of a stranger", len(again))
		}
		switch code {
		case CodeClosed, CodeMalformed, CodeLimit:
		default:
			t.Fatalf("code %q", code)
		}
		if rest, _ := io.ReadAll(in); code == CodeClosed && len(rest) > 0 {
			t.Fatal("the end was reported before the end")
		}
	})
}

// appendAny is wire.AppendFrame for types of the future too.
func appendAny(to []byte, f Frame) []byte {
	n := len(f.Body) + 1
	to = append(to, byte(n>>24), byte(n>>16), byte(n>>8), byte(n), byte(f.Type))
	return append(to, f.Body...)
}
