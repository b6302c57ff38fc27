//go:build !linux

package api

import "net"

// checkPeer relies on the modes of the socket and its directory: the standard
// library cannot tell who is at the other end here.
func checkPeer(net.Conn) error { return nil }
