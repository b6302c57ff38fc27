package httpd

import (
	"context"
	"net/http"

	"pabal/node/api"
)

func jobRoutes() []route {
	owner := scopes(api.ScopeOwner)
	return []route{
		{method: http.MethodPost, path: "/v1/drill", summary: "Attack the own profile as an examiner would",
			scopes: owner, states: writing, status: http.StatusAccepted, confirm: true, register: operation((*Server).startDrill)},
		{method: http.MethodPost, path: "/v1/rotation", summary: "Copy the database under a new key and destroy the old one",
			scopes: owner, states: writing, status: http.StatusAccepted, audit: api.AuditRotation, register: operation((*Server).startRotation)},
		{method: http.MethodGet, path: "/v1/jobs/{id}", summary: "How far a job is, and its result",
			scopes: owner, states: reading, confirm: true, register: operation((*Server).getJob)},
	}
}

func (s *Server) startDrill(context.Context, *none) (*reply[api.Job], error) {
	job, err := s.daemon.StartDrill()
	return ok(0, job), err
}

func (s *Server) startRotation(context.Context, *none) (*reply[api.Job], error) {
	job, err := s.daemon.StartRotation()
	return ok(0, job), err
}

func (s *Server) getJob(_ context.Context, in *byID) (*reply[api.Job], error) {
	job, err := s.daemon.Job(in.ID)
	return ok(0, job), err
}
