// Package lan carries beacons: datagrams to everybody on the local networks that this
// machine is in.
//
// It tells in which networks we are ([Changed]) and what was heard there ([Heard]);
// what a beacon says, who is recognised, and whether the user trusts a network is the
// business of others. On a network it neither sends nor joins a multicast group (which
// others would see) before it is told to: [LAN.Listen], [LAN.Send].
//
// # Use
//
//	l := lan.Open(lan.Config{Ledger: ledger})
//	for event := range l.Events() { … }        // Changed first, then Changed and Heard
//	l.Listen(trusted)
//	l.Send(network, from, datagram)
//
// A network is told from others by its gateway, where the system says what that is: on
// Linux, by netlink. [Network.ID] stays the same as long as we stay; whether it also is
// the same the next time says [Network.Lasting].
package lan
