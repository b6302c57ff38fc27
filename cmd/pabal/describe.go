package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pabal/cmd/pabal/speech"
)

// describe fills the help of cmd and of all below it from the catalogue: the
// sentence of a command is "help.invite create", that of a flag "flag.invite
// create --card", or "flag.--card" where several commands share it.
func (c *cli) describe(cmd *cobra.Command) {
	path := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "pabal"), " ")
	cmd.Short = c.text(helpKey(path))
	cmd.DisableFlagsInUseLine = true
	fill := func(f *pflag.Flag) {
		if f.Usage == "" {
			f.Usage = c.text(flagKey(path, f.Name))
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(fill)
	cmd.PersistentFlags().VisitAll(fill)
	cmd.InitDefaultHelpFlag()
	cmd.Flags().Lookup("help").Usage = c.text("flag.--help")
	for _, sub := range cmd.Commands() {
		c.describe(sub)
	}
}

func helpKey(path string) speech.Key { return speech.Key(strings.TrimSuffix("help."+path, ".")) }

func flagKey(path, flag string) speech.Key {
	if own := speech.Key("flag." + path + " --" + flag); speech.Has(own) {
		return own
	}
	return speech.Key("flag.--" + flag)
}

// usageTemplate is cobra's own with our headings.
func (c *cli) usageTemplate() string {
	return fmt.Sprintf(`%s{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [command]{{end}}{{if .HasExample}}

%s
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

%s{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

%s
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

%s
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
`, c.text(speech.HeadingUsage), c.text(speech.HeadingExamples), c.text(speech.HeadingCommands),
		c.text(speech.HeadingFlags), c.text(speech.HeadingGlobalFlags))
}

// knownCommand refuses what is no command below cmd, and names one that is spelt like it.
func (c *cli) knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2 // letters that differ
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return errors.New(c.text(speech.CommandNear, args[0], cmd.CommandPath()+" "+strings.Join(near, ", ")))
	}
	return errors.New(c.text(speech.CommandUnknown, args[0], cmd.CommandPath()+" --help"))
}

// flagError says in the user's language that there is no such flag.
func (c *cli) flagError(cmd *cobra.Command, err error) error {
	if missing := (*pflag.NotExistError)(nil); errors.As(err, &missing) {
		dashes := "--"
		if missing.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		return errors.New(c.text(speech.FlagUnknown, dashes+missing.GetSpecifiedName(), cmd.CommandPath()+" --help"))
	}
	return err
}

// exactly and between are the argument counts of commands.
func (c *cli) exactly(n int) cobra.PositionalArgs { return c.between(n, n) }

func (c *cli) between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("%s", c.text(speech.ArgumentsWrong, cmd.UseLine()))
		}
		return nil
	}
}
