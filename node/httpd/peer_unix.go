//go:build linux || darwin

package httpd

import (
	"net"
	"os"
	"syscall"
)

// peerIsUs reports whether the process at the other end of a unix socket runs
// as our own user.
func peerIsUs(conn net.Conn) bool {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var uid uint32
	var credErr error
	err = raw.Control(func(fd uintptr) { uid, credErr = peerUID(int(fd)) })
	return err == nil && credErr == nil && int64(uid) == int64(os.Geteuid())
}

// ownedByUs reports whether a file belongs to our own user.
func ownedByUs(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Uid) == int64(os.Geteuid())
}
