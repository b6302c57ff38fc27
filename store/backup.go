package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"

	"pabal/protocol"
	"pabal/store/archive"
)

// An archive holds rows as they are in the tables, with the version of the schema: one of an
// old release is migrated as an old profile is. This file makes archives, restore.go reads them.

// The types of records in an archive. A row is of the table named last.
const (
	recordHead  = 1 // schema version u32 | history u8 | made at u64, Unix milliseconds
	recordTable = 2 // name, columns
	recordRow   = 3 // one value for each column
	recordChunk = 4 // name 16 | chunk of a file, as it lies on the disk
)

// portion says which archives hold a table.
type portion uint8

const (
	inNone    portion = iota // made anew
	inMove                   // what is nowhere else: sessions, and what runs
	inHistory                // in a move, and in a backup with messages
	inAll
)

// archivedTable is how a table goes into archives. Only rows that where holds for are taken.
type archivedTable struct {
	portion portion
	where   string
}

// archivedTables names every table of the schema but those that belong to the search
// index; a test sees to it. Never in a backup: keys of sessions, envelopes, mail of others,
// tokens, and the log of events.
func archivedTables() map[string]archivedTable {
	return map[string]archivedTable{
		"meta":          {inMove, "name IN ('event_epoch', 'event_next', 'message')"},
		"keks":          {inAll, "slot < 0"}, // not what opens this profile
		"self":          {portion: inAll},
		"contacts":      {portion: inAll},
		"pictures":      {portion: inAll},
		"sessions":      {portion: inMove},
		"invites":       {portion: inAll},
		"requests":      {portion: inAll},
		"conversations": {portion: inAll},
		"messages":      {portion: inHistory},
		"gaps":          {portion: inAll},
		"outbox":        {portion: inMove},
		"mailboxes":     {portion: inAll},
		"held":          {portion: inMove},
		"tombstones":    {portion: inAll},
		"events":        {portion: inMove},
		"audit":         {portion: inMove},
		"consumers":     {portion: inMove},
		"idempotency":   {portion: inMove},
		"tokens":        {portion: inMove},
		"webhooks":      {portion: inMove},
		"settings":      {portion: inAll},
		"files":         {portion: inHistory},
		"chunks":        {portion: inHistory},
		"attachments":   {portion: inHistory},
		"parts":         {portion: inMove},
		"operations":    {portion: inHistory},
		"marks":         {portion: inHistory},
		"drafts":        {portion: inHistory},
		"approvals":     {portion: inMove}, // as are the tokens that they are of
		"flags":         {portion: inAll},
		"groups":        {portion: inAll},
		"members":       {portion: inAll},
		"words":         {portion: inAll},
		"heads":         {portion: inHistory},
	}
}

// BackupOptions says how a backup is made.
type BackupOptions struct {
	Passphrase []byte // of the archive
	Argon      Argon  // zero is the default
	History    bool   // messages and their files, too
}

// Archived says what is in an archive.
type Archived struct {
	MadeAt             time.Time
	Contacts, Messages int
	History            bool
	skipped            int
}

// Backup writes an archive from which the profile can be restored elsewhere: see
// [protocol.Backup] for what is in it. Commits go on meanwhile; what they add is not in it,
// what they erase may be missing.
func (s *Store) Backup(to io.Writer, now time.Time, o BackupOptions) (Archived, error) {
	a := &archiving{s: s, now: now, history: o.History, kind: archive.Backup}
	var state protocol.State
	err := s.View(func(v *View) (err error) {
		if state, err = v.load(); err != nil {
			return err
		}
		a.c = v.c
		return a.readTables()
	})
	if err != nil {
		return Archived{}, err
	}
	if state, err = protocol.Backup(state, o.History); err != nil {
		return Archived{}, fmt.Errorf("back up: %w: %w", ErrDamaged, err)
	}
	a.replace(state)
	w, err := archive.NewWriter(to, archive.Backup, o.Passphrase, archive.Cost(costOf(o.Argon)))
	if err != nil {
		return Archived{}, err
	}
	a.w = w
	for _, step := range []func() error{a.head, a.writeTables, a.pages, a.chunks, w.Close} {
		if err := step(); err != nil {
			return Archived{}, err
		}
	}
	return a.done, nil
}

func costOf(a Argon) archive.Cost {
	a = a.withDefaults()
	return archive.Cost{Time: a.Time, MemoryKiB: a.MemoryKiB, Threads: a.Threads}
}

// archiving is one archive under way.
type archiving struct {
	s       *Store
	c       *conn // that is read from
	w       *archive.Writer
	kind    archive.Kind
	history bool
	now     time.Time

	tables []*table
	done   Archived
}

// table is what of a table is written, or is being read.
type table struct {
	name    string
	columns []string
	rows    [][]cell
	last    int64 // key of a paged one's rows that belong to what the other tables say
}

// pagedTables names the key of each table that grows with the history: a view has not the time
// to read it whole.
func pagedTables() map[string]string {
	return map[string]string{"messages": "seq", "operations": "key", "heads": "key"}
}

func (t *table) column(name string) int { return slices.Index(t.columns, name) }

// holds reports whether the archive takes a table.
func (a *archiving) holds(p portion) bool {
	switch p {
	case inAll:
		return true
	case inHistory:
		return a.history
	}
	return p == inMove && a.kind == archive.Move
}

// readTables reads all rows but those that are read page by page.
func (a *archiving) readTables() (err error) {
	a.tables = nil // of a view that was broken off
	all := archivedTables()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !a.holds(all[name].portion) {
			continue
		}
		t := &table{name: name}
		if t.columns, err = columnsOf(a.c, name); err != nil {
			return err
		}
		a.tables = append(a.tables, t)
		if key, paged := pagedTables()[name]; paged {
			if t.last, err = a.c.number("SELECT coalesce(max(" + key + "), 0) FROM " + name); err != nil {
				return dbError("read last row", err)
			}
			continue
		}
		sql := "SELECT " + quoted(t.columns) + " FROM " + name
		if where := all[name].where; where != "" {
			sql += " WHERE " + where
		}
		if t.rows, err = collect(a.c.query(sql), func(q *query) []cell { return q.cells(len(t.columns)) }, "read table"); err != nil {
			return err
		}
	}
	return nil
}

// columnsOf returns the names of a table's columns in their order.
func columnsOf(c *conn, table string) ([]string, error) {
	return collect(c.query(`SELECT name FROM pragma_table_info(?) ORDER BY cid`).bindText(table),
		func(q *query) string { return q.text() }, "read columns")
}

// quoted lists columns of ours for a statement.
func quoted(columns []string) string {
	var b []byte
	for i, c := range columns {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(append(b, '"'), c...), '"')
	}
	return string(b)
}

// replace puts the rows of a backup in place of those of the profile.
func (a *archiving) replace(state protocol.State) {
	contacts := make(map[protocol.ContactID]*protocol.PutContact)
	for i := range state.Contacts {
		contacts[state.Contacts[i].ID] = &state.Contacts[i]
	}
	conversations := make(map[protocol.ConversationID]*protocol.PutConversation)
	for i := range state.Conversations {
		conversations[state.Conversations[i].ID] = &state.Conversations[i]
	}
	for _, t := range a.tables {
		id := t.column("id")
		for _, row := range t.rows {
			switch t.name {
			case "contacts":
				row[t.column("state")] = blobCell(contacts[protocol.ContactID(row[id].bytes)].State)
			case "conversations":
				r := conversations[protocol.ConversationID(row[id].bytes)]
				row[t.column("state")] = blobCell(r.State)
				row[t.column("sealed_up_to")] = intCell(int64(r.SealedUpTo))
				row[t.column("read_up_to")] = intCell(int64(r.ReadUpTo))
				row[t.column("unread")] = intCell(0) // it is counted when it is restored
				row[t.column("carried")] = blobCell(encodeCarried(r.Carried))
			}
		}
	}
}

func (a *archiving) head() error {
	b := binary.BigEndian.AppendUint32(nil, uint32(schemaVersion()))
	b = append(b, 0)
	if a.history {
		b[4] = 1
	}
	a.done.MadeAt, a.done.History = a.now, a.history
	return a.w.Record(recordHead, binary.BigEndian.AppendUint64(b, uint64(a.now.UnixMilli())))
}

func (a *archiving) writeTables() error {
	for _, t := range a.tables {
		if _, paged := pagedTables()[t.name]; paged {
			continue
		}
		if t.name == "contacts" {
			a.done.Contacts = len(t.rows)
		}
		if err := a.writeTable(t); err != nil {
			return err
		}
	}
	return nil
}

func (a *archiving) writeTable(t *table) error {
	b := appendText(nil, t.name)
	for _, c := range t.columns {
		b = appendText(b, c)
	}
	if err := a.w.Record(recordTable, b); err != nil {
		return err
	}
	return a.writeRows(t.rows)
}

func (a *archiving) writeRows(rows [][]cell) error {
	var b []byte
	for _, row := range rows {
		b = b[:0]
		for _, c := range row {
			b = c.append(b)
		}
		if err := a.w.Record(recordRow, b); err != nil {
			return err
		}
	}
	return nil
}

// pages writes the history page by page, each from a view of its own, as far as the
// conversations know of it.
func (a *archiving) pages() error {
	for _, t := range a.tables {
		key, paged := pagedTables()[t.name]
		if !paged {
			continue
		}
		written, err := a.tablePages(t, key)
		if err != nil {
			return err
		}
		if t.name == "messages" {
			a.done.Messages = written
		}
	}
	return nil
}

func (a *archiving) tablePages(t *table, key string) (written int, err error) {
	if err := a.writeTable(t); err != nil {
		return 0, err
	}
	at := t.column(key)
	sql := "SELECT " + quoted(t.columns) + " FROM " + t.name + " WHERE " + key + " > ? AND " + key + " <= ? ORDER BY " + key + " LIMIT ?"
	for after := int64(0); ; {
		rows, err := a.page(sql, after, t)
		if err != nil || len(rows) == 0 {
			return written, err
		}
		if err := a.writeRows(rows); err != nil {
			return written, err
		}
		after = rows[len(rows)-1][at].number
		written += len(rows)
	}
}

func (a *archiving) page(sql string, after int64, t *table) (rows [][]cell, err error) {
	read := func(c *conn) error {
		rows, err = collect(c.query(sql).bindInt(after).bindInt(t.last).bindInt(PageMax),
			func(q *query) []cell { return q.cells(len(t.columns)) }, "read page")
		return err
	}
	if a.kind == archive.Move { // with the writer's lock held
		return rows, read(a.c)
	}
	err = a.s.View(func(v *View) error { return read(v.c) })
	return rows, err
}

// chunks writes the chunks of files, sealed as they lie there: their keys are rows. One that
// was erased meanwhile is left out.
func (a *archiving) chunks() error {
	i := slices.IndexFunc(a.tables, func(t *table) bool { return t.name == "chunks" })
	if i < 0 {
		return nil
	}
	t := a.tables[i]
	for _, row := range t.rows {
		var name chunkName
		copy(name[:], row[t.column("name")].bytes)
		b, err := fs.ReadFile(a.s.profile.root.FS(), path.Join(a.s.dir, name.path()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		if err := a.w.Record(recordChunk, append(name[:], b...)); err != nil {
			return err
		}
	}
	return nil
}

// cell is one value of a row.
type cell struct {
	kind   byte // cellNull …
	number int64
	bytes  []byte // of a text or a blob
}

const (
	cellNull = iota
	cellInt
	cellText
	cellBlob
)

func intCell(n int64) cell   { return cell{kind: cellInt, number: n} }
func blobCell(b []byte) cell { return cell{kind: cellBlob, bytes: b} }

// cells returns the values of the current row.
func (q *query) cells(n int) []cell {
	row := make([]cell, n)
	for i := range row {
		switch q.s.ColumnType(i) {
		case sqlite3.NULL:
		case sqlite3.INTEGER:
			row[i] = intCell(q.s.ColumnInt64(i))
		case sqlite3.TEXT:
			row[i] = cell{kind: cellText, bytes: slices.Clone(q.s.ColumnRawText(i))}
		default:
			row[i] = blobCell(slices.Clone(q.s.ColumnRawBlob(i)))
		}
	}
	return row
}

// bindCell binds the next parameter.
func (q *query) bindCell(c cell) *query {
	switch c.kind {
	case cellInt:
		return q.bindInt(c.number)
	case cellText:
		return q.bindText(string(c.bytes))
	case cellBlob:
		return q.bindBlob(c.bytes)
	}
	return q.bindNull()
}

func (c cell) append(b []byte) []byte {
	b = append(b, c.kind)
	switch c.kind {
	case cellInt:
		return binary.AppendVarint(b, c.number)
	case cellText, cellBlob:
		return append(binary.AppendUvarint(b, uint64(len(c.bytes))), c.bytes...)
	}
	return b
}

// cutCell takes the first value off b.
func cutCell(b []byte) (c cell, rest []byte, ok bool) {
	if len(b) == 0 {
		return cell{}, nil, false
	}
	c.kind, b = b[0], b[1:]
	switch c.kind {
	case cellNull:
		return c, b, true
	case cellInt:
		number, n := binary.Varint(b)
		if n <= 0 {
			return cell{}, nil, false
		}
		c.number = number
		return c, b[n:], true
	case cellText, cellBlob:
		c.bytes, rest, ok = cutBytes(b)
		return c, rest, ok
	}
	return cell{}, nil, false
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutBytes(b []byte) (cut, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}
