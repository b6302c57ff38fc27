package store

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

var (
	// ErrBadPassphrase says that the passphrase or the keyfile opens nothing.
	// A wrong secret and a changed slot look alike, by design.
	ErrBadPassphrase = errors.New("store: the secret opens no slot")
	// ErrDamaged says that a file of the profile is not what was written.
	ErrDamaged = errors.New("store: damaged")
	// ErrNewer says that a newer release wrote the profile.
	ErrNewer = errors.New("store: written by a newer version")
	// ErrLocked says that another process holds the profile; the error is a
	// *LockedError.
	ErrLocked = errors.New("store: in use by another process")
	// ErrFull says that the disk is full. The transaction was rolled back;
	// reading goes on.
	ErrFull = errors.New("store: disk full")
	// ErrExists says that there is a profile already.
	ErrExists = errors.New("store: profile exists")
	// ErrNoProfile says that there is no profile in the directory.
	ErrNoProfile = errors.New("store: no profile here")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrNotFound says that no row has the wanted key.
	ErrNotFound = errors.New("store: not found")
	// ErrInterrupted says that a read took longer than it may.
	ErrInterrupted = errors.New("store: read took too long")
	// ErrCursor says that a cursor is malformed.
	ErrCursor = errors.New("store: malformed cursor")
	// ErrCursorExpired says that events behind the cursor are gone: the reader
	// must take a new snapshot.
	ErrCursorExpired = errors.New("store: cursor expired")
	// ErrDuplicate says that a row with this key exists and differs.
	ErrDuplicate = errors.New("store: key exists")
)

// dbError wraps what SQLite reported during doing into one of the errors of
// this package where there is one. SQL text and values are never part of it.
func dbError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlite3.FULL), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT),
		errors.Is(err, sqlite3.IOERR_SHMSIZE): // the index of the log, which has no cause with it
		return fmt.Errorf("%s: %w", doing, ErrFull)
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB), errors.Is(err, sqlite3.IOERR_SHORT_READ):
		return fmt.Errorf("%s: %w", doing, ErrDamaged)
	case errors.Is(err, sqlite3.INTERRUPT):
		return fmt.Errorf("%s: %w", doing, ErrInterrupted)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isFull reports whether an error of SQLite means a full disk.
func isFull(err error) bool {
	return err != nil && errors.Is(dbError("", err), ErrFull)
}
