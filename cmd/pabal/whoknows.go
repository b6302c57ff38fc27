package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) whoKnowsCommand() *cobra.Command {
	return c.command("who-knows", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		egress, err := daemon.Egress(ctx)
		if err != nil {
			return err
		}
		return c.show(egress, func() error {
			byID, err := names(ctx, daemon)
			if err != nil {
				return err
			}
			return c.printEgress(egress, byID)
		})
	}))
}

func (c *cli) printEgress(e api.Egress, byID map[string]string) error {
	if len(e.Items) == 0 {
		c.say(speech.NobodyKnows, localTime(&e.Since))
		return nil
	}
	c.say(speech.WhoKnowsSince, localTime(&e.Since))
	if e.Forgotten > 0 {
		c.say(speech.WhoKnowsForgot, strconv.FormatUint(e.Forgotten, 10))
	}
	rows := make([][]string, len(e.Items))
	for i, item := range e.Items {
		name := "-"
		if item.ContactID != nil {
			name = dash(byID[*item.ContactID])
		}
		var learns []string
		for _, code := range item.Learns {
			learns = append(learns, c.word("learns", code))
		}
		rows[i] = []string{
			item.Network + "://" + item.Address, c.word("rung", item.Reason), name,
			strconv.FormatUint(item.Times, 10), localTime(&item.LastAt), strings.Join(learns, ", "),
		}
	}
	return c.table(rows)
}
