package p2p

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"pabal/protocol/attachment"
	"pabal/protocol/wire"
)

// fileBody is room for the largest body of a file frame.
func fileBody() []byte { return make([]byte, wire.TypeFileChunk.BodyBytesMax()) }

func TestChunksGoBesideMessages(t *testing.T) {
	for name, on := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		t.Run(name, func(t *testing.T) {
			chunk := bytes.Repeat([]byte{7}, attachment.ChunkBytes)
			served := make(chan uint64, 1)
			a := loopback(t, 1)
			b := open(t, Config{Seed: [32]byte{2}, Listen: []string{"127.0.0.1:0"}, Files: func(s *FileStream) {
				served <- s.Conn
				kind, body, err := s.Receive(fileBody(), time.Minute)
				if err != nil || kind != wire.TypeFileFetch || len(body) != 25 {
					t.Errorf("asked with %v, %v", kind, err)
				}
				for i := range uint32(20) {
					if err := s.Send(wire.TypeFileChunk, wire.AppendFileChunk(nil, i), chunk); err != nil {
						t.Error(err)
						return
					}
				}
				s.Close()
			}})
			atA, atB := connectPair(t, a, b, on)
			s, err := a.OpenFile(context.Background(), atA)
			if err != nil {
				t.Fatal(err)
			}
			ask := wire.FileFetch{Count: 1}
			if err := s.Send(wire.TypeFileFetch, ask.Append(nil)); err != nil {
				t.Fatal(err)
			}
			if conn := <-served; conn != atB {
				t.Errorf("served beside conn %d, not %d", conn, atB)
			}
			for i := range uint32(20) {
				kind, body, err := s.Receive(fileBody(), time.Minute)
				if err != nil || kind != wire.TypeFileChunk {
					t.Fatal(kind, err)
				}
				if at, got, err := wire.ParseFileChunk(body); err != nil || at != i || !bytes.Equal(got, chunk) {
					t.Fatalf("chunk %d comes as %d: %v", i, at, err)
				}
				send(t, a, atA, numbered(uint64(i), 100)) // messages go on
			}
			if _, _, err := s.Receive(fileBody(), time.Minute); !errors.Is(err, io.EOF) {
				t.Errorf("behind the last chunk: %v", err)
			}
			expectNumbered(t, b, atB, 20, 100)
		})
	}
}

// TestAFileStreamThatEndedIsFree has more files go one after the other than may go at once.
func TestAFileStreamThatEndedIsFree(t *testing.T) {
	for name, on := range map[string]wire.Network{"QUIC": wire.QUIC, "TCP": wire.TCP} {
		t.Run(name, func(t *testing.T) {
			a, ended := loopback(t, 1), make(chan bool)
			b := open(t, Config{Seed: [32]byte{2}, Listen: []string{"127.0.0.1:0"}, Files: func(s *FileStream) {
				if _, _, err := s.Receive(fileBody(), time.Minute); err == nil {
					s.Send(wire.TypeFileRefused, []byte{byte(wire.FileGone)})
				}
				s.Receive(fileBody(), time.Minute) // until the other side ends it
				s.Close()
				ended <- true
			}})
			atA, _ := connectPair(t, a, b, on)
			for i := range 3 * protocolPeerMax {
				s, err := a.OpenFile(context.Background(), atA)
				if err != nil {
					t.Fatalf("stream %d: %v", i, err)
				}
				if err := s.Send(wire.TypeFileFetch, (&wire.FileFetch{Count: 1}).Append(nil)); err != nil {
					t.Fatalf("stream %d: %v", i, err)
				}
				if kind, _, err := s.Receive(fileBody(), time.Minute); err != nil || kind != wire.TypeFileRefused {
					t.Fatalf("stream %d answers %v, %v", i, kind, err)
				}
				s.Close()
				<-ended
			}
		})
	}
}

func TestNoFileStreamWithoutAConn(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	atA, _ := connectPair(t, a, b, wire.QUIC)
	if _, err := a.OpenFile(context.Background(), atA+100); !errors.Is(err, ErrNoConn) {
		t.Errorf("beside a conn that is not there: %v", err)
	}
	s, err := a.OpenFile(context.Background(), atA)
	if err != nil {
		t.Fatal(err)
	}
	ask := wire.FileFetch{Count: 1}
	s.Send(wire.TypeFileFetch, ask.Append(nil))
	if _, _, err := s.Receive(fileBody(), time.Minute); err == nil {
		t.Error("a host that serves no files has answered")
	}
}

// TestFileFramesEndAConn has the large frames of files on no stream of messages.
func TestFileFramesEndAConn(t *testing.T) {
	a, b := loopback(t, 1), loopback(t, 2)
	atA, atB := connectPair(t, a, b, wire.QUIC)
	send(t, a, atA, Frame{Type: wire.TypeFileRefused, Body: []byte{1}})
	if got := next[Closed](t, b); got.Conn != atB || got.Code != CodeMalformed {
		t.Errorf("%+v", got)
	}
}
