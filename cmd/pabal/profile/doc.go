// Package profile knows where profiles live on this machine and which running
// daemon a command means.
//
// A profile is a directory of data and a runtime directory with the daemon's
// socket and its discovery file api.json. [Places.Paths] gives both:
//
//	with --home DIR   DIR/P/data            DIR/P/run
//	else              $XDG_DATA_HOME/pabal/P
//	                                        $XDG_RUNTIME_DIR/pabal/P, or
//	                                        /run/user/UID/pabal/P if it is ours, or
//	                                        $TMPDIR/pabal-UID/P (0700, owner checked)
//
// [Places.Choose] picks the daemon: the profile that was named, else the only
// one that runs, else "default" among several; otherwise it returns a
// [SeveralError] with the list, or [ErrNone]. A discovery file counts only when
// a daemon accepts connections on the socket it names: files of a crashed one
// are passed over.
package profile
