package clean

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
)

// The markers of JPEG that are looked at.
const (
	jpegSOI  = 0xd8
	jpegEOI  = 0xd9
	jpegSOS  = 0xda
	jpegAPP0 = 0xe0
	jpegAPP1 = 0xe1
	jpegAPP2 = 0xe2
	jpegAPPE = 0xee
)

// jpeg copies the segments that a decoder needs: tables, frames, scans, the colour profile,
// and how colours are coded. Exif is replaced by one entry if the picture is to be turned;
// thumbnails, comments and every other application's data go. What shows nothing, because no
// frame is in it, is no picture.
func (c *cleaner) jpeg() {
	c.write(c.read(2))
	for marker := c.jpegMarker(); c.err == nil; {
		switch {
		case marker == jpegEOI && c.size.Width > 0:
			c.write([]byte{0xff, jpegEOI})
			return
		case marker == jpegSOI, marker == jpegEOI, marker <= 0x01, marker >= 0xd0 && marker < jpegSOI: // have no place between segments
			c.fail()
			return
		}
		n := int(binary.BigEndian.Uint16(c.read(2)))
		if n < 2 {
			c.fail()
			return
		}
		c.jpegSegment(marker, n-2)
		if marker == jpegSOS {
			marker = c.jpegScan()
		} else {
			marker = c.jpegMarker()
		}
	}
}

// jpegMarker reads a marker, in front of which there may be padding.
func (c *cleaner) jpegMarker() byte {
	if c.byte() != 0xff {
		c.fail()
		return 0
	}
	marker := c.byte()
	for marker == 0xff && c.err == nil {
		marker = c.byte()
	}
	return marker
}

func (c *cleaner) jpegSegment(marker byte, n int) {
	switch {
	case marker == jpegAPP0, marker == jpegAPP1, marker == jpegAPP2, marker == jpegAPPE:
		c.jpegApplication(marker, c.read(n))
	case marker > jpegAPP2: // SOF, tables and scans have lower numbers
		c.skip(int64(n)) // other applications, comments, extensions nobody uses
	default:
		body := c.read(n)
		if isFrame(marker) && n >= 5 {
			c.size = Size{Width: uint32(binary.BigEndian.Uint16(body[3:])), Height: uint32(binary.BigEndian.Uint16(body[1:]))}
		}
		c.jpegWrite(marker, body)
	}
}

// isFrame reports whether a segment begins a frame.
func isFrame(marker byte) bool {
	const dht, jpg, dac = 0xc4, 0xc8, 0xcc
	return marker >= 0xc0 && marker <= 0xcf && marker != dht && marker != jpg && marker != dac
}

func (c *cleaner) jpegApplication(marker byte, body []byte) {
	const jfifBytes, adobeBytes = 14, 12
	switch {
	case marker == jpegAPP0 && bytes.HasPrefix(body, []byte("JFIF\x00")) && len(body) >= jfifBytes:
		c.jpegWrite(marker, append(bytes.Clone(body[:jfifBytes-2]), 0, 0)) // no thumbnail
	case marker == jpegAPP1 && bytes.HasPrefix(body, []byte("Exif\x00")) && len(body) > 6:
		if n := orientation(body[6:]); n > 1 {
			c.jpegWrite(marker, append([]byte("Exif\x00\x00"), turned(n)...))
		}
	case marker == jpegAPP2 && bytes.HasPrefix(body, []byte("ICC_PROFILE\x00")):
		c.jpegWrite(marker, body)
	case marker == jpegAPPE && bytes.HasPrefix(body, []byte("Adobe")) && len(body) >= adobeBytes:
		c.jpegWrite(marker, body[:adobeBytes])
	}
}

func (c *cleaner) jpegWrite(marker byte, body []byte) {
	c.write([]byte{0xff, marker}, binary.BigEndian.AppendUint16(nil, uint16(len(body)+2)), body)
}

// jpegScan copies coded data up to the next marker that is none of its own, which it returns.
func (c *cleaner) jpegScan() byte {
	for c.err == nil {
		part, err := c.in.ReadSlice(0xff)
		if errors.Is(err, bufio.ErrBufferFull) {
			c.write(part)
			continue
		}
		if err != nil {
			c.keepError(err)
			return 0
		}
		c.write(part[:len(part)-1])
		m := c.byte()
		for m == 0xff && c.err == nil { // padding
			m = c.byte()
		}
		if m != 0x00 && (m < 0xd0 || m >= jpegSOI) {
			return m
		}
		c.write([]byte{0xff, m}) // a stuffed byte, a restart
	}
	return 0
}
