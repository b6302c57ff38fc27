// Command pabal is the daemon of Pabal and its command line.
//
// "pabal run" is the daemon: it calls node.Run and nothing else of the program
// does. Every other command is a client of the daemon's local HTTP API, through
// node/api, and can do nothing that another frontend could not do. There is one
// file per subcommand; exit.go has the one table of exit codes.
//
// Standard output carries data, standard error talk. With --json the API's own
// objects are printed. Secrets are never taken from flags or the environment.
//
// The usage of each command: pabal help. The API: node/api.
package main
