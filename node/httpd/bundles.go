package httpd

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// registerExport says of the answer that it is a file.
func registerExport(s *Server, a huma.API, op huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{api.BundleType: {Schema: aFile()}}}
	operation((*Server).exportBundle)(s, a, op)
}

type bundleInput struct{ Body api.BundleRequest }

// bundleFile is an answer that is a file. It is no JSON, and no cache may keep it.
type bundleFile struct {
	ContentType string `header:"Content-Type"`
	Messages    string `header:"Pabal-Bundle-Messages" doc:"of ours in the file"`
	Waiting     string `header:"Pabal-Bundle-Waiting" doc:"of ours that are not: too much is unconfirmed already"`
	Body        []byte
}

// exportBundle makes a file of what waits for a contact.
func (s *Server) exportBundle(ctx context.Context, in *bundleInput) (*bundleFile, error) {
	c, err := s.readContact(ctx, in.Body.ContactID)
	if err != nil {
		return nil, err
	}
	result, err := s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
		return protocol.ExportBundle{Ref: ref, Contact: c.ID}
	}, nil)
	if err != nil {
		return nil, err
	}
	out, made := result.(protocol.BundleExported)
	if !made {
		return nil, fmt.Errorf("export bundle: the core answered with %T", result)
	}
	return &bundleFile{
		ContentType: api.BundleType, Messages: strconv.Itoa(out.Messages), Waiting: strconv.Itoa(out.Waiting), Body: out.File,
	}, nil
}

// importBundle takes a file. A token of some conversations may not: only the file says of
// whom it is.
func (s *Server) importBundle(r *http.Request) (api.BundleImported, error) {
	q := requestOf(r.Context())
	if q.actor.narrowed() {
		return api.BundleImported{}, store.ErrNotFound
	}
	file := q.body
	result, err := s.daemon.Submit(r.Context(), func(ref uint64) protocol.Input {
		return protocol.ImportBundle{Ref: ref, File: file}
	}, nil)
	if err != nil {
		return api.BundleImported{}, err
	}
	in, taken := result.(protocol.BundleImported)
	if !taken {
		return api.BundleImported{}, fmt.Errorf("import bundle: the core answered with %T", result)
	}
	return api.BundleImported{
		ContactID: in.Contact.String(), MadeAt: api.NewTime(time.Unix(in.At, 0)), Messages: in.Messages,
		Delivered: in.Delivered, Renewal: in.Renewal,
	}, nil
}
