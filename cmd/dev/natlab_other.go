//go:build !linux

package main

import (
	"context"
	"fmt"
	"time"
)

// natLab needs the network namespaces of Linux: here there is none.
type natLab struct{ net *internet }

func labRefusal(context.Context) error {
	return fmt.Errorf("%w: network namespaces need Linux", errNoLab)
}

func openLab(ctx context.Context, _ time.Duration, _ natPair) (*natLab, error) {
	return nil, labRefusal(ctx)
}

func (*natLab) roundTrip(ctx context.Context) (time.Duration, error) { return 0, labRefusal(ctx) }

func (*natLab) inside(string) []string { return nil }

func (*natLab) close() error { return nil }
