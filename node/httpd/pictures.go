package httpd

import (
	"context"
	"net/http"
	"strconv"

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
			scopes: manage, states: writing, confirm: true, file: true, register: takingFile(api.PictureType, (*Server).takePicture)},
		{method: http.MethodDelete, path: "/v1/self/picture", summary: "Have no picture", scopes: manage,
			states: writing, confirm: true, status: http.StatusNoContent, register: operation((*Server).clearPicture)},
		{method: http.MethodGet, path: "/v1/contacts/{id}/picture", summary: "A contact's picture", scopes: scopes(api.ScopeContactsRead),
			states: reading, register: raw(jpegType, (*Server).contactPicture)},
	}
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
