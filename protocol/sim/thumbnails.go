package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"

	"pabal/protocol"
	"pabal/protocol/wire"
)

// thumbnail makes one that was never there before, of any size that may travel. Its comment has
// the marker in it, which is to be seen nowhere.
func (w *World) thumbnail() []byte {
	var b bytes.Buffer
	m := image.NewGray(image.Rect(0, 0, 1+w.random.IntN(wire.ThumbnailSideMax), 1+w.random.IntN(16)))
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic("sim: a grey picture cannot be encoded")
	}
	w.truth.thumbnails++
	comment := fmt.Appendf(nil, "%s thumbnail %d.", marker, w.truth.thumbnails)
	const head = 4 // of a comment
	comment = append(comment, make([]byte, w.random.IntN(wire.ThumbnailBytesMax-b.Len()-len(comment)-head))...)
	picture := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xfe}, uint16(2+len(comment)))
	return append(append(picture, comment...), b.Bytes()[2:]...)
}

// checkThumbnails checks that the thumbnails of a message are those that its author gave it, but
// for those for which there was no room.
func checkThumbnails(got []wire.File, asked []protocol.FileToSend) error {
	for i := range got {
		if len(got[i].Thumbnail) > 0 && !bytes.Equal(got[i].Thumbnail, asked[i].File.Thumbnail) {
			return fmt.Errorf("another thumbnail than that of file %d", i)
		}
	}
	if len(got) > 0 && len(got[0].Thumbnail) == 0 && len(asked[0].File.Thumbnail) > 0 {
		return fmt.Errorf("no thumbnail of the first file, for which there is room beside any caption")
	}
	return nil
}

// checkGoneThumbnails checks that no thumbnail of a message that was erased is on a disk: neither
// in what it holds of other messages, nor in what waits to be sent.
func (t *truth) checkGoneThumbnails(m *machine, gone []*message) {
	for _, msg := range gone {
		content, _, err := wire.DecodeContent(msg.Content)
		if err != nil {
			continue
		}
		for _, f := range content.Files {
			if len(f.Thumbnail) > 0 && m.disk.says(f.Thumbnail) {
				t.w.fail("%v: a thumbnail of %s is still there", m, short(msg.text))
			}
		}
	}
}

// says looks for bytes in all that was said.
func (d *disk) says(b []byte) bool {
	for _, m := range d.messages {
		if bytes.Contains(m.Content, b) {
			return true
		}
	}
	for _, o := range d.operations {
		if bytes.Contains(o.Content, b) {
			return true
		}
	}
	for _, o := range d.outbox {
		for _, c := range o.Contents {
			if bytes.Contains(c.Inline, b) {
				return true
			}
		}
	}
	return false
}
