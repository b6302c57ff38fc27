package session

import "time"

// Limits that the protocol fixes: another implementation must not exceed them.
const (
	// Window bounds how far a message's index may lie beyond the lowest one that is
	// not acknowledged, and so how many skipped message keys a session holds.
	Window = 512
	// StepAfter is the age of a chain after which a message makes a step.
	StepAfter = time.Minute
	// AckStepAfter is the age of a chain after which even a bare ack makes a step.
	AckStepAfter = time.Hour
	// CourierSizeMin is the smallest envelope that goes by courier.
	CourierSizeMin = 3 << 10
)
