package node

import (
	"context"
	"errors"

	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/protocol/outbox"
	"pabal/protocol/wire"
	"pabal/store"
)

// makeParts makes parts of small files for envelopes, of the chunks that lie here: nothing of
// them is stored twice. What is gone or damaged is left out.
func (c *core) makeParts(j protocol.FetchParts) (protocol.Input, error) {
	in := protocol.PartsFetched{Contact: j.Contact, Parts: make(map[outbox.Part][]byte, len(j.Parts))}
	for _, part := range j.Parts {
		var opened *store.Opened
		var info wire.File
		err := c.store.View(func(v *store.View) (err error) {
			opened, info, err = v.Offered(j.Contact, part.Message, part.Item)
			return err
		})
		if err == nil {
			in.Parts[part], err = readPart(c.store, opened, &info, int(part.Index))
		}
		switch {
		case errors.Is(err, store.ErrClosed):
			return nil, err
		case err != nil && !errors.Is(err, store.ErrNotFound):
			in.Later = in.Later || !errors.Is(err, store.ErrDamaged)
			c.log.Debug("a part of a file cannot be read", "code", code(err))
		}
		if in.Parts[part] == nil {
			delete(in.Parts, part)
		}
	}
	return in, nil
}

// readPart reads and seals one part of a file.
func readPart(st *store.Store, opened *store.Opened, info *wire.File, index int) ([]byte, error) {
	count := wire.Parts(info.SizeBytes)
	if index >= count {
		return nil, store.ErrNotFound
	}
	from := index * wire.PartBytes
	part := make([]byte, 0, wire.PartBytes)
	for left := wire.PartSize(info.SizeBytes, index); left > 0; {
		chunk, err := st.ReadChunk(nil, opened, uint32(from/attachment.ChunkBytes))
		if err != nil {
			return nil, err
		}
		at := from % attachment.ChunkBytes
		n := min(left, len(chunk)-at)
		part = append(part, chunk[at:at+n]...)
		from, left = from+n, left-n
	}
	return attachment.Key(info.Key).SealPart(nil, index, count, part), nil
}

// joinAtOnce is how many files are looked for at once of which all parts have come.
const joinAtOnce = 16

// join makes files of their parts, where all of these have come.
func (f *files) join(ctx context.Context) {
	for ctx.Err() == nil {
		var whole []store.Fetch
		err := f.core.store.View(func(v *store.View) (err error) {
			whole, err = v.WholeInParts(joinAtOnce)
			return err
		})
		if err != nil {
			return
		}
		made := false
		for i := range whole {
			if err := f.joinFile(ctx, &whole[i]); err != nil {
				f.core.log.Debug("a file is not made of its parts", "code", code(err))
				continue // for lack of room, which a smaller one may have, or at the end: it is tried again
			}
			made = true
		}
		if !made {
			return
		}
	}
}

// joinFile makes one file of its parts. Parts that do not give what the message promised are
// erased: then the file comes on a connection, if it comes.
func (f *files) joinFile(ctx context.Context, want *store.Fetch) error {
	st := f.core.store
	if err := st.Room(want.Info.SizeBytes); err != nil {
		return err
	}
	var parts map[int][]byte
	var opened *store.Opened
	err := st.View(func(v *store.View) (err error) {
		if parts, err = v.Parts(want.File); err == nil {
			opened, err = v.Open(want.File)
		}
		return err
	})
	if err != nil {
		return err
	}
	chunks, hashes, ok := openParts(want, parts)
	if !ok {
		_, err := f.core.ask(ctx, request{rows: []store.Row{store.DropParts{File: want.File}}})
		return err
	}
	written, err := st.WriteChunks(opened, chunks)
	if err != nil {
		return err
	}
	_, err = f.core.ask(ctx, request{
		act: func(c *core, _ *batch) (any, error) { return nil, stillComes(c.store, want.File) },
		rows: []store.Row{
			store.PutChunks{File: want.File, Chunks: written},
			store.FinishFile{File: want.File, Root: want.Info.Root, Hashes: hashes},
		},
		events: []protocol.Event{f.event(protocol.FileAvailable, want.File, "")},
	})
	switch {
	case errors.Is(err, errStopped): // and its parts went with that
		st.DropWritten(written)
		return nil
	case errors.Is(err, store.ErrFull), errors.Is(err, context.Canceled):
		st.DropWritten(written)
	}
	return err
}

// openParts opens all parts of a file. It returns false if they do not give its root.
func openParts(want *store.Fetch, parts map[int][]byte) (chunks []store.Chunk, hashes []attachment.Hash, ok bool) {
	size := want.Info.SizeBytes
	whole := make([]byte, 0, size)
	for i := range wire.Parts(size) {
		var err error
		if whole, err = attachment.Key(want.Info.Key).OpenPart(whole, parts[i], i, size); err != nil {
			return nil, nil, false
		}
	}
	for i := range attachment.Chunks(size) {
		chunk := whole[int(i)*attachment.ChunkBytes:]
		chunk = chunk[:attachment.ChunkSize(size, i)]
		hashes = append(hashes, attachment.HashOf(chunk))
		chunks = append(chunks, store.Chunk{Index: i, Bytes: chunk, Hash: hashes[i]})
	}
	return chunks, hashes, attachment.RootOf(size, hashes) == want.Info.Root
}

// stillComes returns errStopped unless a file is wanted and not whole.
func stillComes(st *store.Store, id protocol.FileID) error {
	return st.View(func(v *store.View) error {
		file, err := v.File(id)
		if err == nil && (file.State != store.FileRemote || file.Wanted != store.WantedNow) {
			err = errStopped
		}
		return err
	})
}
