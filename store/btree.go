package store

import "encoding/binary"

// The kinds of b-tree pages, as their first byte says. See "Database File Format"
// of SQLite, section 1.6.
const (
	interiorIndex = 2
	interiorTable = 5
	leafIndex     = 10
	leafTable     = 13
)

// unowned counts the bytes of a b-tree page that are not zero and belong to no
// row: neither to a cell nor to the header, nor to what chains free blocks together.
// Deleting and clearing gaps leave none. Pages of other kinds have 0.
func unowned(page []byte, first bool) int {
	h := 0
	if first {
		h = 100 // page 1 begins with the file header
	}
	size := 8
	switch page[h] {
	case interiorIndex, interiorTable: // have a right-most child
		size = 12
	case leafIndex, leafTable:
	default:
		return 0
	}
	var rest [pageBytes]byte
	copy(rest[:], page)
	cells := int(binary.BigEndian.Uint16(page[h+3:]))
	from := h + size
	to := min(from+2*cells, len(page))
	clear(rest[:to])
	for at := from; at+2 <= to; at += 2 {
		cell := int(binary.BigEndian.Uint16(page[at:]))
		if cell < len(page) {
			clear(rest[cell:min(cell+cellBytes(page[h], page[cell:]), len(page))])
		}
	}
	block := int(binary.BigEndian.Uint16(page[h+1:]))
	for range len(page) / 4 { // more there cannot be
		if block == 0 || block+4 > len(page) {
			break
		}
		clear(rest[block : block+4])
		block = int(binary.BigEndian.Uint16(page[block:]))
	}
	return notZero(rest[:])
}

// cellBytes is how much of a page the cell at the start of b takes.
func cellBytes(kind byte, b []byte) int {
	const cellMin = 4 // smaller ones are padded
	n := 0
	if kind == interiorIndex || kind == interiorTable {
		n = 4 // the left child
	}
	if kind == interiorTable {
		_, key := varint(b[min(n, len(b)):])
		return max(n+key, cellMin)
	}
	payload, used := varint(b[min(n, len(b)):])
	n += used
	if kind == leafTable {
		_, key := varint(b[min(n, len(b)):])
		n += key
	}
	local := localBytes(kind, payload)
	if uint64(local) < payload {
		n += 4 // the first overflow page
	}
	return max(n+local, cellMin)
}

// localBytes is how many bytes of a payload lie in the cell and not in overflow pages.
func localBytes(kind byte, payload uint64) int {
	const usable, least = pageBytes, (pageBytes-12)*32/255 - 23
	most := (usable-12)*64/255 - 23
	if kind == leafTable {
		most = usable - 35
	}
	if payload <= uint64(most) {
		return int(payload)
	}
	k := least + int((payload-least)%(usable-4))
	if k <= most {
		return k
	}
	return least
}

// varint reads SQLite's variable-length integer and returns how many bytes it has.
func varint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		v = v<<7 | uint64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return v, n
		}
	}
	if n == 8 && len(b) > 8 {
		return v<<8 | uint64(b[8]), 9
	}
	return v, n
}
