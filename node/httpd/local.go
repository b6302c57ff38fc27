package httpd

import (
	"context"

	"pabal/node/api"
)

type trustInput struct{ Body *api.TrustRequest }

func (s *Server) trustNetwork(ctx context.Context, in *trustInput) (*reply[api.LocalNetwork], error) {
	var wanted api.TrustRequest
	if in.Body != nil {
		wanted = *in.Body
	}
	out, err := s.daemon.TrustNetwork(ctx, wanted.Network)
	return ok(0, out), err
}

type networkInput struct {
	Network string `path:"network" maxLength:"64" doc:"id or interface"`
}

func (s *Server) distrustNetwork(ctx context.Context, in *networkInput) (*done, error) {
	return &done{}, s.daemon.DistrustNetwork(ctx, in.Network)
}
