package surroundings

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Row says what one thing may keep.
type Row struct {
	Check string
	Warn  bool
	Code  string // what was found
	// Detail is what the sentence of the code is about: devices, a path, a number.
	Detail string
}

// Look reports on the surroundings of a profile's directory, which may be "" if it is not
// known, and on what the shells of the user whose home it is remember.
func Look(data, home string) []Row {
	rows := []Row{swap(), coreDumps()}
	if data != "" {
		rows = append(rows, fileSystem(data), snapshots(data))
	}
	if home != "" {
		rows = append(rows, history(home))
	}
	return rows
}

// snapshots looks for directories in which tools keep older states of the file system.
func snapshots(data string) Row {
	for dir := filepath.Clean(data); ; dir = filepath.Dir(dir) {
		for _, name := range []string{".snapshots", ".zfs/snapshot", "timeshift"} {
			at := filepath.Join(dir, filepath.FromSlash(name))
			if kept, err := os.ReadDir(at); err == nil && len(kept) > 0 {
				return Row{Check: "snapshots", Warn: true, Code: "snapshots_found", Detail: at}
			}
		}
		if dir == filepath.Dir(dir) {
			return Row{Check: "snapshots", Code: "snapshots_unseen"}
		}
	}
}

// historyBytesMax bounds what is read of one history.
const historyBytesMax = 16 << 20

// saying is a command line that has a text for somebody in it.
var saying = regexp.MustCompile(`\bpabal\b.*\b(send|reply|edit)\b`)

// history counts the lines of shell histories that hold texts of messages: typed as an
// argument, they are beyond our reach.
func history(home string) Row {
	lines, where := 0, ""
	for _, name := range []string{".bash_history", ".zsh_history", ".local/share/fish/fish_history", ".ash_history", ".sh_history"} {
		b, err := readStart(filepath.Join(home, filepath.FromSlash(name)))
		if err != nil {
			continue
		}
		found := 0
		for scan := bufio.NewScanner(bytes.NewReader(b)); scan.Scan(); {
			if saying.Match(scan.Bytes()) {
				found++
			}
		}
		if found > 0 {
			lines, where = lines+found, strings.TrimPrefix(where+", "+name, ", ")
		}
	}
	if lines > 0 {
		return Row{Check: "history", Warn: true, Code: "history_texts", Detail: strconv.Itoa(lines) + ": " + where}
	}
	return Row{Check: "history", Code: "history_none"}
}

func readStart(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, os.ErrInvalid
	}
	b := make([]byte, min(info.Size(), historyBytesMax))
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	return b[:n], err
}
