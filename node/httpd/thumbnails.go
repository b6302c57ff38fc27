package httpd

import (
	"context"
	"io"
	"net/http"
	"strings"

	"pabal/node/api"
	"pabal/node/portrait"
	"pabal/protocol"
	"pabal/protocol/wire"
)

// addThumbnails gives the pictures that a message is to carry their thumbnails. What is no
// picture, or none that can be decoded within the limits, goes without.
func (s *Server) addThumbnails(ctx context.Context, files []protocol.FileToSend) error {
	pictures := 0
	for i := range files {
		if drawable(&files[i].File) {
			pictures++
		}
	}
	for i := range files {
		if !drawable(&files[i].File) {
			continue
		}
		thumbnail, err := s.thumbnail(ctx, files[i].ID, min(wire.ThumbnailBytesMax, portrait.ThumbnailsBytes/pictures))
		if err != nil {
			return err
		}
		files[i].File.Thumbnail = thumbnail
	}
	return nil
}

// drawable reports whether a file may be a picture of which a thumbnail is made.
func drawable(f *wire.File) bool {
	return strings.HasPrefix(f.MediaType, "image/") && f.SizeBytes <= portrait.BytesMax
}

// thumbnail makes the thumbnail of a file that lies here whole; nil if there can be none.
// Pictures are decoded one at a time: each may need portrait.DecodedBytesMax.
func (s *Server) thumbnail(ctx context.Context, id protocol.FileID, bytesMax int) ([]byte, error) {
	select {
	case s.decoding <- struct{}{}:
		defer func() { <-s.decoding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	body, err := openContent(s.daemon.Store(), id)
	if err != nil {
		return nil, err
	}
	body.open = s.daemon.Store
	picture, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	thumbnail, err := portrait.Thumbnail(picture, bytesMax)
	if err != nil {
		return nil, nil
	}
	return thumbnail, nil
}

// fileThumbnail answers with what a picture looks like. It may be a contact's word and bytes, and
// is drawn anew here, so that a frontend decodes nothing of the contact's.
func (s *Server) fileThumbnail(w http.ResponseWriter, r *http.Request) {
	if !s.plain(w, r) {
		return
	}
	thumbnail, err := s.readThumbnail(r)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	answerPicture(w, thumbnail)
}

func (s *Server) readThumbnail(r *http.Request) (thumbnail []byte, err error) {
	id, err := fileID(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	err = s.read(r.Context(), func(v *reader) error {
		if v.actor.redacted() {
			return api.NewProblem(api.CodeScopeMissing).With("scope", api.ScopeMessagesRead)
		}
		f, err := v.file(id)
		if err == nil {
			thumbnail, err = v.Thumbnail(f.ID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if thumbnail, err = portrait.Again(thumbnail); err != nil {
		return nil, api.NewProblem(api.CodeNotFound)
	}
	return thumbnail, nil
}
