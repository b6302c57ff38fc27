package store

import (
	"encoding/hex"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// FileKind says what a file of a profile is for.
type FileKind string

// The kinds of files: all that a profile may hold. A file of any other kind is one
// that nothing owns, and [Profile.Outside] says so. Whoever writes a new kind
// names it here.
const (
	FileHeader   FileKind = "header"    // opens the profile
	FileKeyfile  FileKind = "keyfile"   // opens it without a passphrase
	FileLock     FileKind = "lock"      // who holds it, in clear
	FileReserve  FileKind = "reserve"   // room for a deletion on a full disk
	FileTag      FileKind = "tag"       // CACHEDIR.TAG, in clear
	FileDatabase FileKind = "database"  // sealed pages
	FileLog      FileKind = "log"       // sealed frames
	FileLogIndex FileKind = "log_index" // numbers of pages, in clear
	FileChunk    FileKind = "chunk"     // a sealed piece of an attachment
	FileWipe     FileKind = "wipe"      // empty: a wipe has begun
	FileMoveOut  FileKind = "move_out"  // the sealed end of a file that the profile moves to
	FileMoveIn   FileKind = "move_in"   // by what the file is known that the profile came in
	FileMoved    FileKind = "moved"     // empty: the profile is elsewhere
	FileUnknown  FileKind = "unknown"
)

// directoriesMax is how many directories of databases a profile has: ours and one more,
// so that having another says nothing.
const directoriesMax = 2

// sealed reports whether a file of a kind looks random from its first byte to its last.
func (k FileKind) sealed() bool {
	switch k {
	case FileHeader, FileKeyfile, FileReserve, FileDatabase, FileLog, FileChunk:
		return true
	}
	return false
}

// kindOf tells a file of a profile by its path inside it.
func kindOf(name string) FileKind {
	switch name {
	case headerName:
		return FileHeader
	case keyfileName:
		return FileKeyfile
	case lockName:
		return FileLock
	case reserveName:
		return FileReserve
	case cacheTagName:
		return FileTag
	case wipeName:
		return FileWipe
	case departingName:
		return FileMoveOut
	case arrivingName:
		return FileMoveIn
	case movedName:
		return FileMoved
	}
	directory, rest, _ := strings.Cut(name, "/")
	if !isDirectoryName(directory) {
		return FileUnknown
	}
	if below, ok := strings.CutPrefix(rest, filesName+"/"); ok {
		if shelf, chunk, ok := strings.Cut(below, "/"); ok && len(shelf) == 2 && isHex(shelf) && isHex(chunk) {
			return FileChunk
		}
		return FileUnknown
	}
	number, ok := strings.CutPrefix(rest, "db-")
	number, kind := databaseKind(number)
	if _, err := strconv.ParseUint(number, 10, 64); !ok || err != nil {
		return FileUnknown
	}
	return kind
}

// databaseKind splits what follows "db-" into the epoch and what the file is to the database.
func databaseKind(name string) (epoch string, kind FileKind) {
	if epoch, ok := strings.CutSuffix(name, "-wal"); ok {
		return epoch, FileLog
	}
	if epoch, ok := strings.CutSuffix(name, "-shm"); ok {
		return epoch, FileLogIndex
	}
	return name, FileDatabase
}

func isHex(s string) bool { _, err := hex.DecodeString(s); return err == nil && s != "" }

// isDirectoryName reports whether a name is that of a directory of a slot.
func isDirectoryName(name string) bool { return len(name) == 2*directoryBytes && isHex(name) }

// profileFile is one file of a profile.
type profileFile struct {
	name string // inside the profile, with slashes
	kind FileKind
	size int64

	written time.Time
}

// listFiles lists every file of the profile in root, and counts the directories of slots.
func listFiles(root *os.Root) (all []profileFile, directories int, err error) {
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path.Dir(name) == "." && isDirectoryName(name) {
				directories++
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := profileFile{name: name, kind: kindOf(name), size: info.Size(), written: info.ModTime()}
		if !info.Mode().IsRegular() {
			f.kind, f.size = FileUnknown, 0
		}
		all = append(all, f)
		return nil
	})
	return all, directories, err
}

// shortName is the name of a file as a report may show it: enough to find it.
func shortName(name string) string {
	if directory, rest, ok := strings.Cut(name, "/"); ok && isDirectoryName(directory) {
		return directory[:4] + "…/" + rest
	}
	return name
}
