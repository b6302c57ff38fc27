package p2p

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/network"
)

// conn is one message stream. Two goroutines live on it: read, which reports
// Received and Closed, and write, which drains the send queue.
type conn struct {
	id      uint64
	host    *Host
	link    *link
	stream  network.Stream
	pipe    io.ReadWriter // stream, or stream after its lazy negotiation
	inbound bool
	dial    uint64

	done chan struct{} // closed by end: nothing is read or written any more
	wake chan struct{} // 1 slot; full means that the writer will look anyway

	// Guarded by Host.mu.
	active bool

	authenticated atomic.Bool
	queued        atomic.Int64 // bytes taken by Send and not yet written

	mu       sync.Mutex
	pending  []byte // the send queue, frame after frame
	code     Code   // why it ended; empty while it lives
	hungUp   bool   // what is queued is still written, then the stream ends
	reported bool   // Opened was delivered

	// Of the read goroutine.
	strangerBytes int
	answered      bool // a frame was received
}

// past is a deadline that wakes whoever reads or writes.
var past = time.Unix(1, 0)

// Problems of Send.
var (
	// ErrNoConn says that the conn does not exist any more.
	ErrNoConn = errors.New("p2p: no such conn")
	// ErrStranger says that more waits on an inbound conn for its authentication
	// than a first answer can be. Until then a stranger gets not one byte.
	ErrStranger = errors.New("p2p: the conn is not authenticated")
	// ErrSlow says that the send queue is full; the conn was ended.
	ErrSlow = errors.New("p2p: the send queue is full")
)

func newConn(h *Host, l *link, s network.Stream, pipe io.ReadWriter) *conn {
	return &conn{id: h.ids.Add(1), host: h, link: l, stream: s, pipe: pipe,
		inbound: s.Stat().Direction == network.DirInbound,
		done:    make(chan struct{}), wake: make(chan struct{}, 1)}
}

// stranger reports whether the other side has not yet earned a reaction.
func (c *conn) stranger() bool { return c.inbound && !c.authenticated.Load() }

// end ends the conn with code; the first code stays. It wakes both goroutines and
// sends nothing: the reader does the rest, because a reset may have to wait.
func (c *conn) end(code Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(code)
}

func (c *conn) endLocked(code Code) {
	if c.code == "" {
		c.code = code
	}
	select {
	case <-c.done:
		return
	default:
	}
	close(c.done)
	c.stream.SetDeadline(past)
}

// hangup ends the conn after what is queued.
func (c *conn) hangup() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stranger() {
		c.endLocked(CodeHangup)
		return
	}
	if c.code != "" {
		return
	}
	c.code, c.hungUp = CodeHangup, true
	c.stream.SetReadDeadline(past) // wakes the reader, which reports Closed
	c.signal()
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// send queues frames.
func (c *conn) send(frames []Frame) error {
	size := 0
	for _, f := range frames {
		size += wire.FrameHeaderSize + len(f.Body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != "" {
		return ErrNoConn
	}
	if c.stranger() && len(c.pending)+size > strangerBytesMax {
		return ErrStranger
	}
	if c.queued.Load()+int64(size) > sendQueueBytesMax || c.host.queued.Load()+int64(size) > sendTotalBytesMax {
		c.endLocked(CodeSlow)
		return ErrSlow
	}
	for _, f := range frames {
		c.pending = wire.AppendFrame(c.pending, f.Type, f.Body)
	}
	c.account(size)
	c.signal()
	return nil
}

func (c *conn) account(size int) {
	c.queued.Add(int64(size))
	c.host.queued.Add(int64(size))
}

// write drains the send queue until the conn ends.
func (c *conn) write() {
	defer func() { c.account(-int(c.queued.Load())) }()
	var spare []byte
	for {
		c.mu.Lock()
		batch, hungUp := c.pending, c.hungUp
		c.pending = spare[:0]
		c.mu.Unlock()
		if len(batch) > 0 {
			if err := c.writeBatch(batch); err != nil {
				c.end(codeOfWrite(err))
				return
			}
		}
		if spare = batch; len(batch) > 0 {
			continue
		}
		if hungUp {
			c.stream.CloseWrite()
			return
		}
		spare = c.shrink(spare)
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
	}
}

// shrink gives large buffers back before the writer waits, and returns the one of
// the two that it keeps.
func (c *conn) shrink(spare []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 && cap(c.pending) > spareBytesMax {
		c.pending = nil
	}
	if cap(spare) > spareBytesMax {
		return nil
	}
	return spare
}

// writeBatch writes a queue in pieces, each of which has its own time.
func (c *conn) writeBatch(batch []byte) error {
	for len(batch) > 0 {
		piece := batch[:min(len(batch), writeBytesMax)]
		if err := c.stream.SetWriteDeadline(time.Now().Add(writeStall)); err != nil {
			return err
		}
		if _, err := c.pipe.Write(piece); err != nil {
			return err
		}
		c.account(-len(piece))
		batch = batch[len(piece):]
	}
	return nil
}

func codeOfWrite(err error) Code {
	if isTimeout(err) {
		return CodeSlow
	}
	return CodeClosed
}

// read delivers what comes until the conn ends, and reports the end.
func (c *conn) read() {
	in := bufio.NewReaderSize(c.pipe, readBufferBytes)
	var code Code
	for code == "" {
		var frames []Frame
		frames, code = c.readBatch(in)
		if len(frames) > 0 && !c.deliver(frames) {
			break
		}
	}
	c.finish(in, code)
}

// deliver hands frames on, before the first of an inbound conn also its Opened.
// It waits while the events channel is full, and gives up when the conn ends.
func (c *conn) deliver(frames []Frame) bool {
	c.link.received.Add(1)
	if !c.answered {
		c.answered = true
		if c.inbound && !c.open() {
			return false
		}
		if !c.inbound {
			c.setReadDeadline(time.Time{})
		}
	}
	return c.host.emit(Received{Conn: c.id, Frames: frames}, c.done)
}

// authenticate lifts the limits of a stranger and reports whether the conn lives.
func (c *conn) authenticate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != "" {
		return false
	}
	if c.inbound {
		c.stream.SetReadDeadline(time.Time{})
	}
	c.authenticated.Store(true)
	return true
}

// setReadDeadline sets the deadline unless the conn has ended: the end has its own.
func (c *conn) setReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == "" {
		c.stream.SetReadDeadline(t)
	}
}

// open reports Opened. For a conn that we dialled it comes even if the conn has
// ended meanwhile: it is the answer to the Dial, and Closed follows.
func (c *conn) open() bool {
	done := c.done
	if !c.inbound {
		done = nil
	}
	ok := c.host.emit(Opened{Conn: c.id, Local: c.host.key, Remote: c.link.remote, Inbound: c.inbound,
		Dial: c.dial, Network: c.link.address.Network, Class: classOf(c.link.address.IP), Relayed: c.link.relayed}, done)
	c.mu.Lock()
	c.reported = ok
	c.mu.Unlock()
	return ok
}

// finish ends the stream and reports Closed. What a hung-up conn has queued gets
// lingerTimeout to go out. A stranger's stream is left as it is until its time has
// come, so that nothing is seen outside.
func (c *conn) finish(in io.Reader, code Code) {
	c.mu.Lock()
	hungUp := c.hungUp
	if !hungUp {
		c.endLocked(code)
	}
	code, reported := c.code, c.reported
	c.mu.Unlock()
	switch {
	case c.stranger():
		c.account(-int(c.queued.Load())) // an answer that was never written
		// Most often the cutoff of the link comes first; but it may be trusted.
		time.AfterFunc(time.Until(c.born().Add(c.host.lifetime)), func() { c.stream.Reset() })
	case !hungUp:
		c.stream.Reset()
	}
	if reported {
		c.host.emit(Closed{Conn: c.id, Code: code}, nil)
	}
	if hungUp {
		c.stream.SetReadDeadline(time.Now().Add(lingerTimeout))
		io.Copy(io.Discard, in) // until the other side has seen our end
		c.end(code)
		c.stream.Reset()
	}
	c.host.leave(c)
}

// born is when the stream was opened.
func (c *conn) born() time.Time { return c.stream.Stat().Opened }

// readBatch waits for a frame and takes what else has come already. A code other
// than empty says why nothing more can follow; frames before it count.
func (c *conn) readBatch(in *bufio.Reader) (frames []Frame, code Code) {
	size := 0
	for {
		var header [wire.FrameHeaderSize]byte
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return frames, c.codeOfRead(err)
		}
		kind, length, err := wire.ParseHeader(header)
		if err != nil && !errors.Is(err, wire.ErrFrameUnknown) { // the core judges types that are new
			return frames, CodeMalformed
		}
		if kind.OnFileStream() {
			return frames, CodeMalformed
		}
		if !c.afford(len(header) + length) {
			return frames, CodeLimit
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return frames, c.codeOfRead(err)
		}
		if frames == nil {
			frames = make([]Frame, 0, 1+min(in.Buffered()/(len(header)+length), batchFramesMax))
		}
		frames = append(frames, Frame{Type: kind, Body: body})
		if size += length; size >= batchBytesMax || len(frames) == batchFramesMax || !complete(in) {
			return frames, ""
		}
	}
}

// afford counts what an inbound conn receives before it is authenticated. One that we
// dialled has shown the key that we wanted, and may greet us with a backlog.
func (c *conn) afford(size int) bool {
	if !c.inbound || c.authenticated.Load() {
		return true
	}
	c.strangerBytes += size
	return c.strangerBytes <= strangerBytesMax
}

func (c *conn) codeOfRead(err error) Code {
	switch {
	case !c.inbound && !c.answered:
		return CodeNoAnswer
	case isTimeout(err) && c.stranger():
		return CodeStranger
	}
	return CodeClosed
}

// complete reports whether a whole frame is in the buffer.
func complete(in *bufio.Reader) bool {
	if in.Buffered() < wire.FrameHeaderSize {
		return false
	}
	header, err := in.Peek(wire.FrameHeaderSize)
	return err == nil && uint64(in.Buffered()) >= 4+uint64(binary.BigEndian.Uint32(header))
}
