package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
	"pabal/store/archive"
)

// optionsBytesMax bounds the part of a restore that is JSON.
const optionsBytesMax = 16 << 10

// registerBackup says of the answer that it is a file.
func registerBackup(s *Server, a huma.API, op huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{api.BackupType: {Schema: aFile()}}}
	operation((*Server).makeBackup)(s, a, op)
}

// registerRestore says of the request that it has two parts, of which one is a file.
func registerRestore(s *Server, a huma.API, op huma.Operation) {
	options := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.RestoreRequest](), true, "")
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: &huma.Schema{
		Type:       huma.TypeObject,
		Properties: map[string]*huma.Schema{api.RestoreOptionsPart: options, api.RestoreArchivePart: aFile()},
		Required:   []string{api.RestoreOptionsPart, api.RestoreArchivePart},
	}}}}
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/json": {
		Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.RestoreResponse](), true, ""),
	}}}
	raw("application/json", (*Server).restore)(s, a, op)
}

type backupInput struct{ Body api.BackupRequest }

// makeBackup writes the archive as it is made: it is nowhere on our disk. One that fails half
// way ends the connection, so that nobody takes it for whole.
func (s *Server) makeBackup(ctx context.Context, in *backupInput) (*huma.StreamResponse, error) {
	st := s.daemon.Store()
	if st == nil {
		return nil, store.ErrClosed
	}
	o := store.BackupOptions{Passphrase: []byte(in.Body.Passphrase), History: in.Body.Messages}
	return &huma.StreamResponse{Body: func(to huma.Context) {
		to.SetHeader("Content-Type", api.BackupType)
		if _, err := st.Backup(to.BodyWriter(), s.now(), o); err != nil {
			s.log.Warn("backup ended early", "code", problemOf(err).Code) // its text may name a file
			panic(http.ErrAbortHandler)
		}
		if err := s.write(ctx, nil, protocol.Event{Type: api.EventBackupMade}); err != nil {
			s.log.Warn("backup not logged", "code", problemOf(err).Code) // on a full disk: it is made all the same
		}
	}}, nil
}

// strictly reads JSON of which every field must be known.
func strictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return api.NewProblem(api.CodeMalformedJSON).Because("not the fields of this operation")
	}
	return nil
}

// checkPassphrase refuses one that nobody should set.
func checkPassphrase(pointer, passphrase string) error {
	switch {
	case passphrase == "":
		return invalid(pointer, api.FieldRequired)
	case len(passphrase) < api.PassphraseBytesMin:
		return invalid(pointer, api.FieldTooShort)
	case len(passphrase) > api.PassphraseBytesMax:
		return invalid(pointer, api.FieldTooLong)
	}
	return nil
}

// restore makes a profile of a backup while that is being sent.
func (s *Server) restore(w http.ResponseWriter, r *http.Request) {
	r.Body = timed{r.Body, http.NewResponseController(w)}
	out, err := s.takeBackup(r)
	if err == nil {
		var b []byte
		if b, err = json.Marshal(out); err == nil {
			w.Header().Set("Content-Type", "application/json")
			w.Write(b)
			return
		}
	}
	s.answerError(w, r, err)
}

func (s *Server) takeBackup(r *http.Request) (out api.RestoreResponse, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return out, api.NewProblem(api.CodeUnsupportedMediaType).Because("send multipart/form-data")
	}
	in, err := restoreOptions(parts)
	if err != nil {
		return out, err
	}
	file, err := parts.NextPart()
	if err != nil || file.FormName() != api.RestoreArchivePart {
		return out, invalid("/"+api.RestoreArchivePart, api.FieldRequired)
	}
	done, err := s.daemon.Restore(r.Context(), file, in)
	if err != nil {
		return out, ArchiveProblem(err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), operationMax)
	defer cancel()
	out.MadeAt, out.Contacts, out.Messages = api.NewTime(done.MadeAt), done.Contacts, done.Messages
	out.Self, err = s.self(ctx)
	return out, err
}

// restoreOptions reads the first part.
func restoreOptions(parts *multipart.Reader) (Restore, error) {
	var in api.RestoreRequest
	first, err := parts.NextPart()
	if err != nil || first.FormName() != api.RestoreOptionsPart {
		return Restore{}, invalid("/"+api.RestoreOptionsPart, api.FieldRequired)
	}
	body, err := io.ReadAll(io.LimitReader(first, optionsBytesMax))
	if err != nil {
		return Restore{}, api.NewProblem(api.CodeMalformedJSON).Because("the body was cut off")
	}
	if err := strictly(body, &in); err != nil {
		return Restore{}, err
	}
	return RestoreOf(in)
}

// RestoreOf checks what is asked of a restore.
func RestoreOf(in api.RestoreRequest) (Restore, error) {
	out := Restore{Archive: []byte(in.Passphrase)}
	switch {
	case in.Passphrase == "":
		return out, invalid("/passphrase", api.FieldRequired)
	case len(in.Passphrase) > api.PassphraseBytesMax:
		return out, invalid("/passphrase", api.FieldTooLong)
	case in.Keyfile && in.NewPassphrase != "":
		return out, invalid("/keyfile", api.FieldNotAllowed)
	case in.Keyfile:
		return out, nil
	case in.NewPassphrase == "":
		out.Passphrase = []byte(in.Passphrase)
		return out, nil
	}
	out.Passphrase = []byte(in.NewPassphrase)
	return out, checkPassphrase("/new_passphrase", in.NewPassphrase)
}

// Restore is how a backup is opened, and how the profile is sealed that is made of it. A
// nil Passphrase means a keyfile. The receiver owns the bytes.
type Restore struct {
	Archive    []byte // passphrase of the backup
	Passphrase []byte
}

// ArchiveProblem says what is wrong with an archive; other errors are returned as they are.
func ArchiveProblem(err error) error {
	for _, known := range []struct {
		err  error
		code api.Code
	}{
		{store.ErrExists, api.CodeAlreadyInitialised},
		{archive.ErrPassphrase, api.CodeBadPassphrase},
		{archive.ErrForeign, api.CodeArchiveForeign},
		{archive.ErrCut, api.CodeArchiveCut},
		{archive.ErrDamaged, api.CodeArchiveDamaged},
		{archive.ErrNewer, api.CodeArchiveNewer},
		{store.ErrOtherArchive, api.CodeArchiveOtherKind},
		{store.ErrDamaged, api.CodeArchiveDamaged},
		{store.ErrNewer, api.CodeArchiveNewer},
	} {
		if errors.Is(err, known.err) {
			return api.NewProblem(known.code)
		}
	}
	return err
}
