package store

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// migrations take a database from one user_version to the next, each in one
// transaction. A migration that was released is never changed: a stored
// profile of every version is opened by a test. What drops a column must end
// in a rotation, since the old values stay in free pages of copies.
func migrations() []func(*conn) error {
	return []func(*conn) error{createSchema, addCouriers, addTimesAndOwners, addRoles, addFiles, addFlags, addOperations, addEdits, addReindex, addPictures, addAudit, addWebhooks, addApprovals, addParts, addGroups}
}

// schemaVersion is the user_version that this release writes.
func schemaVersion() int64 { return int64(len(migrations())) }

// migrate brings the database to schemaVersion, or returns ErrNewer.
func migrate(c *conn) error {
	have, err := c.number("PRAGMA user_version")
	if err != nil {
		return dbError("read schema version", err)
	}
	if have > schemaVersion() {
		return fmt.Errorf("schema version %d: %w", have, ErrNewer)
	}
	return migrateFrom(c, have, schemaVersion())
}

// migrateTo makes the tables of an older version in a database without any.
func migrateTo(c *conn, version int64) error { return migrateFrom(c, 0, version) }

func migrateFrom(c *conn, have, version int64) error {
	for v, step := range migrations()[have:version] {
		if err := migrateStep(c, have+int64(v)+1, step); err != nil {
			return dbError(fmt.Sprintf("migrate to version %d", have+int64(v)+1), err)
		}
	}
	return nil
}

func migrateStep(c *conn, version int64, step func(*conn) error) error {
	if err := c.begin(); err != nil {
		return err
	}
	err := step(c)
	if err == nil {
		err = c.db.Exec(fmt.Sprintf("PRAGMA user_version=%d", version))
	}
	if err == nil {
		err = c.commit()
	}
	if err != nil {
		c.rollback()
	}
	return err
}

// schema1 is version 1. Times are Unix milliseconds, 0 means "not"; ids are 16
// bytes and begin with time, so that indexes over them grow at one end.
//
// messages.seq is the order of arrival and never used twice; from_read holds the
// seconds of a timer that starts when the user reads the message, until it does.
// The outbox grows at one end as the history does. A row of events stands for
// count events, seq, seq+1, …; it holds no text and no name, nor do idempotency and tombstones. The tokens of search are made here
// (tokens.go) and only spaces may part them: the tokenizer ascii keeps all other
// letters together, where unicode61 knows only those of an old Unicode.
const schema1 = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE keks(slot INTEGER PRIMARY KEY, kek BLOB NOT NULL);
CREATE TABLE self(one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL, state BLOB NOT NULL);
CREATE TABLE contacts(
	key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, conversation BLOB, phase TEXT NOT NULL, reason TEXT NOT NULL,
	name TEXT NOT NULL, alias TEXT NOT NULL, account BLOB NOT NULL, verification TEXT NOT NULL,
	blocked INTEGER NOT NULL, invite BLOB, created_at INTEGER NOT NULL, state BLOB NOT NULL);
CREATE TABLE sessions(
	key INTEGER PRIMARY KEY, contact BLOB NOT NULL, sid BLOB NOT NULL, state BLOB, UNIQUE (contact, sid));
CREATE TABLE invites(
	key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, note TEXT NOT NULL, ask INTEGER NOT NULL,
	uses_left INTEGER NOT NULL, used INTEGER NOT NULL, link TEXT NOT NULL, created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL, state BLOB NOT NULL);
CREATE TABLE requests(
	key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, invite BLOB, contact BLOB, phase TEXT NOT NULL,
	name TEXT NOT NULL, greeting TEXT NOT NULL, at INTEGER NOT NULL, state BLOB NOT NULL);
CREATE TABLE conversations(
	key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, contact BLOB, created_at INTEGER NOT NULL,
	last_at INTEGER NOT NULL, last_position INTEGER NOT NULL, read_up_to INTEGER NOT NULL, unread INTEGER NOT NULL,
	own_sequence INTEGER NOT NULL, sealed_up_to INTEGER NOT NULL, delivered BLOB NOT NULL,
	peer_read_up_to INTEGER NOT NULL, timer_mode INTEGER NOT NULL, timer_seconds INTEGER NOT NULL, state BLOB NOT NULL);
CREATE INDEX conversations_last ON conversations(last_at);
CREATE TABLE messages(
	seq INTEGER PRIMARY KEY, id BLOB NOT NULL, client TEXT, conversation INTEGER NOT NULL, position INTEGER NOT NULL,
	direction INTEGER NOT NULL, sequence INTEGER NOT NULL, sent_at INTEGER NOT NULL, at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL, from_read INTEGER NOT NULL, verification TEXT NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, content BLOB NOT NULL);
CREATE UNIQUE INDEX messages_id ON messages(id);
CREATE UNIQUE INDEX messages_client ON messages(client) WHERE client IS NOT NULL;
CREATE UNIQUE INDEX messages_position ON messages(conversation, position);
CREATE INDEX messages_own ON messages(conversation, sequence, state) WHERE direction = 0;
CREATE INDEX messages_expiry ON messages(expires_at) WHERE expires_at > 0;
CREATE INDEX messages_unstarted ON messages(conversation, position) WHERE from_read > 0;
CREATE TABLE gaps(
	conversation INTEGER NOT NULL, position INTEGER NOT NULL, count INTEGER NOT NULL,
	PRIMARY KEY (conversation, position)) WITHOUT ROWID;
CREATE TABLE outbox(
	key INTEGER PRIMARY KEY, session INTEGER NOT NULL, idx INTEGER NOT NULL, envelope BLOB NOT NULL, contents BLOB NOT NULL);
CREATE UNIQUE INDEX outbox_envelope ON outbox(session, idx);
CREATE TABLE tombstones(mac BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX tombstones_at ON tombstones(at);
CREATE TABLE events(
	seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL, contact BLOB,
	conversation BLOB, ref BLOB, first INTEGER NOT NULL, code TEXT NOT NULL);
CREATE TABLE consumers(name TEXT PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE idempotency(
	actor TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, status INTEGER NOT NULL, ref TEXT NOT NULL,
	at INTEGER NOT NULL, PRIMARY KEY (actor, key)) WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency(at);
CREATE TABLE tokens(id TEXT PRIMARY KEY, hash BLOB NOT NULL, created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL, used_at INTEGER NOT NULL, detail BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE settings(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5(
	tokens, content='', columnsize=0, detail=none, tokenize='ascii');
INSERT INTO search(search, rank) VALUES ('secure-delete', 1);
`

// The rows of meta.
const (
	metaEventEpoch = "event_epoch" // random: a cursor of another profile must not fit
	metaEventNext  = "event_next"  // the next seq; only kept by trimming an empty log
	metaMessage    = "message"     // no message has a higher seq; only kept when the last one goes
	metaIndexed    = "indexed"     // the highest messages.seq in the search index
	metaTokenizer  = "tokenizer"   // the version of the tokens in the search index
	metaRotated    = "rotated"     // when the database's key was made, Unix milliseconds; only there once it was asked for
)

func createSchema(c *conn) error {
	if err := c.db.Exec(schema1); err != nil {
		return err
	}
	var b [8]byte
	rand.Read(b[:])
	epoch := int64(binary.BigEndian.Uint64(b[:])>>16) + 1
	for name, value := range map[string]int64{
		metaEventEpoch: epoch, metaEventNext: 1, metaMessage: 0, metaIndexed: 0, metaTokenizer: tokenizerVersion,
	} {
		if err := putMeta(c, name, value); err != nil {
			return err
		}
	}
	return nil
}

func putMeta(c *conn, name string, value int64) error {
	return c.query(`INSERT INTO meta(name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`).
		bindText(name).bindInt(value).run()
}

func getMeta(c *conn, name string) (value int64, err error) {
	q := c.query(`SELECT value FROM meta WHERE name = ?`).bindText(name)
	found := q.next()
	if found {
		value = q.int()
	}
	if err := q.done(); err != nil {
		return 0, dbError("read meta row", err)
	}
	if !found {
		return 0, fmt.Errorf("meta row %s: %w", name, ErrDamaged)
	}
	return value, nil
}

// schema2 is what version 2 adds: mail that couriers carry. A row of held is an item that
// lies here for somebody else; number is the order of deposit.
const schema2 = `
ALTER TABLE conversations ADD COLUMN carried BLOB NOT NULL DEFAULT x'';
ALTER TABLE outbox ADD COLUMN stored BLOB NOT NULL DEFAULT x'';
CREATE TABLE mailboxes(id BLOB PRIMARY KEY, owner BLOB NOT NULL, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE held(
	number INTEGER PRIMARY KEY, mailbox BLOB NOT NULL, hash BLOB NOT NULL, type INTEGER NOT NULL,
	expires INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX held_item ON held(mailbox, hash);
`

func addCouriers(c *conn) error { return c.db.Exec(schema2) }

// schema3 is what version 3 adds: since when a message is where it is, and whose a consumer
// is. The rows of one status
// of one conversation do not overlap, but where a peer lost what it had; those of earlier
// versions have no code and are left out.
const schema3 = `
CREATE INDEX events_status ON events(conversation, code, first) WHERE type = 'message.status' AND code <> '';
ALTER TABLE consumers ADD COLUMN owner TEXT NOT NULL DEFAULT '';
`

func addTimesAndOwners(c *conn) error { return c.db.Exec(schema3) }

// addRoles is version 4: contacts that are one end of a home node's pairing.
func addRoles(c *conn) error {
	return c.db.Exec(`ALTER TABLE contacts ADD COLUMN role TEXT NOT NULL DEFAULT ''`)
}

// schema5 is what version 5 adds: files. seal is the key of the chunks as they lie here;
// that of the chunks on their way is in the message. hashes is empty until it is known.
const schema5 = `
CREATE TABLE files(
	key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, media_type TEXT NOT NULL, size INTEGER NOT NULL,
	root BLOB NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, duration INTEGER NOT NULL, waveform BLOB NOT NULL,
	at INTEGER NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, wanted INTEGER NOT NULL, seal BLOB NOT NULL, hashes BLOB NOT NULL);
CREATE INDEX files_wanted ON files(key) WHERE state = 'remote' AND wanted = 1;
CREATE TABLE chunks(
	file INTEGER NOT NULL, idx INTEGER NOT NULL, name BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (file, idx)) WITHOUT ROWID;
CREATE TABLE attachments(
	message INTEGER NOT NULL, item INTEGER NOT NULL, file INTEGER NOT NULL, PRIMARY KEY (message, item)) WITHOUT ROWID;
CREATE INDEX attachments_file ON attachments(file, message);
`

func addFiles(c *conn) error { return c.db.Exec(schema5) }
