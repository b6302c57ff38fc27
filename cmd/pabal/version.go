package main

import (
	"context"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"pabal/node/api"
)

// version is the program's version until the first release.
const version = "0.0.0-dev"

// versionInfo is what "version --json" prints.
type versionInfo struct {
	Version string               `json:"version"`
	Commit  string               `json:"commit"`
	Go      string               `json:"go"`
	API     api.DiscoveryVersion `json:"api"`
}

func (c *cli) versionCommand() *cobra.Command {
	return c.command("version", c.exactly(0), func(context.Context, []string) error {
		info := programVersion()
		return c.show(info, func() error {
			return c.print(strings.TrimSpace("pabal " + info.Version + " " + info.Commit + " " + info.Go))
		})
	})
}

// programVersion reads what the compiler left in the program.
func programVersion() versionInfo {
	info := versionInfo{Version: version, API: api.DiscoveryVersion{Major: api.Major, Minor: api.Minor}}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.Go = build.GoVersion
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			info.Commit = s.Value[:min(12, len(s.Value))]
		}
	}
	return info
}
