package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/protocol/wire"
	"pabal/store"
)

// server answers what a contact asks for on one stream. While one chunk is sent the next is
// read and sealed, and what is asked for meanwhile waits, up to servedAhead chunks.
type server struct {
	files   *files
	stream  *p2p.FileStream
	contact protocol.ContactID
	relayed bool
	t       *transfer

	// Of the goroutine that seals.
	asked   wire.FileFetch // whose file is open
	opened  *store.Opened
	info    wire.File
	checked time.Time // that it is still offered

	free chan []byte // servedBuffers buffers for chunks; nil ones are not made yet
}

// sealedChunk is an answer; a refusal has no body. buffer is free again when it is sent.
type sealedChunk struct {
	index   uint32
	sealed  []byte
	buffer  []byte
	refused wire.FileRefusal
}

// serve serves one stream; package p2p calls it in a goroutine of the stream's own.
func (f *files) serve(stream *p2p.FileStream) {
	ctx, cancel := f.untilEnded()
	defer cancel()
	defer context.AfterFunc(ctx, stream.Reset)()
	s := &server{files: f, stream: stream, free: make(chan []byte, servedBuffers)}
	for range servedBuffers {
		s.free <- nil
	}
	known := false
	if _, err := f.core.ask(ctx, request{glance: func(c *core) {
		s.contact, s.relayed, known = c.peer.FilesFor(protocol.ConnID(stream.Conn))
	}}); err != nil || !known {
		stream.Reset()
		return
	}
	if s.t = f.offer(s.contact, time.Now(), cancel); s.t == nil {
		stream.Send(wire.TypeFileRefused, []byte{byte(wire.FileBusy)})
		stream.Close()
		return
	}
	defer f.leave(s.t)
	go f.keepUsed(ctx, s.contact, protocol.ConnID(stream.Conn))
	if err := s.run(ctx); err != nil {
		f.core.log.Debug("a file stream ended", "code", code(err))
		stream.Reset()
		return
	}
	stream.Close()
}

// errRefused ends a stream behind a refusal.
var errRefused = errors.New("node: refused")

func (s *server) run(ctx context.Context) error {
	asked := make(chan wire.FileFetch, servedAhead) // the other side may not ask for more ahead
	ready := make(chan sealedChunk, servedBuffers)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(asked)
		return s.receive(ctx, asked)
	})
	group.Go(func() error {
		defer close(ready)
		return s.seal(ctx, asked, ready)
	})
	group.Go(func() error { return s.send(ready) })
	defer context.AfterFunc(ctx, s.stream.Close)() // receive waits for the stream only
	err := group.Wait()
	if err == nil { // the other side ended it: it has what it wanted
		s.fetched()
	}
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}

// fetched has parts of a small file go by courier no more: the contact has it.
func (s *server) fetched() {
	if s.opened == nil || wire.Parts(s.info.SizeBytes) == 0 {
		return
	}
	ctx, cancel := s.files.untilEnded()
	defer cancel()
	done := protocol.FileFetched{Contact: s.contact, Message: s.asked.Message, Item: s.asked.Item}
	if _, err := s.files.core.ask(ctx, request{input: func(uint64) protocol.Input { return done }}); err != nil {
		s.files.core.log.Debug("a file that was fetched is not noted", "code", code(err))
	}
}

// receive reads what is asked for until the other side ends the stream.
func (s *server) receive(ctx context.Context, asked chan<- wire.FileFetch) error {
	buffer := make([]byte, wire.TypeFileFetch.BodyBytesMax())
	for {
		kind, body, err := s.stream.Receive(buffer, askWait)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if kind != wire.TypeFileFetch {
			return wire.ErrFrame
		}
		ask, err := wire.ParseFileFetch(body)
		if err != nil {
			return err
		}
		select {
		case asked <- ask:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// seal reads and seals what was asked for, in order.
func (s *server) seal(ctx context.Context, asked <-chan wire.FileFetch, ready chan<- sealedChunk) error {
	for ask := range asked {
		for i := range ask.Count {
			var buffer []byte
			select {
			case buffer = <-s.free:
			case <-ctx.Done():
				return ctx.Err()
			}
			if buffer == nil {
				buffer = make([]byte, attachment.SealedBytesMax)
			}
			c := s.answer(buffer, ask, ask.First+i)
			ready <- c // there is room for every buffer
			if c.refused != 0 {
				return nil
			}
		}
	}
	return nil
}

// answer reads and seals one chunk in a buffer, or says why not.
func (s *server) answer(buffer []byte, ask wire.FileFetch, index uint32) sealedChunk {
	if !s.open(ask) {
		return sealedChunk{refused: wire.FileGone}
	}
	if s.relayed && s.info.SizeBytes > protocol.FileRelayedBytesMax {
		return sealedChunk{refused: wire.FileLarge}
	}
	key, count := attachment.Key(s.info.Key), s.opened.Count()
	var nonce [attachment.NonceSize]byte
	rand.Read(nonce[:])
	switch {
	case index == wire.FileListIndex:
		list := attachment.AppendHashes(nil, s.opened.ChunkHashes())
		return sealedChunk{index: index, sealed: key.Seal(nil, nonce, index, count, list), buffer: buffer}
	case index >= count:
		return sealedChunk{refused: wire.FileGone}
	}
	chunk, err := s.files.core.store.ReadChunkIn(buffer, s.opened, index)
	if err != nil {
		return sealedChunk{refused: wire.FileGone}
	}
	s.t.moved.Add(uint64(len(chunk)))
	return sealedChunk{index: index, sealed: key.SealIn(buffer, nonce, index, count, len(chunk)), buffer: buffer}
}

// open finds the file that is asked for, and looks now and then whether it is still offered.
func (s *server) open(ask wire.FileFetch) bool {
	same := s.opened != nil && ask.Message == s.asked.Message && ask.Item == s.asked.Item
	if same && time.Since(s.checked) < offeredEvery {
		return true
	}
	err := s.files.core.store.View(func(v *store.View) (err error) {
		s.opened, s.info, err = v.Offered(s.contact, ask.Message, ask.Item)
		return err
	})
	if err != nil {
		s.opened = nil
		return false
	}
	s.asked, s.checked = ask, time.Now()
	s.files.mu.Lock()
	s.t.file, s.t.total = s.opened.ID, s.info.SizeBytes
	s.files.mu.Unlock()
	return true
}

// send writes the answers.
func (s *server) send(ready <-chan sealedChunk) error {
	for c := range ready {
		if c.refused != 0 {
			if err := s.stream.Send(wire.TypeFileRefused, []byte{byte(c.refused)}); err != nil {
				return err
			}
			return errRefused
		}
		if err := s.stream.Send(wire.TypeFileChunk, wire.AppendFileChunk(nil, c.index), c.sealed); err != nil {
			return err
		}
		s.free <- c.buffer
	}
	return nil
}
