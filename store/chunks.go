package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/protocol"
	"pabal/protocol/attachment"
)

// Chunks of files lie beside the database, each sealed in a file of its own under a random
// name, and padded: names and times tell nothing of which belong together but that they
// were written together. Their keys are rows. A chunk counts once its row is committed, and
// is on the disk before; when its row is gone the key is, and then the file is removed. What
// a crash leaves between is removed at the next open.

// chunkName is the name of a chunk's file.
type chunkName [16]byte

// path returns where the file lies, below the directory of the slot.
func (n chunkName) path() string {
	text := hex.EncodeToString(n[:])
	return path.Join(filesName, text[:2], text)
}

// storedChunk is a chunk as its row names it.
type storedChunk struct {
	there bool
	name  chunkName
	hash  attachment.Hash
}

// Opened is what reading and writing the chunks of one file needs. It is a picture of the
// moment it was made in: chunks that were written or erased since do not show.
type Opened struct {
	ID        protocol.FileID
	SizeBytes uint64
	Hashes    []attachment.Hash // of all chunks; empty if they are not known yet

	seal   attachment.Key
	shelf  byte // the directory of the first chunk that is written
	chunks []storedChunk
}

// Has reports whether a chunk lies here.
func (o *Opened) Has(index uint32) bool { return int(index) < len(o.chunks) && o.chunks[index].there }

// Missing returns the first chunk at or behind from that does not lie here, or the number
// of chunks.
func (o *Opened) Missing(from uint32) uint32 {
	for int(from) < len(o.chunks) && o.chunks[from].there {
		from++
	}
	return from
}

// Count is the number of the file's chunks.
func (o *Opened) Count() uint32 { return uint32(len(o.chunks)) }

// ChunkHashes returns the hash of each chunk, of which all must lie here.
func (o *Opened) ChunkHashes() []attachment.Hash {
	hashes := make([]attachment.Hash, len(o.chunks))
	for i, c := range o.chunks {
		hashes[i] = c.hash
	}
	return hashes
}

// WrittenChunk is a chunk that is on the disk and not yet recorded.
type WrittenChunk struct {
	Index uint32
	Hash  attachment.Hash
	name  chunkName
}

// Chunk is a chunk to be written.
type Chunk struct {
	Index uint32
	Bytes []byte
	Hash  attachment.Hash
}

var errChunkSize = errors.New("store: a chunk of another size than the file has there")

func newSealKey() (k attachment.Key) {
	rand.Read(k[:])
	return k
}

// WriteChunks writes chunks of a file and returns when they are on the disk; they count when
// [PutChunks] is committed; where that is refused, [Store.DropWritten] takes them back.
// ErrFull says that there is no room: then none of them is left. A chunk that is not as long as
// the file's is at that index is refused: with a shorter one, bytes of another file would be sealed.
func (s *Store) WriteChunks(o *Opened, chunks []Chunk) ([]WrittenChunk, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	for _, c := range chunks {
		if c.Index >= o.Count() || len(c.Bytes) != attachment.ChunkSize(o.SizeBytes, c.Index) {
			return nil, errChunkSize
		}
	}
	written := make([]WrittenChunk, len(chunks))
	var group errgroup.Group
	for i, c := range chunks {
		group.Go(func() (err error) {
			buffer := takeBuffer()
			defer giveBuffer(buffer)
			copy((*buffer)[attachment.NonceSize:], c.Bytes)
			written[i], err = s.WriteChunkIn(*buffer, o, c.Index, c.Hash)
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		err = s.SyncWritten(written)
	}
	if err != nil {
		s.DropWritten(written)
		return nil, err
	}
	return written, nil
}

// WriteChunkIn writes a chunk that stands behind the room for a nonce in a buffer, where it is
// sealed. It returns when the chunk's bytes are on the disk. Its name is behind [Store.SyncWritten]
// only: who records it before has lost it.
func (s *Store) WriteChunkIn(buffer []byte, o *Opened, index uint32, hash attachment.Hash) (WrittenChunk, error) {
	if s.closed.Load() {
		return WrittenChunk{}, ErrClosed
	}
	w := WrittenChunk{Index: index, Hash: hash}
	rand.Read(w.name[:])
	w.name[0] = o.shelf + byte(index/shelfChunks)
	if err := s.makeShelf(w.name); err != nil {
		return WrittenChunk{}, dbError("make directory of chunks", err)
	}
	var nonce [attachment.NonceSize]byte
	rand.Read(nonce[:])
	sealed := o.seal.SealIn(buffer, nonce, index, o.Count(), attachment.ChunkSize(o.SizeBytes, index))
	if err := s.writeSealed(w.name, sealed); err != nil {
		s.DropWritten([]WrittenChunk{w})
		return WrittenChunk{}, dbError("write chunk", err)
	}
	return w, nil
}

func (s *Store) writeSealed(name chunkName, sealed []byte) error {
	f, err := s.profile.root.OpenFile(path.Join(s.dir, name.path()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(sealed)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// shelf returns the directory of a chunk, below the profile's.
func (s *Store) shelf(name chunkName) string { return path.Dir(path.Join(s.dir, name.path())) }

// makeShelf makes the directory of a chunk, durably, unless this store has done so before.
func (s *Store) makeShelf(name chunkName) error {
	there := &s.shelves[name[0]]
	if there.Load() {
		return nil
	}
	dir := s.shelf(name)
	if err := s.profile.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := syncDirectory(s.profile.root, path.Dir(dir)); err != nil {
		return err
	}
	there.Store(true)
	return nil
}

// SyncWritten returns when the names of chunks are on the disk, too.
func (s *Store) SyncWritten(written []WrittenChunk) error {
	var synced [256]bool
	for _, w := range written {
		if synced[w.name[0]] {
			continue
		}
		if err := syncDirectory(s.profile.root, s.shelf(w.name)); err != nil {
			return dbError("sync directory of chunks", err)
		}
		synced[w.name[0]] = true
	}
	return nil
}

// DropWritten removes chunks that were written and will not be recorded. What it cannot
// remove goes at the next open.
func (s *Store) DropWritten(written []WrittenChunk) {
	for _, w := range written {
		s.profile.root.Remove(path.Join(s.dir, w.name.path()))
	}
}

// ReadChunk appends a chunk to dst. ErrNotFound says that it does not lie here, or not any
// more; ErrDamaged that it is not what was written; ErrClosed that the store was closed
// since the file was opened.
func (s *Store) ReadChunk(dst []byte, o *Opened, index uint32) ([]byte, error) {
	buffer := takeBuffer()
	defer giveBuffer(buffer)
	chunk, err := s.ReadChunkIn(*buffer, o, index)
	return append(dst, chunk...), err
}

// ReadChunkIn is ReadChunk into a buffer of attachment.SealedBytesMax: the chunk stands in it behind
// the room for a nonce.
func (s *Store) ReadChunkIn(buffer []byte, o *Opened, index uint32) ([]byte, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	if !o.Has(index) {
		return nil, ErrNotFound
	}
	plain := attachment.ChunkSize(o.SizeBytes, index)
	sealed := buffer[:attachment.SealedSize(plain)]
	if err := s.readFull(o.chunks[index].name, sealed); err != nil {
		return nil, err
	}
	chunk, err := o.seal.OpenIn(sealed, index, o.Count(), plain)
	if err != nil {
		return nil, fmt.Errorf("open chunk: %w", ErrDamaged)
	}
	return chunk, nil
}

func (s *Store) readFull(name chunkName, b []byte) error {
	f, err := s.profile.root.Open(path.Join(s.dir, name.path()))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("open chunk: %w", err)
	}
	defer f.Close()
	if _, err := f.ReadAt(b, 0); err != nil {
		return fmt.Errorf("read chunk: %w", errors.Join(ErrDamaged, err))
	}
	return nil
}

// Room returns [ErrFull] unless the disk has room for a file of so many bytes beside what
// is kept for deletions.
func (s *Store) Room(sizeBytes uint64) error {
	free, known := freeBytes(s.profile.path)
	if known && free < sizeBytes+sizeBytes/64+reserveBytes {
		return fmt.Errorf("room for a file: %w", ErrFull)
	}
	return nil
}

// unlinkLocked removes at most so many of the chunks whose rows are gone, with the writer's
// lock held.
func (s *Store) unlinkLocked(most int) error {
	w := &s.write
	dirs := make(map[string]bool)
	for n := 0; n < most && len(w.unlink) > 0; n++ {
		at := path.Join(s.dir, w.unlink[0].path())
		if err := s.profile.root.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove chunk: %w", err)
		}
		dirs[path.Dir(at)] = true
		w.unlink = w.unlink[1:]
	}
	for dir := range dirs {
		if err := syncDirectory(s.profile.root, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// unlinkLater has the chunks that are left removed in portions, between which others write.
// With the writer's lock held.
func (s *Store) unlinkLater() {
	if w := &s.write; len(w.unlink) > 0 && !w.unlinking {
		w.unlinking = true
		time.AfterFunc(unlinkPause, func() {
			w.Lock()
			defer w.Unlock()
			w.unlinking = false
			if w.c == nil { // the next open sweeps them away
				return
			}
			if s.unlinkLocked(unlinkStepMax) != nil {
				s.scrubLater() // which tries again
				return
			}
			s.unlinkLater()
		})
	}
}

// sweepChunks has every chunk without a row removed: what a crash has left. Nobody may
// write meanwhile.
func (s *Store) sweepChunks() error {
	base := path.Join(s.dir, filesName)
	dirs, err := fs.ReadDir(s.profile.root.FS(), base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || len(dirs) == 0 {
		return err
	}
	names, err := collect(s.write.c.query(`SELECT name FROM chunks`), func(q *query) (n chunkName) {
		q.array(n[:])
		return n
	}, "read chunks")
	if err != nil {
		return err
	}
	owned := make(map[string]bool, len(names))
	for _, n := range names {
		owned[n.path()] = true
	}
	for _, dir := range dirs {
		chunks, err := fs.ReadDir(s.profile.root.FS(), path.Join(base, dir.Name()))
		if err != nil {
			return err
		}
		for _, c := range chunks {
			if at := path.Join(dir.Name(), c.Name()); !owned[path.Join(filesName, at)] {
				if err := s.profile.root.Remove(path.Join(base, at)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
