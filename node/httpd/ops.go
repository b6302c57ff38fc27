package httpd

import (
	"context"
	"net/http"

	"pabal/node/api"
)

func (s *Server) healthz(context.Context, *none) (*reply[api.Health], error) {
	return ok(0, api.Health{OK: true, Reasons: []string{}}), nil
}

// readyz refuses with the reasons while no message would be taken.
func (s *Server) readyz(ctx context.Context, _ *none) (*reply[api.Health], error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	reasons := []string{}
	if p := gate(&route{states: writing}, s.daemon.State().State); p != nil {
		reasons = append(reasons, string(p.Code))
	} else if err := s.daemon.Alive(ctx); err != nil {
		reasons = append(reasons, string(problemOf(err).Code))
	}
	if len(reasons) > 0 {
		return nil, api.NewProblem(api.CodeNotReady).With("reasons", reasons)
	}
	return ok(0, api.Health{OK: true, Reasons: reasons}), nil
}

func (s *Server) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	document, err := s.openapi()
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(document)
}
