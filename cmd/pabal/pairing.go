package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) pairingCommand() *cobra.Command {
	return withExample(c.group("pairing", c.pairingList(), c.pairingApprove(),
		c.command("deny <pairing>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
			if err := daemon.DenyPairing(ctx, args[0]); err != nil {
				return err
			}
			c.say(speech.PairingDenied)
			return nil
		}))), `  pabal pairing list
  pabal pairing approve pr_4q2… 4821-7730
  pabal pairing approve pr_4q2… 4821-7730 --scope messages:read --approval`)
}

func (c *cli) pairingList() *cobra.Command {
	return c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		waiting, err := daemon.Pairings(ctx)
		if err != nil {
			return err
		}
		return showList(c, waiting, speech.NoPairings, func(p api.Pairing) []string {
			scopes := make([]string, len(p.Scopes))
			for i, s := range p.Scopes {
				scopes[i] = string(s)
			}
			return []string{p.ID, p.ClientName, orDash(p.Origin), localTime(&p.ExpiresAt), strings.Join(scopes, ",")}
		})
	}))
}

func (c *cli) pairingApprove() *cobra.Command {
	var scopes []string
	var waits bool
	var cmd *cobra.Command
	cmd = c.command("approve <pairing> <code>", c.exactly(2), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		if cmd.Flags().Changed("scope") && len(scopes) == 0 {
			return fail(exitUsage, "usage", speech.PairingNeedsScope)
		}
		decision := api.PairingDecision{UserCode: args[1], Constraints: api.Constraints{Approval: waits}}
		for _, s := range scopes {
			decision.Scopes = append(decision.Scopes, api.Scope(s))
		}
		if err := daemon.ApprovePairing(ctx, args[0], decision); err != nil {
			return err
		}
		c.say(speech.PairingApproved)
		return nil
	}))
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "")
	cmd.Flags().BoolVar(&waits, "approval", false, "")
	return cmd
}
