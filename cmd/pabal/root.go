package main

import (
	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// rootCommand returns the whole tree of commands.
func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "pabal",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          c.knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.running = true
			return c.summary(cmd.Context())
		},
		Example: `  pabal run
  pabal invite create
  pabal add LINK --as Mina
  pabal send Mina "안녕, 반가워요 👋" --wait delivered
  pabal read Mina`,
	}
	c.globalFlags(root)
	root.AddCommand(
		c.runCommand(), c.webCommand(), c.statusCommand(), c.setupCommand(), c.unlockCommand(), c.lockCommand(), c.passphraseCommand(), c.rotateCommand(), c.duressCommand(), c.wipeCommand(), c.stopCommand(),
		c.inviteCommand(), c.addCommand(), c.requestCommand(), c.contactCommand(), c.verifyCommand(), c.courierCommand(), c.homeCommand(), c.bundleCommand(),
		c.chatCommand(), c.sendCommand(), c.readCommand(), c.searchCommand(),
		c.markCommand(api.MarkStar, speech.MessageStarred, speech.MessageUnstarred), c.markCommand(api.MarkPin, speech.MessagePinned, speech.MessageUnpinned),
		c.editCommand(), c.forwardCommand(), c.deleteCommand(), c.reactCommand(), c.fileCommand(), c.outboxCommand(), c.whyCommand(), c.copiesCommand(), c.warrantCommand(), c.auditCommand(), c.exportCommand(), c.eventsCommand(),
		c.meCommand(), c.networkCommand(), c.whoKnowsCommand(), c.settingsCommand(), c.tokenCommand(), c.pairingCommand(), c.approvalsCommand(), c.webhookCommand(), c.apiCommand(),
		c.backupCommand(), c.moveCommand(), c.doctorCommand(), c.drillCommand(), c.serviceCommand(), c.uninstallCommand(), c.completionCommand(), c.manCommand(), c.versionCommand(),
	)
	root.SetFlagErrorFunc(c.flagError)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(c.helpCommand(root))
	root.SetUsageTemplate(c.usageTemplate())
	c.describe(root)
	return root
}

func (c *cli) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&c.flags.profile, "profile", "", "")
	f.StringVar(&c.flags.home, "home", c.getenv("PABAL_HOME"), "")
	f.StringVar(&c.flags.socket, "socket", "", "")
	f.DurationVar(&c.flags.timeout, "timeout", 0, "")
	f.BoolVar(&c.flags.json, "json", false, "")
	f.BoolVar(&c.flags.plain, "plain", false, "")
	f.BoolVarP(&c.flags.quiet, "quiet", "q", false, "")
	f.BoolVar(&c.flags.noInput, "no-input", false, "")
	f.StringVar(&c.flags.color, "color", "auto", "")
	f.StringVar(&c.flags.lang, "lang", "", "")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return c.checkGlobals() }
}

// helpCommand replaces cobra's, whose texts are English only.
func (c *cli) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [command]",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				cmd = root
			}
			return cmd.Help()
		},
	}
}

// withExample gives a command its examples.
func withExample(cmd *cobra.Command, example string) *cobra.Command {
	cmd.Example = example
	return cmd
}
