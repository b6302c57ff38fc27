package clean

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Verdict says what may be told by a file of a type.
type Verdict int

// The verdicts.
const (
	Plain   Verdict = iota // nothing that this package knows of
	Picture                // what it tells can be removed by Clean
	Telling                // it may tell of its maker, and that cannot be removed
)

// HeadBytes and TailBytes are how much of a file's beginning and end Look should see.
const (
	HeadBytes = 64 << 10
	TailBytes = 64 << 10
)

// Look says of what media type a file is, if that is sure, and what may be told by it.
func Look(head, tail []byte) (mediaType string, v Verdict) {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return "image/jpeg", Picture
	case bytes.HasPrefix(head, []byte(pngSignature)):
		return "image/png", Picture
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return "image/gif", Picture
	case telling(head, tail):
		return "", Telling
	}
	return "", Plain
}

// telling reports whether a file is of a type that is known to carry what tells of its maker.
func telling(head, tail []byte) bool {
	for _, magic := range []string{
		"II*\x00", "MM\x00*", "II+\x00", "MM\x00+", // TIFF, and most raw formats of cameras
		"FUJIFILMCCD-RAW", "IIRO", "IIRS", "MMOR", "IIU\x00", "FOVb", "\x00MRM", "II\x1a\x00\x00\x00HEAPCCDR", // the others
		"ID3", "fLaC", "wvpk", "MAC ", "\x30\x26\xb2\x75", // tagged sound, Windows media
		"\xd0\xcf\x11\xe0", "{\\rtf", "8BPS", "\x1a\x45\xdf\xa3", // old Office, RTF, Photoshop, Matroska
		"\x00\x00\x00\x0cJXL ", "\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51", // JPEG XL, JPEG 2000
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	switch {
	case len(head) >= 12 && isBox(string(head[4:8])): // HEIC, AVIF, MP4, MOV, M4A
		return true
	case bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")), isDrawing(head):
		return true
	case bytes.HasPrefix(head, []byte("RIFF")) && len(head) >= 12:
		return riffTells(head)
	case bytes.HasPrefix(head, []byte("OggS")):
		return oggTells(head)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return zipTells(head) || zipTells(tail)
	}
	return len(tail) >= 128 && bytes.HasPrefix(tail[len(tail)-128:], []byte("TAG")) || bytes.Contains(tail, []byte("APETAGEX"))
}

// isBox reports whether a file of ISO media or QuickTime begins with such a box.
func isBox(name string) bool {
	switch name {
	case "ftyp", "moov", "mdat", "wide", "skip", "pnot":
		return true
	}
	return false
}

// isDrawing reports whether a file is SVG, or other XML, which says who drew it with what.
func isDrawing(head []byte) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	for _, begin := range []string{"<?xml", "<svg", "<!doctype svg"} {
		if len(text) >= len(begin) && strings.EqualFold(string(text[:len(begin)]), begin) {
			return true
		}
	}
	return bytes.HasPrefix(text, []byte("<!--")) && bytes.Contains(text, []byte("<svg"))
}

// riffTells looks into WebP, WAV and AVI: a WebP says in front whether it carries Exif or XMP,
// a sound or video may carry a list of tags anywhere.
func riffTells(head []byte) bool {
	if string(head[8:12]) != "WEBP" {
		return true
	}
	const exif, xmp = 0x08, 0x04
	return len(head) > 20 && string(head[12:16]) == "VP8X" && head[20]&(exif|xmp) != 0
}

// oggTells looks for tags in the second packet of Vorbis or Opus. A voice note without any
// says no more than what made it.
func oggTells(head []byte) bool {
	for _, magic := range []string{"OpusTags", "\x03vorbis"} {
		_, rest, found := bytes.Cut(head, []byte(magic))
		if !found || len(rest) < 4 {
			continue
		}
		vendor := uint64(binary.LittleEndian.Uint32(rest))
		if uint64(len(rest)) < 8+vendor {
			return true
		}
		return binary.LittleEndian.Uint32(rest[4+vendor:]) != 0
	}
	return true
}

// zipTells reports whether an archive is a document of an office.
func zipTells(b []byte) bool {
	for _, name := range []string{"[Content_Types].xml", "docProps/", "mimetypeapplication/vnd.oasis", "mimetypeapplication/epub", "Index/Document.iwa"} {
		if bytes.Contains(b, []byte(name)) {
			return true
		}
	}
	return false
}
