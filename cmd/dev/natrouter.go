package main

import (
	"net/netip"
	"strings"
)

// The places of the lab, each a network namespace.
const (
	spaceHelp       = "help" // the courier's, at a public address
	spaceHome       = "home" // that of the one who writes
	spaceAway       = "away" // that of the one who answers
	spaceHomeRouter = "home-router"
	spaceAwayRouter = "away-router"
)

// The public addresses. They look like those of the internet at large, because no others
// are dialled when a hole is made; nothing leads from the namespaces to the real ones.
var (
	addressHelp = netip.MustParseAddr("5.6.7.1")
	addressHome = netip.MustParseAddr("5.6.7.11")
	addressAway = netip.MustParseAddr("5.6.7.12")
)

// router is what a home has between itself and the internet. The zero value keeps the port
// of a connection, and so uses one for all whom it leads to.
type router struct {
	masquerade string // options of nftables' masquerade; "random": another port for each destination
	noUDP      bool
}

// rules is a router's nftables. What nobody asked for is dropped without a word: refusing it
// would be remembered, and take the port that a hole needs.
func (r router) rules() string {
	blocked := ""
	if r.noUDP {
		blocked = "meta l4proto udp drop\n"
	}
	return strings.NewReplacer("OPTIONS", r.masquerade, "BLOCKED\n", blocked).Replace(`
table ip lab_nat {
	chain leaving {
		type nat hook postrouting priority 100
		oifname "wan" masquerade OPTIONS
	}
}
table ip lab_filter {
	chain through {
		type filter hook forward priority 0; policy drop
		BLOCKED
		iifname "lan" accept
		ct state established,related accept
	}
	chain arriving {
		type filter hook input priority 0; policy drop
		iifname "lan" accept
		ct state established,related accept
	}
}
`)
}
