package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"pabal/protocol"
)

// Store is an open profile: one connection that writes and one that reads. All
// methods may be called from any goroutine; writes wait for each other, reads
// wait for each other, and neither waits for the other but for a deletion,
// which needs the reader to let go of what it has cached.
type Store struct {
	profile *Profile
	owned   bool // Close gives the profile back too
	slot    *slot
	dir     string // of the slot, below the profile's: the same behind a rotation
	mac     macKey
	seal    *registeredSeal

	write   writer
	reader  reader
	shelves [256]atomic.Bool // directories of chunks that are there for sure, by the first byte of their names
	closed  atomic.Bool      // no chunk is read or written any more
	bare    atomic.Bool      // it opens without a passphrase
}

// Keyfile reports whether the profile opens by a keyfile beside it, without a passphrase. It
// reads no file.
func (s *Store) Keyfile() bool { return s.bare.Load() }

// writer is all that a write needs, under its lock.
type writer struct {
	sync.Mutex
	c      *conn // nil once closed
	epoch  uint64
	counts counts

	conversations map[protocol.ConversationID]int64 // id → key
	sessions      map[sessionID]int64               // session → key
	logged        int                               // pages in the log
	copyAt        int                               // pages at which the log is copied beside us
	copying       atomic.Bool                       // it is now
	copies        sync.WaitGroup                    // goes up under our lock only
	unlink        []chunkName                       // chunks whose rows are gone
	unlinking     bool                              // a portion of them is removed soon
	scrub         bool                              // something erased is still in the log or a cache
	stuck         bool                              // the last scrub failed: another one comes
	later         *time.Timer                       // scrubs what was only replaced; nil = the log is empty
	spent         bool                              // the reserve was given up for a deletion
	saved         time.Time                         // when it was last tried to fill it again
	trimmed       uint64                            // counts.event at the last look for old rows
	graves        [keyBytes]byte                    // the key of tombstones
	now           int64                             // of the batch under way, Unix milliseconds
}

// counts go up with each row and are taken back with the transaction.
type counts struct {
	message int64  // highest messages.seq in use or used
	event   uint64 // next events.seq
	indexed int64  // highest messages.seq in the search index
}

type sessionID struct {
	contact protocol.ContactID
	sid     [32]byte
}

// reader is the connection that reads, under its lock.
type reader struct {
	sync.Mutex
	c *conn // nil once closed

	running sync.Mutex // guards what follows; taken after or without the other lock
	cancel  context.CancelFunc
	closing bool
	hurried bool // a scrub waits: a view that begins gets ReadMax
}

// Create makes a new profile in dir and opens it; Close gives it back. Use
// [Lock] where the profile must stay held while the store is closed.
func Create(dir string, o Options) (*Store, error) {
	return open(dir, func(p *Profile) (*Store, error) { return p.Create(o) })
}

// Open opens the profile in dir; Close gives it back.
func Open(dir string, u Unlock) (*Store, error) {
	return open(dir, func(p *Profile) (*Store, error) { return p.Open(u) })
}

func open(dir string, with func(*Profile) (*Store, error)) (*Store, error) {
	p, err := Lock(dir, Self(""))
	if err != nil {
		return nil, err
	}
	s, err := with(p)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	s.owned = true
	return s, nil
}

// openSlot opens the database that a slot of the header names. It takes over sl. On
// a full disk the reserve is given up: what is there can be read and deleted.
func (p *Profile) openSlot(index int, key *slotKey, sl *slot) (*Store, error) {
	again := *sl
	defer clear(again.key[:])
	s, err := p.openDatabase(index, key, sl)
	if isFull(err) {
		p.dropReserve()
		second := again
		s, err = p.openDatabase(index, key, &second)
	}
	return s, err
}

func (p *Profile) openDatabase(index int, key *slotKey, sl *slot) (*Store, error) {
	if err := p.eraseOthers(sl); err != nil {
		return nil, err
	}
	s := &Store{profile: p, slot: sl, dir: sl.directoryName(), seal: p.registerSeal(sl.pagesKey())}
	s.mac.set(sl.macKey())
	if err := s.connect(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.prepare(index, key); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connect() (err error) {
	path := s.profile.databasePath(s.slot)
	s.write.c, err = openConn(path, s.seal.name, connOpen, writerCacheKiB)
	if errors.Is(err, sqlite3.CANTOPEN) && !errors.Is(err, fs.ErrPermission) { // no database, or an empty one
		return fmt.Errorf("open database: %w: %w", ErrDamaged, err)
	}
	if err != nil {
		return dbError("open database", err)
	}
	if err := s.write.c.check(); err != nil {
		return dbError("check database", err)
	}
	if err := migrate(s.write.c); err != nil {
		return err
	}
	s.noteLog()
	if s.reader.c, err = openConn(path, s.seal.name, connOpen, readerCacheKiB); err != nil {
		return dbError("open database", err)
	}
	if err := s.reader.c.db.Exec("PRAGMA query_only=ON"); err != nil {
		return dbError("open database", err)
	}
	return s.profile.root.Chmod(s.slot.databaseName()+"-shm", 0o600)
}

// prepare brings the open database in order: what a crash left between a
// deletion and its scrub is scrubbed now.
func (s *Store) prepare(index int, key *slotKey) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.write.reload(); err != nil {
		return dbError("load counters", err)
	}
	if err := s.keptMAC(); err != nil {
		return dbError("load key of fingerprints", err)
	}
	if err := s.write.keepSlotKey(index, key); err != nil {
		return dbError("keep slot key", err)
	}
	if err := s.write.loadGraveKey(); err != nil {
		return dbError("load key of tombstones", err)
	}
	if err := s.write.checkTokenizer(); err != nil {
		return dbError("check tokenizer", err)
	}
	if err := s.sweepChunks(); err != nil {
		return fmt.Errorf("remove chunks that no file has: %w", err)
	}
	s.write.scrub = true
	s.scrubAllLocked() // a full disk must not keep the profile closed
	s.write.spent = !s.profile.fillReserve()
	return nil
}

// macRow is the place in keks of the key of fingerprints, once a rotation has parted it
// from the database's key.
const macRow = -1

// keptMAC puts back the key of fingerprints that a rotation kept.
func (s *Store) keptMAC() error {
	q := s.write.c.query(`SELECT kek FROM keks WHERE slot = ?`).bindInt(macRow)
	if q.next() {
		var key [keyBytes]byte
		q.array(key[:])
		s.mac.set(key[:])
	}
	return q.done()
}

// keepSlotKey records the key that opened our slot; a passphrase change that
// was cut short may have left another one.
func (w *writer) keepSlotKey(index int, key *slotKey) error {
	if err := w.c.query(`DELETE FROM keks WHERE slot = ?`).bindInt(int64(index + slots)).run(); err != nil {
		return err
	}
	return w.keepKey(index, key)
}

// keepNextKey records the key that our slot is about to have, beside the one it has.
func (w *writer) keepNextKey(index int, key *slotKey) error { return w.keepKey(index+slots, key) }

func (w *writer) keepKey(row int, key *slotKey) error {
	q := w.c.query(`SELECT kek = ? FROM keks WHERE slot = ?`).bindBlob(key[:]).bindInt(int64(row))
	same := q.next() && q.bool()
	if err := q.done(); err != nil || same {
		return err
	}
	return w.c.query(`INSERT INTO keks(slot, kek) VALUES (?, ?) ON CONFLICT DO UPDATE SET kek = excluded.kek`).
		bindInt(int64(row)).bindBlob(key[:]).run()
}

// reload reads the counters and maps from the database: when it is opened, and
// when a transaction was rolled back.
func (w *writer) reload() (err error) {
	c := w.c
	epoch, err := getMeta(c, metaEventEpoch)
	if err != nil {
		return err
	}
	w.epoch = uint64(epoch)
	if w.counts.indexed, err = getMeta(c, metaIndexed); err != nil {
		return err
	}
	kept, err := getMeta(c, metaMessage)
	if err != nil {
		return err
	}
	last, err := c.number(`SELECT coalesce(max(seq), 0) FROM messages`)
	if err != nil {
		return err
	}
	w.counts.message = max(kept, last, w.counts.indexed)
	next, err := getMeta(c, metaEventNext)
	if err != nil {
		return err
	}
	after, err := c.number(`SELECT coalesce(max(seq + count), 0) FROM (SELECT seq, count FROM events ORDER BY seq DESC LIMIT 1)`)
	if err != nil {
		return err
	}
	w.counts.event = uint64(max(next, after))
	return w.reloadKeys()
}

func (w *writer) reloadKeys() error {
	w.conversations = make(map[protocol.ConversationID]int64)
	q := w.c.query(`SELECT id, key FROM conversations`)
	for q.next() {
		id := q.id()
		w.conversations[id] = q.int()
	}
	if err := q.done(); err != nil {
		return err
	}
	w.sessions = make(map[sessionID]int64)
	q = w.c.query(`SELECT contact, sid, key FROM sessions`)
	for q.next() {
		id := sessionID{contact: q.id()}
		q.array(id.sid[:])
		w.sessions[id] = q.int()
	}
	return q.done()
}

// Close closes the connections and erases the keys that are ours to erase; the
// ciphers' own copies go with the garbage. It waits for a running write and
// read. A second Close does nothing.
func (s *Store) Close() error {
	var err error
	s.closed.Store(true)
	s.reader.stop()
	s.reader.Lock()
	if s.reader.c != nil {
		err = s.reader.c.close()
		s.reader.c = nil
	}
	s.reader.Unlock()
	s.write.Lock()
	defer s.write.Unlock()
	s.write.copies.Wait()
	if s.write.c != nil {
		err = errors.Join(err, s.write.c.close())
		s.write.c = nil
	}
	s.write.scrubbed()
	s.seal.unregister()
	clear(s.slot.key[:])
	clear(s.write.graves[:])
	s.mac.set(make([]byte, keyBytes))
	if s.owned {
		s.owned = false
		err = errors.Join(err, s.profile.Close())
	}
	if err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Fingerprint returns a keyed hash of the parts: what a request was, without
// what it said. The key is the database's own.
func (s *Store) Fingerprint(parts ...[]byte) (sum [16]byte) {
	s.mac.Lock()
	defer s.mac.Unlock()
	h := hmac.New(sha256.New, s.mac.key[:])
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write(p)
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// macKey is the key of Fingerprint, under its lock; zero once closed.
type macKey struct {
	sync.Mutex
	key [keyBytes]byte
}

// set takes over and erases key.
func (k *macKey) set(key []byte) {
	k.Lock()
	defer k.Unlock()
	copy(k.key[:], key)
	clear(key)
}

// registeredSeal is a sealing layer under the name that SQLite finds it by.
type registeredSeal struct {
	*sealingVFS
	name string
}

// registerSeal registers a layer for one database under a random name; it owns key.
func (p *Profile) registerSeal(key []byte) *registeredSeal {
	var b [8]byte
	rand.Read(b[:])
	r := &registeredSeal{sealingVFS: newSealingVFS(p.base, key, p.weak), name: "pabal-" + hex.EncodeToString(b[:])}
	vfs.Register(r.name, r.sealingVFS)
	return r
}

// unregister forgets the layer and erases its key. No file may be open.
func (r *registeredSeal) unregister() {
	vfs.Unregister(r.name)
	clear(r.key)
}
