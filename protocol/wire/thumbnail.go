package wire

import (
	"bytes"
	"image/jpeg"
	"slices"
)

// ValidThumbnail reports whether a thumbnail may travel: a JPEG within ThumbnailSideMax and
// ThumbnailBytesMax, of which only the head is read. Whoever draws it decodes no more than
// that many pixels.
func ValidThumbnail(b []byte) bool {
	if len(b) > ThumbnailBytesMax {
		return false
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	return err == nil && min(c.Width, c.Height) >= 1 && max(c.Width, c.Height) <= ThumbnailSideMax
}

func hasThumbnail(files []File) bool {
	return slices.ContainsFunc(files, func(f File) bool { return len(f.Thumbnail) > 0 })
}

// appendThumbnails writes the thumbnails of a manifest: [item, JPEG] each, by item.
func appendThumbnails(b []byte, files []File) []byte {
	n := 0
	for i := range files {
		n += min(len(files[i].Thumbnail), 1)
	}
	b = appendHead(appendHead(b, majorUint, keyThumbs), majorArray, uint64(n))
	for i := range files {
		if len(files[i].Thumbnail) > 0 {
			b = appendHead(b, majorArray, 2)
			b = appendHead(b, majorUint, uint64(i))
			b = appendBytes(b, files[i].Thumbnail)
		}
	}
	return b
}

// readThumbnails reads them into the files, which stand before them in the map.
func readThumbnails(r *item, files []File) {
	n := r.head(majorArray)
	r.bad = r.bad || n == 0 || n > uint64(len(files))
	for next := uint64(0); n > 0 && !r.bad; n-- {
		r.fixed(majorArray, 2)
		i := r.uint()
		jpeg := r.bytes(majorBytes)
		if r.bad || i < next || i >= uint64(len(files)) || len(jpeg) == 0 {
			r.bad = true
			return
		}
		files[i].Thumbnail = append([]byte(nil), jpeg...)
		next = i + 1
	}
}
