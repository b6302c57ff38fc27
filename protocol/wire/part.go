package wire

import "bytes"

// Part is a part of a small file, sealed under the file's key (package attachment): what goes
// where no stream does.
type Part struct {
	Item   uint8 // the place of the file in its manifest
	Index  uint8 // of the part in the file, below PartsMax
	Sealed []byte
}

// Parts returns in how many parts a file goes, 0 if it is too large for that or is empty.
func Parts(sizeBytes uint64) int {
	if sizeBytes > PartsMax*PartBytes {
		return 0
	}
	return int((sizeBytes + PartBytes - 1) / PartBytes)
}

// PartSize returns the bytes of one part of a file, before it is sealed.
func PartSize(sizeBytes uint64, index int) int {
	return int(min(sizeBytes-uint64(index)*PartBytes, PartBytes))
}

func (p *Part) valid() bool {
	return p.Item < FilesMax && p.Index < PartsMax && len(p.Sealed) > PartTagSize && len(p.Sealed) <= PartBytes+PartTagSize
}

func (p *Part) append(b []byte) []byte {
	b = appendHead(appendHead(b, majorUint, keyPart), majorArray, 3)
	b = appendHead(b, majorUint, uint64(p.Item))
	b = appendHead(b, majorUint, uint64(p.Index))
	return appendBytes(b, p.Sealed)
}

func readPart(r *item) *Part {
	r.fixed(majorArray, 3)
	at, index := r.uint(), r.uint()
	r.bad = r.bad || at >= FilesMax || index >= PartsMax
	return &Part{Item: uint8(at), Index: uint8(index), Sealed: bytes.Clone(r.bytes(majorBytes))}
}
