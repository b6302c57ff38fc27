package store

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"lukechampine.com/adiantum"

	"pabal/protocol"
)

// Recount holds the counts that the warrant report claims beside what an examiner with the key
// counts in the pages themselves, without SQL: more there is something that the report hides,
// fewer something that it makes up.
type Recount struct {
	Messages, Held               uint64 // found in the pages
	ClaimedMessages, ClaimedHeld uint64 // as [View.Holdings] and [View.HeldItems] say
}

// Differs is how many items are in one of both counts only, at least.
func (r *Recount) Differs() int {
	apart := func(a, b uint64) int { return int(max(a, b) - min(a, b)) }
	return apart(r.Messages, r.ClaimedMessages) + apart(r.Held, r.ClaimedHeld)
}

// recount counts with the writer's lock held and the log empty: nothing is written meanwhile.
func (s *Store) recount() (r Recount, err error) {
	err = s.View(func(v *View) error {
		all, err := v.Holdings(math.MaxInt64)
		if err != nil {
			return err
		}
		r.ClaimedMessages = 0 // of a view that was broken off
		for _, h := range all {
			r.ClaimedMessages += h.Here.Messages
		}
		r.ClaimedHeld, err = v.HeldItems()
		return err
	})
	if err != nil {
		return r, err
	}
	columns, err := columnsOf(s.write.c, "messages")
	if err != nil {
		return r, err
	}
	at := slices.Index(columns, "state")
	err = s.rowsInPages("messages", func(payload []byte) {
		if column(payload, at) != string(protocol.MessageErased) {
			r.Messages++
		}
	})
	if err == nil {
		err = s.rowsInPages("held", func([]byte) { r.Held++ })
	}
	return r, err
}

// treeDepthMax is deeper than any table can be.
const treeDepthMax = 24

// rowsInPages decrypts a table's pages one by one and calls see with each row, as far as it lies
// in its page.
func (s *Store) rowsInPages(table string, see func(payload []byte)) error {
	q := s.write.c.query(`SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?`).bindText(table)
	root := int64(0)
	if q.next() {
		root = q.int()
	}
	if err := q.done(); err != nil {
		return dbError("find table", err)
	}
	f, err := s.profile.root.Open(s.slot.databaseName())
	if err != nil {
		return err
	}
	defer f.Close()
	w := &treeWalk{l: &looking{units: &sealedFile{cipher: adiantum.New(s.seal.key)}}, f: f, see: see}
	return w.page(uint32(root), 0)
}

// treeWalk is one walk through the b-tree of a table.
type treeWalk struct {
	l   *looking
	f   io.ReaderAt
	see func(payload []byte)
}

func (w *treeWalk) page(number uint32, depth int) error {
	page := make([]byte, pageBytes)
	if ok, err := w.l.read(w.f, page, int64(number-1)*pageBytes); err != nil || !ok || number == 0 || depth > treeDepthMax {
		return fmt.Errorf("page of a table: %w", ErrDamaged)
	}
	size := 8
	if page[0] == interiorTable {
		size = 12
	}
	cells := int(binary.BigEndian.Uint16(page[3:]))
	for i := range cells {
		at := int(binary.BigEndian.Uint16(page[min(size+2*i, pageBytes-2):]))
		if at > pageBytes-4 {
			return fmt.Errorf("cell of a table: %w", ErrDamaged)
		}
		if page[0] == interiorTable {
			if err := w.page(binary.BigEndian.Uint32(page[at:]), depth+1); err != nil {
				return err
			}
			continue
		}
		payload, used := varint(page[at:])
		_, key := varint(page[min(at+used, pageBytes):])
		from := min(at+used+key, pageBytes)
		w.see(page[from:min(from+localBytes(leafTable, payload), pageBytes)])
	}
	if page[0] == interiorTable {
		return w.page(binary.BigEndian.Uint32(page[8:]), depth+1)
	}
	return nil
}

// column returns a text column of a row in SQLite's record format, or nothing if it is none or
// lies elsewhere.
func column(record []byte, index int) string {
	header, at := varint(record)
	from := int(header)
	for i := 0; at < int(header) && at < len(record); i++ {
		kind, n := varint(record[at:])
		at += n
		size := recordBytes(kind)
		if i == index {
			if kind < 13 || kind%2 == 0 || from+size > len(record) {
				return ""
			}
			return string(record[from : from+size])
		}
		from += size
	}
	return ""
}

// recordBytes is how long a value of a serial type is: "Database File Format", section 2.1.
func recordBytes(kind uint64) int {
	switch {
	case kind >= 12:
		return int(kind-12) / 2
	case kind >= 8:
		return 0
	}
	return []int{0, 1, 2, 3, 4, 6, 8, 8}[kind]
}
