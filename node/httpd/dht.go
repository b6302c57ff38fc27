package httpd

import (
	"context"

	"pabal/node/api"
)

type dhtInput struct{ Body api.DHTRequest }

func (s *Server) switchDHT(ctx context.Context, in *dhtInput) (*reply[api.DHT], error) {
	out, err := s.daemon.SwitchDHT(ctx, in.Body.Bootstrap)
	return ok(0, out), err
}

func (s *Server) switchDHTOff(ctx context.Context, _ *none) (*done, error) {
	_, err := s.daemon.SwitchDHT(ctx, nil)
	return &done{}, err
}
