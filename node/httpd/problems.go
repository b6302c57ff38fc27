package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// ProblemOf is the problem that an error is answered with.
func ProblemOf(err error) *api.Problem { return problemOf(err) }

// problemOf says what an error of the daemon, the core or the store is to a
// client. What is not known becomes CodeInternal without its text.
func problemOf(err error) *api.Problem {
	if p := (*api.Problem)(nil); errors.As(err, &p) {
		return p
	}
	if p := (*protocol.Problem)(nil); errors.As(err, &p) {
		if _, ok := api.Code(p.Code).Status(); ok {
			out := api.NewProblem(api.Code(p.Code))
			if p.Contact != (protocol.ContactID{}) {
				out.With("contact_id", p.Contact.String())
			}
			return out
		}
		return api.NewProblem(api.CodeInternal)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.NewProblem(api.CodeNotFound)
	case errors.Is(err, store.ErrFull), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT): // also of a file beside the database
		return api.NewProblem(api.CodeStorageFull)
	case errors.Is(err, store.ErrBlind):
		return api.NewProblem(api.CodeDrillBlind)
	case errors.Is(err, store.ErrClosed):
		return api.NewProblem(api.CodeLocked)
	case errors.Is(err, store.ErrBadPassphrase):
		return api.NewProblem(api.CodeBadPassphrase)
	case errors.Is(err, store.ErrDamaged):
		return api.NewProblem(api.CodeProfileDamaged)
	case errors.Is(err, store.ErrNewer):
		return api.NewProblem(api.CodeProfileNewer)
	case errors.Is(err, store.ErrCursor):
		return api.NewProblem(api.CodeCursorInvalid)
	case errors.Is(err, store.ErrInterrupted), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return api.NewProblem(api.CodeTimeout)
	default:
		return api.NewProblem(api.CodeInternal)
	}
}

// refusal is a problem as huma takes it from a handler.
type refusal struct{ *api.Problem }

// GetStatus is what huma asks a refusal for.
func (r refusal) GetStatus() int { return r.Status }

// ContentType is what huma asks a refusal for.
func (r refusal) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// refusal makes a handler's error one that huma answers with. Errors of ours that
// no client can do anything about are logged: their texts hold no user data.
func (s *Server) refusal(ctx context.Context, err error) error {
	p := problemOf(err)
	if p.Code == api.CodeInternal {
		q := requestOf(ctx)
		s.log.Error("request failed", slog.String("route", q.route.name()), slog.String("request", q.id),
			slog.Any("error", err))
	}
	return refusal{p}
}

// refuse answers with a problem outside of huma.
func (s *Server) refuse(w *response, q *request, p *api.Problem) {
	p = finished(p, q)
	b, err := json.Marshal(p)
	if err != nil {
		b = []byte(`{"code":"internal","status":500}`)
	}
	h := w.Header()
	h.Set("Content-Type", problemType)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	if p.RetryAfterMS > 0 {
		h.Set("Retry-After", strconv.FormatInt((p.RetryAfterMS+999)/1000, 10))
	}
	w.WriteHeader(p.Status)
	w.Write(b)
}

// finished returns a copy of a problem that names its request.
func finished(p *api.Problem, q *request) *api.Problem {
	out := *p
	out.Instance = q.id
	q.code = out.Code
	return &out
}

// toProblem is the transformer that every answer of huma passes: its own errors,
// which repeat what was sent, become problems, which do not.
func (s *Server) toProblem(ctx huma.Context, _ string, v any) (any, error) {
	q := requestOf(ctx.Context())
	switch e := v.(type) {
	case refusal:
		p := finished(e.Problem, q)
		if p.RetryAfterMS > 0 {
			ctx.SetHeader("Retry-After", strconv.FormatInt((p.RetryAfterMS+999)/1000, 10))
		}
		return p, nil
	case *huma.ErrorModel:
		return finished(problemOfModel(e), q), nil
	default:
		return v, nil
	}
}

// problemOfModel translates an error that huma found in a request.
func problemOfModel(e *huma.ErrorModel) *api.Problem {
	p := api.NewProblem(api.CodeValidationFailed)
	switch {
	case e.Status >= http.StatusInternalServerError:
		p = api.NewProblem(api.CodeInternal)
	case e.Status == http.StatusUnsupportedMediaType:
		p = api.NewProblem(api.CodeUnsupportedMediaType)
	case e.Status == http.StatusRequestEntityTooLarge:
		p = api.NewProblem(api.CodeTooLarge).With("max", api.BodyBytesMax)
	case e.Status == http.StatusBadRequest && len(e.Errors) == 0: // "request body is required"
		p = api.NewProblem(api.CodeMalformedJSON).Because("a body is needed")
	case e.Status == http.StatusBadRequest:
		p = bodyProblem(e.Errors[0].Message)
	default:
		for _, detail := range e.Errors {
			p.Errors = append(p.Errors, fieldError(detail))
		}
		if len(p.Errors) > 0 && !anyOther(p.Errors, api.FieldUnknown) {
			unknown := api.NewProblem(api.CodeUnknownField)
			unknown.Errors = p.Errors
			p = unknown
		}
	}
	p.Status = e.Status
	return p
}

func anyOther(errs []api.FieldError, code api.Code) bool {
	for _, e := range errs {
		if e.Code != code {
			return true
		}
	}
	return false
}

// bodyProblem tells the errors of strictJSON apart by their texts, which is all
// that huma keeps of them.
func bodyProblem(message string) *api.Problem {
	switch message {
	case errSurrogate.Error():
		return api.NewProblem(api.CodeInvalidUTF8).Because("a \\u escape is half a character")
	case errDuplicate.Error():
		return api.NewProblem(api.CodeMalformedJSON).Because("a field is there twice")
	default:
		return api.NewProblem(api.CodeMalformedJSON)
	}
}

const pointerBytesMax = 128

// fieldError translates one complaint of huma about a field. The numbers at the
// end of its texts come from our own schema.
func fieldError(d *huma.ErrorDetail) api.FieldError {
	e := api.FieldError{Pointer: pointer(d.Location), Code: api.FieldInvalid}
	text := d.Message
	for _, known := range []struct {
		prefix string
		code   api.Code
		param  string
	}{
		{"unexpected property", api.FieldUnknown, ""},
		{"unknown query parameter", api.FieldUnknown, ""},
		{"required query parameter", api.FieldRequired, ""},
		{"expected length >= ", api.FieldTooShort, "min"},
		{"expected length <= ", api.FieldTooLong, "max"},
		{"expected array length >= ", api.FieldTooShort, "min"},
		{"expected array length <= ", api.FieldTooLong, "max"},
		{"expected number >= ", api.FieldTooSmall, "min"},
		{"expected number <= ", api.FieldTooLarge, "max"},
		{"expected value to be one of ", api.FieldNotAllowed, ""},
		{"expected string to be ", api.FieldMalformed, ""},
		{"expected boolean", api.FieldWrongType, ""},
		{"expected number", api.FieldWrongType, ""},
		{"expected integer", api.FieldWrongType, ""},
		{"expected string", api.FieldWrongType, ""},
		{"expected array", api.FieldWrongType, ""},
		{"expected object", api.FieldWrongType, ""},
		{"invalid ", api.FieldMalformed, ""},
	} {
		rest, ok := strings.CutPrefix(text, known.prefix)
		if !ok {
			continue
		}
		e.Code = known.code
		if n, err := strconv.ParseInt(rest, 10, 64); known.param != "" && err == nil {
			e.Params = map[string]any{known.param: n}
		}
		return e
	}
	if rest, ok := strings.CutPrefix(text, "expected required property "); ok {
		name, _, _ := strings.Cut(rest, " ")
		e.Code = api.FieldRequired
		e.Pointer = cut(e.Pointer + "/" + escapePointer(name))
	}
	return e
}

// pointer makes a JSON pointer of huma's way to say where, "body.a[0].b", or
// "query:name" of a parameter.
func pointer(location string) string {
	kind, rest, _ := strings.Cut(location, ".")
	if kind != "body" {
		return cut(fmt.Sprintf("%s:%s", kind, rest))
	}
	if rest == "" {
		return ""
	}
	rest = strings.NewReplacer("[", ".", "]", "").Replace(rest)
	var b strings.Builder
	for part := range strings.SplitSeq(rest, ".") {
		b.WriteString("/" + escapePointer(part))
	}
	return cut(b.String())
}

func escapePointer(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// cut bounds a name that the client chose.
func cut(s string) string {
	if len(s) > pointerBytesMax {
		return strings.ToValidUTF8(s[:pointerBytesMax], "") + "…"
	}
	return s
}
