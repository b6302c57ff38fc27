// Package egress keeps the ledger of whom this program has sent to: every address since
// the profile was unlocked, why, and on whose behalf.
//
// Whoever sends asks first: [Ledger.Enter] takes the address and the [Reason], and
// refuses what has none. Package p2p asks it from the gate that libp2p passes before
// each dial, and package lan before each beacon, so that nothing leaves by a way that
// the user cannot look up. The ledger lives in memory only, is bounded, and says when
// it had to forget something.
package egress
