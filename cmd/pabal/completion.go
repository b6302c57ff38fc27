package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// completionTimeout is all that a completion may take, unless --timeout: a person
// is typing.
const completionTimeout = 150 * time.Millisecond

func (c *cli) completionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "completion <bash|zsh|fish|powershell>", ValidArgs: []string{"bash", "zsh", "fish", "powershell"}}
	cmd.Args = c.exactly(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return c.bashCompletion(root)
		case "zsh":
			return root.GenZshCompletion(c.out)
		case "fish":
			return root.GenFishCompletion(c.out, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(c.out)
		}
		return fmt.Errorf("%s", c.text(speech.ArgumentsWrong, cmd.UseLine()))
	}
	return withExample(cmd, `  source <(pabal completion bash)
  pabal completion fish > ~/.config/fish/completions/pabal.fish`)
}

// bashCompletion is cobra's script without its second filter: ours has chosen
// already, and a name found by its initials does not begin with them.
func (c *cli) bashCompletion(root *cobra.Command) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	_, err := c.out.Write(withoutShellFilter(script.Bytes()))
	return err
}

func withoutShellFilter(script []byte) []byte {
	script = bytes.ReplaceAll(script, []byte(`compgen -W "${completions[*]}" -- "${cur}"`), []byte(`compgen -W "${completions[*]}" -- ""`))
	return bytes.ReplaceAll(script, []byte(`[[ $comp == "$cur"* ]] || continue`), nil)
}

// completeContacts completes the first argument by the names of contacts that
// begin with what is typed, also by their initial consonants. It asks the
// daemon and is silent if there is none or it is slow.
func (c *cli) completeContacts(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, cmp.Or(c.flags.timeout, completionTimeout))
	defer cancel()
	daemon, err := c.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	contacts, err := daemon.Contacts(ctx, api.ContactQuery{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return contactCompletions(contacts, typed), cobra.ShellCompDirectiveNoFileComp
}

// contactCompletions returns the matching names. A name that a shell script
// would take apart is left out: its id completes instead.
func contactCompletions(contacts []api.Contact, typed string) []string {
	var found []string
	for _, k := range contacts {
		name := contactName(k)
		if strings.HasPrefix(typed, "ct_") || strings.ContainsAny(name, "\t\n\r\x00\x1b") || name == "" {
			name = k.ID
		}
		if speech.MatchInitials(name, typed) {
			found = append(found, name+"\t"+k.ID)
		}
	}
	return found
}
