package wire

import (
	"encoding/binary"
	"strings"
	"unicode"
)

// File is what a manifest says of one file.
type File struct {
	// Name is shown, and never used as a path; see ValidFileName.
	Name string
	// MediaType is what the sender says that the file is.
	MediaType string
	// SizeBytes is at most FileBytesMax.
	SizeBytes uint64
	// Root is the hash that all of the file is checked against, Key what it is sealed
	// under on its way (package attachment).
	Root, Key [32]byte
	// Width and Height are of a picture or a video, in pixels; 0 is not known.
	Width, Height uint32
	// DurationMS is of a sound or a video; 0 is not known.
	DurationMS uint32
	// Waveform is the loudness of a voice note, evenly spread; a file with one is one.
	Waveform []byte
	// Thumbnail is a small picture of what the file shows, see [ValidThumbnail]. Nil: none. It
	// travels in the manifest, and so on every path.
	Thumbnail []byte
}

// ValidFileName reports whether a file's name may travel: 1 to FileNameBytesMax bytes of
// UTF-8, all of them characters that show as themselves, no separator of paths, and not
// the name of a directory.
func ValidFileName(name string) bool {
	if name == "" || name == "." || name == ".." || !validText(name, FileNameBytesMax) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !ShowsInName(r) })
}

// ShowsInName reports whether a character may stand in a file's name.
func ShowsInName(r rune) bool {
	switch {
	case r == '/', r == '\\', r == '\u2028', r == '\u2029', r == unicode.ReplacementChar:
		return false
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return false
	}
	return true
}

// validMediaType reports whether s has the form type/subtype, without parameters.
func validMediaType(s string) bool {
	kind, sub, found := strings.Cut(s, "/")
	if !found || kind == "" || sub == "" || len(s) > MediaTypeBytesMax {
		return false
	}
	return !strings.ContainsFunc(kind+sub, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$&^_.+-", r))
	})
}

func (f *File) valid() bool {
	return ValidFileName(f.Name) && validMediaType(f.MediaType) && f.SizeBytes <= FileBytesMax &&
		f.Width <= PixelsMax && f.Height <= PixelsMax && len(f.Waveform) <= WaveformBytesMax
}

// Valid reports whether a manifest of ours may say this of a file. Of one that comes nobody looks
// at the thumbnail before it is drawn: a bad one must not take the message with it.
func (f *File) Valid() bool {
	return f.valid() && (len(f.Thumbnail) == 0 || ValidThumbnail(f.Thumbnail))
}

func validFiles(files []File) bool {
	if len(files) > FilesMax {
		return false
	}
	for i := range files {
		if !files[i].valid() {
			return false
		}
	}
	return true
}

// fileFields is the number of fields of a file in a manifest.
const fileFields = 9

func appendFiles(b []byte, files []File) []byte {
	b = appendHead(append(b, keyFiles), majorArray, uint64(len(files)))
	for i := range files {
		f := &files[i]
		b = appendHead(b, majorArray, fileFields)
		b = append(appendHead(b, majorText, uint64(len(f.Name))), f.Name...)
		b = append(appendHead(b, majorText, uint64(len(f.MediaType))), f.MediaType...)
		b = appendHead(b, majorUint, f.SizeBytes)
		b = appendBytes(b, f.Root[:])
		b = appendBytes(b, f.Key[:])
		for _, n := range [...]uint32{f.Width, f.Height, f.DurationMS} {
			b = appendHead(b, majorUint, uint64(n))
		}
		b = appendBytes(b, f.Waveform)
	}
	return b
}

func readFiles(r *item) []File {
	n := r.head(majorArray)
	if n > FilesMax {
		r.bad = true
	}
	var files []File
	for ; n > 0 && !r.bad; n-- {
		var f File
		r.fixed(majorArray, fileFields)
		f.Name = string(r.bytes(majorText))
		f.MediaType = string(r.bytes(majorText))
		f.SizeBytes = r.uint()
		r.fill(f.Root[:])
		r.fill(f.Key[:])
		f.Width, f.Height, f.DurationMS = r.uint32(), r.uint32(), r.uint32()
		if wave := r.bytes(majorBytes); len(wave) > 0 {
			f.Waveform = append([]byte(nil), wave...)
		}
		files = append(files, f)
	}
	return files
}

// FileFetch asks for chunks First, First+1, … of a file of a message, which a contact of ours
// has sent us; First = FileListIndex asks for the list of their hashes.
type FileFetch struct {
	Message [16]byte // its id, as it travelled
	Item    uint8    // which of its files
	First   uint32
	Count   uint32 // 1 to FileFetchMax
}

// FileListIndex stands for the list of hashes.
const FileListIndex = 1<<32 - 1

// FileFetchMax bounds the chunks that one frame asks for.
const FileFetchMax = 8

const (
	fileFetchSize       = 16 + 1 + 4 + 4
	fileChunkHead       = 4
	sealedChunkBytesMax = 24 + 1<<20 + 16 // attachment.SealedBytesMax
)

// Append appends the body to dst.
func (f *FileFetch) Append(dst []byte) []byte {
	dst = append(dst, f.Message[:]...)
	dst = append(dst, f.Item)
	dst = binary.BigEndian.AppendUint32(dst, f.First)
	return binary.BigEndian.AppendUint32(dst, f.Count)
}

// ParseFileFetch reads the body of a file fetch. Error: ErrFrame.
func ParseFileFetch(body []byte) (FileFetch, error) {
	var f FileFetch
	if len(body) != fileFetchSize {
		return f, ErrFrame
	}
	r := reader{b: body}
	r.bytes(f.Message[:])
	f.Item = body[16]
	r.b = body[17:]
	f.First, f.Count = r.uint32(), r.uint32()
	if f.Count == 0 || f.Count > FileFetchMax {
		return f, ErrFrame
	}
	return f, nil
}

// AppendFileChunk appends the body of a chunk to dst, without what is sealed.
func AppendFileChunk(dst []byte, index uint32) []byte {
	return binary.BigEndian.AppendUint32(dst, index)
}

// ParseFileChunk reads the body of a chunk; sealed is a part of it. Error: ErrFrame.
func ParseFileChunk(body []byte) (index uint32, sealed []byte, err error) {
	if len(body) <= fileChunkHead {
		return 0, nil, ErrFrame
	}
	return binary.BigEndian.Uint32(body), body[fileChunkHead:], nil
}

// FileRefusal says why chunks do not come.
type FileRefusal uint8

// The reasons.
const (
	FileGone  FileRefusal = 1 // there is no such file, or not for the one who asks, or not any more
	FileBusy  FileRefusal = 2 // too many are fetched at once: ask again later
	FileLarge FileRefusal = 3 // too large for a relayed connection
)
