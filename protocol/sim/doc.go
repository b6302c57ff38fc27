// Package sim simulates many [protocol.Peer]s on virtual time, with a network
// and disks that fail as real ones do, and checks after each step that nothing
// the protocol promises is broken.
//
// A run is a function of its seed: [NewPlan] makes a plan of a seed, [NewWorld] the
// world, [World.Run] lets it live and then heals it: then everything must
// converge. The first broken promise ends the run as an error that says what
// happened when. Events are taken from one queue in order of their time, so
// that a run is one thread and two runs of a seed are equal to the byte;
// [World.Digest] shows that.
//
// There are four kinds of plans: [NewPlan] makes a few people suffer everything; [NewGathering] has them talk in groups, too;
// [NewVillage] and [NewCity] let more of them live as people do, on at hours of their own,
// with home nodes, friends who carry mail, and couriers that lie.
//
// What is simulated of the daemon is what package node does: a batch of inputs
// ends with Flush, its writes are committed in one transaction, and only then
// is anything sent, answered or begun. A crash loses the batch, the
// connections and the jobs.
//
// A seed that fails is run again, with everything that happens and what is on
// each disk at the end, by
//
//	go test ./protocol/sim -run '^TestSeeds$' -args -seed 17 -trace
//
// or with TestVillages or TestTown in place of TestSeeds. -seed and -seeds give the first seed and how many; -peers and -hours change
// what the seeds say. A [Mutation] is a mistake of the simulated daemon that the
// simulation must find: it shows that the promises are looked at.
//
// The truth that the promises are measured against is kept beside the peers:
// every letter that was ever committed, by whom, and where it arrived.
package sim
