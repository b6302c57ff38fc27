package store

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/store/archive"
)

// RestoreOptions says how an archive is opened and how the profile is sealed that is made
// of it.
type RestoreOptions struct {
	Archive []byte // the archive's passphrase
	Options        // of the new profile; First is not used
	// Now is the time by which messages in a backup have fallen due: they are not brought back. What
	// fell due in a move is deleted as ever, with all that belongs to it.
	Now time.Time
}

// Restore makes the profile that is in a backup, and opens it. As with [Profile.Create] the
// header is written last: a restore that was cut short, or failed, leaves no profile.
// Errors: those of package archive, [ErrExists], [ErrNewer], [ErrDamaged].
func (p *Profile) Restore(from io.Reader, o RestoreOptions) (*Store, Archived, error) {
	exists, _, err := p.Exists()
	if err != nil {
		return nil, Archived{}, err
	}
	if exists {
		return nil, Archived{}, ErrExists
	}
	r, err := p.openArchive(from, archive.Backup, &o)
	if err != nil {
		return nil, Archived{}, err
	}
	s, h, done, err := p.make(r, o)
	if err != nil {
		return nil, Archived{}, err
	}
	if err := s.begin(Batch{}, h); err != nil {
		return nil, Archived{}, errors.Join(err, s.Close(), p.eraseDirectories())
	}
	return s, done, nil
}

// openArchive begins to read an archive of a kind, and fills in what o leaves open.
func (p *Profile) openArchive(from io.Reader, kind archive.Kind, o *RestoreOptions) (*archive.Reader, error) {
	if o.Argon = o.Argon.withDefaults(); !o.Argon.valid() {
		return nil, errors.New("store: cost of the passphrase outside the limits")
	}
	r, err := archive.NewReader(from, o.Archive)
	if err != nil {
		return nil, err
	}
	if r.Kind() != kind {
		return nil, ErrOtherArchive
	}
	return r, nil
}

// ErrOtherArchive says that an archive is a whole profile where a backup is wanted, or the
// other way round.
var ErrOtherArchive = errors.New("store: an archive of the other kind")

// make makes all of a profile from an archive but for its header, or leaves nothing.
func (p *Profile) make(r *archive.Reader, o RestoreOptions) (*Store, *header, Archived, error) {
	s, h, done, err := p.tryMake(r, o)
	if err != nil {
		err = errors.Join(err, p.eraseDirectories())
	}
	return s, h, done, err
}

func (p *Profile) tryMake(r *archive.Reader, o RestoreOptions) (*Store, *header, Archived, error) {
	if err := p.eraseDirectories(); err != nil {
		return nil, nil, Archived{}, err
	}
	ours, decoy := newSlot(), newSlot()
	if err := p.createDatabase(decoy); err != nil {
		return nil, nil, Archived{}, err
	}
	clear(decoy.key[:])
	done, err := p.fill(ours, r, o.Now)
	if err != nil {
		return nil, nil, Archived{}, err
	}
	s, h, err := p.sealSlot(o.Options, ours)
	if err != nil {
		return nil, nil, Archived{}, err
	}
	state, err := s.Load()
	if err == nil { // what does not load is no profile
		_, err = protocol.Load(rand.Reader, protocol.Config{}, state)
	}
	if err != nil {
		return nil, nil, Archived{}, errors.Join(fmt.Errorf("restore: %w: %w", ErrDamaged, err), s.Close())
	}
	return s, h, done, nil
}

// fill makes the database of a slot from an archive.
func (p *Profile) fill(sl *slot, r *archive.Reader, now time.Time) (Archived, error) {
	if err := p.root.MkdirAll(path.Join(sl.directoryName(), filesName), 0o700); err != nil {
		return Archived{}, fmt.Errorf("make directory: %w", err)
	}
	seal := p.registerSeal(sl.pagesKey())
	defer seal.unregister()
	c, err := openConn(p.databasePath(sl), seal.name, connCreate, writerCacheKiB)
	if err != nil {
		return Archived{}, dbError("create database", err)
	}
	f := &filling{p: p, slot: sl, c: c, r: r, now: now.UnixMilli(), came: make(map[chunkName]bool), dirs: make(map[string]bool)}
	if err := f.run(); err != nil {
		return Archived{}, c.closeAfter(err)
	}
	if err := c.close(); err != nil {
		return Archived{}, dbError("close new database", err)
	}
	return f.done, syncDirectory(p.root, sl.directoryName())
}

// restoreRows is how many rows one transaction of a restore takes.
const restoreRows = 4096

// filling is one restore under way.
type filling struct {
	p    *Profile
	slot *slot
	c    *conn
	r    *archive.Reader
	now  int64

	table   table
	insert  string // the statement for its rows
	pending int    // rows of the open transaction
	came    map[chunkName]bool
	dirs    map[string]bool // that got chunks
	done    Archived
}

// head reads the first record, and returns the version of the schema.
func (f *filling) head() (version int64, err error) {
	typ, body, err := f.r.Next()
	if err != nil {
		return 0, endOf(err)
	}
	if typ != recordHead || len(body) != 13 {
		return 0, fmt.Errorf("archive's head: %w", ErrDamaged)
	}
	version = int64(binary.BigEndian.Uint32(body))
	f.done.History = body[4] == 1
	f.done.MadeAt = time.UnixMilli(int64(binary.BigEndian.Uint64(body[5:])))
	switch {
	case version > schemaVersion():
		return 0, fmt.Errorf("archive of schema version %d: %w", version, ErrNewer)
	case version < 1:
		return 0, fmt.Errorf("archive of schema version %d: %w", version, ErrDamaged)
	}
	return version, nil
}

func (f *filling) run() error {
	version, err := f.head()
	if err != nil {
		return err
	}
	if err := migrateTo(f.c, version); err != nil {
		return err
	}
	if err := f.c.begin(); err != nil {
		return dbError("restore", err)
	}
	if err := f.records(); err != nil {
		return errors.Join(err, f.c.rollback())
	}
	if err := f.c.commit(); err != nil {
		return dbError("restore", err)
	}
	if err := migrate(f.c); err != nil {
		return err
	}
	return f.tidy()
}

// endOf turns the good end of an archive, where there should be more, into an error.
func endOf(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("archive ends early: %w", ErrDamaged)
	}
	return err
}

func (f *filling) records() error {
	for {
		typ, body, err := f.r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case typ == recordTable:
			err = f.beginTable(body)
		case typ == recordRow:
			err = f.row(body)
		case typ == recordChunk:
			err = f.chunk(body)
		default:
			err = fmt.Errorf("record of type %d: %w", typ, ErrDamaged)
		}
		if err != nil {
			return err
		}
	}
}

// beginTable names the table and the columns of the rows that follow: both must be ours.
func (f *filling) beginTable(b []byte) error {
	var names []string
	for len(b) > 0 {
		name, rest, ok := cutBytes(b)
		if !ok {
			return fmt.Errorf("archived table: %w", ErrDamaged)
		}
		names, b = append(names, string(name)), rest
	}
	if len(names) < 2 {
		return fmt.Errorf("archived table: %w", ErrDamaged)
	}
	f.table = table{name: names[0], columns: names[1:]}
	held, known := archivedTables()[f.table.name]
	a := archiving{kind: f.r.Kind(), history: f.done.History}
	if !known || !a.holds(held.portion) {
		return fmt.Errorf("archived table that does not belong there: %w", ErrDamaged)
	}
	columns, err := columnsOf(f.c, f.table.name)
	if err != nil {
		return err
	}
	for _, c := range f.table.columns {
		if !slices.Contains(columns, c) {
			return fmt.Errorf("archived column that is not known: %w", ErrDamaged)
		}
	}
	f.insert = "INSERT OR REPLACE INTO " + f.table.name + "(" + quoted(f.table.columns) + ") VALUES (?" +
		strings.Repeat(", ?", len(f.table.columns)-1) + ")"
	return nil
}

func (f *filling) row(b []byte) error {
	row := make([]cell, 0, len(f.table.columns))
	for len(b) > 0 {
		c, rest, ok := cutCell(b)
		if !ok {
			break
		}
		row, b = append(row, c), rest
	}
	if len(b) > 0 || len(row) != len(f.table.columns) || f.insert == "" {
		return fmt.Errorf("archived row: %w", ErrDamaged)
	}
	if f.due(row) {
		f.done.skipped++
		return nil
	}
	q := f.c.query(f.insert)
	for _, c := range row {
		q.bindCell(c)
	}
	if err := q.run(); err != nil {
		return dbError("restore row", err)
	}
	switch f.table.name {
	case "contacts":
		f.done.Contacts++
	case "messages":
		f.done.Messages++
	}
	if f.pending++; f.pending%restoreRows > 0 {
		return nil
	}
	if err := f.c.commit(); err != nil {
		return dbError("restore", err)
	}
	return dbError("restore", f.c.begin())
}

// due reports whether a message fell due since a backup was made. What moves is all there is:
// the daemon deletes what is due.
func (f *filling) due(row []cell) bool {
	if f.table.name != "messages" || f.r.Kind() == archive.Move {
		return false
	}
	at := f.table.column("expires_at")
	return at >= 0 && row[at].number > 0 && row[at].number <= f.now
}

// chunk writes a chunk of a file beside the database.
func (f *filling) chunk(b []byte) error {
	var name chunkName
	if len(b) < len(name) {
		return fmt.Errorf("archived chunk: %w", ErrDamaged)
	}
	b = b[copy(name[:], b):]
	at := path.Join(f.slot.directoryName(), name.path())
	if dir := path.Dir(at); !f.dirs[dir] {
		if err := f.p.root.MkdirAll(dir, 0o700); err != nil {
			return dbError("make directory of chunks", err)
		}
		f.dirs[dir] = true
	}
	file, err := f.p.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return dbError("restore chunk", err)
	}
	_, err = io.Copy(file, bytes.NewReader(b))
	if err == nil {
		err = file.Sync()
	}
	f.came[name] = true
	return dbError("restore chunk", errors.Join(err, file.Close()))
}

// tidy brings what came in order, and has the search index made anew.
func (f *filling) tidy() error {
	for _, dir := range slices.Sorted(maps.Keys(f.dirs)) {
		if err := syncDirectory(f.p.root, dir); err != nil {
			return err
		}
	}
	if err := syncDirectory(f.p.root, path.Join(f.slot.directoryName(), filesName)); err != nil {
		return err
	}
	if err := f.c.begin(); err != nil {
		return dbError("restore", err)
	}
	if f.r.Kind() == archive.Backup { // what moves is all there is
		if err := f.dropStrays(); err != nil {
			return err
		}
	} else if err := disableWebhooks(f.c, f.now); err != nil {
		return dbError("disable webhooks", err)
	}
	if err := f.c.query(`UPDATE meta SET value = 0 WHERE name = '` + metaIndexed + `'`).run(); err != nil {
		return dbError("restore", err)
	}
	return dbError("restore", f.c.commit())
}

// dropStrays removes the rows that refer to what did not come.
func (f *filling) dropStrays() error {
	names, err := collect(f.c.query(`SELECT name FROM chunks`), func(q *query) (n chunkName) {
		q.array(n[:])
		return n
	}, "read chunks")
	if err != nil {
		return err
	}
	for _, name := range names {
		if f.came[name] {
			continue
		}
		if err := f.c.query(`DELETE FROM chunks WHERE name = ?`).bindBlob(name[:]).run(); err != nil {
			return dbError("restore", err)
		}
	}
	for _, sql := range []string{
		`DELETE FROM attachments WHERE message NOT IN (SELECT seq FROM messages)`,
		`DELETE FROM marks WHERE message NOT IN (SELECT seq FROM messages)`,
		`DELETE FROM operations AS o WHERE ` + strayOperations,
		`UPDATE heads SET salt = NULL, message = NULL WHERE ` + strayHeads,
		`DELETE FROM files WHERE key NOT IN (SELECT file FROM attachments)`, // what is being uploaded ends with the profile
		`DELETE FROM chunks WHERE file NOT IN (SELECT key FROM files)`,
	} {
		if err := f.c.query(sql).run(); err != nil {
			return dbError("restore", err)
		}
	}
	return f.recount()
}

// recount has rows say again what is so now that some did not come: a file that was whole and
// is not any more can be had from the contact who sent it, or is lost if it was ours; and what
// is unread is counted.
func (f *filling) recount() error {
	broken := fmt.Sprintf(` WHERE state = '%s' AND (SELECT count(*) FROM chunks WHERE file = files.key) < (size + %d - 1) / %[2]d`,
		FileAvailable, attachment.ChunkBytes)
	const theirs = ` AND EXISTS (SELECT 1 FROM attachments a JOIN messages m ON m.seq = a.message WHERE a.file = files.key AND m.direction = 1)`
	for _, sql := range []string{
		fmt.Sprintf(`UPDATE files SET state = '%s', wanted = %d`, FileRemote, WantedAsk) + broken + theirs,
		fmt.Sprintf(`UPDATE files SET state = '%s', code = '%s', wanted = %d`, FileFailed, protocol.FileCodeGone, WantedAsk) + broken,
		`UPDATE conversations SET unread = ` + unreadAbove + `conversations.read_up_to)`,
	} {
		if err := f.c.query(sql).run(); err != nil {
			return dbError("restore", err)
		}
	}
	return nil
}

// CheckArchive reads an archive to its end, and says what is in it. Errors: those of package
// archive, [ErrNewer], [ErrDamaged].
func CheckArchive(from io.Reader, passphrase []byte) (Archived, error) {
	r, err := archive.NewReader(from, passphrase)
	if err != nil {
		return Archived{}, err
	}
	f := &filling{r: r}
	if _, err := f.head(); err != nil {
		return Archived{}, err
	}
	for table := ""; ; {
		typ, body, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return f.done, nil
		case err != nil:
			return Archived{}, err
		case typ == recordTable:
			name, _, _ := cutBytes(body)
			table = string(name)
		case typ == recordRow && table == "contacts":
			f.done.Contacts++
		case typ == recordRow && table == "messages":
			f.done.Messages++
		}
	}
}
