package httpd

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
	"pabal/node/portrait"
	"pabal/protocol"
	"pabal/store"
)

const jpegType = "image/jpeg"

func pictureRoutes() []route {
	manage := scopes(api.ScopeIdentityManage)
	return []route{
		{method: http.MethodGet, path: "/v1/self/picture", summary: "Our picture, as contacts see it",
			states: reading, register: raw(jpegType, (*Server).selfPicture)},
		{method: http.MethodPut, path: "/v1/self/picture", summary: "Make our picture of a JPEG, PNG or GIF: the square in its middle, small, without anything that it tells of its maker",
			scopes: manage, states: writing, confirm: true, file: true, register: registerPicture},
		{method: http.MethodDelete, path: "/v1/self/picture", summary: "Have no picture", scopes: manage,
			states: writing, confirm: true, status: http.StatusNoContent, register: operation((*Server).clearPicture)},
		{method: http.MethodGet, path: "/v1/contacts/{id}/picture", summary: "A contact's picture", scopes: scopes(api.ScopeContactsRead),
			states: reading, register: raw(jpegType, (*Server).contactPicture)},
	}
}

// registerPicture describes the body and the answer; the body is read by the chain.
func registerPicture(s *Server, a huma.API, op huma.Operation) {
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{api.PictureType: {Schema: aFile()}}}
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/json": {
		Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.Self](), true, ""),
	}}}
	raw("application/json", (*Server).putPicture)(s, a, op)
}

// plain refuses a request with parameters: the operations of pictures have none.
func (s *Server) plain(w http.ResponseWriter, r *http.Request) bool {
	for name := range r.URL.Query() {
		s.refuse(w.(*response), requestOf(r.Context()), api.NewProblem(api.CodeUnknownField).At("query:"+cut(name), api.FieldUnknown))
		return false
	}
	return true
}

func (s *Server) putPicture(w http.ResponseWriter, r *http.Request) {
	if !s.plain(w, r) {
		return
	}
	out, err := s.takePicture(r)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	b, err := json.Marshal(out)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b)
}

func (s *Server) takePicture(r *http.Request) (api.Self, error) {
	picture, err := portrait.Make(requestOf(r.Context()).body)
	if err != nil {
		return api.Self{}, api.NewProblem(api.CodeInvalidPicture)
	}
	if err := s.change(r.Context(), func(ref uint64) protocol.Input { return protocol.SetPicture{Ref: ref, Picture: picture} }); err != nil {
		return api.Self{}, err
	}
	return s.self(r.Context())
}

func (s *Server) clearPicture(ctx context.Context, _ *none) (*done, error) {
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input { return protocol.SetPicture{Ref: ref} })
}

func (s *Server) selfPicture(w http.ResponseWriter, r *http.Request) {
	if !s.plain(w, r) {
		return
	}
	s.servePicture(w, r, protocol.ContactID{})
}

func (s *Server) contactPicture(w http.ResponseWriter, r *http.Request) {
	if !s.plain(w, r) {
		return
	}
	c, err := s.readContact(r.Context(), r.PathValue("id"))
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	s.servePicture(w, r, c.ID)
}

// servePicture answers with a picture. Its bytes are a contact's own: nothing but a picture can
// become of them.
func (s *Server) servePicture(w http.ResponseWriter, r *http.Request, of protocol.ContactID) {
	var picture []byte
	err := s.read(r.Context(), func(v *reader) (err error) {
		if v.actor.redacted() {
			return store.ErrNotFound
		}
		picture, err = v.Picture(of)
		return err
	})
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	answerPicture(w, picture)
}

func answerPicture(w http.ResponseWriter, picture []byte) {
	w.Header().Set("Content-Type", jpegType)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	w.Write(picture)
}

// pictureView names the picture of a contact, or with the zero id our own; nil if there is none.
func (r *reader) pictureView(of protocol.ContactID) (*string, error) {
	if r.actor.redacted() {
		return nil, nil
	}
	sequence, err := r.PictureSequence(of)
	if err != nil || sequence == 0 {
		return nil, err
	}
	name := strconv.FormatUint(sequence, 36)
	return &name, nil
}
