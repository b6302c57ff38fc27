package main

import (
	"context"
	"errors"
	"net/http"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// The exit codes. Scripts rely on them; they are part of the interface.
const (
	exitOK           = 0
	exitError        = 1
	exitUsage        = 2   // wrong arguments, or a value that the daemon refuses
	exitNoDaemon     = 3   // no daemon is running
	exitLocked       = 4   // locked, or not authorised
	exitNotFound     = 5   // nothing of that name or id, or it is gone
	exitConflict     = 6   // in use already, ambiguous, or changed meanwhile
	exitTimeout      = 7   // accepted, but not delivered within the time of --wait
	exitNetwork      = 8   // the network or the other side cannot be reached
	exitVerification = 9   // the contact must be verified (again) first
	exitRate         = 10  // too many requests
	exitInterrupted  = 130 // SIGINT or SIGTERM
)

// codeExits is the exit code of each problem code for which statusExits would
// not be right.
var codeExits = map[api.Code]int{
	api.CodeUninitialised:        exitLocked,
	api.CodeNotReady:             exitLocked,
	api.CodeHostNotAllowed:       exitLocked,
	api.CodeVerificationRequired: exitVerification,
	api.CodeVerificationMismatch: exitVerification,
	api.CodeContactFailed:        exitNetwork,
	api.CodeSessionRenewal:       exitNetwork,
	api.CodeNoKeyfile:            exitUsage,
}

// statusExits is the exit code of an HTTP status, for codes that codeExits does
// not name. Any other status is exitError.
var statusExits = map[int]int{
	http.StatusBadRequest:            exitUsage,
	http.StatusUnauthorized:          exitLocked,
	http.StatusForbidden:             exitLocked,
	http.StatusNotFound:              exitNotFound,
	http.StatusMethodNotAllowed:      exitUsage,
	http.StatusNotAcceptable:         exitUsage,
	http.StatusConflict:              exitConflict,
	http.StatusGone:                  exitNotFound,
	http.StatusLengthRequired:        exitUsage,
	http.StatusPreconditionFailed:    exitConflict,
	http.StatusRequestEntityTooLarge: exitUsage,
	http.StatusUnsupportedMediaType:  exitUsage,
	http.StatusUnprocessableEntity:   exitUsage,
	http.StatusLocked:                exitLocked,
	http.StatusTooManyRequests:       exitRate,
	http.StatusBadGateway:            exitNetwork,
	http.StatusGatewayTimeout:        exitTimeout,
}

// failure is an error that knows its exit code and what to say. Code is the
// problem code, or a code of ours in the same style.
type failure struct {
	exit int
	code api.Code
	key  speech.Key
	args []string
}

func (f *failure) Error() string { return speech.Text(speech.English, f.key, f.args...) }

// fail returns a failure whose sentence is key with args.
func fail(exit int, code api.Code, key speech.Key, args ...string) *failure {
	return &failure{exit: exit, code: code, key: key, args: args}
}

// silent is an exit code about which everything has been said already.
type silent int

func (s silent) Error() string { return "exit" }

// exitCode returns the exit code of what a command returned.
func exitCode(err error) int {
	var (
		said    silent
		failed  *failure
		problem *api.Problem
		several *profile.SeveralError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &said):
		return int(said)
	case errors.As(err, &failed):
		return failed.exit
	case errors.As(err, &problem):
		return problemExit(problem)
	case errors.As(err, &several), errors.Is(err, profile.ErrName):
		return exitUsage
	case errors.Is(err, profile.ErrNone):
		return exitNoDaemon
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	}
	return exitError
}

func problemExit(p *api.Problem) int {
	if exit, ok := codeExits[p.Code]; ok {
		return exit
	}
	if exit, ok := statusExits[p.Status]; ok {
		return exit
	}
	return exitError
}
