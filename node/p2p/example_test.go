package p2p_test

import (
	"fmt"
	"log"

	"pabal/node/egress"
	"pabal/node/p2p"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Two hosts of one machine: one dials the other and says hello. What a hello is,
// and who may be answered, is the business of the core.
func Example() {
	ana, err := p2p.Open(p2p.Config{Seed: identity.TransportSeed{1}, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		log.Fatal(err)
	}
	defer ana.Close()
	ben, err := p2p.Open(p2p.Config{Seed: identity.TransportSeed{2}, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		log.Fatal(err)
	}
	defer ben.Close()

	where := (<-ben.Events()).(p2p.Addresses) // always the first event
	<-ana.Events()
	ana.Dial(p2p.Dial{ID: 1, Keys: []identity.TransportKey{ben.Key()}, Addresses: where.Own, Why: egress.Reason{Rung: egress.Direct}})
	opened := (<-ana.Events()).(p2p.Opened)
	tag := make([]byte, identity.HelloTagSize)
	if err := ana.Send(opened.Conn, []p2p.Frame{{Type: wire.TypeHello, Body: tag}}); err != nil {
		log.Fatal(err)
	}

	inbound := (<-ben.Events()).(p2p.Opened)
	fmt.Println("inbound:", inbound.Inbound, "from ana:", inbound.Remote == ana.Key())
	for _, frame := range (<-ben.Events()).(p2p.Received).Frames {
		fmt.Println(frame.Type.Name())
	}
	ben.Authenticate(inbound.Conn) // the tag was right
	if err := ben.Send(inbound.Conn, []p2p.Frame{{Type: wire.TypeHello, Body: tag}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("answers:", len((<-ana.Events()).(p2p.Received).Frames))
	// Output:
	// inbound: true from ana: true
	// hello
	// answers: 1
}
