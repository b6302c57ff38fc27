package httpd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pabal/node/api"
	"pabal/node/clean"
	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/protocol/wire"
	"pabal/store"
)

// upload is a request that brings bytes of a file.
type upload struct {
	*Server
	ctx     context.Context
	st      *store.Store
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
}

// beginUpload makes an upload of a request, or answers why not.
func (s *Server) beginUpload(w http.ResponseWriter, r *http.Request) (*upload, error) {
	for name := range r.URL.Query() {
		return nil, api.NewProblem(api.CodeUnknownField).At("query:"+cut(name), api.FieldUnknown)
	}
	st := s.daemon.Store()
	if st == nil {
		return nil, api.NewProblem(api.CodeLocked)
	}
	return &upload{Server: s, ctx: r.Context(), st: st, w: w, r: r, control: http.NewResponseController(w)}, nil
}

// postFile takes a file in one request, or begins one whose bytes follow.
func (s *Server) postFile(w http.ResponseWriter, r *http.Request) {
	u, err := s.beginUpload(w, r)
	if err == nil {
		err = u.post()
	}
	if err != nil {
		s.refuseUpload(w, r, err)
	}
}

// refuseUpload answers with an error. A client that is still sending would not see the answer,
// unless it is sending a lot and has asked first.
func (s *Server) refuseUpload(w http.ResponseWriter, r *http.Request, err error) {
	if r.Header.Get("Expect") == "" {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		io.CopyN(io.Discard, r.Body, drainMax)
	}
	s.answerError(w, r, err)
}

func (u *upload) post() error {
	later := u.r.Header.Get(api.HeaderUploadComplete) == "?0"
	info, err := u.described(later)
	if err != nil {
		return err
	}
	if err := u.st.Room(info.SizeBytes); err != nil {
		return err
	}
	id, err := protocol.NewFileID(u.now(), rand.Reader)
	if err != nil {
		return err
	}
	if err := u.write(u.ctx, []store.Row{store.PutUpload{ID: id, Info: info}}); err != nil {
		return err
	}
	err = u.take(id, 0)
	if err == nil && !later {
		err = u.finish(id)
	}
	if err != nil && !later { // nobody could go on with it
		u.erase(id)
	}
	if err != nil {
		return err
	}
	return u.answer(id, http.StatusCreated)
}

// erase forgets an upload that failed, also when the client is gone.
func (u *upload) erase(id protocol.FileID) {
	u.daemon.Write(context.WithoutCancel(u.ctx), []store.Row{store.EraseUpload{File: id}}, nil)
}

// described reads what the headers say of a file.
func (u *upload) described(later bool) (wire.File, error) {
	h := u.r.Header
	info := wire.File{Name: h.Get(api.HeaderName), MediaType: "application/octet-stream"}
	name, err := url.PathUnescape(info.Name)
	if err != nil {
		return info, api.NewProblem(api.CodeInvalidFile).At("header:"+api.HeaderName, api.FieldMalformed)
	}
	info.Name = attachment.CleanName(name)
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil {
		info.MediaType = strings.ToLower(kind)
	}
	size := u.r.ContentLength
	if later {
		if size, err = strconv.ParseInt(h.Get(api.HeaderUploadLength), 10, 64); err != nil {
			size = -1
		}
	}
	switch {
	case size < 0:
		return info, api.NewProblem(api.CodeLengthRequired)
	case size > api.FileBytesMax:
		return info, api.NewProblem(api.CodeTooLarge).With("max", int64(api.FileBytesMax))
	}
	info.SizeBytes = uint64(size)
	if text := h.Get(api.HeaderDuration); text != "" {
		ms, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return info, api.NewProblem(api.CodeInvalidFile).At("header:"+api.HeaderDuration, api.FieldMalformed)
		}
		info.DurationMS = uint32(ms)
	}
	if info.Waveform, err = hex.DecodeString(h.Get(api.HeaderWaveform)); err != nil {
		return info, api.NewProblem(api.CodeInvalidFile).At("header:"+api.HeaderWaveform, api.FieldMalformed)
	}
	if !info.Valid() {
		return info, api.NewProblem(api.CodeInvalidFile)
	}
	return info, nil
}

// patchFile takes further bytes of a file that was begun.
func (s *Server) patchFile(w http.ResponseWriter, r *http.Request) {
	u, err := s.beginUpload(w, r)
	if err == nil {
		err = u.patch()
	}
	if err != nil {
		s.refuseUpload(w, r, err)
	}
}

func (u *upload) patch() error {
	id, err := fileID(u.r.PathValue("id"))
	if err != nil {
		return err
	}
	leave, err := u.inFlight.enter(u.ctx, id.String())
	if err != nil {
		return err
	}
	defer leave()
	file, err := u.readFile(u.ctx, id)
	if err != nil {
		return err
	}
	offset, err := strconv.ParseUint(u.r.Header.Get(api.HeaderUploadOffset), 10, 63)
	switch {
	case err != nil:
		return api.NewProblem(api.CodeValidationFailed).At("header:"+api.HeaderUploadOffset, api.FieldMalformed)
	case file.State != store.FileUploading:
		return api.NewProblem(api.CodeConflict)
	case offset != file.Have():
		u.w.Header().Set(api.HeaderUploadOffset, strconv.FormatUint(file.Have(), 10))
		return api.NewProblem(api.CodeUploadOffsetMismatch).With("offset", file.Have())
	}
	if err := u.take(id, offset); err != nil {
		return err
	}
	if file, err = u.readFile(u.ctx, id); err != nil {
		return err
	}
	if file.Have() == file.Info.SizeBytes {
		if err := u.finish(id); err != nil {
			if p := (*api.Problem)(nil); errors.As(err, &p) { // it will never be taken
				u.erase(id)
			}
			return err
		}
	}
	return u.answer(id, http.StatusOK)
}

// uploadBatch is how many chunks are written at once.
const uploadBatch = 3

// take reads the body into chunks from offset on, which begins a chunk. What is left of the
// body behind the last whole chunk is dropped, unless it ends the file.
func (u *upload) take(id protocol.FileID, offset uint64) error {
	body := timed{u.r.Body, u.control}
	if err := u.takeFrom(body, id, offset); err != nil {
		return err
	}
	if n, _ := body.Read(make([]byte, 1)); n > 0 {
		return api.NewProblem(api.CodeTooLarge)
	}
	return nil
}

// timed is a body, each part of which must come in its time.
type timed struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read reads on.
func (t timed) Read(b []byte) (int, error) {
	t.control.SetReadDeadline(time.Now().Add(uploadStall))
	defer t.control.SetReadDeadline(time.Time{})
	return t.ReadCloser.Read(b)
}

// takeFrom reads chunks of a file from somewhere.
func (u *upload) takeFrom(from io.Reader, id protocol.FileID, offset uint64) error {
	var opened *store.Opened
	if err := u.st.View(func(v *store.View) (err error) {
		opened, err = v.Open(id)
		return err
	}); err != nil {
		return err
	}
	buffers := make([][]byte, min(uploadBatch, int(opened.Count())))
	index := uint32(offset / attachment.ChunkBytes)
	for index < opened.Count() {
		var chunks []store.Chunk
		var cut error
		for i := range buffers {
			if index >= opened.Count() {
				break
			}
			size := attachment.ChunkSize(opened.SizeBytes, index)
			if cap(buffers[i]) < size {
				buffers[i] = make([]byte, size)
			}
			b := buffers[i][:size]
			if _, cut = io.ReadFull(from, b); cut != nil {
				break
			}
			chunks = append(chunks, store.Chunk{Index: index, Bytes: b, Hash: attachment.HashOf(b)})
			index++
		}
		if err := u.keep(id, opened, chunks); err != nil {
			return err
		}
		if cut != nil {
			return u.cutOff(cut)
		}
	}
	return nil
}

// cutOff says what an early end of the body means: of an upload that goes on, nothing.
func (u *upload) cutOff(err error) error {
	whole := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if whole && (u.r.Method == http.MethodPatch || u.r.Header.Get(api.HeaderUploadComplete) == "?0") {
		return nil
	}
	return api.NewProblem(api.CodeUploadCut)
}

func (u *upload) keep(id protocol.FileID, opened *store.Opened, chunks []store.Chunk) error {
	if len(chunks) == 0 {
		return nil
	}
	written, err := u.st.WriteChunks(opened, chunks)
	if err != nil {
		return err
	}
	err = u.daemon.Write(context.WithoutCancel(u.ctx), []store.Row{store.PutChunks{File: id, Chunks: written}}, nil)
	if errors.Is(err, store.ErrFull) { // they were not recorded, for sure
		u.st.DropWritten(written)
	}
	return err
}

// finish makes a file of what was brought, without what it tells of its maker unless that is
// asked for.
func (u *upload) finish(id protocol.FileID) error {
	body, err := openContent(u.st, id)
	if err != nil {
		return err
	}
	kind, verdict, err := look(body)
	switch {
	case err != nil:
		return err
	case u.r.Header.Get(api.HeaderMetadata) == api.MetadataKeep, verdict == clean.Plain:
		return u.seal(id, kind, clean.Size{}, nil)
	case verdict == clean.Telling:
		return api.NewProblem(api.CodeMetadataNotCleanable)
	}
	return u.clean(id, kind, body)
}

// look says what a file is by its bytes.
func look(body *content) (kind string, v clean.Verdict, err error) {
	ends := make([][]byte, 2)
	size := int64(body.opened.SizeBytes)
	for i, at := range []int64{0, max(0, size-clean.TailBytes)} {
		if _, err := body.Seek(at, io.SeekStart); err != nil {
			return "", 0, err
		}
		if ends[i], err = io.ReadAll(io.LimitReader(body, clean.HeadBytes)); err != nil {
			return "", 0, err
		}
	}
	kind, v = clean.Look(ends[0], ends[1])
	return kind, v, nil
}

// clean puts a cleaned picture in the place of what was brought. It is read twice: how large
// it becomes must be known before its first chunk is sealed.
func (u *upload) clean(id protocol.FileID, kind string, body *content) error {
	var n counter
	size, err := cleaned(&n, body)
	if err != nil {
		return err
	}
	file, err := u.readFile(u.ctx, id)
	if err != nil {
		return err
	}
	if err := u.st.Room(uint64(n)); err != nil {
		return err
	}
	copied, err := protocol.NewFileID(u.now(), rand.Reader)
	if err != nil {
		return err
	}
	file.Info.SizeBytes = uint64(n)
	if err := u.write(u.ctx, []store.Row{store.PutUpload{ID: copied, Info: file.Info}}); err != nil {
		return err
	}
	from, to := io.Pipe()
	go func() { // ends with takeFrom, which closes the pipe
		_, err := cleaned(to, body)
		to.CloseWithError(err)
	}()
	err = u.takeFrom(from, copied, 0)
	from.Close()
	if err == nil {
		err = u.seal(copied, kind, size, []store.Row{store.ReplaceUpload{File: id, By: copied}})
	}
	if err != nil {
		u.erase(copied)
	}
	return err
}

func cleaned(w io.Writer, body *content) (clean.Size, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return clean.Size{}, err
	}
	size, err := clean.Clean(w, body)
	if errors.Is(err, clean.ErrMalformed) {
		err = api.NewProblem(api.CodeMetadataNotCleanable).Because("the picture is malformed")
	}
	return size, err
}

// counter counts what is written to it.
type counter uint64

// Write counts.
func (n *counter) Write(b []byte) (int, error) {
	*n += counter(len(b))
	return len(b), nil
}

// seal says that all chunks of a file lie here, and what it was found to be.
func (u *upload) seal(id protocol.FileID, kind string, size clean.Size, more []store.Row) error {
	file, err := u.readFile(u.ctx, id)
	if err != nil {
		return err
	}
	var opened *store.Opened
	if err := u.st.View(func(v *store.View) (err error) {
		opened, err = v.Open(id)
		return err
	}); err != nil {
		return err
	}
	if kind != "" {
		file.Info.MediaType = kind
	}
	if max(size.Width, size.Height) <= wire.PixelsMax {
		file.Info.Width, file.Info.Height = size.Width, size.Height
	}
	hashes := opened.ChunkHashes()
	return u.write(u.ctx, append([]store.Row{
		store.SetFileInfo{File: id, Info: file.Info},
		store.FinishFile{File: id, Root: attachment.RootOf(opened.SizeBytes, hashes), Hashes: hashes},
	}, more...))
}

// answer shows the file as it is now.
func (u *upload) answer(id protocol.FileID, status int) error {
	file, err := u.readFile(u.ctx, id)
	if err != nil {
		return err
	}
	b, err := json.Marshal(fileView(&file))
	if err != nil {
		return err
	}
	h := u.w.Header()
	uploadHeaders(h, &file)
	h.Set("Content-Type", "application/json")
	u.w.WriteHeader(status)
	u.w.Write(b)
	return nil
}

// uploadHeaders say how far an upload is.
func uploadHeaders(h http.Header, f *store.File) {
	h.Set(api.HeaderUploadOffset, strconv.FormatUint(f.Have(), 10))
	h.Set(api.HeaderUploadLength, strconv.FormatUint(f.Info.SizeBytes, 10))
	complete := "?1"
	if f.State == store.FileUploading {
		complete = "?0"
	}
	h.Set(api.HeaderUploadComplete, complete)
}
