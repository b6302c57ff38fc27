package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
)

// errNoLog says that two connections cannot share a file here.
var errNoLog = errors.New("store: the file system cannot keep a write-ahead log")

// conn is one SQLite connection with its prepared statements. It belongs to
// one goroutine at a time.
type conn struct {
	db        *sqlite3.Conn
	queries   map[string]*query
	committed func() // behind each commit; nil = nothing
}

// connMode says what openConn finds.
type connMode int

const (
	connOpen   connMode = iota // a database
	connCreate                 // nothing, or an empty file
)

// openConn opens the database at path, an absolute file name, through the
// registered layer named vfs.
func openConn(path, vfs string, mode connMode, cacheKiB int) (*conn, error) {
	name := url.URL{Scheme: "file", OmitHost: true, Path: path}
	access := "rw"
	if mode == connCreate {
		access = "rwc"
	}
	name.RawQuery = url.Values{"vfs": {vfs}, "mode": {access}}.Encode()
	ctx := sqlite3.WithMaxMemory(context.Background(), connectionMemoryMax)
	db, err := sqlite3.OpenContext(ctx, name.String())
	if err != nil {
		return nil, err
	}
	c := &conn{db: db, queries: make(map[string]*query)}
	if err := c.setup(cacheKiB); err != nil {
		return nil, c.closeAfter(err)
	}
	return c, nil
}

func (c *conn) setup(cacheKiB int) error {
	if err := fts5.Register(c.db); err != nil {
		return err
	}
	// A statement is not planned again for other values: there are no statistics of any.
	if _, err := c.db.Config(sqlite3.DBCONFIG_ENABLE_QPSG, true); err != nil {
		return err
	}
	return c.db.Exec(fmt.Sprintf(`
		PRAGMA page_size=%d;
		PRAGMA auto_vacuum=NONE;
		PRAGMA journal_mode=WAL;
		PRAGMA synchronous=FULL;
		PRAGMA secure_delete=ON;
		PRAGMA temp_store=MEMORY;
		PRAGMA foreign_keys=OFF;
		PRAGMA trusted_schema=OFF;
		PRAGMA mmap_size=0;
		PRAGMA cache_size=-%d;
		PRAGMA wal_autocheckpoint=%d;
		PRAGMA journal_size_limit=%d;
		PRAGMA max_page_count=%d;
		PRAGMA busy_timeout=%d`,
		pageBytes, cacheKiB, logPagesMax, logPagesMax*pageBytes, pagesMax, readHardMax.Milliseconds()))
}

// check refuses a file that no Create finished, what clearGap could not tell from
// a b-tree page, and a place where SQLite cannot keep a log.
func (c *conn) check() error {
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	vacuum, err := c.number("PRAGMA auto_vacuum")
	if err != nil {
		return err
	}
	size, err := c.number("PRAGMA page_size")
	if err != nil {
		return err
	}
	pages, err := c.number("PRAGMA page_count")
	if err != nil {
		return err
	}
	logged, err := c.number("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'")
	if err != nil {
		return err
	}
	if logged != 1 {
		return errNoLog
	}
	if version < 1 || vacuum != 0 || size != pageBytes || pages > pagesMax {
		return fmt.Errorf("layout of the database: %w", ErrDamaged)
	}
	return nil
}

// close finalizes the statements first: an open one would keep the file locked.
func (c *conn) close() error {
	for _, q := range c.queries {
		q.s.Close()
	}
	clear(c.queries)
	return c.db.Close()
}

func (c *conn) closeAfter(err error) error {
	c.close()
	return err
}

// begin starts a write transaction.
func (c *conn) begin() error { return c.query("BEGIN IMMEDIATE").run() }

// commit ends it.
func (c *conn) commit() error {
	err := c.query("COMMIT").run()
	if err == nil && c.committed != nil {
		c.committed()
	}
	return err
}

// rollback takes back an open transaction; SQLite may have done so itself.
func (c *conn) rollback() error {
	if c.db.GetAutocommit() {
		return nil
	}
	return c.query("ROLLBACK").run()
}

// number runs a query of one integer.
func (c *conn) number(sql string) (n int64, err error) {
	q := c.query(sql)
	if q.next() {
		n = q.int()
	}
	return n, q.done()
}

// query returns the prepared statement of sql with no parameter bound yet. sql
// must be a constant: it is kept for the life of the connection.
func (c *conn) query(sql string) *query {
	q := c.queries[sql]
	if q == nil {
		q = new(query)
		if q.s, _, q.err = c.db.Prepare(sql); q.err != nil {
			return q
		}
		c.queries[sql] = q
	}
	q.at = 0
	return q
}

// query is a prepared statement with a cursor over its parameters, then over
// the columns of its current row: both are given in the order of the SQL. The
// first error stays until run or done returns it.
type query struct {
	s   *sqlite3.Stmt
	at  int
	err error
}

// bindInt binds the next parameter.
func (q *query) bindInt(v int64) *query {
	if q.err == nil {
		q.at++
		q.err = q.s.BindInt64(q.at, v)
	}
	return q
}

// bindUint binds the next parameter; values above 2^63 keep their bits.
func (q *query) bindUint(v uint64) *query { return q.bindInt(int64(v)) }

func (q *query) bindBool(v bool) *query {
	if v {
		return q.bindInt(1)
	}
	return q.bindInt(0)
}

// bindBlob binds the next parameter; nil is an empty blob, not NULL.
func (q *query) bindBlob(v []byte) *query {
	if q.err == nil {
		q.at++
		if len(v) == 0 {
			q.err = q.s.BindZeroBlob(q.at, 0)
		} else {
			q.err = q.s.BindBlob(q.at, v)
		}
	}
	return q
}

// bindID binds an id; the zero id is NULL.
func (q *query) bindID(id [16]byte) *query {
	if id == ([16]byte{}) {
		return q.bindNull()
	}
	return q.bindBlob(id[:])
}

func (q *query) bindText(v string) *query {
	if q.err == nil {
		q.at++
		q.err = q.s.BindText(q.at, v)
	}
	return q
}

// bindSparse binds a text; the empty one is NULL.
func (q *query) bindSparse(v string) *query {
	if v == "" {
		return q.bindNull()
	}
	return q.bindText(v)
}

func (q *query) bindNull() *query {
	if q.err == nil {
		q.at++
		q.err = q.s.BindNull(q.at)
	}
	return q
}

// run executes the statement and makes it ready for the next use.
func (q *query) run() error {
	if q.err == nil {
		q.err = q.s.Exec()
	} else if q.s != nil {
		q.s.Reset()
	}
	err := q.err
	q.err = nil
	return err
}

// next moves to the next row.
func (q *query) next() bool {
	q.at = 0
	return q.err == nil && q.s.Step()
}

// done ends the statement, and must be called after the last next.
func (q *query) done() error {
	err := q.err
	if q.s != nil {
		if err == nil {
			err = q.s.Err()
		}
		if rerr := q.s.Reset(); err == nil {
			err = rerr
		}
	}
	q.err = nil
	return err
}

// int returns the next column.
func (q *query) int() int64 {
	q.at++
	return q.s.ColumnInt64(q.at - 1)
}

func (q *query) uint() uint64 { return uint64(q.int()) }

func (q *query) bool() bool { return q.int() != 0 }

// text returns the next column, "" for NULL.
func (q *query) text() string {
	q.at++
	return q.s.ColumnText(q.at - 1)
}

// blob returns a copy of the next column, nil for NULL and for empty.
func (q *query) blob() []byte {
	q.at++
	raw := q.s.ColumnRawBlob(q.at - 1)
	if len(raw) == 0 {
		return nil
	}
	return append([]byte(nil), raw...)
}

// id returns the next column, zero for NULL.
func (q *query) id() (id [16]byte) {
	q.at++
	copy(id[:], q.s.ColumnRawBlob(q.at-1))
	return id
}

// array fills b with the next column.
func (q *query) array(b []byte) {
	q.at++
	copy(b, q.s.ColumnRawBlob(q.at-1))
}
