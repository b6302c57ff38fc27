package httpd

import "pabal/node/api"

// states is a set of the daemon's states.
type states uint8

const (
	inUninitialised states = 1 << iota
	inLocked
	inStarting
	inReady
	inReadOnly
	inStopping
)

// The states that operations answer in.
const (
	always    = inUninitialised | inLocked | inStarting | inReady | inReadOnly | inStopping
	anyLocked = inUninitialised | inLocked | inReady | inReadOnly // also without an open store
	reading   = inReady | inReadOnly
	writing   = inReady
)

func stateBit(s api.State) states {
	switch s {
	case api.StateUninitialised:
		return inUninitialised
	case api.StateLocked:
		return inLocked
	case api.StateStarting:
		return inStarting
	case api.StateReady:
		return inReady
	case api.StateReadOnly:
		return inReadOnly
	default:
		return inStopping
	}
}

// gate says why an operation does not answer in a state, or returns nil. A nil
// route stands for no operation: it answers 404 where others would answer.
func gate(rt *route, state api.State) *api.Problem {
	allowed := reading
	if rt != nil {
		allowed = rt.states
	}
	bit := stateBit(state)
	if allowed&bit != 0 {
		return nil
	}
	switch {
	case bit == inStarting:
		return api.NewProblem(api.CodeNotReady)
	case bit == inStopping:
		return api.NewProblem(api.CodeStopping)
	case bit == inUninitialised:
		return api.NewProblem(api.CodeUninitialised)
	case allowed == inUninitialised:
		return api.NewProblem(api.CodeAlreadyInitialised)
	case bit == inLocked:
		return api.NewProblem(api.CodeLocked)
	case allowed == inLocked:
		return api.NewProblem(api.CodeNotLocked)
	default:
		return api.NewProblem(api.CodeStorageFull)
	}
}
