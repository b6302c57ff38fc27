package lab_test

import (
	"fmt"
	"log"

	"pabal/node/p2p/lab"
)

func ExamplePingPong() {
	stats, err := lab.PingPong(100)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Rounds, stats.P50 <= stats.P99)
	// Output: 100 true
}
