//go:build !linux

package surroundings

// These are not looked at here, and it is said.

func swap() Row { return Row{Check: "swap", Warn: true, Code: "swap_unknown"} }

func coreDumps() Row { return Row{Check: "core", Warn: true, Code: "core_unknown"} }

func fileSystem(string) Row { return Row{Check: "filesystem", Warn: true, Code: "filesystem_unknown"} }
