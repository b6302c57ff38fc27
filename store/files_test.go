package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/protocol/wire"
)

// upload brings a file of some chunks, as a client does.
func (f *fixture) upload(s *Store, content []byte) (protocol.FileID, wire.File) {
	f.t.Helper()
	id := protocol.FileID(f.id())
	info := wire.File{Name: "제주 여행.jpg", MediaType: "image/jpeg", SizeBytes: uint64(len(content)), Width: 30, Height: 20}
	f.rows(s, PutUpload{ID: id, Info: info})
	hashes := f.write(s, id, content)
	root := attachment.RootOf(info.SizeBytes, hashes)
	f.rows(s, FinishFile{File: id, Root: root, Hashes: hashes})
	info.Root = root
	return id, info
}

// write writes all chunks of a file and returns their hashes.
func (f *fixture) write(s *Store, id protocol.FileID, content []byte) []attachment.Hash {
	f.t.Helper()
	o := view(f.t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	var chunks []Chunk
	for i := range attachment.Chunks(uint64(len(content))) {
		at := int(i) * attachment.ChunkBytes
		b := content[at:min(at+attachment.ChunkBytes, len(content))]
		chunks = append(chunks, Chunk{Index: i, Bytes: b, Hash: attachment.HashOf(b)})
	}
	written, err := s.WriteChunks(o, chunks)
	if err != nil {
		f.t.Fatal(err)
	}
	f.rows(s, PutChunks{File: id, Chunks: written})
	return view(f.t, s, func(v *View) (*Opened, error) { return v.Open(id) }).ChunkHashes()
}

func (f *fixture) rows(s *Store, rows ...Row) {
	f.t.Helper()
	if done, err := s.Commit(Batch{Now: f.tick(), Rows: rows}); err != nil || !done.Scrubbed {
		f.t.Fatal(done, err)
	}
}

// manifest makes a message of conversation i with files.
func (f *fixture) manifest(i int, dir protocol.Direction, files map[protocol.FileID]wire.File) protocol.PutMessage {
	m := f.message(i, dir, "x")
	c := wire.Content{Type: wire.ContentManifest, ID: m.ID, Sequence: m.Sequence, At: m.SentAt}
	for id, info := range files {
		info.Key = [32]byte{9}
		c.Files = append(c.Files, info)
		m.Files = append(m.Files, protocol.MessageFile{ID: id, Wanted: true})
	}
	var err error
	if m.Content, err = wire.AppendContent(nil, c); err != nil {
		f.t.Fatal(err)
	}
	return m
}

func (f *fixture) read(s *Store, id protocol.FileID) (content []byte, err error) {
	o := view(f.t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	for i := range o.Count() {
		if content, err = s.ReadChunk(content, o, i); err != nil {
			return nil, err
		}
	}
	return content, nil
}

// chunkFiles lists what lies beside the database.
func chunkFiles(t testing.TB, s *Store) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.profile.path, s.slot.directoryName(), filesName), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestFileIsReadBackAndSealed(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	content := bytes.Repeat([]byte("바다와 산과 하늘 "), 100_000) // 2.4 MB
	id, info := f.upload(s, content)
	f.commit(s, f.manifest(0, protocol.Out, map[protocol.FileID]wire.File{id: info}), f.convs[0])
	s = reopen(t, s)
	got, err := f.read(s, id)
	if err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes come back, %v", len(got), err)
	}
	row := view(t, s, func(v *View) (File, error) { return v.File(id) })
	if row.State != FileAvailable || row.Chunks != 3 || row.Have() != info.SizeBytes || row.Info.Name != info.Name {
		t.Errorf("its row says %+v", row)
	}
	paths := chunkFiles(t, s)
	if len(paths) != 3 {
		t.Fatalf("%d files of chunks", len(paths))
	}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil || bytes.Contains(raw, []byte("바다")) {
			t.Errorf("a chunk lies there readable, or not at all: %v", err)
		}
	}
	changed, _ := os.ReadFile(paths[0])
	changed[200] ^= 1
	if err := os.WriteFile(paths[0], changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.read(s, id); !errors.Is(err, ErrDamaged) {
		t.Errorf("a chunk that was changed on the disk: %v", err)
	}
}

// TestDeletedFileIsGone deletes the message: key, names and chunks go with it.
func TestDeletedFileIsGone(t *testing.T) {
	f, s := newFixture(t, 2), create(t)
	id, info := f.upload(s, f.bytes(3<<20))
	first := f.manifest(0, protocol.Out, map[protocol.FileID]wire.File{id: info})
	second := f.manifest(1, protocol.Out, map[protocol.FileID]wire.File{id: info})
	f.commit(s, first, second, f.convs[0], f.convs[1])
	opened := view(t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	f.commit(s, protocol.EraseMessage{ID: first.ID})
	if n := len(chunkFiles(t, s)); n != 3 {
		t.Fatalf("another message has the file, and %d chunks are left", n)
	}
	f.commit(s, protocol.EraseConversation{ID: f.convs[1].ID})
	if left := chunkFiles(t, s); len(left) != 0 {
		t.Errorf("chunks are left: %v", left)
	}
	if _, err := s.ReadChunk(nil, opened, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("who had opened it reads on: %v", err)
	}
	if n := hits(t, s, info.Name, "image/jpeg", string(opened.seal[:]), string(opened.chunks[0].name[:])); n != 0 {
		t.Errorf("%d traces of a deleted file", n)
	}
}

func TestCrashLeavesNoChunk(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	id := protocol.FileID(f.id())
	f.rows(s, PutUpload{ID: id, Info: wire.File{Name: "a", MediaType: "a/b", SizeBytes: 2 << 20}})
	o := view(t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	first, err := s.WriteChunks(o, []Chunk{{Index: 0, Bytes: f.bytes(1 << 20)}})
	if err != nil {
		t.Fatal(err)
	}
	f.rows(s, PutChunks{File: id, Chunks: first})
	if _, err := s.WriteChunks(o, []Chunk{{Index: 1, Bytes: f.bytes(1 << 20)}}); err != nil { // no row follows
		t.Fatal(err)
	}
	s = reopen(t, s)
	if n := len(chunkFiles(t, s)); n != 1 {
		t.Errorf("%d chunks lie there, of which one has a row", n)
	}
	o = view(t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	if !o.Has(0) || o.Missing(0) != 1 {
		t.Error("an upload does not go on behind the last chunk that counts")
	}
}

func TestChunksOfAnErasedFileAreRemoved(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	id := protocol.FileID(f.id())
	f.rows(s, PutUpload{ID: id, Info: wire.File{Name: "a", MediaType: "a/b", SizeBytes: 1}})
	o := view(t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	written, err := s.WriteChunks(o, []Chunk{{Bytes: []byte{1}}})
	if err != nil {
		t.Fatal(err)
	}
	f.rows(s, EraseUpload{File: id})
	f.rows(s, PutChunks{File: id, Chunks: written})
	if left := chunkFiles(t, s); len(left) != 0 {
		t.Errorf("a chunk of nobody's is left: %v", left)
	}
}

// TestChunkOfAnotherSizeIsRefused has chunks that are not as long as they must be, or behind the
// file: what is left in a buffer of another file is not sealed with them.
func TestChunkOfAnotherSizeIsRefused(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	id := protocol.FileID(f.id())
	f.rows(s, PutUpload{ID: id, Info: wire.File{Name: "a", MediaType: "a/b", SizeBytes: attachment.ChunkBytes + 2}})
	o := view(t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	for _, c := range []Chunk{
		{Index: 0, Bytes: f.bytes(attachment.ChunkBytes - 1)}, {Index: 0, Bytes: f.bytes(attachment.ChunkBytes + 1)},
		{Index: 1, Bytes: f.bytes(1)}, {Index: 1, Bytes: f.bytes(3)}, {Index: 2, Bytes: f.bytes(1)},
	} {
		if _, err := s.WriteChunks(o, []Chunk{{Index: 1, Bytes: f.bytes(2)}, c}); err == nil {
			t.Errorf("%d bytes are chunk %d", len(c.Bytes), c.Index)
		}
	}
	if left := chunkFiles(t, s); len(left) != 0 {
		t.Errorf("%d chunks are left", len(left))
	}
}

// TestManyChunksGoInPortions: a commit removes some, and the rest goes while others write; who
// asks for a scrub waits for all.
func TestManyChunksGoInPortions(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	plant := func() {
		s.write.Lock()
		defer s.write.Unlock()
		for range 3 * unlinkStepMax {
			name := chunkName(f.bytes(16))
			at := filepath.Join(s.profile.path, s.slot.directoryName(), name.path())
			if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			s.write.unlink = append(s.write.unlink, name)
		}
		s.write.scrub = true
	}
	plant()
	s.write.Lock()
	if err := s.scrubLocked(); err != nil {
		t.Fatal(err)
	}
	if n := len(chunkFiles(t, s)); n != 2*unlinkStepMax {
		t.Errorf("%d chunks are left by one portion", n)
	}
	s.write.Unlock()
	for deadline := time.Now().Add(10 * time.Second); len(chunkFiles(t, s)) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d chunks are left", len(chunkFiles(t, s)))
		}
		f.commit(s, f.message(0, protocol.Out, "meanwhile"), f.convs[0])
	}
	plant()
	if err := s.Scrub(); err != nil || len(chunkFiles(t, s)) > 0 {
		t.Errorf("a scrub leaves %d chunks, %v", len(chunkFiles(t, s)), err)
	}
}

// TestOfferedToItsContactOnly has a file be found by the contact to whom it was sent, as
// long as the message is there.
func TestOfferedToItsContactOnly(t *testing.T) {
	f, s := newFixture(t, 2), create(t)
	id, info := f.upload(s, []byte("secret"))
	m := f.manifest(0, protocol.Out, map[protocol.FileID]wire.File{id: info})
	incoming := f.manifest(1, protocol.In, map[protocol.FileID]wire.File{protocol.FileID(f.id()): info})
	f.commit(s, m, incoming, f.convs[0], f.convs[1])
	offered := func(to int, id protocol.MessageID, item uint8) error {
		return s.View(func(v *View) error {
			_, _, err := v.Offered(f.convs[to].Contact, id, item)
			return err
		})
	}
	if err := offered(0, m.ID, 0); err != nil {
		t.Errorf("its contact does not find it: %v", err)
	}
	for what, err := range map[string]error{
		"another contact":        offered(1, m.ID, 0),
		"another item":           offered(0, m.ID, 1),
		"another message":        offered(0, protocol.MessageID{1}, 0),
		"a message of their own": offered(1, incoming.ID, 0),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f.commit(s, protocol.SetMessageState{ID: m.ID, State: protocol.MessageExpired})
	if err := offered(0, m.ID, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("an expired message: %v", err)
	}
}

func TestWantedFileComesChunkByChunk(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	content := f.bytes(2<<20 + 5)
	var hashes []attachment.Hash
	for i := range 3 {
		hashes = append(hashes, attachment.HashOf(content[i<<20:min((i+1)<<20, len(content))]))
	}
	info := wire.File{Name: "a.bin", MediaType: "a/b", SizeBytes: uint64(len(content)), Root: attachment.RootOf(uint64(len(content)), hashes)}
	id := protocol.FileID(f.id())
	m := f.manifest(0, protocol.In, map[protocol.FileID]wire.File{id: info})
	f.commit(s, m, f.convs[0])
	wanted := view(t, s, func(v *View) ([]Fetch, error) { return v.Wanted(5, 5) })
	if len(wanted) != 1 || wanted[0].File != id || wanted[0].Contact != f.convs[0].Contact || wanted[0].Message != [16]byte(m.ID) ||
		wanted[0].Info.Root != info.Root || wanted[0].Info.Key != [32]byte{9} {
		t.Fatalf("wanted: %+v", wanted)
	}
	f.rows(s, SetHashes{File: id, Hashes: hashes})
	f.write(s, id, content)
	f.rows(s, FinishFile{File: id, Root: info.Root, Hashes: hashes})
	if got, err := f.read(s, id); err != nil || !bytes.Equal(got, content) {
		t.Errorf("it came as %d bytes: %v", len(got), err)
	}
	if wanted := view(t, s, func(v *View) ([]Fetch, error) { return v.Wanted(5, 5) }); len(wanted) != 0 {
		t.Error("a file that is here is wanted")
	}
	if of := view(t, s, func(v *View) ([]File, error) { return v.FilesOf(m.ID) }); len(of) != 1 || of[0].ID != id || of[0].Message != m.ID {
		t.Errorf("the message has %+v", of)
	}
}

func TestFailedFileMayBeTriedAgain(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	id := protocol.FileID(f.id())
	f.commit(s, f.manifest(0, protocol.In, map[protocol.FileID]wire.File{id: {Name: "a", MediaType: "a/b", SizeBytes: 1 << 20}}), f.convs[0])
	f.write(s, id, f.bytes(1<<20))
	f.rows(s, FailFile{File: id, Code: protocol.FileCodeDamaged})
	row := view(t, s, func(v *View) (File, error) { return v.File(id) })
	if row.State != FileFailed || row.Code != protocol.FileCodeDamaged || row.Chunks != 0 || len(chunkFiles(t, s)) != 0 {
		t.Errorf("after a wrong chunk: %+v", row)
	}
	f.rows(s, SetWanted{File: id, Wanted: WantedNow})
	if row := view(t, s, func(v *View) (File, error) { return v.File(id) }); row.State != FileRemote || row.Wanted != WantedNow {
		t.Errorf("asked again: %+v", row)
	}
}

func TestStaleUploadsGo(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	stale, _ := f.upload(s, []byte("nobody sends me"))
	sent, info := f.upload(s, []byte("sent"))
	f.commit(s, f.manifest(0, protocol.Out, map[protocol.FileID]wire.File{sent: info}), f.convs[0])
	f.now = f.now.Add(UploadAge)
	fresh, _ := f.upload(s, []byte("just begun"))
	f.rows(s, EraseStaleUploads{})
	for id, want := range map[protocol.FileID]error{stale: ErrNotFound, sent: nil, fresh: nil} {
		if err := s.View(func(v *View) error { _, err := v.File(id); return err }); !errors.Is(err, want) {
			t.Errorf("%v: %v", err, want)
		}
	}
}

func TestFileNamesAreFound(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	id, info := f.upload(s, []byte("x"))
	m := f.manifest(0, protocol.Out, map[protocol.FileID]wire.File{id: info})
	f.commit(s, m, f.convs[0])
	indexAll(t, s)
	found := view(t, s, func(v *View) (int, error) {
		h, err := v.Search(SearchQuery{Text: "제주"})
		return len(h.Messages), err
	})
	if found != 1 {
		t.Errorf("a file's name is found %d times", found)
	}
	f.commit(s, protocol.EraseMessage{ID: m.ID})
	if n := hits(t, s, "제주", strings.ToLower(info.Name)); n != 0 {
		t.Errorf("%d traces of a name", n)
	}
}

func TestNoRoomForAFile(t *testing.T) {
	s := create(t)
	if err := s.Room(1 << 62); !errors.Is(err, ErrFull) {
		t.Errorf("room for 4 EiB: %v", err)
	}
}

// TestCancelledFileIsNeverWhole has the user cancel while the last chunks are under way, and
// ask again: what the fetch of before still hands in does not make the file whole.
func TestCancelledFileIsNeverWhole(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	content := f.bytes(2 << 20)
	hashes := []attachment.Hash{attachment.HashOf(content[:1<<20]), attachment.HashOf(content[1<<20:])}
	info := wire.File{Name: "a", MediaType: "a/b", SizeBytes: 2 << 20, Root: attachment.RootOf(2<<20, hashes)}
	id := protocol.FileID(f.id())
	f.commit(s, f.manifest(0, protocol.In, map[protocol.FileID]wire.File{id: info}), f.convs[0])
	o := view(t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	part := func(i uint32) []WrittenChunk {
		written, err := s.WriteChunks(o, []Chunk{{Index: i, Bytes: content[i<<20 : (i+1)<<20], Hash: hashes[i]}})
		if err != nil {
			t.Fatal(err)
		}
		return written
	}
	state := func() File { return view(t, s, func(v *View) (File, error) { return v.File(id) }) }
	first, second := part(0), part(1)
	f.rows(s, PutChunks{File: id, Chunks: first})
	fetching := func(want bool) {
		t.Helper()
		if err := s.View(func(v *View) error {
			wanted, in, err := v.Fetching(id)
			if wanted != want || in != f.convs[0].ID {
				t.Errorf("it is fetched: %v, in %v", wanted, in)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	f.rows(s, SetWanted{File: id, Wanted: WantedAsk}, DropChunks{File: id})
	fetching(false)
	f.rows(s, PutChunks{File: id, Chunks: second})
	if row := state(); row.Chunks != 0 || len(chunkFiles(t, s)) != 0 {
		t.Errorf("behind the cancel %d chunks lie here, %d of them on the disk", row.Chunks, len(chunkFiles(t, s)))
	}
	f.rows(s, SetWanted{File: id, Wanted: WantedNow})
	fetching(true)
	f.rows(s, PutChunks{File: id, Chunks: part(1)})
	f.rows(s, FinishFile{File: id, Root: info.Root, Hashes: hashes})
	if row := state(); row.State != FileRemote || row.Chunks != 1 {
		t.Errorf("with a hole it is %s, with %d chunks", row.State, row.Chunks)
	}
	f.rows(s, PutChunks{File: id, Chunks: part(0)})
	f.rows(s, FinishFile{File: id, Root: info.Root, Hashes: hashes})
	fetching(false)
	f.rows(s, DropChunks{File: id}, FailFile{File: id, Code: protocol.FileCodeGone}) // came too late
	if got, err := f.read(s, id); err != nil || !bytes.Equal(got, content) || state().State != FileAvailable {
		t.Errorf("a cancel behind the end leaves %d bytes of a file that is %s: %v", len(got), state().State, err)
	}
}

// TestNobodyStarvesTheOthers has a contact offer more than is looked at.
func TestNobodyStarvesTheOthers(t *testing.T) {
	f, s := newFixture(t, 2), create(t)
	files := make(map[protocol.FileID]wire.File)
	for range 8 {
		files[protocol.FileID(f.id())] = wire.File{Name: "a", MediaType: "a/b", SizeBytes: 1}
	}
	f.commit(s, f.manifest(0, protocol.In, files), f.convs[0], f.convs[1])
	late := protocol.FileID(f.id())
	f.commit(s, f.manifest(1, protocol.In, map[protocol.FileID]wire.File{late: {Name: "b", MediaType: "a/b", SizeBytes: 1}}))
	wanted := view(t, s, func(v *View) ([]Fetch, error) { return v.Wanted(3, 5) })
	if len(wanted) != 4 || wanted[1].File != late {
		t.Errorf("of 8 files of one contact and a later one of another, these are next: %+v", wanted)
	}
}

// TestClosedStoreGivesNoChunk has a reader and a writer go on behind a lock.
func TestClosedStoreGivesNoChunk(t *testing.T) {
	f, s := newFixture(t, 1), create(t)
	id, _ := f.upload(s, []byte("secret"))
	o := view(t, s, func(v *View) (*Opened, error) { return v.Open(id) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := s.ReadChunk(nil, o, 0); !errors.Is(err, ErrClosed) || len(b) > 0 {
		t.Errorf("%q is read from a closed store: %v", b, err)
	}
	if _, err := s.WriteChunks(o, []Chunk{{Bytes: []byte{1}}}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed store takes a chunk: %v", err)
	}
}
