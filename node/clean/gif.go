package clean

import "encoding/binary"

// gif copies pictures and how they follow each other. Comments go, and what applications
// have added but how often it is played.
func (c *cleaner) gif() {
	head := c.read(6 + 7)
	c.size = Size{Width: uint32(binary.LittleEndian.Uint16(head[6:])), Height: uint32(binary.LittleEndian.Uint16(head[8:]))}
	c.write(head)
	c.gifColours(head[10])
	for c.err == nil {
		switch kind := c.byte(); kind {
		case ';':
			c.write([]byte{kind})
			return
		case ',':
			picture := c.read(9)
			c.write([]byte{kind}, picture)
			c.gifColours(picture[8])
			c.copy(1) // how its codes begin
			c.gifBlocks(true)
		case '!':
			c.gifExtension()
		default:
			c.fail()
		}
	}
}

// gifColours copies the table of colours that flags promise.
func (c *cleaner) gifColours(flags byte) {
	if flags&0x80 != 0 {
		c.copy(3 << (flags&7 + 1))
	}
}

func (c *cleaner) gifExtension() {
	const control, plainText, application = 0xf9, 0x01, 0xff
	switch label := c.byte(); label {
	case control, plainText:
		c.write([]byte{'!', label})
		c.gifBlocks(true)
	case application:
		n := c.byte()
		name := c.read(int(n))
		loops := string(name) == "NETSCAPE2.0" || string(name) == "ANIMEXTS1.0"
		if loops {
			c.write([]byte{'!', label, n}, name)
		}
		c.gifBlocks(loops)
	default:
		c.gifBlocks(false)
	}
}

// gifBlocks copies or drops blocks up to the empty one.
func (c *cleaner) gifBlocks(keep bool) {
	for c.err == nil {
		n := c.byte()
		body := c.read(int(n))
		if keep {
			c.write([]byte{n}, body)
		}
		if n == 0 {
			return
		}
	}
}
