package store

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	lockName     = "lock"
	lockBytesMax = 4096
)

// Holder names the process that holds a profile, in the file "lock".
type Holder struct {
	PID    int       `json:"pid"`
	Start  time.Time `json:"start"`
	Socket string    `json:"socket,omitempty"` // where its API answers
}

// LockedError says who holds the profile. It is ErrLocked for errors.Is.
type LockedError struct{ Holder Holder }

// Error names the process.
func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return ErrLocked.Error()
	}
	return fmt.Sprintf("%v: process %d", ErrLocked, e.Holder.PID)
}

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// acquire locks the profile in root for this process, or returns a
// *LockedError at once: it never waits. The lock goes when the file is closed
// or the process ends, however it ends.
func acquire(root *os.Root, holder Holder) (*os.File, error) {
	f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	ok, err := tryLock(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock profile: %w", err)
	}
	if !ok {
		defer f.Close()
		return nil, &LockedError{Holder: readHolder(f)}
	}
	if err := writeHolder(f, holder); err != nil && !isFull(err) { // the lock counts, not what it says
		f.Close()
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return f, nil
}

func writeHolder(f *os.File, holder Holder) error {
	b, err := json.Marshal(holder)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if _, err := f.WriteAt(b, 0); err != nil { // in place, where a full disk has room
		return err
	}
	return f.Truncate(int64(len(b)))
}

// readHolder reads who holds the lock; the zero Holder if that cannot be told.
func readHolder(f *os.File) (holder Holder) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, lockBytesMax))
	if err != nil || json.Unmarshal(b, &holder) != nil {
		return Holder{}
	}
	return holder
}

// release gives the lock back. The file stays: removing it would let two
// processes lock two files of one name. So does what it says, which nobody reads
// unless the lock is held, so that it needs no room the next time.
func release(f *os.File) error { return f.Close() }

// Self is the Holder for this process, with the socket of its API if it has one.
func Self(socket string) Holder {
	return Holder{PID: os.Getpid(), Start: time.Now().UTC().Truncate(time.Second), Socket: socket}
}
