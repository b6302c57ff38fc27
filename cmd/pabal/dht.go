package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) dhtCommand() *cobra.Command {
	return c.group("dht", c.dhtStatus(), c.dhtOn(), c.dhtOff())
}

func (c *cli) dhtStatus() *cobra.Command {
	return c.command("status", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		network, err := daemon.Network(ctx)
		if err != nil {
			return err
		}
		return c.show(network.DHT, func() error { return c.printDHT(network.DHT) })
	}))
}

func (c *cli) printDHT(d api.DHT) error {
	if !d.On {
		return c.table([][]string{{c.text(speech.LabelDHT), c.word("dht", "off")}})
	}
	rows := [][]string{{c.text(speech.LabelDHT), c.word("dht", "on"), localTime(d.Since)}}
	for _, server := range d.Bootstrap {
		rows = append(rows, []string{c.text(speech.LabelBootstrap), server})
	}
	return c.table(rows)
}

// dhtOn tells what it costs before it asks.
func (c *cli) dhtOn() *cobra.Command {
	var yes bool
	var servers []string
	cmd := withExample(c.command("on", c.exactly(0), c.remote(followForever, func(ctx context.Context, daemon *api.Client, _ []string) error {
		if len(servers) == 0 {
			return fail(exitUsage, "bootstrap_required", speech.BootstrapMissing)
		}
		c.say(speech.DHTCost)
		if err := c.confirm(yes, c.text(speech.AskDHT)); err != nil {
			return err
		}
		dht, err := daemon.SwitchDHT(ctx, servers)
		if err != nil {
			return err
		}
		return c.show(dht, func() error {
			c.say(speech.DHTOn)
			return nil
		})
	})), `  pabal network dht on --bootstrap /ip4/192.0.2.1/tcp/4001/p2p/12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay`)
	cmd.Flags().StringArrayVar(&servers, "bootstrap", nil, "")
	cmd.Flags().BoolVar(&yes, "yes", false, "")
	return cmd
}

func (c *cli) dhtOff() *cobra.Command {
	return c.command("off", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		if err := daemon.SwitchDHTOff(ctx); err != nil {
			return err
		}
		c.say(speech.DHTOff)
		return nil
	}))
}
