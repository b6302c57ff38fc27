// Package surroundings looks at what surrounds the files of a profile and may keep what is
// deleted there: swap, core dumps, file systems that copy, snapshots, the history of a
// shell. Nothing here is changed, and nothing of it can be mended by us: it is said, by
// pabal doctor and in the report of a drill.
//
//	for _, row := range surroundings.Look(dataDirectory, home) { … }
package surroundings
