package protocol

import (
	"bytes"
	"image"
	"image/jpeg"
	"strings"
	"testing"

	"pabal/protocol/wire"
)

func picture(size uint64) FileToSend {
	return FileToSend{ID: FileID{1}, File: wire.File{Name: "dir/바다.jpg", MediaType: "image/jpeg", SizeBytes: size, Root: [32]byte{7}}}
}

// manifestOf returns the last message that a side stored, and what it says.
func manifestOf(t *testing.T, s *side) (PutMessage, wire.Content) {
	t.Helper()
	for i := len(s.out.Writes) - 1; i >= 0; i-- {
		m, ok := s.out.Writes[i].(PutMessage)
		if !ok {
			continue
		}
		c, _, err := wire.DecodeContent(m.Content)
		if err != nil {
			t.Fatal(err)
		}
		return m, c
	}
	t.Fatal(s.name + " has stored no message")
	return PutMessage{}, wire.Content{}
}

func TestManifestArrives(t *testing.T) {
	a, b := meet(t)
	large := picture(FileWantedBytesMax + 1)
	large.ID = FileID{2}
	a.step(testNow, SendText{Contact: a.only().row.ID, Text: "여기요", Files: []FileToSend{picture(3 << 20), large}})
	pump(t, testNow, a, b)
	sent, ours := manifestOf(t, a)
	got, theirs := manifestOf(t, b)
	if len(sent.Files) != 2 || sent.Files[0].ID != (FileID{1}) || sent.Files[1].ID != (FileID{2}) {
		t.Errorf("the sender's rows name %v", sent.Files)
	}
	if len(got.Files) != 2 || !got.Files[0].Wanted || got.Files[1].Wanted || got.Files[0].ID == got.Files[1].ID {
		t.Errorf("the receiver's rows are %v: the small one is wanted by itself, the large one is not", got.Files)
	}
	if theirs.Text != "여기요" || theirs.Files[0].Name != "바다.jpg" || theirs.ID != [16]byte(sent.ID) {
		t.Errorf("it arrived as %q, %q", theirs.Text, theirs.Files[0].Name)
	}
	if ours.Files[0].Key != theirs.Files[0].Key || ours.Files[0].Key == ours.Files[1].Key || ours.Files[0].Key == [32]byte{} {
		t.Error("each file has a key of its own, the same on both sides")
	}
}

func TestSameFileTwiceHasTwoKeys(t *testing.T) {
	a, _ := meet(t)
	a.step(testNow, SendText{Contact: a.only().row.ID, Files: []FileToSend{picture(1)}})
	_, first := manifestOf(t, a)
	a.step(testNow, SendText{Contact: a.only().row.ID, Files: []FileToSend{picture(1)}})
	_, second := manifestOf(t, a)
	if first.Files[0].Key == second.Files[0].Key {
		t.Error("what is sent twice looks the same on the wire")
	}
}

func TestRefusedFiles(t *testing.T) {
	a, _ := meet(t)
	for what, files := range map[string][]FileToSend{
		CodeTooMany:     make([]FileToSend, wire.FilesMax+1),
		CodeInvalidFile: {picture(wire.FileBytesMax + 1)},
	} {
		if _, err := a.p.Step(testNow, SendText{Contact: a.only().row.ID, Files: files}); !problem(err, what) {
			t.Errorf("%v, not %s", err, what)
		}
	}
	long := SendText{Contact: a.only().row.ID, Text: strings.Repeat("x", TextBytesMax+1), Files: []FileToSend{picture(1)}}
	if _, err := a.p.Step(testNow, long); !problem(err, CodeTextTooLong) {
		t.Errorf("a caption that is too long: %v", err)
	}
}

// TestWhoMayFetch has files go on the paths of an established contact only.
func TestWhoMayFetch(t *testing.T) {
	a, b := meet(t)
	path, ok := a.p.FilePathTo(a.only().row.ID)
	if !ok || path.Relayed {
		t.Fatalf("no path for files: %+v", path)
	}
	if who, _, ok := a.p.FilesFor(path.Conn); !ok || who != a.only().row.ID {
		t.Error("nobody may fetch on a contact's path")
	}
	if _, _, ok := a.p.FilesFor(path.Conn + 1000); ok {
		t.Error("somebody may fetch on a connection that is not there")
	}
	_, theirs := stranger(a, testNow, 77, [32]byte{5})
	_ = theirs
	if _, _, ok := a.p.FilesFor(77); ok {
		t.Error("a stranger may fetch")
	}
	a.step(testNow, SetBlocked{Contact: a.only().row.ID, Blocked: true})
	if _, _, ok := a.p.FilesFor(path.Conn); ok {
		t.Error("a blocked contact may fetch")
	}
	if _, ok := a.p.FilePathTo(a.only().row.ID); ok {
		t.Error("a blocked contact is asked")
	}
	part(b)
	if _, ok := b.p.FilePathTo(b.only().row.ID); ok {
		t.Error("there is a path without a connection")
	}
}

// TestFilesKeepAConnection has one on which only chunks go stay, and a contact whose files
// wait be tried.
func TestFilesKeepAConnection(t *testing.T) {
	a, b := meet(t)
	path, _ := a.p.FilePathTo(a.only().row.ID)
	later := testNow.Add(connIdleMax - 1)
	a.step(later, FilesStir{Contact: a.only().row.ID, Conn: path.Conn})
	a.step(testNow.Add(connIdleMax+connIdleMax/2), Woke{})
	if _, _, ok := a.p.FilesFor(path.Conn); !ok {
		t.Error("the connection was closed under the files")
	}
	part(b)
	b.only().backoff.Clear()
	b.step(testNow.Add(connIdleMax), FilesStir{Contact: b.only().row.ID})
	if !b.only().wanted && len(b.out.Sends) == 0 {
		t.Error("nobody looks for a contact whose files wait")
	}
}

// TestThumbnailsTravelInManifests has a contact that is off get what a picture looks like with
// the message, by a file as by any path, while the picture itself stays where it is.
func TestThumbnailsTravelInManifests(t *testing.T) {
	a, b := meet(t)
	part(a)
	part(b)
	small := thumbnail(t, 2)
	with := picture(3 << 20)
	with.File.Thumbnail = small
	a.step(testNow, SendText{Contact: a.only().row.ID, Files: []FileToSend{picture(1), with}})
	a.step(testNow, ExportBundle{Ref: 1, Contact: a.only().row.ID})
	b.step(testNow, ImportBundle{Ref: 1, File: a.out.Replies[len(a.out.Replies)-1].Result.(BundleExported).File})
	_, got := manifestOf(t, b)
	if got.Files[0].Thumbnail != nil || !bytes.Equal(got.Files[1].Thumbnail, small) {
		t.Error("the thumbnail did not come with the message")
	}
}

// TestThumbnailsMakeRoom has names and a caption come before thumbnails, and the first file's
// before the last one's.
func TestThumbnailsMakeRoom(t *testing.T) {
	a, b := meet(t)
	var files []FileToSend
	for range wire.FilesMax {
		f := picture(1)
		f.File.Name, f.File.MediaType = strings.Repeat("n", wire.FileNameBytesMax), "image/"+strings.Repeat("x", wire.MediaTypeBytesMax-6)
		f.File.Waveform, f.File.Thumbnail = make([]byte, wire.WaveformBytesMax), thumbnail(t, wire.ThumbnailSideMax)
		files = append(files, f)
	}
	for _, caption := range []string{"", strings.Repeat("x", TextBytesMax)} {
		a.step(testNow, SendText{Contact: a.only().row.ID, Text: caption, Files: files})
		pump(t, testNow, a, b)
		_, got := manifestOf(t, b)
		if got.Text != caption || len(got.Files) != wire.FilesMax || got.Files[0].Thumbnail == nil || got.Files[wire.FilesMax-1].Thumbnail != nil {
			t.Errorf("beside a caption of %d bytes the first file's thumbnail goes, and not all of them", len(caption))
		}
	}
	bad := picture(1)
	bad.File.Thumbnail = []byte("<svg/>")
	if _, err := a.p.Step(testNow, SendText{Contact: a.only().row.ID, Files: []FileToSend{bad}}); !problem(err, CodeInvalidFile) {
		t.Errorf("what is no picture is a thumbnail: %v", err)
	}
}

// thumbnail makes one of some width, of as many bytes as it may have if it is the widest.
func thumbnail(t *testing.T, width int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, width, 1)), nil); err != nil {
		t.Fatal(err)
	}
	if width == wire.ThumbnailSideMax {
		b.Write(make([]byte, wire.ThumbnailBytesMax-b.Len()))
	}
	return b.Bytes()
}
