package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"pabal/cmd/pabal/speech"
)

// manCommand prints a page for man of a command, or writes those of all commands.
func (c *cli) manCommand() *cobra.Command {
	dir := ""
	cmd := &cobra.Command{Use: "man [command...]"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		forMan(cmd.Root())
		header := &doc.GenManHeader{Section: "1", Source: "Pabal " + version, Manual: "Pabal"}
		if dir != "" {
			if len(args) > 0 {
				return fail(exitUsage, "usage", speech.PageOrDirectory)
			}
			c.running = true
			if _, err := os.Stat(dir); err != nil { // before the first of many
				return err
			}
			return doc.GenManTreeFromOpts(cmd.Root(), doc.GenManTreeOptions{Header: header, Path: dir, CommandSeparator: "-"})
		}
		about, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return fmt.Errorf("%s", c.text(speech.ArgumentsWrong, cmd.UseLine()))
		}
		return doc.GenMan(about, header, c.out)
	}
	cmd.Flags().StringVar(&dir, "dir", "", "")
	return withExample(cmd, `  pabal man send | man -l -
  pabal man --dir ~/.local/share/man/man1`)
}

// forMan has the angle brackets of a command and of all below it shown: on the way to a page they
// would be markup. Nothing else is done with the commands behind this.
func forMan(cmd *cobra.Command) {
	cmd.Use = strings.NewReplacer("<", `\<`, ">", `\>`).Replace(cmd.Use)
	cmd.DisableAutoGenTag = true
	for _, sub := range cmd.Commands() {
		forMan(sub)
	}
}
