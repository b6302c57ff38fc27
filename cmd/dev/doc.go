// Dev is the developers' tool: it checks the tree, simulates the protocol, fuzzes
// the parsers, kills daemons under load, switches them off and measures.
//
//	go run ./cmd/dev check | fuzz | sim | crash | events | siege | paint | clients | offline | nat | idle | flood | mutate | bench
//
// Each subcommand is one file with one function of the type in [command]; main.go
// has the table. Everything works offline once the modules are in the cache,
// runs in the top directory of the tree, and ends what it starts when it is
// interrupted. Results go to standard output and talk to standard error.
//
// The rules of style that the compiler does not know are tests of this package
// (tidyrules_test.go), so that `go test ./...` holds everybody to them.
package main
