//go:build !linux

package main

import (
	"context"
	"fmt"
	"net/netip"
)

// idleLab needs the network namespaces of Linux: here there is none.
type idleLab struct{}

func idleRefusal() error { return fmt.Errorf("%w: network namespaces need Linux", errNoLab) }

func openIdleLab(context.Context) (*idleLab, error) { return nil, idleRefusal() }

func (*idleLab) come(context.Context, idleLine, netip.Addr) error { return idleRefusal() }

func (*idleLab) leave(context.Context, idleLine, netip.Addr) error { return idleRefusal() }

func (*idleLab) carried(context.Context, idleLine) (uint64, error) { return 0, idleRefusal() }

func (*idleLab) inside(string) []string { return nil }

func (*idleLab) close() error { return nil }
