package store

import (
	"bytes"
	"errors"
	"slices"

	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/protocol/wire"
)

// FileState says how much of a file lies here.
type FileState string

// The states of a file.
const (
	FileUploading FileState = "uploading" // a client is bringing it
	FileAvailable FileState = "available" // all of it
	FileRemote    FileState = "remote"    // a contact has it; some chunks may lie here
	FileFailed    FileState = "failed"    // it will not come: see Code
)

// Wanted says whether a file of a contact is to be fetched.
type Wanted int64

// What the user, or the core, has decided about a remote file.
const (
	WantedAsk    Wanted = 0 // the user is asked
	WantedNow    Wanted = 1
	WantedPaused Wanted = 2
)

// File is what is known of a file, without its bytes.
type File struct {
	ID   protocol.FileID
	Info wire.File // its Key is not filled in
	At   int64     // when it came to be known here, Unix milliseconds

	State  FileState
	Code   string // why it failed
	Wanted Wanted
	// Chunks is how many chunks lie here.
	Chunks uint32
	// Message and Conversation are of the last message that it is part of; zero if it is
	// of none. Direction is that message's.
	Message      protocol.MessageID
	Conversation protocol.ConversationID
	Direction    protocol.Direction
}

// Have returns how many of the file's bytes lie here, at least.
func (f *File) Have() uint64 {
	return min(uint64(f.Chunks)*attachment.ChunkBytes, f.Info.SizeBytes)
}

const selectFile = `SELECT f.id, f.name, f.media_type, f.size, f.root, f.width, f.height, f.duration, f.waveform, f.at, f.state,
	f.code, f.wanted, (SELECT count(*) FROM chunks WHERE file = f.key), m.id, c.id, m.direction FROM files f
	LEFT JOIN messages m ON m.seq = (SELECT message FROM attachments WHERE file = f.key ORDER BY message DESC LIMIT 1)
	LEFT JOIN conversations c ON c.key = m.conversation`

func scanFile(q *query) (f File) {
	f.ID, f.Info.Name, f.Info.MediaType, f.Info.SizeBytes = q.id(), q.text(), q.text(), q.uint()
	q.array(f.Info.Root[:])
	f.Info.Width, f.Info.Height, f.Info.DurationMS = uint32(q.uint()), uint32(q.uint()), uint32(q.uint())
	f.Info.Waveform, f.At, f.State, f.Code, f.Wanted = q.blob(), q.int(), FileState(q.text()), q.text(), Wanted(q.int())
	f.Chunks, f.Message, f.Conversation, f.Direction = uint32(q.int()), q.id(), q.id(), protocol.Direction(q.int())
	return f
}

// File returns one file, or ErrNotFound.
func (v *View) File(id protocol.FileID) (f File, err error) {
	q := v.c.query(selectFile + ` WHERE f.id = ?`).bindBlob(id[:])
	found := q.next()
	if found {
		f = scanFile(q)
	}
	return f, v.one(found, q.done(), "read file")
}

// Fetching reports whether a file is wanted now and is not whole, and the conversation of the last
// message that it is part of; ErrNotFound says that there is no such file. It costs the same however
// much of the file lies here: it is asked for with each chunk.
func (v *View) Fetching(id protocol.FileID) (wanted bool, in protocol.ConversationID, err error) {
	q := v.c.query(`SELECT f.state, f.wanted, c.id FROM files f
		LEFT JOIN messages m ON m.seq = (SELECT message FROM attachments WHERE file = f.key ORDER BY message DESC LIMIT 1)
		LEFT JOIN conversations c ON c.key = m.conversation WHERE f.id = ?`).bindBlob(id[:])
	found := q.next()
	if found {
		state, want := FileState(q.text()), Wanted(q.int())
		wanted, in = state == FileRemote && want == WantedNow, q.id()
	}
	return wanted, in, v.one(found, q.done(), "read file")
}

// Thumbnail returns the thumbnail that came with a file, or went with it, in the newest message
// that has one. ErrNotFound says that there is none.
func (v *View) Thumbnail(id protocol.FileID) ([]byte, error) {
	type place struct {
		content []byte
		item    int64
	}
	places, err := collect(v.c.query(`SELECT m.content, a.item FROM files f JOIN attachments a ON a.file = f.key
		JOIN messages m ON m.seq = a.message WHERE f.id = ? ORDER BY a.message DESC LIMIT ?`).bindBlob(id[:]).bindInt(thumbnailTries),
		func(q *query) place { return place{q.blob(), q.int()} }, "read thumbnail")
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		if content, _, err := wire.DecodeContent(p.content); err == nil && int(p.item) < len(content.Files) {
			if thumbnail := content.Files[p.item].Thumbnail; len(thumbnail) > 0 {
				return thumbnail, nil
			}
		}
	}
	return nil, ErrNotFound
}

// ConversationsOf returns the conversation of each message that has a file.
func (v *View) ConversationsOf(id protocol.FileID) ([]protocol.ConversationID, error) {
	return collect(v.c.query(`SELECT c.id FROM files f JOIN attachments a ON a.file = f.key
		JOIN messages m ON m.seq = a.message JOIN conversations c ON c.key = m.conversation WHERE f.id = ?`).bindBlob(id[:]),
		func(q *query) protocol.ConversationID { return q.id() }, "read conversations of a file")
}

// Files returns at most limit files, the newest first; of one conversation, unless that is
// zero.
func (v *View) Files(of protocol.ConversationID, limit int) ([]File, error) {
	if of == (protocol.ConversationID{}) {
		return collect(v.c.query(selectFile+` ORDER BY f.key DESC LIMIT ?`).bindInt(int64(limit)), scanFile, "read files")
	}
	return collect(v.c.query(selectFile+` WHERE f.key IN (SELECT a.file FROM messages n JOIN attachments a ON a.message = n.seq
		WHERE n.conversation = (SELECT key FROM conversations WHERE id = ?)) ORDER BY f.key DESC LIMIT ?`).
		bindBlob(of[:]).bindInt(int64(limit)), scanFile, "read files")
}

// FilesOf returns the files of a message, in its order.
func (v *View) FilesOf(id protocol.MessageID) ([]File, error) {
	return collect(v.c.query(selectFile+` JOIN attachments a ON a.file = f.key
		WHERE a.message = (SELECT seq FROM messages WHERE id = ?) ORDER BY a.item`).bindBlob(id[:]), scanFile, "read files")
}

// Fetch is a file that is to be fetched from a contact, and what that needs.
type Fetch struct {
	File    protocol.FileID
	Contact protocol.ContactID
	Message [16]byte // its id, as it travelled
	Item    uint8
	Info    wire.File
	Chunks  uint32 // that lie here
}

// Wanted returns files that are to be fetched, at most each of a contact and limit in all:
// the oldest of every contact first, so that none keeps the others' from coming.
func (v *View) Wanted(each, limit int) ([]Fetch, error) {
	type row struct {
		Fetch
		message int64
	}
	rows, err := collect(v.c.query(`SELECT id, contact, item, message, (SELECT count(*) FROM chunks WHERE file = key) FROM
		(SELECT f.key, f.id, c.contact, a.item, a.message, row_number() OVER (PARTITION BY c.contact ORDER BY f.key) AS turn FROM files f
		JOIN attachments a ON a.file = f.key JOIN messages m ON m.seq = a.message JOIN conversations c ON c.key = m.conversation
		WHERE f.state = 'remote' AND f.wanted = 1) WHERE turn <= ? ORDER BY turn, key LIMIT ?`).
		bindInt(int64(each)).bindInt(int64(limit)), func(q *query) row {
		r := row{Fetch: Fetch{File: q.id(), Contact: q.id(), Item: uint8(q.int())}, message: q.int()}
		r.Chunks = uint32(q.int())
		return r
	}, "read wanted files")
	if err != nil {
		return nil, err
	}
	manifests := make(map[int64]wire.Content) // each is decoded once for all its files
	var out []Fetch
	for _, r := range rows {
		m, known := manifests[r.message]
		if !known {
			if m, err = v.manifest(r.message); err != nil {
				return nil, err
			}
			manifests[r.message] = m
		}
		if int(r.Item) < len(m.Files) {
			r.Message, r.Info = m.ID, m.Files[r.Item]
			out = append(out, r.Fetch)
		}
	}
	return out, nil
}

// manifest returns what a message says; nothing, if that cannot be read.
func (v *View) manifest(message int64) (wire.Content, error) {
	raw, err := collect(v.c.query(`SELECT content FROM messages WHERE seq = ?`).bindInt(message),
		func(q *query) []byte { return q.blob() }, "read manifest")
	if err != nil || len(raw) == 0 {
		return wire.Content{}, err
	}
	content, _, err := wire.DecodeContent(raw[0])
	if err != nil {
		return wire.Content{}, nil
	}
	return content, nil
}

// Offered finds the file that a contact asks for: part of a message of ours to it that
// still is. ErrNotFound says that there is none.
func (v *View) Offered(contact protocol.ContactID, message protocol.MessageID, item uint8) (*Opened, wire.File, error) {
	q := v.c.query(`SELECT a.file, m.content FROM messages m JOIN conversations c ON c.key = m.conversation
		JOIN attachments a ON a.message = m.seq JOIN files f ON f.key = a.file
		WHERE m.id = ? AND m.direction = 0 AND m.state = '' AND c.contact = ? AND a.item = ? AND f.state = 'available'`).
		bindBlob(message[:]).bindBlob(contact[:]).bindInt(int64(item))
	found := q.next()
	var key int64
	var raw []byte
	if found {
		key, raw = q.int(), q.blob()
	}
	if err := v.one(found, q.done(), "read offered file"); err != nil {
		return nil, wire.File{}, err
	}
	content, _, err := wire.DecodeContent(raw)
	if err != nil || int(item) >= len(content.Files) {
		return nil, wire.File{}, ErrNotFound
	}
	o, err := v.open(key)
	return o, content.Files[item], err
}

// Open returns what reading and writing the chunks of a file needs, or ErrNotFound.
func (v *View) Open(id protocol.FileID) (*Opened, error) {
	q := v.c.query(`SELECT key FROM files WHERE id = ?`).bindBlob(id[:])
	found := q.next()
	var key int64
	if found {
		key = q.int()
	}
	if err := v.one(found, q.done(), "open file"); err != nil {
		return nil, err
	}
	return v.open(key)
}

func (v *View) open(key int64) (*Opened, error) {
	o := &Opened{shelf: newSealKey()[0]}
	q := v.c.query(`SELECT id, size, seal, hashes FROM files WHERE key = ?`).bindInt(key)
	found := q.next()
	var hashes []byte
	if found {
		o.ID, o.SizeBytes = q.id(), q.uint()
		q.array(o.seal[:])
		hashes = q.blob()
	}
	if err := v.one(found, q.done(), "open file"); err != nil {
		return nil, err
	}
	o.chunks = make([]storedChunk, attachment.Chunks(o.SizeBytes))
	q = v.c.query(`SELECT idx, name, hash FROM chunks WHERE file = ?`).bindInt(key)
	for q.next() {
		i := q.int()
		if i < 0 || i >= int64(len(o.chunks)) {
			q.done()
			return nil, errors.Join(ErrDamaged, errors.New("a chunk beyond the end of its file"))
		}
		c := &o.chunks[i]
		c.there = true
		q.array(c.name[:])
		q.array(c.hash[:])
	}
	for i := 0; (i+1)*attachment.HashSize <= len(hashes) && i < len(o.chunks); i++ {
		o.Hashes = append(o.Hashes, attachment.Hash(hashes[i*attachment.HashSize:]))
	}
	return o, dbError("open file", q.done())
}

// PutUpload begins a file that a client brings; key ID.
type PutUpload struct {
	ID   protocol.FileID
	Info wire.File // without Root and Key
}

func (r PutUpload) put(w *writer, now int64) error {
	return w.putFile(r.ID, &r.Info, FileUploading, WantedPaused, now)
}

// PutChunks records chunks that [Store.WriteChunks] has written. Those of a file that takes
// none any more, as it is gone or its transfer was cancelled meanwhile, are removed.
type PutChunks struct {
	File   protocol.FileID
	Chunks []WrittenChunk
}

func (r PutChunks) put(w *writer, _ int64) error {
	key, err := w.fileKeyIf(r.File, takesChunks)
	if err != nil {
		return err
	}
	for _, c := range r.Chunks {
		if key == 0 {
			w.unlink = append(w.unlink, c.name)
			w.scrub = true
			continue
		}
		q := w.c.query(`SELECT name FROM chunks WHERE file = ? AND idx = ?`).bindInt(key).bindInt(int64(c.Index))
		if q.next() { // written twice: the old one goes
			var old chunkName
			q.array(old[:])
			w.unlink = append(w.unlink, old)
			w.scrub = true
		}
		if err := q.done(); err != nil {
			return err
		}
		if err := w.c.query(`INSERT INTO chunks(file, idx, name, hash) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET name = excluded.name, hash = excluded.hash`).
			bindInt(key).bindInt(int64(c.Index)).bindBlob(c.name[:]).bindBlob(c.Hash[:]).run(); err != nil {
			return err
		}
	}
	return nil
}

// SetHashes keeps the list of hashes of a file that is fetched.
type SetHashes struct {
	File   protocol.FileID
	Hashes []attachment.Hash
}

func (r SetHashes) put(w *writer, _ int64) error {
	return w.c.query(`UPDATE files SET hashes = ? WHERE id = ?`).
		bindBlob(attachment.AppendHashes(nil, r.Hashes)).bindBlob(r.File[:]).run()
}

// FinishFile says that all of a file lies here. Where that is not so, or it is known
// already, it changes nothing.
type FinishFile struct {
	File   protocol.FileID
	Root   attachment.Root
	Hashes []attachment.Hash
}

func (r FinishFile) put(w *writer, _ int64) error {
	if err := w.c.query(`UPDATE files SET state = 'available', code = '', root = ?, hashes = ? WHERE id = ? AND state IN ('uploading', 'remote')
		AND (SELECT count(*) FROM chunks WHERE file = files.key) = (size + ?4 - 1) / ?4`).
		bindBlob(r.Root[:]).bindBlob(attachment.AppendHashes(nil, r.Hashes)).bindBlob(r.File[:]).bindInt(attachment.ChunkBytes).run(); err != nil {
		return err
	}
	return w.dropParts()
}

// SetFileInfo changes what is said of a file that a client brings, once its bytes are known.
type SetFileInfo struct {
	File protocol.FileID
	Info wire.File
}

func (r SetFileInfo) put(w *writer, _ int64) error {
	return w.c.query(`UPDATE files SET media_type = ?, size = ?, width = ?, height = ? WHERE id = ?`).
		bindText(r.Info.MediaType).bindUint(r.Info.SizeBytes).bindInt(int64(r.Info.Width)).bindInt(int64(r.Info.Height)).bindBlob(r.File[:]).run()
}

// SetWanted says whether a remote file is to be fetched. One that failed gets another try.
type SetWanted struct {
	File   protocol.FileID
	Wanted Wanted
}

func (r SetWanted) put(w *writer, _ int64) error {
	if err := w.c.query(`UPDATE files SET wanted = ?, state = 'remote', code = '' WHERE id = ? AND state IN ('remote', 'failed')`).
		bindInt(int64(r.Wanted)).bindBlob(r.File[:]).run(); err != nil {
		return err
	}
	return w.dropParts()
}

// FailFile says that a remote file will not come. What lies here of it is erased.
type FailFile struct {
	File protocol.FileID
	Code string
}

func (r FailFile) put(w *writer, _ int64) error {
	key, err := w.fileKeyIf(r.File, notWhole)
	if err != nil || key == 0 {
		return err
	}
	if err := w.eraseChunks(key); err != nil {
		return err
	}
	if err := w.c.query(`UPDATE files SET state = 'failed', code = ?, wanted = 0 WHERE key = ?`).
		bindText(r.Code).bindInt(key).run(); err != nil {
		return err
	}
	return w.dropParts()
}

// DropChunks erases what lies here of a file that is not whole: the user wants no more of it.
type DropChunks struct{ File protocol.FileID }

func (r DropChunks) put(w *writer, _ int64) error {
	key, err := w.fileKeyIf(r.File, notWhole)
	if err != nil || key == 0 {
		return err
	}
	return w.eraseChunks(key)
}

// EraseUpload erases a file that is part of no message.
type EraseUpload struct{ File protocol.FileID }

func (r EraseUpload) put(w *writer, _ int64) error {
	key, err := w.fileKey(r.File)
	if err != nil || key == 0 {
		return err
	}
	return w.eraseUnused(key)
}

// ReplaceUpload puts another upload in the place of one that is part of no message.
type ReplaceUpload struct{ File, By protocol.FileID }

func (r ReplaceUpload) put(w *writer, now int64) error {
	if err := (EraseUpload{File: r.File}).put(w, now); err != nil {
		return err
	}
	return w.c.query(`UPDATE files SET id = ? WHERE id = ?`).bindBlob(r.File[:]).bindBlob(r.By[:]).run()
}

// EraseStaleUploads erases files that are part of no message and older than UploadAge, and parts
// of files whose message has not come for protocol.PartWaitsFor.
type EraseStaleUploads struct{}

func (EraseStaleUploads) put(w *writer, now int64) error {
	if err := w.c.query(`DELETE FROM parts WHERE waits > 0 AND at < ?`).bindInt(now - protocol.PartWaitsFor.Milliseconds()).run(); err != nil {
		return err
	}
	keys, err := collect(w.c.query(`SELECT key FROM files WHERE at < ? AND NOT EXISTS (SELECT 1 FROM attachments WHERE file = files.key)`).
		bindInt(now-UploadAge.Milliseconds()), func(q *query) int64 { return q.int() }, "read stale uploads")
	for _, key := range keys {
		if err := w.eraseUnused(key); err != nil {
			return err
		}
	}
	return err
}

// Conditions on a file's row.
const (
	anyFile     = `TRUE`
	notWhole    = `state <> 'available'`
	takesChunks = `(state = 'uploading' OR state = 'remote' AND wanted <> 0)`
)

// fileKey returns the key of a file's row, 0 for none.
func (w *writer) fileKey(id protocol.FileID) (key int64, err error) { return w.fileKeyIf(id, anyFile) }

// fileKeyIf is fileKey for a file that meets a condition.
func (w *writer) fileKeyIf(id protocol.FileID, condition string) (key int64, err error) {
	q := w.c.query(`SELECT key FROM files WHERE id = ? AND ` + condition).bindBlob(id[:])
	if q.next() {
		key = q.int()
	}
	return key, q.done()
}

func (w *writer) putFile(id protocol.FileID, f *wire.File, state FileState, wanted Wanted, now int64) error {
	seal := newSealKey()
	q := w.c.query(`INSERT INTO files(id, name, media_type, size, root, width, height, duration, waveform, at, state, code, wanted, seal, hashes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, x'') ON CONFLICT (id) DO NOTHING`)
	q.bindBlob(id[:]).bindText(f.Name).bindText(f.MediaType).bindUint(f.SizeBytes).bindBlob(f.Root[:])
	q.bindInt(int64(f.Width)).bindInt(int64(f.Height)).bindInt(int64(f.DurationMS)).bindBlob(f.Waveform)
	return q.bindInt(now).bindText(string(state)).bindInt(int64(wanted)).bindBlob(seal[:]).run()
}

// putAttachments links a message that was just inserted with its files. Those of an
// incoming one are new. One of ours that was erased in the same moment shows as failed.
func (w *writer) putAttachments(m *protocol.PutMessage, seq int64) error {
	if len(m.Files) == 0 {
		return nil
	}
	content, _, err := wire.DecodeContent(m.Content)
	if err != nil || len(content.Files) != len(m.Files) {
		return errors.New("store: a manifest does not fit its files")
	}
	for i, f := range m.Files {
		wanted := WantedAsk
		if f.Wanted {
			wanted = WantedNow
		}
		if err := w.putFile(f.ID, &content.Files[i], FileRemote, wanted, m.At); err != nil {
			return err
		}
		if m.Direction == protocol.Out {
			if err := w.c.query(`UPDATE files SET state = 'failed', code = ? WHERE id = ? AND state <> 'available'`).
				bindText(protocol.FileCodeGone).bindBlob(f.ID[:]).run(); err != nil {
				return err
			}
		}
		key, err := w.fileKey(f.ID)
		if err != nil {
			return err
		}
		if err := w.c.query(`INSERT INTO attachments(message, item, file) VALUES (?, ?, ?)`).
			bindInt(seq).bindInt(int64(i)).bindInt(key).run(); err != nil {
			return err
		}
	}
	return nil
}

// eraseAttachments takes the files off a message, and erases those that are of no other.
func (w *writer) eraseAttachments(seq int64) error {
	files, err := collect(w.c.query(`SELECT file FROM attachments WHERE message = ?`).bindInt(seq),
		func(q *query) int64 { return q.int() }, "read attachments")
	if err != nil || len(files) == 0 {
		return err
	}
	if err := w.c.query(`DELETE FROM attachments WHERE message = ?`).bindInt(seq).run(); err != nil {
		return err
	}
	for _, key := range files {
		if err := w.eraseUnused(key); err != nil {
			return err
		}
	}
	return nil
}

// eraseUnused erases a file that no message has: first its key, then, when that is
// committed, its chunks.
func (w *writer) eraseUnused(key int64) error {
	q := w.c.query(`SELECT EXISTS (SELECT 1 FROM attachments WHERE file = ?)`).bindInt(key)
	used := q.next() && q.bool()
	if err := q.done(); err != nil || used {
		return err
	}
	if err := w.eraseChunks(key); err != nil {
		return err
	}
	return w.c.query(`DELETE FROM files WHERE key = ?`).bindInt(key).run()
}

// eraseChunks removes the rows of a file's chunks; the files follow once that is committed.
func (w *writer) eraseChunks(key int64) error {
	names, err := collect(w.c.query(`SELECT name FROM chunks WHERE file = ?`).bindInt(key), func(q *query) (n chunkName) {
		q.array(n[:])
		return n
	}, "read chunks")
	if err != nil {
		return err
	}
	slices.SortFunc(names, func(a, b chunkName) int { return bytes.Compare(a[:], b[:]) }) // few directories a portion
	w.unlink = append(w.unlink, names...)
	w.scrub = true
	return w.c.query(`DELETE FROM chunks WHERE file = ?`).bindInt(key).run()
}

// eraseConversationFiles is eraseAttachments for all messages of a conversation.
func (w *writer) eraseConversationFiles(conversation int64) error {
	messages, err := collect(w.c.query(`SELECT a.message FROM messages m JOIN attachments a ON a.message = m.seq WHERE m.conversation = ?`).
		bindInt(conversation), func(q *query) int64 { return q.int() }, "read attachments")
	for _, seq := range messages {
		if err := w.eraseAttachments(seq); err != nil {
			return err
		}
	}
	return err
}
