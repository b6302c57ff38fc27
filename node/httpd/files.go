package httpd

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/attachment"
	"pabal/store"
)

// Transfer is a file on its way, or one that waits for that; see [Daemon.Transfers].
type Transfer struct {
	File    protocol.FileID
	Contact protocol.ContactID
	Out     bool
	Reason  string // what it waits for; empty: it is under way
	Bytes   uint64
	Total   uint64
	Rate    uint64 // bytes a second
	NextTry time.Time
}

func fileRoutes() []route {
	read, write := scopes(api.ScopeFilesRead), scopes(api.ScopeFilesWrite)
	return []route{
		{method: http.MethodGet, path: "/v1/files", summary: "Files, the newest first", scopes: read,
			states: reading, register: operation((*Server).listFiles)},
		{method: http.MethodPost, path: "/v1/files", summary: "Bring a file, or begin to: it can be sent with a message then", scopes: write,
			states: writing, status: http.StatusCreated, upload: true, secret: true, quiet: true, register: registerUpload((*Server).postFile)},
		{method: http.MethodPatch, path: "/v1/files/{id}", summary: "Bring further bytes of a file", scopes: write,
			states: writing, upload: true, quiet: true, register: registerUpload((*Server).patchFile)},
		{method: http.MethodGet, path: "/v1/files/{id}", summary: "One file, and how far it is", scopes: scopes(api.ScopeFilesRead, api.ScopeFilesWrite),
			states: reading, register: operation((*Server).getFile)},
		{method: http.MethodDelete, path: "/v1/files/{id}", summary: "Erase a file that is part of no message", scopes: write,
			states: reading, status: http.StatusNoContent, quiet: true, register: operation((*Server).deleteFile)},
		{method: http.MethodGet, path: "/v1/files/{id}/content", summary: "The bytes of a file, or a range of them", scopes: read,
			states: reading, stream: true, register: raw("application/octet-stream", (*Server).fileContent)},
		{method: http.MethodGet, path: "/v1/files/{id}/thumbnail", summary: "What a picture looks like, small: it came with the message, also where the file is not here", scopes: read,
			states: reading, register: raw(jpegType, (*Server).fileThumbnail)},
		{method: http.MethodPost, path: "/v1/files/{id}/fetch", summary: "Fetch a contact's file, also one that was paused or failed", scopes: write,
			states: writing, register: operation((*Server).fetchFile)},
		{method: http.MethodPost, path: "/v1/files/{id}/resume", summary: "The same as fetch", scopes: write,
			states: writing, register: operation((*Server).fetchFile)},
		{method: http.MethodPost, path: "/v1/files/{id}/pause", summary: "Stop fetching a file and keep what has come", scopes: write,
			states: writing, register: operation((*Server).pauseFile)},
		{method: http.MethodPost, path: "/v1/files/{id}/cancel", summary: "Stop fetching a file and erase what has come", scopes: write,
			states: writing, register: operation((*Server).cancelFile)},
		{method: http.MethodGet, path: "/v1/transfers", summary: "Files on their way, and those that wait for that", scopes: read,
			states: reading, register: operation((*Server).listTransfers)},
	}
}

// registerUpload says of the request that it is a file.
func registerUpload(handle func(*Server, http.ResponseWriter, *http.Request)) func(*Server, huma.API, huma.Operation) {
	header := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return func(s *Server, a huma.API, op huma.Operation) {
		op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: aFile()}}}
		op.Responses[strconv.Itoa(op.DefaultStatus)] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.File](), true, "")},
		}}
		params := []*huma.Param{
			header(api.HeaderMetadata, "keep: what the file tells of its maker stays; of the request that ends the upload"),
		}
		if op.Method == http.MethodPost {
			params = append(params,
				header(api.HeaderName, "percent-encoded UTF-8"),
				header(api.HeaderUploadComplete, "?0: the bytes follow, by PATCH"),
				header(api.HeaderUploadLength, "the size, with Upload-Complete: ?0"),
				header(api.HeaderDuration, "of a sound or video"),
				header(api.HeaderWaveform, "hexadecimal, up to 128 bytes: makes it a voice note"))
		} else {
			params = append(params, header(api.HeaderUploadOffset, "where the bytes begin: what received says, or GET"))
		}
		raw("application/json", handle, params...)(s, a, op)
	}
}

func fileID(text string) (protocol.FileID, error) {
	id, err := protocol.ParseFileID(text)
	if err != nil {
		return id, api.NewProblem(api.CodeNotFound).At("path:id", api.CodeInvalidID)
	}
	return id, nil
}

// file returns a file that the actor may see: one of no message yet, or of a conversation
// that it sees.
func (r *reader) file(id protocol.FileID) (store.File, error) {
	f, err := r.File(id)
	if err != nil {
		return f, err
	}
	visible, err := r.seesFile(&f)
	if err == nil && !visible {
		err = store.ErrNotFound
	}
	return f, err
}

// seesFile reports whether the actor sees a file: also one that was forwarded to where it
// does not see, and is shown as of there.
func (r *reader) seesFile(f *store.File) (bool, error) {
	if f.Conversation == (protocol.ConversationID{}) || r.actor.sees(f.Conversation.String()) {
		return true, nil
	}
	all, err := r.ConversationsOf(f.ID)
	for _, id := range all {
		if r.actor.sees(id.String()) {
			f.Message, f.Conversation = protocol.MessageID{}, id
			return true, err
		}
	}
	return false, err
}

func (s *Server) readFile(ctx context.Context, id protocol.FileID) (f store.File, err error) {
	err = s.read(ctx, func(r *reader) (err error) {
		f, err = r.file(id)
		return err
	})
	return f, err
}

func (r *reader) fileView(f *store.File) (api.File, error) {
	out := fileView(f)
	if r.actor.redacted() {
		out.Name, out.Waveform = "", nil // a waveform tells who speaks, and for how long
		return out, nil
	}
	_, err := r.Thumbnail(f.ID)
	if out.Thumbnail = err == nil; isNotFound(err) {
		err = nil
	}
	return out, err
}

func fileView(f *store.File) api.File {
	out := api.File{
		ID: f.ID.String(), Name: f.Info.Name, MediaType: f.Info.MediaType, Size: f.Info.SizeBytes, State: string(f.State),
		Received: f.Have(), Reason: textOrNil(f.Code), Width: numberOrNil(f.Info.Width), Height: numberOrNil(f.Info.Height),
		DurationMS: numberOrNil(f.Info.DurationMS), Voice: len(f.Info.Waveform) > 0, Waveform: f.Info.Waveform, CreatedAt: api.Milli(f.At),
		MessageID: idOrNil(f.Message), ConversationID: idOrNil(f.Conversation),
	}
	if f.State == store.FileRemote {
		switch f.Wanted {
		case store.WantedNow:
			out.State = api.FileFetching
		case store.WantedPaused:
			out.State = api.FilePaused
		}
	}
	if f.Message != (protocol.MessageID{}) {
		direction := api.DirectionOut
		if f.Direction == protocol.In {
			direction = api.DirectionIn
		}
		out.Direction = &direction
	}
	return out
}

func numberOrNil(n uint32) *uint32 {
	if n == 0 {
		return nil
	}
	return &n
}

type filesInput struct {
	Limit        int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Conversation string `query:"conversation"`
}

func (s *Server) listFiles(ctx context.Context, in *filesInput) (*reply[list[api.File]], error) {
	var of protocol.ConversationID
	var err error
	if in.Conversation != "" {
		if of, err = conversationID(ctx, in.Conversation); err != nil {
			return nil, err
		}
	}
	out := list[api.File]{Items: []api.File{}}
	err = s.read(ctx, func(r *reader) error {
		out.Items = []api.File{}
		if of == (protocol.ConversationID{}) && r.actor.narrowed() {
			return api.NewProblem(api.CodeValidationFailed).At("query:conversation", api.FieldRequired)
		}
		if of != (protocol.ConversationID{}) {
			if _, err := r.conversation(of); err != nil {
				return err
			}
		}
		all, err := r.Files(of, in.Limit)
		if err != nil {
			return err
		}
		for i := range all {
			visible, err := r.seesFile(&all[i])
			if err != nil {
				return err
			}
			if !visible {
				continue
			}
			view, err := r.fileView(&all[i])
			if err != nil {
				return err
			}
			out.Items = append(out.Items, view)
		}
		return nil
	})
	return ok(0, out), err
}

// fileReply is an answer with the headers of an upload.
type fileReply struct {
	Offset   string `header:"Upload-Offset"`
	Length   string `header:"Upload-Length"`
	Complete string `header:"Upload-Complete"`
	Body     api.File
}

func (s *Server) getFile(ctx context.Context, in *byID) (*fileReply, error) {
	id, err := fileID(in.ID)
	if err != nil {
		return nil, err
	}
	out := new(fileReply)
	err = s.read(ctx, func(r *reader) error {
		f, err := r.file(id)
		if err != nil {
			return err
		}
		h := make(http.Header)
		uploadHeaders(h, &f)
		out.Offset, out.Length, out.Complete = h.Get(api.HeaderUploadOffset), h.Get(api.HeaderUploadLength), h.Get(api.HeaderUploadComplete)
		out.Body, err = r.fileView(&f)
		return err
	})
	return out, err
}

func (s *Server) deleteFile(ctx context.Context, in *byID) (*done, error) {
	id, err := fileID(in.ID)
	if err != nil {
		return nil, err
	}
	f, err := s.readFile(ctx, id)
	if err != nil {
		return nil, err
	}
	if f.Message != (protocol.MessageID{}) {
		return nil, api.NewProblem(api.CodeFileInUse)
	}
	return &done{}, s.write(ctx, []store.Row{store.EraseUpload{File: id}})
}

func (s *Server) fetchFile(ctx context.Context, in *byID) (*reply[api.File], error) {
	return s.setWanted(ctx, in.ID, func(id protocol.FileID) []store.Row {
		return []store.Row{store.SetWanted{File: id, Wanted: store.WantedNow}}
	})
}

func (s *Server) pauseFile(ctx context.Context, in *byID) (*reply[api.File], error) {
	return s.setWanted(ctx, in.ID, func(id protocol.FileID) []store.Row {
		return []store.Row{store.SetWanted{File: id, Wanted: store.WantedPaused}}
	})
}

func (s *Server) cancelFile(ctx context.Context, in *byID) (*reply[api.File], error) {
	return s.setWanted(ctx, in.ID, func(id protocol.FileID) []store.Row {
		return []store.Row{store.SetWanted{File: id, Wanted: store.WantedAsk}, store.DropChunks{File: id}}
	})
}

// setWanted changes whether a contact's file is fetched; for one that is whole nothing
// changes.
func (s *Server) setWanted(ctx context.Context, text string, rows func(protocol.FileID) []store.Row) (*reply[api.File], error) {
	id, err := fileID(text)
	if err != nil {
		return nil, err
	}
	f, err := s.readFile(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case f.State == store.FileUploading || f.Direction != protocol.In || f.Message == (protocol.MessageID{}):
		return nil, api.NewProblem(api.CodeFileNotRemote)
	case f.State != store.FileAvailable:
		if err := s.write(ctx, rows(id)); err != nil {
			return nil, err
		}
	}
	var out api.File
	err = s.read(ctx, func(r *reader) error {
		f, err := r.file(id)
		if err == nil {
			out, err = r.fileView(&f)
		}
		return err
	})
	return ok(0, out), err
}

func (s *Server) listTransfers(ctx context.Context, _ *none) (*reply[list[api.Transfer]], error) {
	all := s.daemon.Transfers()
	out := list[api.Transfer]{Items: []api.Transfer{}}
	err := s.read(ctx, func(r *reader) error {
		out.Items = []api.Transfer{}
		for _, t := range all {
			f, err := r.file(t.File)
			if isNotFound(err) {
				continue // deleted meanwhile, or not the token's
			}
			if err != nil {
				return err
			}
			item := api.Transfer{
				FileID: t.File.String(), ContactID: t.Contact.String(), ConversationID: idOrNil(f.Conversation), Direction: api.DirectionIn,
				State: api.TransferActive, Reason: t.Reason, Bytes: t.Bytes, Total: t.Total, Rate: t.Rate,
			}
			if t.Out {
				item.Direction = api.DirectionOut
			}
			if t.Reason != "" {
				item.State = api.TransferWaiting
			}
			if !t.NextTry.IsZero() {
				next := api.NewTime(t.NextTry)
				item.NextTryAt = &next
			}
			out.Items = append(out.Items, item)
		}
		return nil
	})
	return ok(0, out), err
}

// inlineTypes are what a browser may show in place: none of them can run anything.
func inlineTypes() []string {
	return []string{"image/png", "image/jpeg", "image/gif", "image/webp", "audio/mpeg", "application/ogg", "audio/wave", "video/mp4", "video/webm"}
}

// fileContent answers with the bytes of a file. What it is is told by its first bytes, never
// by its sender, and whatever could be active is only ever saved.
func (s *Server) fileContent(w http.ResponseWriter, r *http.Request) {
	if err := s.serveFile(w, r); err != nil {
		s.answerError(w, r, err)
	}
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) error {
	for name := range r.URL.Query() {
		return api.NewProblem(api.CodeUnknownField).At("query:"+cut(name), api.FieldUnknown)
	}
	id, err := fileID(r.PathValue("id"))
	if err != nil {
		return err
	}
	actor := requestOf(r.Context()).actor
	if actor.redacted() {
		return api.NewProblem(api.CodeScopeMissing).With("scope", api.ScopeMessagesRead)
	}
	f, err := s.readFile(r.Context(), id)
	if err != nil {
		return err
	}
	if f.State != store.FileAvailable {
		return api.NewProblem(api.CodeFileNotReady)
	}
	content, err := openContent(s.daemon.Store(), id)
	if err != nil {
		return err
	}
	content.control, content.actor = http.NewResponseController(w), actor
	content.open = s.daemon.Store
	head, err := content.head()
	if err != nil {
		return err
	}
	kind, _, err := mime.ParseMediaType(http.DetectContentType(head))
	if err != nil || !slices.Contains(inlineTypes(), kind) {
		kind = "application/octet-stream"
	}
	disposition := "attachment"
	if kind != "application/octet-stream" {
		disposition = "inline"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Content-Disposition", disposition+"; filename*=UTF-8''"+strings.ReplaceAll(url.PathEscape(f.Info.Name), "'", "%27"))
	h.Set("ETag", `"`+etag(&f)+`"`)
	http.ServeContent(w, r, "", time.Time{}, content)
	return nil
}

// etag names the bytes of a file to who may read them.
func etag(f *store.File) string {
	return strings.TrimPrefix(protocol.FileID(f.Info.Root[:16]).String(), "fl_")
}

// content reads a file, a chunk at a time.
type content struct {
	st      *store.Store
	opened  *store.Opened
	control *http.ResponseController // of whom it is written to; nil: of nobody
	actor   *actor                   // to whom; nil: to nobody
	open    func() *store.Store      // what may be read now: not st behind a lock; nil: it is not asked
	at      int64
	chunk   []byte // chunk number index
	index   int64  // -1: none
}

func openContent(st *store.Store, id protocol.FileID) (*content, error) {
	if st == nil {
		return nil, api.NewProblem(api.CodeLocked)
	}
	c := &content{st: st, index: -1}
	err := st.View(func(v *store.View) (err error) {
		c.opened, err = v.Open(id)
		return err
	})
	return c, err
}

// head returns the first bytes, by which the type is told.
func (c *content) head() ([]byte, error) {
	b := make([]byte, min(c.opened.SizeBytes, 512))
	_, err := io.ReadFull(c, b)
	c.at = 0
	return b, err
}

// Read reads on.
func (c *content) Read(b []byte) (int, error) {
	if c.at >= int64(c.opened.SizeBytes) {
		return 0, io.EOF
	}
	if index := c.at / attachment.ChunkBytes; index != c.index {
		var err error
		c.index = -1
		if c.actor != nil && c.actor.ended() {
			return 0, api.NewProblem(api.CodeUnauthenticated)
		}
		if c.open != nil && c.open() != c.st {
			return 0, api.NewProblem(api.CodeLocked)
		}
		if c.chunk, err = c.st.ReadChunk(c.chunk[:0], c.opened, uint32(index)); err != nil {
			return 0, err
		}
		c.index = index
		if c.control != nil {
			c.control.SetWriteDeadline(time.Now().Add(writeTimeout))
		}
	}
	n := copy(b, c.chunk[c.at%attachment.ChunkBytes:])
	c.at += int64(n)
	return n, nil
}

// Seek moves to where the next Read begins.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += int64(c.opened.SizeBytes)
	}
	if offset < 0 {
		return 0, errors.New("httpd: a place before the file")
	}
	c.at = offset
	return offset, nil
}
