// Package crash keeps the daemon to its contract about crashes: what was acknowledged to a
// client is there after any kill -9, once and in order, at both ends, and so are the
// events of it.
//
//	summary, err := crash.Run(ctx, "/usr/local/bin/pabal", directory, crash.Options{Kills: 200})
//
// It runs the program itself, in profiles of its own. "pabal drill --crash" does that for
// users, "go run ./cmd/dev crash" for developers; [Side] also serves other suites of
// cmd/dev that need daemons of their own.
package crash
