package store

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"pabal/store/archive"
)

// A move seals the whole profile in a file, and makes a profile of that file elsewhere. At
// any moment at most one of the two can be opened: two would be a fork. A small file in the
// profile is the point of no return, on either side; behind it the same command goes on.
const (
	departingName = "move-out" // the end of the archive, which is not behind the others yet
	movedName     = "moved"    // empty: the profile is elsewhere
	arrivingName  = "move-in"  // by what the file is known that can be opened still
	moveTempName  = "move.new"
)

var (
	// ErrDeparting says that moving out was cut short: [Profile.FinishMove] goes on.
	ErrDeparting = errors.New("store: moving out was cut short")
	// ErrArriving says that moving in was cut short: [Profile.MoveIn] goes on.
	ErrArriving = errors.New("store: moving in was cut short")
	// ErrMoved says that the profile has moved out.
	ErrMoved = errors.New("store: the profile has moved")
	// ErrOtherFile says that a move that was cut short was one with another file.
	ErrOtherFile = errors.New("store: not the file of this move")
)

// unsettled says what keeps the profile from being opened or made.
func (p *Profile) unsettled() error {
	has := func(name string) bool { _, err := p.root.Lstat(name); return err == nil }
	switch {
	case has(departingName):
		return ErrDeparting
	case has(headerName) && has(arrivingName):
		return ErrArriving
	case !has(headerName) && has(movedName):
		return ErrMoved
	}
	return nil
}

// MoveOptions says how a profile is sealed that moves out.
type MoveOptions struct {
	Passphrase []byte // of the archive
	Argon      Argon  // zero is the default
	Now        time.Time
}

// MoveOut seals the profile, with its sessions, in a new file, and erases it here. It closes
// the Store, which must have been opened by [Profile.Open]. On an error the profile is as it was and there is no file; but with
// [ErrDeparting] it is on its way.
func (s *Store) MoveOut(name string, o MoveOptions) (Archived, error) {
	d := &departing{s: s, p: s.profile, name: name, o: o}
	for _, step := range d.steps() {
		if err := step(); err != nil {
			return Archived{}, errors.Join(fmt.Errorf("move out: %w", err), d.giveUp())
		}
	}
	return d.done, nil
}

// departing is one move out under way.
type departing struct {
	s    *Store
	p    *Profile
	name string
	o    MoveOptions
	part *os.File // all but the last chunk, and room for that
	last []byte
	at   int64 // where the last chunk belongs
	done Archived
}

func (d *departing) steps() []func() error {
	return append([]func() error{d.seal, d.check, d.mark}, d.p.departure(d.name)...)
}

// departure is what is left to do when the profile holds the last chunk.
func (p *Profile) departure(name string) []func() error {
	return []func() error{
		func() error { return p.completeFile(name) },
		func() error { return writeDurably(p.root, movedName, moveTempName, nil) },
		p.finishDeparture,
	}
}

// partName is the file's name until it is whole.
func partName(name string) string { return name + ".part" }

// seal writes all of the archive but its last chunk.
func (d *departing) seal() (err error) {
	if err := d.p.outside(d.name); err != nil {
		return err
	}
	for _, name := range []string{d.name, partName(d.name)} {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("the file is there: %w", fs.ErrExist)
		}
	}
	if d.part, err = os.OpenFile(partName(d.name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	if d.last, err = d.s.archiveAll(d.part, &d.done, d.o); err != nil {
		return err
	}
	if d.at, err = d.part.Seek(0, io.SeekCurrent); err != nil {
		return err
	}
	if _, err := d.part.Write(make([]byte, len(d.last))); err != nil { // writing it must not fail any more
		return dbError("write archive", err)
	}
	return errors.Join(d.part.Sync(), SyncParent(d.name))
}

// outside refuses a file inside the profile: it would be erased with it.
func (p *Profile) outside(name string) error {
	path, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	profile, err := filepath.EvalSymlinks(p.path)
	if err != nil {
		return err
	}
	if below, err := filepath.Rel(profile, path); err == nil && below != ".." && !strings.HasPrefix(below, ".."+string(filepath.Separator)) {
		return fmt.Errorf("the file would lie in the profile: %w", fs.ErrInvalid)
	}
	return nil
}

// archiveAll writes a whole profile but for the last chunk, and closes the Store: what is
// committed meanwhile would be lost.
func (s *Store) archiveAll(to io.Writer, done *Archived, o MoveOptions) ([]byte, error) {
	last, err := s.archiveLocked(to, done, o)
	return last, errors.Join(err, s.Close())
}

func (s *Store) archiveLocked(to io.Writer, done *Archived, o MoveOptions) ([]byte, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.c == nil {
		return nil, ErrClosed
	}
	if err := s.keepMAC(); err != nil {
		return nil, err
	}
	a := &archiving{s: s, c: s.write.c, now: o.Now, history: true, kind: archive.Move}
	if err := a.readTables(); err != nil {
		return nil, err
	}
	w, err := archive.NewWriter(to, archive.Move, o.Passphrase, archive.Cost(costOf(o.Argon)))
	if err != nil {
		return nil, err
	}
	a.w = w
	for _, step := range []func() error{a.head, a.writeTables, a.pages, a.chunks} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	*done = a.done
	return w.Finish()
}

// check reads from the medium what was written, to its end.
func (d *departing) check() error {
	whole := io.MultiReader(io.NewSectionReader(d.part, 0, d.at), bytes.NewReader(d.last))
	_, err := CheckArchive(whole, d.o.Passphrase)
	return err
}

// mark is the point of no return: now the profile does not open any more.
func (d *departing) mark() error {
	head := make([]byte, archive.HeaderBytes)
	if _, err := d.part.ReadAt(head, 0); err != nil {
		return err
	}
	if err := d.part.Close(); err != nil {
		return err
	}
	if err := errors.Join(d.p.removeSmall(movedName, arrivingName), syncDirectory(d.p.root, ".")); err != nil {
		return err
	}
	b := append(binary.BigEndian.AppendUint64(head, uint64(d.at)), d.last...)
	return writeDurably(d.p.root, departingName, moveTempName, b)
}

// giveUp leaves no file if the profile is still what counts.
func (d *departing) giveUp() error {
	err := d.s.Close()
	if d.p.unsettled() != nil {
		return errors.Join(err, ErrDeparting)
	}
	if d.part == nil { // not ours, if there is one
		return err
	}
	d.part.Close()
	return errors.Join(err, os.Remove(d.part.Name()))
}

// FinishMove goes on with moving out to a file, where that was cut short. Errors:
// [ErrOtherFile], fs.ErrNotExist.
func (p *Profile) FinishMove(name string) error {
	for _, step := range p.departure(name) {
		if err := step(); err != nil {
			return errors.Join(fmt.Errorf("move out: %w", err), p.unsettled())
		}
	}
	return nil
}

// completeFile writes the last chunk where it belongs, and gives the file its name.
func (p *Profile) completeFile(name string) error {
	b, err := readSmall(p.root, departingName, 1<<20)
	if err != nil {
		return err
	}
	if len(b) <= archive.HeaderBytes+8 {
		return fmt.Errorf("end of the archive: %w", ErrDamaged)
	}
	head, last := b[:archive.HeaderBytes], b[archive.HeaderBytes+8:]
	at := int64(binary.BigEndian.Uint64(b[archive.HeaderBytes:]))
	f, err := os.OpenFile(partName(name), os.O_RDWR, 0)
	renamed := errors.Is(err, fs.ErrNotExist) // it was whole
	if renamed {
		f, err = os.OpenFile(name, os.O_RDWR, 0)
	}
	if err != nil {
		return err
	}
	if err := writeEnd(f, head, last, at); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if !renamed {
		if err := os.Rename(partName(name), name); err != nil {
			return err
		}
	}
	return SyncParent(name)
}

// writeEnd writes the last chunk of a file that begins with head.
func writeEnd(f *os.File, head, last []byte, at int64) error {
	begins := make([]byte, len(head))
	if _, err := f.ReadAt(begins, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(begins, head) {
		return ErrOtherFile
	}
	if _, err := f.WriteAt(last, at); err != nil {
		return err
	}
	return f.Sync()
}

// finishDeparture erases a profile whose file is whole: first what opens it.
func (p *Profile) finishDeparture() error {
	for _, name := range []string{movedName, departingName} {
		if _, err := p.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
	}
	for _, name := range keyNames() {
		if err := p.shred(name); err != nil {
			return err
		}
	}
	if err := errors.Join(syncDirectory(p.root, "."), p.eraseDirectories(), p.removeSmall(reserveName)); err != nil {
		return err
	}
	return errors.Join(p.shred(departingName), syncDirectory(p.root, "."))
}

// removeSmall removes files that may not be there.
func (p *Profile) removeSmall(names ...string) (failed error) {
	for _, name := range names {
		if err := p.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// MoveIn makes the profile that has moved out to a file, its webhooks disabled, and then makes the file one that
// nobody can open, and removes it. The profile is closed again. With [ErrArriving] it was
// made, and the file is left to be destroyed: MoveIn goes on, without the passphrases.
// Errors: those of [Profile.Restore], [ErrOtherFile], and of opening the file, which must be
// one that can be written.
func (p *Profile) MoveIn(name string, o RestoreOptions) error {
	again := errors.Is(p.unsettled(), ErrArriving)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil && again {
		err = errors.Join(err, ErrArriving)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	a := &arriving{p: p, file: f, o: o}
	steps := a.steps()
	if again {
		steps = a.rest()
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return errors.Join(fmt.Errorf("move in: %w", err), a.giveUp())
		}
	}
	f.Close() // before it is removed, for Windows; nobody can open it as it is
	os.Remove(name)
	return nil
}

// arriving is one move in under way.
type arriving struct {
	p    *Profile
	file *os.File
	o    RestoreOptions

	s    *Store // made, and without a header
	h    *header
	made bool // with it
}

func (a *arriving) steps() []func() error {
	return append([]func() error{a.read, a.mark, a.begin}, a.rest()...)
}

// rest is what is left to do when there is a profile.
func (a *arriving) rest() []func() error { return []func() error{a.destroy, a.settle} }

// read makes the profile but for its header.
func (a *arriving) read() error {
	switch exists, _, err := a.p.Exists(); {
	case errors.Is(err, ErrMoved): // it comes back
	case err != nil:
		return err
	case exists:
		return ErrExists
	}
	r, err := a.p.openArchive(a.file, archive.Move, &a.o)
	if err != nil {
		return err
	}
	a.s, a.h, _, err = a.p.make(r, a.o)
	return err
}

// mark notes by what the file is known: its header, and, once that is destroyed, its end.
func (a *arriving) mark() error {
	b, err := signs(a.file)
	if err != nil {
		return err
	}
	return writeDurably(a.p.root, arrivingName, moveTempName, b)
}

// signsBytes is how many bytes of a file's end it is known by.
const signsBytes = 16

func signs(f *os.File) ([]byte, error) {
	b := make([]byte, archive.HeaderBytes+signsBytes)
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < int64(len(b)) {
		return nil, ErrOtherFile
	}
	_, err = f.ReadAt(b[:archive.HeaderBytes], 0)
	if err == nil {
		_, err = f.ReadAt(b[archive.HeaderBytes:], info.Size()-signsBytes)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b, err
}

// begin writes the profile's header. It does not open yet, for the file still does.
func (a *arriving) begin() error {
	err := a.s.begin(Batch{}, a.h)
	a.made = err == nil
	return errors.Join(err, a.s.Close())
}

// destroy overwrites what opens the file.
func (a *arriving) destroy() error {
	want, err := readSmall(a.p.root, arrivingName, archive.HeaderBytes+signsBytes+1)
	if err != nil {
		return err
	}
	is, err := signs(a.file)
	if err != nil {
		return err
	}
	if len(want) != len(is) || !bytes.Equal(want[archive.HeaderBytes:], is[archive.HeaderBytes:]) {
		return ErrOtherFile
	}
	random := make([]byte, archive.HeaderBytes)
	rand.Read(random)
	if _, err := a.file.WriteAt(random, 0); err != nil {
		return err
	}
	return a.file.Sync()
}

// settle makes the profile one that opens.
func (a *arriving) settle() error {
	return errors.Join(a.p.removeSmall(movedName, arrivingName), syncDirectory(a.p.root, "."))
}

// giveUp leaves no profile if the file is still what counts.
func (a *arriving) giveUp() error {
	if errors.Is(a.p.unsettled(), ErrArriving) {
		return ErrArriving
	}
	if a.s == nil || a.made {
		return nil
	}
	return errors.Join(a.s.Close(), a.p.eraseDirectories(), a.p.removeSmall(keyfileName))
}

// keyNames are the files that open a profile.
func keyNames() []string {
	return []string{headerName, keyfileName, headerTempName, keyfileTempName}
}

// SyncParent makes the name of a file durable, by syncing its directory.
func SyncParent(name string) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there
		return nil
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
