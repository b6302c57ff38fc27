package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/network"
	msmux "github.com/multiformats/go-multistream"
)

// FileStream carries chunks of one file beside the messages of a conn, on the same
// connection. It belongs to one goroutine that sends and one that receives. What is read
// slowly stays with the other side: neither the conn nor the events wait for it.
type FileStream struct {
	// Conn is the conn that the stream is beside.
	Conn uint64

	link   *link
	stream network.Stream
	pipe   io.Writer // stream, or stream after its lazy negotiation
	in     *bufio.Reader
}

// OpenFile opens a stream beside a conn that is authenticated. The error is [ErrNoConn] if
// it is not there any more.
func (h *Host) OpenFile(ctx context.Context, conn uint64) (*FileStream, error) {
	c := h.find(conn)
	if c == nil || c.stranger() {
		return nil, ErrNoConn
	}
	ctx, cancel := context.WithTimeout(network.WithAllowLimitedConn(ctx, "file"), answerTimeout)
	defer cancel()
	s, err := c.link.connection.NewStream(ctx)
	if err == nil {
		err = s.SetProtocol(fileProtocol)
	}
	if err != nil {
		return nil, fmt.Errorf("open file stream: %w", err)
	}
	return newFileStream(conn, c.link, s, msmux.NewMSSelect(s, fileProtocol)), nil
}

func newFileStream(conn uint64, l *link, s network.Stream, pipe io.ReadWriter) *FileStream {
	return &FileStream{Conn: conn, link: l, stream: s, pipe: pipe, in: bufio.NewReaderSize(pipe, fileBufferBytes)}
}

// acceptFile is called by libp2p for each inbound file stream, in its goroutine. Strangers
// get no answer: their stream just hangs until the link ends.
func (h *Host) acceptFile(s network.Stream) {
	h.mu.Lock()
	l := h.links[s.Conn()]
	var beside *conn
	if l != nil && l.trusted {
		for _, c := range l.conns {
			if !c.stranger() && (beside == nil || c.id > beside.id) {
				beside = c
			}
		}
	}
	h.mu.Unlock()
	if l == nil || !l.trusted {
		return
	}
	if beside == nil || h.serveFile == nil || !h.enter() {
		s.Reset()
		return
	}
	defer h.running.Done()
	h.serveFile(newFileStream(beside.id, l, s, s))
}

// Send writes one frame, whose body is the parts one after the other.
func (s *FileStream) Send(kind wire.Type, parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	head := wire.AppendHeader(nil, kind, size)
	if err := s.write(append(head, parts[0]...)); err != nil {
		return err
	}
	for _, p := range parts[1:] {
		if err := s.write(p); err != nil {
			return err
		}
	}
	return nil
}

// write writes in pieces, each of which has its own time: messages get their turn between.
func (s *FileStream) write(b []byte) error {
	for len(b) > 0 {
		piece := b[:min(len(b), filePieceBytes)]
		if err := s.stream.SetWriteDeadline(time.Now().Add(writeStall)); err != nil {
			return err
		}
		if _, err := s.pipe.Write(piece); err != nil {
			return err
		}
		b = b[len(piece):]
	}
	return nil
}

// Receive reads one frame into buffer, which must have room for the largest body of a file
// frame. It waits at most idle for each next byte. io.EOF says that the other side has ended
// the stream behind a whole frame.
func (s *FileStream) Receive(buffer []byte, idle time.Duration) (kind wire.Type, body []byte, err error) {
	if err := s.stream.SetReadDeadline(time.Now().Add(idle)); err != nil {
		return 0, nil, err
	}
	var header [wire.FrameHeaderSize]byte
	if _, err := io.ReadFull(s.in, header[:]); err != nil {
		return 0, nil, err
	}
	kind, length, err := wire.ParseHeader(header)
	if err != nil || !kind.OnFileStream() || length > len(buffer) {
		return 0, nil, errors.New("p2p: not a file frame")
	}
	for got := 0; got < length; {
		if err := s.stream.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return 0, nil, err
		}
		n, err := io.ReadFull(s.in, buffer[got:min(got+filePieceBytes, length)])
		if err != nil {
			return 0, nil, err
		}
		got += n
	}
	s.link.received.Add(1)
	return kind, buffer[:length], nil
}

// Close ends the stream behind what was sent. Waiting calls return.
func (s *FileStream) Close() {
	s.stream.SetReadDeadline(past)
	if s.stream.CloseWrite() != nil {
		s.stream.Reset()
		return
	}
	s.stream.Close() // which frees it; CloseRead would keep its place among the few that are allowed
}

// Reset ends the stream at once, and tells the other side so.
func (s *FileStream) Reset() { s.stream.Reset() }
