package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"time"
	"unicode"
	"unicode/utf8"
)

// Trace is what somebody without the key can tell from a file.
type Trace string

const (
	TraceUnknown   Trace = "unknown"   // a file that nothing of the profile owns
	TraceStructure Trace = "structure" // a block that does not look random, or like one before it
	TraceText      Trace = "text"      // something readable
	TraceWord      Trace = "word"      // a text or a name of the profile
)

// Finding is one kind of trace in one file.
type Finding struct {
	File  string // shortened
	Kind  FileKind
	Trace Trace
	Count int
}

// Outside is what a profile shows to whoever has its files and not its key.
type Outside struct {
	Files       int
	Bytes       int64
	LogBytes    int64 // of what a daemon that was killed has not copied and cut
	Directories int   // of databases; more than two are of nobody
	Findings    []Finding
}

// Hits is how many traces there are.
func (o *Outside) Hits() (n int) {
	for _, f := range o.Findings {
		n += f.Count
	}
	return n
}

// LookOutside reads every file of the profile in dir as whoever seized the disk
// would, without the key, and says what can be told from them: nothing. Whatever
// is sealed must look random, nothing may be readable, no file may be of an unknown
// kind. words are what the profile holds, if that is known (see [Store.Words]):
// none may stand in a file. It needs no lock and changes nothing; a daemon may run. When
// ctx ends so does it, and words is not used any more.
func LookOutside(ctx context.Context, dir string, words [][]byte) (Outside, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Outside{}, fmt.Errorf("look from outside: %w", err)
	}
	defer root.Close()
	if _, err := readHeader(root); err != nil {
		return Outside{}, fmt.Errorf("look from outside: %w", err)
	}
	all, directories, err := listFiles(root)
	if err != nil {
		return Outside{}, fmt.Errorf("look from outside: %w", err)
	}
	o := Outside{Directories: directories}
	e := examiner{words: newWordSet(words), seen: make(map[uint64]struct{}), seed: maphash.MakeSeed()}
	for _, f := range all {
		found, err := e.file(ctx, root, f)
		if errors.Is(err, fs.ErrNotExist) { // a log that was cut meanwhile
			continue
		}
		if err != nil {
			return Outside{}, fmt.Errorf("look from outside: %w", err)
		}
		o.Files++
		o.Bytes += f.size
		if f.kind == FileLog {
			o.LogBytes += f.size
		}
		for _, trace := range []Trace{TraceUnknown, TraceStructure, TraceText, TraceWord} {
			if n := found[trace]; n > 0 {
				o.Findings = append(o.Findings, Finding{shortName(f.name), f.kind, trace, n})
			}
		}
	}
	if directories > directoriesMax {
		o.Findings = append(o.Findings, Finding{Kind: FileUnknown, Trace: TraceUnknown, Count: directories - directoriesMax})
	}
	return o, nil
}

// examiner looks at files without a key.
type examiner struct {
	words wordSet
	seen  map[uint64]struct{} // hashes of sealed blocks
	seed  maphash.Seed
	buf   [examineBytes + examineOverlap]byte
}

const (
	examineBytes   = 1 << 20 // read at once
	examineOverlap = 256     // read again, for what lies across two reads
	readableMin    = 40      // letters in a row: chance makes 5e-18 of them a byte
	hangulMin      = 6       // syllables in a row: 1e-19
	hangulFirst    = 0xe1    // no letter of Hangul begins with a lower byte in UTF-8
	blockMin       = 512     // shorter blocks tell too little
)

// file counts the traces in one file.
func (e *examiner) file(ctx context.Context, root *os.Root, f profileFile) (map[Trace]int, error) {
	found := make(map[Trace]int)
	if f.kind == FileUnknown {
		found[TraceUnknown] = 1
	}
	if f.kind == FileTag || f.kind == FileLock || f.size == 0 { // in clear, and known; a socket cannot be read
		return found, nil
	}
	r, err := root.Open(f.name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for off := int64(0); ; off += examineBytes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.ReadAt(e.buf[:], off)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		b := e.buf[:n]
		if notZero(b) > 0 { // else it is room that was never written, as most of the reserve
			found[TraceText] += readable(b, min(n, examineBytes))
			found[TraceWord] += e.words.in(b, min(n, examineBytes))
			if f.kind.sealed() {
				found[TraceStructure] += e.structure(f, b[:min(n, examineBytes)], off)
			}
		}
		if n < len(e.buf) {
			return found, nil
		}
	}
}

// structure counts the blocks of a sealed file that do not look random, or that are
// like an earlier one. Blocks of zeros were allocated and never written.
func (e *examiner) structure(f profileFile, b []byte, off int64) (n int) {
	if f.kind == FileHeader && off == 0 && len(b) > saltBytes+parametersBytes {
		b = b[saltBytes+parametersBytes:] // the cost of a guess stands there in clear
	}
	if off == 0 && signed(b) {
		n++
	}
	for len(b) >= blockMin {
		block := b[:min(pageBytes, len(b))]
		b = b[len(block):]
		if notZero(block) == 0 {
			continue
		}
		hash := maphash.Bytes(e.seed, block)
		if _, again := e.seen[hash]; again || !looksRandom(block) {
			n++
		}
		e.seen[hash] = struct{}{}
	}
	return n
}

// looksRandom tells by how often each byte occurs: chi-square with 255 degrees of
// freedom has mean 255 and deviation 22.6, and chance does not go 9 of them away.
func looksRandom(block []byte) bool {
	var counts [256]int
	for _, c := range block {
		counts[c]++
	}
	expected, sum := float64(len(block))/256, 0.0
	for _, n := range counts {
		d := float64(n) - expected
		sum += d * d / expected
	}
	return sum > 50 && sum < 480
}

// signed reports whether a file begins as one of a known format does.
func signed(b []byte) bool {
	for _, signature := range []string{
		"SQLite format 3", "PK\x03\x04", "\x89PNG\r\n", "\xff\xd8\xff\xe0", "\xff\xd8\xff\xe1", "GIF8", "%PDF-", "RIFF", "OggS", "\x1f\x8b\x08\x00",
		"\x37\x7f\x06\x82", "\x37\x7f\x06\x83", // the log of SQLite
	} {
		if bytes.HasPrefix(b, []byte(signature)) {
			return true
		}
	}
	return len(b) > 8 && string(b[4:8]) == "ftyp"
}

// readable counts runs of letters that begin in the first limit bytes and that chance
// does not make.
func readable(b []byte, limit int) (runs int) {
	letters, hangul := 0, 0
	for i := 0; i < len(b) && (i < limit || letters+hangul > 0); {
		if c := b[i]; c >= ' ' && c < 0x7f {
			letters, hangul, i = letters+1, 0, i+1
			if letters == readableMin {
				runs++
			}
			continue
		}
		letters = 0
		if b[i] < hangulFirst {
			hangul, i = 0, i+1
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if !unicode.Is(unicode.Hangul, r) {
			hangul, i = 0, i+1
			continue
		}
		hangul, i = hangul+1, i+n
		if hangul == hangulMin {
			runs++
		}
	}
	return runs
}

// wordSet finds many words at once, by their first eight bytes.
type wordSet struct {
	filter [1 << 16]uint64 // a bit for each hash of such a beginning
	words  map[uint64][][]byte
}

const (
	wordMin   = 8 // shorter ones occur by chance
	wordsMax  = 50_000
	wordBytes = 64 // of a long text these are enough
)

func newWordSet(words [][]byte) wordSet {
	s := wordSet{words: make(map[uint64][][]byte)}
	for _, w := range words {
		if len(w) < wordMin {
			continue
		}
		key := binary.LittleEndian.Uint64(w)
		s.words[key] = append(s.words[key], w[:min(len(w), wordBytes)])
		at := spread(key)
		s.filter[at>>6] |= 1 << (at & 63)
	}
	return s
}

func spread(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 >> 42 }

// in counts the words that begin in the first limit bytes of b.
func (s *wordSet) in(b []byte, limit int) (n int) {
	if len(s.words) == 0 {
		return 0
	}
	for i := 0; i+wordMin <= len(b) && i < limit; i++ {
		key := binary.LittleEndian.Uint64(b[i:])
		if at := spread(key); s.filter[at>>6]&(1<<(at&63)) == 0 {
			continue
		}
		for _, w := range s.words[key] {
			if bytes.HasPrefix(b[i:], w) {
				n++
			}
		}
	}
	return n
}

// Words returns what a profile holds in words, for [LookOutside]: names, links and the
// newest texts.
func (s *Store) Words() (words [][]byte, err error) {
	err = s.View(func(v *View) error {
		words = nil
		for _, sql := range []string{
			`SELECT name FROM self`, `SELECT name FROM contacts`, `SELECT alias FROM contacts`, `SELECT link FROM invites`,
			`SELECT note FROM invites`, `SELECT name FROM requests`, `SELECT greeting FROM requests`, `SELECT name FROM files`, `SELECT text FROM drafts`,
		} {
			texts, err := collect(v.c.query(sql), func(q *query) string { return q.text() }, "read names")
			if err != nil {
				return err
			}
			for _, text := range texts {
				words = append(words, []byte(text))
			}
		}
		texts, err := collect(v.c.query(selectTexts+` ORDER BY m.seq DESC LIMIT ?`).bindInt(wordsMax),
			func(q *query) []byte { return []byte(scanText(q).text) }, "read texts")
		words = append(words, texts...)
		return err
	})
	return words, err
}

// Guess is what trying one passphrase costs whoever seized a profile.
type Guess struct {
	Keyfile bool // there is nothing to guess: the key lies beside the database
	Argon   Argon
	Took    time.Duration // of one guess, here
}

// MeasureGuess tries a wrong passphrase on the profile in dir. It needs no lock.
func MeasureGuess(dir string) (Guess, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Guess{}, fmt.Errorf("measure a guess: %w", err)
	}
	defer root.Close()
	h, err := readHeader(root)
	if err != nil {
		return Guess{}, fmt.Errorf("measure a guess: %w", err)
	}
	if _, err := root.Lstat(keyfileName); err == nil {
		return Guess{Keyfile: true, Argon: h.argon()}, nil
	}
	var wrong [keyBytes]byte
	rand.Read(wrong[:])
	start := time.Now()
	key := h.passphraseKey(wrong[:])
	_, _, err = h.open(&key)
	if !errors.Is(err, ErrBadPassphrase) {
		return Guess{}, fmt.Errorf("measure a guess: a random passphrase opened the profile: %w", ErrDamaged)
	}
	return Guess{Argon: h.argon(), Took: time.Since(start)}, nil
}
