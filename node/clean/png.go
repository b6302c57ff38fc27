package clean

import (
	"encoding/binary"
	"hash/crc32"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// png copies the chunks that say how the picture looks. Texts, times, Exif and what is not
// known go; which way the picture is to be turned stays.
func (c *cleaner) png() {
	c.write(c.read(len(pngSignature)))
	for first := true; c.err == nil; first = false {
		head := c.read(8)
		n, kind := binary.BigEndian.Uint32(head), string(head[4:])
		const lengthMax, exifMax = 1<<31 - 1, 1 << 20
		if n > lengthMax || first != (kind == "IHDR") || kind == "IHDR" && n != 13 {
			c.fail()
			return
		}
		switch kind {
		case "IHDR":
			body := c.read(13 + 4)
			c.size = Size{Width: binary.BigEndian.Uint32(body), Height: binary.BigEndian.Uint32(body[4:])}
			c.write(head, body)
		case "PLTE", "IDAT", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "bKGD", "hIST", "pHYs", "cICP", "mDCV", "cLLI",
			"acTL", "fcTL", "fdAT":
			c.write(head)
			c.copy(int64(n) + 4)
		case "IEND":
			c.write(head)
			c.copy(int64(n) + 4)
			return
		case "eXIf":
			if n > exifMax {
				c.skip(int64(n) + 4)
				continue
			}
			if turn := orientation(c.read(int(n))); turn > 1 {
				c.pngWrite(kind, turned(turn))
			}
			c.skip(4)
		default:
			c.skip(int64(n) + 4)
		}
	}
}

func (c *cleaner) pngWrite(kind string, body []byte) {
	b := append([]byte(kind), body...)
	c.write(binary.BigEndian.AppendUint32(nil, uint32(len(body))), b, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)))
}
