package node_test

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"pabal/node/api"
)

// fileBytes are those of a file that nobody can guess.
func fileBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// usually returns how much a test does: with -short little, which shows it once.
func usually(much, little int) int {
	if testing.Short() {
		return little
	}
	return much
}

// sendFile brings a file and sends it to a contact.
func (p *person) sendFile(ctx context.Context, contact string, name string, content []byte) api.Message {
	p.t.Helper()
	f := must[api.File](p.t)(p.UploadFile(ctx, api.FileUpload{Name: name, Size: int64(len(content))}, bytes.NewReader(content)))
	return must[api.Message](p.t)(p.SendToContact(ctx, contact, api.MessageRequest{Files: []string{f.ID}}, api.SendOptions{}))
}

// fileNamed waits for a file to come to a state.
func (p *person) fileNamed(ctx context.Context, name, state string) (f api.File) {
	p.t.Helper()
	p.until(ctx, func() bool {
		for _, f = range must[[]api.File](p.t)(p.Files(ctx, "", 0)) {
			if f.Name == name && f.State == state {
				return true
			}
		}
		return false
	})
	return f
}

func (p *person) content(ctx context.Context, id string) []byte {
	p.t.Helper()
	r := must[io.ReadCloser](p.t)(p.FileContent(ctx, id, 0))
	defer r.Close()
	return must[[]byte](p.t)(io.ReadAll(r))
}

func TestFilesArrive(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	small, empty := fileBytes(3<<20+17), []byte{}
	jiwoo.sendFile(ctx, contact.ID, "small.bin", small)
	jiwoo.sendFile(ctx, contact.ID, "empty", empty)
	for name, want := range map[string][]byte{"small.bin": small, "empty": empty} {
		f := mina.fileNamed(ctx, name, api.FileAvailable)
		if got := mina.content(ctx, f.ID); !bytes.Equal(got, want) {
			t.Errorf("%s came as %d bytes", name, len(got))
		}
	}
	if page := must[[]api.Transfer](t)(mina.Transfers(ctx)); len(page) != 0 {
		t.Errorf("still on their way: %+v", page)
	}
}

// TestLargeFileAsks has a file that does not come by itself, is asked for, survives restarts
// of both in the middle, and is deleted with its message.
func TestLargeFileAsks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	content := fileBytes(usually(60, 30) << 20)
	jiwoo.sendFile(ctx, contact.ID, "large.bin", content)
	f := mina.fileNamed(ctx, "large.bin", api.FileRemote)
	if f.Received != 0 {
		t.Errorf("%d bytes of a file that nobody asked for", f.Received)
	}
	must[api.File](t)(mina.FetchFile(ctx, f.ID))
	for range 2 {
		mina.received(ctx, f.ID, 1)
		mina.end()
		mina.start()
		jiwoo.end()
		jiwoo.start()
	}
	f = mina.fileNamed(ctx, "large.bin", api.FileAvailable)
	if got := mina.content(ctx, f.ID); !bytes.Equal(got, content) {
		t.Errorf("it came as %d bytes", len(got))
	}
	if err := mina.DeleteMessage(ctx, *f.MessageID); err != nil {
		t.Fatal(err)
	}
	if _, err := mina.File(ctx, f.ID); !isCode(err, api.CodeNotFound) {
		t.Errorf("behind its message: %v", err)
	}
}

// received waits until so many bytes of a file lie here, or all.
func (p *person) received(ctx context.Context, id string, n uint64) {
	p.t.Helper()
	p.until(ctx, func() bool {
		f := must[api.File](p.t)(p.File(ctx, id))
		return f.Received >= n || f.State == api.FileAvailable
	})
}

// TestDeletedFileDoesNotCome has the sender delete what the receiver then asks for.
func TestDeletedFileDoesNotCome(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	m := jiwoo.sendFile(ctx, contact.ID, "large.bin", fileBytes(11<<20))
	f := mina.fileNamed(ctx, "large.bin", api.FileRemote)
	if err := jiwoo.DeleteMessage(ctx, *m.ID); err != nil {
		t.Fatal(err)
	}
	must[api.File](t)(mina.FetchFile(ctx, f.ID))
	f = mina.fileNamed(ctx, "large.bin", api.FileFailed)
	if f.Reason == nil || *f.Reason != "file_gone" {
		t.Errorf("it failed with %v", f.Reason)
	}
}

func TestPausedFileWaits(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	content := fileBytes(80 << 20)
	jiwoo.sendFile(ctx, contact.ID, "large.bin", content)
	f := mina.fileNamed(ctx, "large.bin", api.FileRemote)
	must[api.File](t)(mina.FetchFile(ctx, f.ID))
	f = must[api.File](t)(mina.PauseFile(ctx, f.ID)) // 80 MB take longer than a request
	if f.State != api.FilePaused {
		t.Fatalf("paused, it is %+v", f)
	}
	must[api.Message](t)(jiwoo.SendToContact(ctx, contact.ID, api.MessageRequest{Text: "x"}, api.SendOptions{Wait: api.StateDelivered, Timeout: api.WaitMax}))
	if len(must[[]api.Transfer](t)(mina.Transfers(ctx))) > 1 {
		t.Error("a paused file is on its way")
	}
	f = must[api.File](t)(mina.CancelFile(ctx, f.ID))
	if f.State != api.FileRemote || f.Received != 0 {
		t.Errorf("cancelled, it is %+v", f)
	}
	must[api.File](t)(mina.FetchFile(ctx, f.ID))
	f = mina.fileNamed(ctx, "large.bin", api.FileAvailable)
	if got := mina.content(ctx, f.ID); !bytes.Equal(got, content) {
		t.Errorf("it came as %d bytes", len(got))
	}
}

// TestCancelledFileComesWhole cancels a transfer in the middle and asks again at once.
func TestCancelledFileComesWhole(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	content := fileBytes(30 << 20)
	jiwoo.sendFile(ctx, contact.ID, "large.bin", content)
	f := mina.fileNamed(ctx, "large.bin", api.FileRemote)
	must[api.File](t)(mina.FetchFile(ctx, f.ID))
	for range 3 {
		mina.received(ctx, f.ID, 5<<20)
		must[api.File](t)(mina.CancelFile(ctx, f.ID))
		must[api.File](t)(mina.FetchFile(ctx, f.ID))
	}
	f = mina.fileNamed(ctx, "large.bin", api.FileAvailable)
	if got := mina.content(ctx, f.ID); !bytes.Equal(got, content) {
		t.Errorf("it came as %d bytes", len(got))
	}
}

// TestThumbnailComesBeforeItsPicture has a picture be seen that waits to be asked for, and one
// whose message came in a file while the sender is off; and no longer when the message is deleted.
func TestThumbnailComesBeforeItsPicture(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina"), newPerson(t, "Jiwoo")
	contact := befriend(ctx, mina, jiwoo)
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 640, 320)), nil); err != nil {
		t.Fatal(err)
	}
	send := func(name string, content []byte) {
		f := must[api.File](t)(jiwoo.UploadFile(ctx, api.FileUpload{Name: name, Size: int64(len(content)), WithMetadata: true}, bytes.NewReader(content)))
		must[api.Message](t)(jiwoo.SendToContact(ctx, contact.ID, api.MessageRequest{Files: []string{f.ID}}, api.SendOptions{}))
	}
	seen := func(f api.File) {
		t.Helper()
		config, err := jpeg.DecodeConfig(bytes.NewReader(must[[]byte](t)(mina.FileThumbnail(ctx, f.ID))))
		if err != nil || config.Width != 320 || config.Height != 160 || !f.Thumbnail || f.Received != 0 {
			t.Errorf("%s: %d by %d, %v, %+v", f.Name, config.Width, config.Height, err, f)
		}
	}
	send("large.jpg", append(bytes.Clone(photo.Bytes()), make([]byte, 11<<20)...))
	f := mina.fileNamed(ctx, "large.jpg", api.FileRemote)
	seen(f)

	mina.end()
	send("small.jpg", photo.Bytes())
	bundle := must[api.Bundle](t)(jiwoo.ExportBundle(ctx, contact.ID))
	jiwoo.end()
	mina.start()
	must[api.BundleImported](t)(mina.ImportBundle(ctx, bundle.File))
	seen(mina.fileNamed(ctx, "small.jpg", api.FileFetching))

	if err := mina.DeleteMessage(ctx, *f.MessageID); err != nil {
		t.Fatal(err)
	}
	if _, err := mina.FileThumbnail(ctx, f.ID); !isCode(err, api.CodeNotFound) {
		t.Errorf("behind its message: %v", err)
	}
}
