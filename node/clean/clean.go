package clean

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// ErrMalformed says that a picture is not what it begins as, and so cannot be cleaned.
var ErrMalformed = errors.New("clean: malformed picture")

// Size is how large a picture says that it is, in pixels.
type Size struct{ Width, Height uint32 }

// Clean copies a picture from r to w without what it tells of its maker, and with nothing
// behind its end. Which way it is to be turned stays. Error: ErrMalformed, or of r or w; what
// was written then is of no use.
func Clean(w io.Writer, r io.Reader) (Size, error) {
	c := &cleaner{in: bufio.NewReaderSize(r, 64<<10), out: bufio.NewWriterSize(w, 64<<10)}
	head, err := c.in.Peek(len(pngSignature))
	if err != nil {
		return Size{}, ErrMalformed
	}
	switch {
	case head[0] == 0xff && head[1] == 0xd8:
		c.jpeg()
	case string(head) == pngSignature:
		c.png()
	case string(head[:3]) == "GIF":
		c.gif()
	default:
		return Size{}, ErrMalformed
	}
	if c.err == nil {
		c.err = c.out.Flush()
	}
	if errors.Is(c.err, io.EOF) || errors.Is(c.err, io.ErrUnexpectedEOF) {
		c.err = ErrMalformed
	}
	return c.size, c.err
}

// cleaner copies one picture. After the first error, which it keeps, nothing is read or
// written any more, and all reads give zeros.
type cleaner struct {
	in   *bufio.Reader
	out  *bufio.Writer
	err  error
	size Size
}

func (c *cleaner) fail() { c.keepError(ErrMalformed) }

func (c *cleaner) keepError(err error) {
	if c.err == nil {
		c.err = err
	}
}

// read reads n bytes.
func (c *cleaner) read(n int) []byte {
	b := make([]byte, n)
	if c.err == nil {
		_, err := io.ReadFull(c.in, b)
		c.keepError(err)
	}
	return b
}

func (c *cleaner) byte() byte { return c.read(1)[0] }

func (c *cleaner) write(parts ...[]byte) {
	for _, b := range parts {
		if c.err == nil {
			_, err := c.out.Write(b)
			c.keepError(err)
		}
	}
}

// copy copies n bytes.
func (c *cleaner) copy(n int64) {
	if c.err == nil {
		_, err := io.CopyN(c.out, c.in, n)
		c.keepError(err)
	}
}

// skip drops n bytes.
func (c *cleaner) skip(n int64) {
	if c.err == nil {
		_, err := io.CopyN(io.Discard, c.in, n)
		c.keepError(err)
	}
}

// orientation finds in the TIFF structure of an Exif block which way a picture is to be
// turned: 1 to 8, 0 if it does not say.
func orientation(tiff []byte) uint16 {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(tiff[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 0
	}
	count := uint64(order.Uint16(tiff[at:]))
	for i := range count {
		entry := at + 2 + 12*i
		if entry+12 > uint64(len(tiff)) {
			return 0
		}
		const tag, short = 0x0112, 3
		if order.Uint16(tiff[entry:]) == tag && order.Uint16(tiff[entry+2:]) == short {
			if n := order.Uint16(tiff[entry+8:]); n <= 8 {
				return n
			}
			return 0
		}
	}
	return 0
}

// turnedHead is how a TIFF structure begins that says which way a picture is to be turned, and
// nothing else.
const turnedHead = "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01"

// Turn returns which way a picture that was cleaned is to be turned, as Exif counts: 1, as it
// lies, to 8.
func Turn(cleaned []byte) int {
	_, rest, found := bytes.Cut(cleaned[:min(len(cleaned), HeadBytes)], []byte(turnedHead))
	if !found || len(rest) < 2 {
		return 1
	}
	return max(1, int(binary.BigEndian.Uint16(rest)))
}

// turned is such a structure.
func turned(n uint16) []byte {
	b := binary.BigEndian.AppendUint16([]byte(turnedHead), n)
	return append(b, 0, 0, 0, 0, 0, 0)
}
