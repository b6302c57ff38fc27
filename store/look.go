package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"lukechampine.com/adiantum"
)

// Sight is what a Look saw.
type Sight struct {
	Hits     []int // of each word, anywhere in clear
	Pages    int   // of the database that were decrypted
	LogUnits int   // of the log that were decrypted
	// GapBytes and FreeBytes are bytes of the database that are not zero and
	// belong to no row: between the cells of pages, and in free pages. Free
	// pages are only known while the log is empty, so after a Scrub.
	GapBytes, FreeBytes int
	// LogGapBytes are such bytes in pages of the log. Writing moves rows about, so that
	// after a commit some are there.
	LogGapBytes int
}

// Unowned is how many bytes of the database belong to no row.
func (s *Sight) Unowned() int { return s.GapBytes + s.FreeBytes }

// Look decrypts every unit of the database and of its log, in memory, whether a
// row owns it or not, and counts words: after a deletion there must be none. A
// word should have 8 bytes or more, since shorter ones occur by chance in what
// is random; one that lies across two pages is not seen. Commits wait.
func (s *Store) Look(words ...[]byte) (Sight, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return Sight{}, ErrClosed
	}
	return s.look(words)
}

// look is Look with the writer's lock held.
func (s *Store) look(words [][]byte) (Sight, error) {
	l := &looking{words: words, sight: Sight{Hits: make([]int, len(words))}}
	root, name := s.profile.root, s.slot.databaseName()
	err := l.database(root, name, s.seal.key)
	if err == nil {
		err = l.log(root, name+"-wal", s.seal.key)
	}
	if err == nil {
		err = l.clear(root, name+"-shm")
	}
	if err == nil && l.sight.LogUnits == 0 {
		err = l.freePages(root, name)
	}
	if err != nil {
		return Sight{}, fmt.Errorf("look: %w", err)
	}
	return l.sight, nil
}

// looking is one run of Look.
type looking struct {
	words [][]byte
	units *sealedFile // how the file is cut that is read
	trunk uint32      // the first page of the free list
	sight Sight
}

func (l *looking) database(root *os.Root, name string, key []byte) error {
	l.units = &sealedFile{cipher: adiantum.New(key)}
	return l.file(root, name, func(start int64, page []byte) {
		l.sight.Pages++
		first := start == 0
		if first {
			l.trunk = binary.BigEndian.Uint32(page[32:])
		}
		l.sight.GapBytes += unowned(page, first)
	})
}

func (l *looking) log(root *os.Root, name string, key []byte) error {
	units := l.units
	l.units = &sealedFile{cipher: adiantum.New(key), log: true}
	var page uint32 // of the frame
	err := l.file(root, name, func(_ int64, unit []byte) {
		l.sight.LogUnits++
		switch len(unit) {
		case frameHeaderBytes:
			page = binary.BigEndian.Uint32(unit)
		case pageBytes:
			l.sight.LogGapBytes += unowned(unit, page == 1)
		}
	})
	l.units = units
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// clear counts the words in the index of the log, which is not sealed.
func (l *looking) clear(root *os.Root, name string) error {
	b, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for i, word := range l.words {
		l.sight.Hits[i] += bytes.Count(b, word)
	}
	return err
}

// file decrypts a file unit by unit and counts the words in it.
func (l *looking) file(root *os.Root, name string, see func(start int64, unit []byte)) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var buf [pageBytes]byte
	for off := int64(0); ; {
		start, size := l.units.unit(off)
		unit := buf[:size]
		if ok, err := l.read(f, unit, start); err != nil || !ok {
			return err
		}
		off = start + int64(size)
		if notZero(unit) == 0 {
			continue
		}
		for i, word := range l.words {
			l.sight.Hits[i] += bytes.Count(unit, word)
		}
		see(start, unit)
	}
}

// read fills unit with the one at start, in clear, or reports false at the end
// of the file. What was allocated and never written stays zero.
func (l *looking) read(f io.ReaderAt, unit []byte, start int64) (bool, error) {
	n, err := f.ReadAt(unit, start)
	if n < len(unit) {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, err
	}
	if notZero(unit) > 0 {
		l.units.cipher.Decrypt(unit, l.units.tweakFor(start))
	}
	return true, nil
}

// freePages follows the list of free pages: trunk pages, each with the number
// of the next one, a count, and the numbers of so many pages that hold nothing.
func (l *looking) freePages(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	trunk, leaf := make([]byte, pageBytes), make([]byte, pageBytes)
	for seen := 0; l.trunk != 0 && seen <= l.sight.Pages; seen++ {
		if ok, err := l.read(f, trunk, int64(l.trunk-1)*pageBytes); err != nil || !ok {
			return err
		}
		l.trunk = binary.BigEndian.Uint32(trunk)
		leaves := min(int(binary.BigEndian.Uint32(trunk[4:])), pageBytes/4-2)
		for i := range leaves {
			number := binary.BigEndian.Uint32(trunk[8+4*i:])
			if ok, err := l.read(f, leaf, int64(number)*pageBytes-pageBytes); err != nil || !ok {
				return err
			}
			l.sight.FreeBytes += notZero(leaf)
		}
	}
	return nil
}

// notZero counts bytes that are not zero.
func notZero(b []byte) int { return len(b) - bytes.Count(b, []byte{0}) }
