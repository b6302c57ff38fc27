package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) networkCommand() *cobra.Command {
	return c.group("network", c.networkStatus())
}

func (c *cli) networkStatus() *cobra.Command {
	return c.command("status", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		network, err := daemon.Network(ctx)
		if err != nil {
			return err
		}
		return c.show(network, func() error {
			byID, err := names(ctx, daemon)
			if err != nil {
				return err
			}
			rows := [][]string{{c.text(speech.LabelReach), c.word("reach", network.Reachability)}}
			for _, address := range network.Listen {
				rows = append(rows, []string{c.text(speech.LabelListen), address})
			}
			for _, p := range network.Peers {
				rows = append(rows, []string{c.text(speech.LabelLive), dash(byID[p.ContactID]), p.Path, localTime(&p.Since)})
			}
			return c.table(rows)
		})
	}))
}
