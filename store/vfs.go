package store

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	"lukechampine.com/adiantum"
	"lukechampine.com/adiantum/hbsh"
)

const (
	logHeaderBytes   = 32
	frameHeaderBytes = 24
	frameBytes       = frameHeaderBytes + pageBytes

	// logTweak is the byte behind the offset in the tweak of the log's units.
	// The database's tweak is the offset alone.
	logTweak = 1
)

// sealingVFS is the file layer under SQLite: it encrypts every unit of the
// database and of its log with Adiantum and keeps all lengths. A unit is a page
// of the database, or the log's header, a frame's header or a frame's page, so
// that a page is one encryption when written and needs no read.
//
//	database  | page 4096 | page 4096 | …
//	log       | header 32 | frame header 24 | page 4096 | frame header 24 | …
//
// The key comes by constructor and never appears in SQL or a URI. Temporary
// files live in memory, and so does a rollback journal: only a database that is
// not in use yet has one, and is thrown away if it does not get finished.
type sealingVFS struct {
	base vfs.VFS
	key  []byte
	weak weakness
}

// weakness switches a guard off; only the tests that show what each guard is for
// use any.
type weakness struct {
	keepGaps   bool // do not clear what lies between the cells of a page
	splitUnits bool // sync a part of a unit, and write the unit again later
	keepLog    bool // do not cut the log after erasing
	keepCache  bool // do not drop cached pages after erasing
}

// newSealingVFS returns a layer over base. The caller keeps key, 32 bytes, and
// may overwrite it once every file is closed.
func newSealingVFS(base vfs.VFS, key []byte, weak weakness) *sealingVFS {
	return &sealingVFS{base: base, key: key, weak: weak}
}

// Open is not used: SQLite calls OpenFilename.
func (v *sealingVFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name == "" {
		return v.OpenFilename(nil, flags)
	}
	return nil, flags, sqlite3.CANTOPEN
}

// OpenFilename opens the database, its log, or a file in memory.
func (v *sealingVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	const temporary = vfs.OPEN_TEMP_DB | vfs.OPEN_TRANSIENT_DB | vfs.OPEN_TEMP_JOURNAL | vfs.OPEN_SUBJOURNAL
	switch {
	case flags&(temporary|vfs.OPEN_MAIN_JOURNAL) != 0:
		return new(vfsutil.SliceFile), flags | vfs.OPEN_MEMORY, nil
	case flags&(vfs.OPEN_MAIN_DB|vfs.OPEN_WAL) == 0:
		return nil, flags, sqlite3.CANTOPEN
	}
	file, flags, err := vfsutil.WrapOpenFilename(v.base, name, flags)
	if err != nil {
		return nil, flags, err
	}
	if err := os.Chmod(name.String(), 0o600); err != nil {
		file.Close()
		return nil, flags, err
	}
	return &sealedFile{
		File:   file,
		shm:    vfsutil.WrapSharedMemory(file),
		cipher: adiantum.New(v.key),
		log:    flags&vfs.OPEN_WAL != 0,
		weak:   v.weak,
	}, flags, nil
}

// Delete removes a file; a rollback journal is not on the disk.
func (v *sealingVFS) Delete(name string, syncDir bool) error {
	if strings.HasSuffix(name, "-journal") {
		return nil
	}
	return v.base.Delete(name, syncDir)
}

// Access asks whether a file exists.
func (v *sealingVFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	return v.base.Access(name, flags)
}

// FullPathname makes a path absolute.
func (v *sealingVFS) FullPathname(name string) (string, error) { return v.base.FullPathname(name) }

// sealedFile is one open file of one connection, and like it belongs to one
// goroutine at a time.
type sealedFile struct {
	vfs.File
	shm    vfs.SharedMemory
	cipher *hbsh.HBSH
	log    bool
	tweak  [9]byte
	block  [frameBytes]byte
	weak   weakness

	// A frame's header waits in header, encrypted, for the frame's page, which
	// always follows: one write for both.
	header      [frameHeaderBytes]byte
	headerStart int64 // 0 = none waits

	// SQLite writes the frame that pads a commit to the next sector in two
	// parts with a sync between. A unit can only be written whole, so part
	// holds the first until the second comes; the sync is done then. The
	// commit is acknowledged after both, and no sector that holds an
	// acknowledged frame is touched later.
	part       [pageBytes]byte
	partStart  int64
	partFilled int // 0 = none
	partSync   vfs.SyncFlag
}

// unit returns the start and length of the cipher unit that holds off.
func (f *sealedFile) unit(off int64) (start int64, size int) {
	if !f.log {
		return off &^ (pageBytes - 1), pageBytes
	}
	if off < logHeaderBytes {
		return 0, logHeaderBytes
	}
	frame := logHeaderBytes + (off-logHeaderBytes)/frameBytes*frameBytes
	if off-frame < frameHeaderBytes {
		return frame, frameHeaderBytes
	}
	return frame + frameHeaderBytes, pageBytes
}

// tweakFor returns the tweak of the unit at start, valid until the next call.
func (f *sealedFile) tweakFor(start int64) []byte {
	binary.LittleEndian.PutUint64(f.tweak[:8], uint64(start))
	if !f.log {
		return f.tweak[:8]
	}
	f.tweak[8] = logTweak
	return f.tweak[:]
}

// readUnit fills p, which must be exactly the unit at start.
func (f *sealedFile) readUnit(p []byte, start int64) error {
	n, err := f.File.ReadAt(p, start)
	if n < len(p) {
		if err == nil {
			err = io.EOF
		}
		return err
	}
	f.cipher.Decrypt(p, f.tweakFor(start))
	return nil
}

// writeUnit writes p as the unit at start and leaves p as it is.
func (f *sealedFile) writeUnit(p []byte, start int64) error {
	if f.headerStart != 0 && start != f.headerStart+frameHeaderBytes {
		if err := f.flushHeader(); err != nil {
			return err
		}
	}
	b := f.block[frameHeaderBytes : frameHeaderBytes+len(p)]
	copy(b, p)
	if !f.log && !f.weak.keepGaps {
		clearGap(b, start == 0)
	}
	f.cipher.Encrypt(b, f.tweakFor(start))
	switch {
	case f.log && len(p) == frameHeaderBytes:
		copy(f.header[:], b)
		f.headerStart = start
		return nil
	case f.headerStart != 0:
		copy(f.block[:], f.header[:])
		b, start = f.block[:frameBytes], f.headerStart
		f.headerStart = 0
	}
	_, err := f.File.WriteAt(b, start)
	return noRoom(err)
}

// flushHeader writes a frame's header whose page did not come.
func (f *sealedFile) flushHeader() error {
	start := f.headerStart
	if start == 0 {
		return nil
	}
	f.headerStart = 0
	_, err := f.File.WriteAt(f.header[:], start)
	return noRoom(err)
}

// noRoom gives an error of a full disk the code that SQLite has for it: the file
// below leaves it an I/O error, after which the daemon would stop.
func noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return vfs.SystemError(err, sqlite3.FULL)
	}
	return err
}

// flush writes all that waits for more.
func (f *sealedFile) flush() error {
	if err := f.flushPart(); err != nil {
		return err
	}
	return f.flushHeader()
}

// ReadAt reads and decrypts. A unit that is not there in full reads as the end
// of the file.
func (f *sealedFile) ReadAt(p []byte, off int64) (n int, err error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	for n < len(p) {
		at := off + int64(n)
		start, size := f.unit(at)
		if at == start && len(p)-n >= size {
			if err := f.readUnit(p[n:n+size], start); err != nil {
				return n, err
			}
			n += size
			continue
		}
		b := f.block[:size]
		if err := f.readUnit(b, start); err != nil {
			return n, err
		}
		n += copy(p[n:], b[at-start:])
	}
	return n, nil
}

// WriteAt encrypts and writes; p stays as it is.
func (f *sealedFile) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		start, size := f.unit(at)
		take := min(len(p)-n, int(start+int64(size)-at))
		if take == size && f.partFilled == 0 {
			err = f.writeUnit(p[n:n+size], start)
		} else {
			err = f.writePart(p[n:n+take], at, start, size)
		}
		if err != nil {
			return n, err
		}
		n += take
	}
	return n, nil
}

// writePart writes p, a part of the unit at start, at off.
func (f *sealedFile) writePart(p []byte, off, start int64, size int) error {
	if f.partFilled > 0 && start == f.partStart && off == start+int64(f.partFilled) {
		copy(f.part[f.partFilled:size], p)
		f.partFilled += len(p)
		if f.partFilled < size {
			return nil
		}
		return f.finishPart(size)
	}
	if err := f.flushPart(); err != nil {
		return err
	}
	switch {
	case len(p) == size:
		return f.writeUnit(p, start)
	case f.log && off == start:
		copy(f.part[:], p)
		f.partStart, f.partFilled = start, len(p)
		return nil
	}
	return f.overlay(p, off, start, size)
}

// finishPart writes the whole unit in part and does the sync that waited.
func (f *sealedFile) finishPart(size int) error {
	sync := f.partSync
	f.partFilled, f.partSync = 0, 0
	if err := f.writeUnit(f.part[:size], f.partStart); err != nil || sync == 0 {
		return err
	}
	return f.Sync(sync)
}

// flushPart writes a part whose rest did not come.
func (f *sealedFile) flushPart() error {
	if f.partFilled == 0 {
		return nil
	}
	n, sync := f.partFilled, f.partSync
	f.partFilled, f.partSync = 0, 0
	start, size := f.unit(f.partStart)
	if err := f.overlay(f.part[:n], start, start, size); err != nil || sync == 0 {
		return err
	}
	return f.Sync(sync)
}

// overlay reads a unit, changes a part of it and writes it back.
func (f *sealedFile) overlay(p []byte, off, start int64, size int) error {
	b := make([]byte, size)
	switch err := f.readUnit(b, start); err {
	case nil:
	case io.EOF:
		clear(b)
	default:
		return err
	}
	copy(b[off-start:], p)
	return f.writeUnit(b, start)
}

// Sync makes what was written durable. Inside a unit that is not complete it
// waits for the rest.
func (f *sealedFile) Sync(flags vfs.SyncFlag) error {
	if f.weak.splitUnits {
		if err := f.flushPart(); err != nil {
			return err
		}
	}
	if err := f.flushHeader(); err != nil {
		return err
	}
	if f.partFilled > 0 {
		f.partSync = flags
		return nil
	}
	return noRoom(f.File.Sync(flags))
}

// Truncate cuts the file.
func (f *sealedFile) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	return noRoom(f.File.Truncate(size))
}

// Close closes the file.
func (f *sealedFile) Close() error {
	err := f.flush()
	if cerr := f.File.Close(); err == nil {
		err = cerr
	}
	clear(f.block[:])
	clear(f.part[:])
	f.cipher = nil
	return err
}

// SectorSize is 4 KiB: SQLite pads the log so that no commit writes into a
// sector of an earlier one.
func (f *sealedFile) SectorSize() int { return pageBytes }

// DeviceCharacteristics drops IOCAP_POWERSAFE_OVERWRITE, since a write changes
// a whole unit, and IOCAP_SUBPAGE_READ, which would decrypt a page for a part.
func (f *sealedFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return f.File.DeviceCharacteristics() & (vfs.IOCAP_IMMUTABLE | vfs.IOCAP_SEQUENTIAL | vfs.IOCAP_UNDELETABLE_WHEN_OPEN)
}

// SharedMemory passes the index of the log through: it holds page numbers and
// counts, no content.
func (f *sealedFile) SharedMemory() vfs.SharedMemory { return f.shm }

// SizeHint tells how large the file will become.
func (f *sealedFile) SizeHint(size int64) error { return vfsutil.WrapSizeHint(f.File, size) }

// LockState tells the lock that is held.
func (f *sealedFile) LockState() vfs.LockLevel { return vfsutil.WrapLockState(f.File) }

// HasMoved tells whether the file was moved while open.
func (f *sealedFile) HasMoved() (bool, error) { return vfsutil.WrapHasMoved(f.File) }

// PersistWAL tells whether the log outlives the last connection.
func (f *sealedFile) PersistWAL() bool { return vfsutil.WrapPersistWAL(f.File) }

// SetPersistWAL says whether the log outlives the last connection.
func (f *sealedFile) SetPersistWAL(keep bool) { vfsutil.WrapSetPersistWAL(f.File, keep) }

// clearGap overwrites the bytes of a b-tree page that belong to no cell: page
// splits leave copies of rows there that deleting a row does not reach. Other
// kinds of pages are left alone. They are told by their first byte: an overflow
// or free page begins with a page number, whose high byte is 0 or 1 as long as
// the database has at most pagesMax pages, and pointer-map pages do not exist
// without auto_vacuum. Both are checked when the database is opened.
func clearGap(b []byte, first bool) {
	from, to := gap(b, first)
	clear(b[from:to])
}

// gap returns where the unallocated bytes of a b-tree page begin and end, and
// nothing for other pages.
func gap(b []byte, first bool) (from, to int) {
	h := 0
	if first {
		h = 100 // page 1 begins with the file header
	}
	size := 8
	switch b[h] {
	case 2, 5: // interior pages have a right-most child
		size = 12
	case 10, 13:
	default:
		return 0, 0
	}
	end := h + size + 2*int(binary.BigEndian.Uint16(b[h+3:]))
	cells := int(binary.BigEndian.Uint16(b[h+5:]))
	if cells == 0 || cells > len(b) || end > cells {
		return 0, 0
	}
	return end, cells
}
