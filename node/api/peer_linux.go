package api

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// checkPeer refuses a unix socket whose other end is another user's process:
// whoever bound it first would otherwise be told messages and passphrases.
func checkPeer(conn net.Conn) error {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return fmt.Errorf("api: peer of the socket: %w", err)
	}
	var cred *syscall.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err == nil {
		err = credErr
	}
	if err != nil {
		return fmt.Errorf("api: peer of the socket: %w", err)
	}
	if int64(cred.Uid) != int64(os.Geteuid()) {
		return fmt.Errorf("%w: the socket belongs to uid %d", ErrServer, cred.Uid)
	}
	return nil
}
