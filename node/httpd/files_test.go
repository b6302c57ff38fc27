package httpd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pabal/node/api"
	"pabal/protocol/attachment"
)

// upload brings a file under a name.
func (w *world) upload(t *testing.T, name, content string) api.File {
	t.Helper()
	var out api.File
	w.d.must(201, call{method: "POST", path: "/v1/files", body: content, header: map[string]string{
		api.HeaderName: url.PathEscape(name), "Content-Type": "application/octet-stream",
	}}).into(t, &out)
	return out
}

func TestFileGoesWithAMessage(t *testing.T) {
	w := newWorld(t)
	content := strings.Repeat("바다 ", 400_000) // 2.8 MB
	f := w.upload(t, "../../바다.txt", content)
	if f.Name != "바다.txt" || f.State != api.FileAvailable || f.Size != uint64(len(content)) || f.Received != f.Size || f.MessageID != nil {
		t.Errorf("brought: %+v", f)
	}
	var m api.Message
	w.d.must(201, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages",
		body: `{"text":"여기","files":["` + f.ID + `"]}`}).into(t, &m)
	if m.Kind != api.MessageFile || m.Body.Text != "여기" || len(m.Attachments) != 1 || m.Attachments[0].ID != f.ID {
		t.Errorf("the message: %+v", m)
	}
	w.d.must(200, call{method: "GET", path: "/v1/files/" + f.ID}).into(t, &f)
	if f.MessageID == nil || *f.MessageID != *m.ID || *f.ConversationID != w.conversation || *f.Direction != api.DirectionOut {
		t.Errorf("sent: %+v", f)
	}
	got := w.d.must(200, call{method: "GET", path: "/v1/files/" + f.ID + "/content"})
	if got.body != strings.TrimSpace(content) {
		t.Errorf("%d bytes come back", len(got.body))
	}
	part := w.d.must(206, call{method: "GET", path: "/v1/files/" + f.ID + "/content", header: map[string]string{"Range": "bytes=1048570-1048589"}})
	if part.body != strings.TrimSpace(content[1048570:1048590]) {
		t.Errorf("a range over two chunks is %q", part.body)
	}
	w.d.must(304, call{method: "GET", path: "/v1/files/" + f.ID + "/content", header: map[string]string{"If-None-Match": got.header.Get("ETag")}})
	if a := w.d.must(409, call{method: "DELETE", path: "/v1/files/" + f.ID}); a.problem() != api.CodeFileInUse {
		t.Errorf("deleted under a message: %s", a.problem())
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *m.ID})
	w.d.must(404, call{method: "GET", path: "/v1/files/" + f.ID})
	w.d.must(404, call{method: "GET", path: "/v1/files/" + f.ID + "/content"})
}

func TestPutWithFilesIsIdempotent(t *testing.T) {
	w := newWorld(t)
	f, other := w.upload(t, "a", "one"), w.upload(t, "a", "two")
	path, body := "/v1/conversations/"+w.conversation+"/messages/"+api.NewMessageID(), `{"files":["`+f.ID+`"]}`
	var m api.Message
	w.d.must(201, call{method: "PUT", path: path, body: body}).into(t, &m)
	if m.Body != nil {
		t.Errorf("a caption that nobody wrote: %+v", m.Body)
	}
	w.d.must(200, call{method: "PUT", path: path, body: body})
	w.d.must(409, call{method: "PUT", path: path, body: `{"files":["` + other.ID + `"]}`})
}

func TestUploadGoesOnBehindItsLastChunk(t *testing.T) {
	w := newWorld(t)
	content := strings.Repeat("0123456789abcdef", (2<<20+300)/16)
	begin := w.d.must(201, call{method: "POST", path: "/v1/files", header: map[string]string{
		api.HeaderUploadLength: fmt.Sprint(len(content)), api.HeaderUploadComplete: "?0", api.HeaderName: "a.txt",
	}})
	var f api.File
	begin.into(t, &f)
	path := "/v1/files/" + f.ID
	if f.State != api.FileUploading || begin.header.Get(api.HeaderUploadOffset) != "0" {
		t.Fatalf("begun: %+v, %v", f, begin.header)
	}
	patch := func(status int, offset int, part string) answer {
		return w.d.must(status, call{method: "PATCH", path: path, body: part, header: map[string]string{
			api.HeaderUploadOffset: fmt.Sprint(offset), "Content-Type": "application/octet-stream",
		}})
	}
	patch(200, 0, content[:attachment.ChunkBytes+500]) // cut in a chunk
	head := w.d.must(200, call{method: "HEAD", path: path})
	if at := head.header.Get(api.HeaderUploadOffset); at != fmt.Sprint(attachment.ChunkBytes) || head.header.Get(api.HeaderUploadComplete) != "?0" {
		t.Fatalf("it goes on at %s", at)
	}
	if a := w.d.must(409, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"files":["` + f.ID + `"]}`}); a.problem() != api.CodeFileNotReady {
		t.Errorf("half a file is sent: %s", a.problem())
	}
	if a := patch(409, 0, content); a.problem() != api.CodeUploadOffsetMismatch {
		t.Errorf("from the start again: %s", a.problem())
	}
	patch(200, attachment.ChunkBytes, content[attachment.ChunkBytes:]).into(t, &f)
	if f.State != api.FileAvailable {
		t.Fatalf("at the end it is %s", f.State)
	}
	if got := w.d.must(200, call{method: "GET", path: path + "/content"}); got.body != content {
		t.Error("what comes back is not what was brought")
	}
}

func TestHostileUploads(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		header map[string]string
		status int
		code   api.Code
	}{
		"larger than the largest": {map[string]string{api.HeaderUploadLength: fmt.Sprint(api.FileBytesMax + 1), api.HeaderUploadComplete: "?0"}, 413, api.CodeTooLarge},
		"no size":                 {map[string]string{api.HeaderUploadComplete: "?0"}, 411, api.CodeLengthRequired},
		"a size below nothing":    {map[string]string{api.HeaderUploadLength: "-5", api.HeaderUploadComplete: "?0"}, 411, api.CodeLengthRequired},
		"a name that is no UTF-8": {map[string]string{api.HeaderName: "%zz"}, 422, api.CodeInvalidFile},
		"a waveform too long":     {map[string]string{api.HeaderWaveform: strings.Repeat("00", 129)}, 422, api.CodeInvalidFile},
		"a duration in words":     {map[string]string{api.HeaderDuration: "long"}, 422, api.CodeInvalidFile},
	} {
		if a := w.d.must(c.status, call{method: "POST", path: "/v1/files", header: c.header}); a.problem() != c.code {
			t.Errorf("%s: %s", name, a.problem())
		}
	}
	for name, want := range map[string]string{
		"../../../etc/passwd": "passwd", "a\nb\x00.txt": "ab.txt", "\u202egpj.exe": "gpj.exe", "..": "file",
		strings.Repeat("길", 300): strings.Repeat("길", 85), `..\..\windows\system32\x.dll`: "x.dll",
	} {
		if f := w.upload(t, name, "x"); f.Name != want {
			t.Errorf("%q is called %q", name, f.Name)
		}
	}
	if files := w.files(t); len(files) > 7 { // those just brought, and the world's
		t.Errorf("refused uploads are left: %d files", len(files))
	}
}

func (w *world) files(t *testing.T) []api.File {
	t.Helper()
	var out list[api.File]
	w.d.must(200, call{method: "GET", path: "/v1/files"}).into(t, &out)
	return out.Items
}

// TestActiveContentIsOnlySaved has nothing that could run be shown in place, whatever its
// name and type say.
func TestActiveContentIsOnlySaved(t *testing.T) {
	w := newWorld(t)
	_, png := onePixel(t)
	for name, c := range map[string]struct{ name, content, kind, disposition string }{
		"a page":            {"a.html", "<html><script>alert(1)</script>", "application/octet-stream", "attachment"},
		"a picture of code": {"a.svg", `<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`, "application/octet-stream", "attachment"},
		"a page as picture": {"a.png", "<html><script>alert(1)</script>", "application/octet-stream", "attachment"},
		"a document":        {"a.pdf.txt", "just %PDF text", "application/octet-stream", "attachment"},
		"a picture":         {"그림 \"1\".png", png, "image/png", "inline"},
	} {
		var f api.File
		w.d.must(201, call{method: "POST", path: "/v1/files", body: c.content, header: map[string]string{
			api.HeaderName: url.PathEscape(c.name), "Content-Type": "application/octet-stream", api.HeaderMetadata: api.MetadataKeep,
		}}).into(t, &f)
		a := w.d.must(200, call{method: "GET", path: "/v1/files/" + f.ID + "/content", token: w.owner})
		h := a.header
		if h.Get("Content-Type") != c.kind || !strings.HasPrefix(h.Get("Content-Disposition"), c.disposition+";") ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" ||
			strings.ContainsAny(h.Get("Content-Disposition"), "\"\r\n") {
			t.Errorf("%s is served with %v", name, h)
		}
	}
}

// TestFilesOfOtherConversations are not there for a token of one.
func TestFilesOfOtherConversations(t *testing.T) {
	w := newWorld(t)
	f := w.upload(t, "a", "secret")
	w.d.must(201, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"files":["` + f.ID + `"]}`})
	other := "cv_" + zeros
	token := w.d.token(api.TokenRequest{
		Scopes:      []api.Scope{api.ScopeFilesRead, api.ScopeFilesWrite, api.ScopeMessagesSend},
		Constraints: api.Constraints{Conversations: []string{other}},
	})
	for _, c := range []call{
		{method: "GET", path: "/v1/files/" + f.ID}, {method: "GET", path: "/v1/files/" + f.ID + "/content"},
		{method: "DELETE", path: "/v1/files/" + f.ID}, {method: "POST", path: "/v1/files/" + f.ID + "/fetch"},
	} {
		c.token = token
		w.d.must(http.StatusNotFound, c)
	}
	w.d.must(http.StatusUnprocessableEntity, call{method: "GET", path: "/v1/files", token: token})
}

func TestVoiceNote(t *testing.T) {
	w := newWorld(t)
	var f api.File
	w.d.must(201, call{method: "POST", path: "/v1/files", body: "OggS\x00\x02OpusTags\x04\x00\x00\x00test\x00\x00\x00\x00", header: map[string]string{
		api.HeaderName: "v.ogg", "Content-Type": "audio/ogg", api.HeaderDuration: "12500", api.HeaderWaveform: "0109ff",
	}}).into(t, &f)
	if !f.Voice || *f.DurationMS != 12500 || string(f.Waveform) != "\x01\x09\xff" || f.MediaType != "audio/ogg" {
		t.Errorf("a voice note is %+v", f)
	}
	token := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeFilesRead, api.ScopeMessagesMeta}})
	var redacted api.File
	w.d.must(200, call{method: "GET", path: "/v1/files/" + f.ID, token: token}).into(t, &redacted)
	if !redacted.Voice || redacted.Waveform != nil || redacted.Name != "" {
		t.Errorf("a token for metadata sees %+v", redacted)
	}
}

// onePixel is a picture with a text that tells of its maker, and one without.
func onePixel(t *testing.T) (dirty, clean string) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	clean = b.String()
	const header = 8 + 12 + 13
	text := "tEXtAuthor\x00Mina"
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(text)-4))
	chunk = binary.BigEndian.AppendUint32(append(chunk, text...), crc32.ChecksumIEEE([]byte(text)))
	return clean[:header] + string(chunk) + clean[header:], clean
}

// TestPicturesTellNothing has what a picture tells of its maker be gone before it can be
// sent, unless that is asked for.
func TestPicturesTellNothing(t *testing.T) {
	w := newWorld(t)
	dirty, want := onePixel(t)
	f := w.upload(t, "a.png", dirty)
	if f.Size != uint64(len(want)) || f.MediaType != "image/png" || f.Width == nil || *f.Width != 3 || *f.Height != 2 || f.Name != "a.png" {
		t.Errorf("cleaned: %+v", f)
	}
	got := w.d.must(200, call{method: "GET", path: "/v1/files/" + f.ID + "/content"})
	if got.body != strings.TrimSpace(want) {
		t.Error("it still tells, or is another picture")
	}
	var kept api.File
	w.d.must(201, call{method: "POST", path: "/v1/files", body: dirty, header: map[string]string{
		api.HeaderName: "b.png", api.HeaderMetadata: api.MetadataKeep, "Content-Type": "image/png",
	}}).into(t, &kept)
	if kept.Size != uint64(len(dirty)) {
		t.Errorf("kept as it is: %+v", kept)
	}
	before := len(w.files(t))
	for name, content := range map[string]string{"a.pdf": "%PDF-1.7 /Author (Mina)", "cut.png": dirty[:50], "a.docx": "PK\x03\x04....[Content_Types].xml"} {
		a := w.d.must(422, call{method: "POST", path: "/v1/files", body: content, header: map[string]string{api.HeaderName: name}})
		if a.problem() != api.CodeMetadataNotCleanable {
			t.Errorf("%s: %s", name, a.problem())
		}
	}
	if after := len(w.files(t)); after != before {
		t.Errorf("%d files are left of those refused", after-before)
	}
}

// TestMetaReadsNoFile has a token for metadata ask for the bytes of a file, whose header
// would also say its name.
func TestMetaReadsNoFile(t *testing.T) {
	w := newWorld(t)
	f := w.upload(t, "secret-name.txt", "secret-bytes")
	token := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeFilesRead, api.ScopeMessagesMeta}})
	a := w.d.must(403, call{method: "GET", path: "/v1/files/" + f.ID + "/content", token: token})
	if a.problem() != api.CodeScopeMissing || strings.Contains(a.body+fmt.Sprint(a.header), "secret") {
		t.Errorf("answered with %v %s", a.header, a.body)
	}
	if a := w.d.must(200, call{method: "GET", path: "/v1/files/" + f.ID, token: token}); strings.Contains(a.body, "secret") {
		t.Errorf("the file's view shows %s", a.body)
	}
}

// bytesOfPNG is a picture whose halves have two colours.
func bytesOfPNG(t *testing.T, width, height int) string {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix[:len(m.Pix)/2] {
		m.Pix[i] = 0xff
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// send sends files to the conversation.
func (w *world) send(t *testing.T, files ...string) (m api.Message) {
	t.Helper()
	w.d.must(201, call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages",
		body: `{"files":["` + strings.Join(files, `","`) + `"]}`}).into(t, &m)
	return m
}

// TestThumbnails go with the message that a picture goes with, and are gone with it.
func TestThumbnails(t *testing.T) {
	w := newWorld(t)
	photo, text := w.upload(t, "a.png", bytesOfPNG(t, 1200, 600)), w.upload(t, "b.txt", "words")
	path := "/v1/files/" + photo.ID + "/thumbnail"
	w.d.must(404, call{method: "GET", path: path})
	m := w.send(t, photo.ID, text.ID)
	if photo.Thumbnail || !m.Attachments[0].Thumbnail || m.Attachments[1].Thumbnail {
		t.Errorf("a picture that was sent has one, a text has none: %+v", m.Attachments)
	}
	a := w.d.must(200, call{method: "GET", path: path})
	config, err := jpeg.DecodeConfig(strings.NewReader(a.body))
	if err != nil || config.Width != 320 || config.Height != 160 || a.header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("%d by %d, %v, %s", config.Width, config.Height, err, a.header.Get("Content-Type"))
	}
	w.d.must(404, call{method: "GET", path: "/v1/files/" + text.ID + "/thumbnail"})

	meta := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeFilesRead, api.ScopeMessagesMeta}})
	if a := w.d.must(403, call{method: "GET", path: path, token: meta}); a.problem() != api.CodeScopeMissing {
		t.Errorf("a token for metadata: %s", a.problem())
	}
	if a := w.d.must(200, call{method: "GET", path: "/v1/files/" + photo.ID, token: meta}); !strings.Contains(a.body, `"thumbnail":false`) {
		t.Errorf("it is told of what it may not see: %s", a.body)
	}
	other := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeFilesRead, api.ScopeMessagesRead}, Constraints: api.Constraints{Conversations: []string{"cv_" + zeros}}})
	w.d.must(404, call{method: "GET", path: path, token: other})

	var again api.Forwarded
	w.d.must(201, call{method: "POST", path: "/v1/messages/" + *m.ID + "/forward", body: `{"to":["` + w.conversation + `"]}`}).into(t, &again)
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *m.ID})
	if a := w.d.must(200, call{method: "GET", path: path}); a.body == "" || !again.Items[0].Attachments[0].Thumbnail {
		t.Error("what was forwarded has lost its thumbnail with the first message")
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/messages/" + *again.Items[0].ID})
	w.d.must(404, call{method: "GET", path: path})
}

// TestBombsGoWithoutThumbnail sends pictures that nobody decodes: one that says to be huge, one
// that breaks off, and one that is something else.
func TestBombsGoWithoutThumbnail(t *testing.T) {
	w := newWorld(t)
	_, small := onePixel(t)
	head := []byte(small)
	binary.BigEndian.PutUint32(head[16:], 100_000)
	binary.BigEndian.PutUint32(head[20:], 100_000)
	binary.BigEndian.PutUint32(head[29:], crc32.ChecksumIEEE(head[12:29]))
	var files []string
	for _, content := range []string{string(head), small[:len(small)-20], "GIF89a"} {
		var f api.File
		w.d.must(201, call{method: "POST", path: "/v1/files", body: content, header: map[string]string{
			api.HeaderName: "x.png", api.HeaderMetadata: api.MetadataKeep, "Content-Type": "image/png",
		}}).into(t, &f)
		files = append(files, f.ID)
	}
	for _, f := range w.send(t, files...).Attachments {
		if f.Thumbnail {
			t.Errorf("%s has a thumbnail", f.ID)
		}
	}
}

// TestLockedScreenEndsADownload locks the screen, which leaves the store open, while a file is
// read: no further chunk leaves the daemon.
func TestLockedScreenEndsADownload(t *testing.T) {
	w := newWorld(t)
	f := w.upload(t, "a", strings.Repeat("x", 2*attachment.ChunkBytes))
	id, err := fileID(f.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := openContent(w.d.Store(), id)
	if err != nil {
		t.Fatal(err)
	}
	c.open = w.d.Store
	b := make([]byte, attachment.ChunkBytes)
	if n, err := c.Read(b); n != len(b) || err != nil {
		t.Fatalf("the first chunk: %d bytes, %v", n, err)
	}
	w.d.must(204, call{method: "POST", path: "/v1/lock", body: `{"screen":true}`})
	if n, err := c.Read(b); n != 0 || !errors.Is(err, &api.Problem{Code: api.CodeLocked}) {
		t.Errorf("behind the lock %d bytes more come, %v", n, err)
	}
}

// TestRevokedTokenReadsNoFurther takes a token away in the middle of a download.
func TestRevokedTokenReadsNoFurther(t *testing.T) {
	w := newWorld(t)
	f := w.upload(t, "a", strings.Repeat("x", 2*attachment.ChunkBytes))
	id, err := fileID(f.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := openContent(w.d.Store(), id)
	if err != nil {
		t.Fatal(err)
	}
	c.actor = stranger()
	b := make([]byte, attachment.ChunkBytes)
	if n, err := c.Read(b); n != len(b) || err != nil {
		t.Fatalf("the first chunk: %d bytes, %v", n, err)
	}
	close(c.actor.revoked)
	if n, err := c.Read(b); n != 0 || err == nil {
		t.Errorf("behind its end it reads %d bytes more", n)
	}
}
