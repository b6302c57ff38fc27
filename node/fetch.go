package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/protocol/wire"
	"pabal/store"
)

// fetcher fetches one file on one stream. Three things go on at once: chunks are read from
// the stream, fetchWriters of those that have come are checked and written, and those that are
// on the disk are recorded together, for each of which another one is asked for. So what is under
// way, and travels again after a crash, is bounded by fetchWindow. From the stream to the disk a
// chunk stays in one buffer.
type fetcher struct {
	files  *files
	want   *store.Fetch
	t      *transfer
	stream *p2p.FileStream
	opened *store.Opened
	next   uint32       // the first chunk that was not asked for
	free   chan []byte  // fetchWindow buffers for bodies; nil ones are not made yet
	came   chan arrival // holds all that is under way
	kept   chan keeping // holds all that is under way
	told   time.Time    // of the progress
}

// arrival is a chunk as it came, in a buffer of the fetcher's.
type arrival struct {
	index  uint32
	sealed []byte
	buffer []byte
}

// keeping is a chunk whose bytes are on the disk, and the buffer in which it came.
type keeping struct {
	chunk  store.WrittenChunk
	buffer []byte
}

var (
	errGone    = errors.New("node: the file is not offered any more")
	errBusy    = errors.New("node: the contact sends as much as it can")
	errDirect  = errors.New("node: a large file over a relayed connection")
	errDamaged = errors.New("node: not the file that was promised")
	errStopped = errors.New("node: the file is not wanted any more")
)

// fetch fetches a file as far as it comes, and returns for what the rest waits.
func (f *files) fetch(ctx context.Context, want *store.Fetch, t *transfer) (reason string) {
	err := f.fetchAll(ctx, want, t)
	switch {
	case err != nil && t.yields.Load():
		return waitsBusy
	case err == nil, errors.Is(err, errStopped), ctx.Err() != nil:
		return ""
	case errors.Is(err, errGone):
		return f.fail(ctx, want, protocol.FileCodeGone)
	case errors.Is(err, errDamaged):
		return f.fail(ctx, want, protocol.FileCodeDamaged)
	case errors.Is(err, p2p.ErrNoConn):
		return waitsPath
	case errors.Is(err, errDirect):
		return waitsDirect
	case errors.Is(err, errBusy):
		return waitsBusy
	case errors.Is(err, store.ErrFull):
		return waitsRoom
	}
	f.core.log.Debug("a file was cut off", "code", code(err))
	return waitsBroken
}

// fail gives a file up: it is shown, and may be asked for again by the user.
func (f *files) fail(ctx context.Context, want *store.Fetch, code string) string {
	_, err := f.core.ask(ctx, request{
		rows:   []store.Row{store.FailFile{File: want.File, Code: code}},
		events: []protocol.Event{f.event(protocol.FileFailed, want.File, code)},
	})
	if err != nil {
		return waitsBroken
	}
	return ""
}

// event makes an event about a file.
func (f *files) event(t protocol.EventType, id protocol.FileID, code string) protocol.Event {
	e := protocol.Event{Type: t, Ref: id, Code: code}
	f.core.store.View(func(v *store.View) error { // without a conversation it tells less
		file, err := v.File(id)
		e.Conversation = file.Conversation
		return err
	})
	return e
}

func (f *files) fetchAll(ctx context.Context, want *store.Fetch, t *transfer) error {
	path, err := f.pathTo(ctx, want.Contact)
	switch {
	case err != nil:
		return err
	case !path.ok:
		return p2p.ErrNoConn
	case path.Relayed && want.Info.SizeBytes > protocol.FileRelayedBytesMax:
		return errDirect
	}
	if err := f.core.store.Room(f.left(t)); err != nil {
		return err
	}
	g := &fetcher{files: f, want: want, t: t, free: make(chan []byte, fetchWindow),
		came: make(chan arrival, fetchWindow), kept: make(chan keeping, fetchWindow)}
	err = f.core.store.View(func(v *store.View) (err error) {
		g.opened, err = v.Open(want.File)
		return err
	})
	if err != nil {
		return errStopped
	}
	if g.stream, err = path.host.OpenFile(ctx, uint64(path.Conn)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, g.stream.Reset)()
	go f.keepUsed(ctx, want.Contact, path.Conn)
	if err := g.all(ctx); err != nil {
		g.stream.Reset()
		return err
	}
	g.stream.Close()
	return nil
}

func (g *fetcher) all(ctx context.Context) error {
	if err := g.hashes(ctx); err != nil {
		return err
	}
	missing := 0
	for i := range g.opened.Count() {
		if !g.opened.Has(i) {
			missing++
		}
	}
	if missing == 0 {
		return g.finish(ctx)
	}
	for range fetchWindow {
		g.free <- nil
	}
	if err := g.ask(fetchWindow); err != nil {
		return err
	}
	if err := g.move(ctx, missing); err != nil {
		return err
	}
	return g.finish(ctx)
}

// move brings so many chunks from the stream to the disk.
func (g *fetcher) move(ctx context.Context, n int) error {
	parts := slices.Repeat([]func(context.Context) error{g.write}, fetchWriters)
	parts = append(parts,
		func(ctx context.Context) error { return g.receive(ctx, n) },
		func(ctx context.Context) error { return g.record(ctx, n) })
	err := together(ctx, g.stream.Reset, parts...)
	for len(g.kept) > 0 { // nobody is left to record it
		g.files.core.store.DropWritten([]store.WrittenChunk{(<-g.kept).chunk})
	}
	return err
}

// together runs what goes on at once on a stream, which is reset when one of them fails: one that
// receives waits for the stream only. The first error is returned, not what the others make of the
// reset.
func together(ctx context.Context, reset func(), parts ...func(context.Context) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var running sync.WaitGroup
	for _, part := range parts {
		running.Go(func() {
			if err := part(ctx); err != nil {
				fail(err) // keeps the first
				reset()
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// hashes fetches the list of hashes, unless it lies here.
func (g *fetcher) hashes(ctx context.Context) error {
	info := &g.want.Info
	count := g.opened.Count()
	if len(g.opened.Hashes) == int(count) && count > 0 {
		return nil
	}
	if count == 0 {
		if attachment.RootOf(0, nil) != info.Root {
			return errDamaged
		}
		return nil
	}
	if err := g.request(wire.FileListIndex, 1); err != nil {
		return err
	}
	body, err := g.body(make([]byte, wire.TypeFileChunk.BodyBytesMax()), wire.FileListIndex)
	if err != nil {
		return err
	}
	list, err := attachment.Key(info.Key).Open(nil, body, attachment.ListIndex, count, int(count)*attachment.HashSize)
	if err != nil {
		return errDamaged
	}
	hashes, ok := attachment.ParseHashes(list, info.SizeBytes, info.Root)
	if !ok {
		return errDamaged
	}
	g.opened.Hashes = hashes
	_, err = g.files.core.ask(ctx, request{rows: []store.Row{store.SetHashes{File: g.want.File, Hashes: hashes}}})
	return err
}

func (g *fetcher) request(first, count uint32) error {
	ask := wire.FileFetch{Message: g.want.Message, Item: g.want.Item, First: first, Count: count}
	return g.stream.Send(wire.TypeFileFetch, ask.Append(nil))
}

// ask asks for up to n chunks more.
func (g *fetcher) ask(n int) error {
	for n > 0 {
		first := g.opened.Missing(g.next)
		end := first
		for end < g.opened.Count() && !g.opened.Has(end) && int(end-first) < min(n, wire.FileFetchMax) {
			end++
		}
		if end == first {
			return nil
		}
		if err := g.request(first, end-first); err != nil {
			return err
		}
		n -= int(end - first)
		g.next = end
	}
	return nil
}

// body receives one answer, which must be the chunk with that index.
func (g *fetcher) body(buffer []byte, index uint32) (sealed []byte, err error) {
	kind, body, err := g.stream.Receive(buffer, chunkWait)
	if err != nil {
		return nil, err
	}
	if kind == wire.TypeFileRefused {
		switch wire.FileRefusal(body[0]) {
		case wire.FileBusy:
			return nil, errBusy
		case wire.FileLarge:
			return nil, errDirect
		}
		return nil, errGone
	}
	at, sealed, err := wire.ParseFileChunk(body)
	if err != nil || at != index {
		return nil, errDamaged
	}
	return sealed, nil
}

// receive reads so many chunks from the stream, in the order in which they were asked for.
func (g *fetcher) receive(ctx context.Context, n int) error {
	defer close(g.came)
	index := uint32(0)
	for range n {
		var buffer []byte
		select {
		case buffer = <-g.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if buffer == nil {
			buffer = make([]byte, wire.TypeFileChunk.BodyBytesMax())
		}
		index = g.opened.Missing(index)
		sealed, err := g.body(buffer, index)
		if err != nil {
			return err
		}
		g.came <- arrival{index, sealed, buffer} // there is room for every buffer
		index++
	}
	return nil
}

// write checks and writes what has come, until nothing more does.
func (g *fetcher) write(ctx context.Context) error {
	for a := range g.came {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		plain, hash := attachment.ChunkSize(g.want.Info.SizeBytes, a.index), g.opened.Hashes[a.index]
		chunk, err := attachment.Key(g.want.Info.Key).OpenIn(a.sealed, a.index, g.opened.Count(), plain)
		if err != nil || attachment.HashOf(chunk) != hash {
			return errDamaged
		}
		written, err := g.files.core.store.WriteChunkIn(a.sealed, g.opened, a.index, hash)
		if err != nil {
			return err
		}
		g.kept <- keeping{written, a.buffer} // there is room for every buffer
	}
	return nil
}

// record records so many chunks, those that are on the disk together at once.
func (g *fetcher) record(ctx context.Context, n int) error {
	for n > 0 {
		var batch []keeping
		select {
		case k := <-g.kept:
			batch = append(batch, k)
		case <-ctx.Done():
			return ctx.Err()
		}
		for len(g.kept) > 0 {
			batch = append(batch, <-g.kept)
		}
		n -= len(batch)
		if err := g.recordAll(ctx, batch); err != nil {
			return err
		}
		for _, k := range batch {
			g.free <- k.buffer
		}
		if err := g.ask(len(batch)); err != nil {
			return err
		}
	}
	return nil
}

// recordAll has chunks count, once their names are on the disk as well.
func (g *fetcher) recordAll(ctx context.Context, batch []keeping) error {
	st := g.files.core.store
	written := make([]store.WrittenChunk, len(batch))
	for i, k := range batch {
		written[i] = k.chunk
	}
	err := st.Room(g.files.left(g.t))
	if err == nil {
		err = st.SyncWritten(written)
	}
	if err != nil {
		st.DropWritten(written)
		return err
	}
	if _, err := g.files.core.ask(ctx, request{rows: []store.Row{store.PutChunks{File: g.want.File, Chunks: written}}}); err != nil {
		if errors.Is(err, store.ErrFull) || errors.Is(err, context.Canceled) { // they were not recorded, for sure
			st.DropWritten(written)
		}
		return err
	}
	for _, w := range written {
		g.t.moved.Add(uint64(attachment.ChunkSize(g.want.Info.SizeBytes, w.Index)))
	}
	return g.progress()
}

// progress tells how far the file is, now and then, and ends the transfer if the user does
// not want it any more.
func (g *fetcher) progress() error {
	var wanted bool
	var in protocol.ConversationID
	err := g.files.core.store.View(func(v *store.View) (err error) {
		wanted, in, err = v.Fetching(g.want.File)
		return err
	})
	if err != nil || !wanted {
		return errStopped
	}
	if now := time.Now(); now.Sub(g.told) >= progressEvery {
		g.told = now
		g.files.core.events.Announce(protocol.Event{Type: protocol.TransferProgress, Conversation: in, Ref: g.want.File})
	}
	return nil
}

// whole returns errStopped unless all of a file that is still wanted lies here: what was
// there when the fetch began may be erased by now.
func (g *fetcher) whole(st *store.Store) error {
	return st.View(func(v *store.View) error {
		file, err := v.File(g.want.File)
		if err == nil && (file.State != store.FileRemote || file.Wanted != store.WantedNow || file.Chunks != g.opened.Count()) {
			err = errStopped
		}
		return err
	})
}

// finish says that the file is whole.
func (g *fetcher) finish(ctx context.Context) error {
	_, err := g.files.core.ask(ctx, request{
		act:    func(c *core, _ *batch) (any, error) { return nil, g.whole(c.store) },
		rows:   []store.Row{store.FinishFile{File: g.want.File, Root: g.want.Info.Root, Hashes: g.opened.Hashes}},
		events: []protocol.Event{g.files.event(protocol.FileAvailable, g.want.File, "")},
	})
	return err
}
