package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) networkCommand() *cobra.Command {
	return c.group("network", c.networkStatus(), c.networkTrust(), c.networkDistrust(), c.dhtCommand())
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
			for _, o := range network.Observed {
				known := c.text(speech.Unconfirmed)
				if o.Confirmed {
					known = c.text(speech.Confirmed)
				}
				rows = append(rows, []string{c.text(speech.LabelObserved), o.Address, known})
			}
			for _, p := range network.Peers {
				rows = append(rows, []string{c.text(speech.LabelLive), dash(byID[p.ContactID]), p.Path, localTime(&p.Since), c.doing(p)})
			}
			for _, n := range network.Networks {
				rows = append(rows, []string{
					c.text(speech.LabelNetwork), n.Interface, dash(strings.Join(n.Addresses, " ")), orDash(n.Gateway), c.word("network", trustOf(n)), n.ID,
				})
			}
			return c.table(rows)
		})
	}))
}

// doing is what a contact lets us know of what it does at the moment.
func (c *cli) doing(p api.NetworkPeer) string {
	switch {
	case p.Typing:
		return c.text(speech.Writes)
	case p.Here:
		return c.text(speech.IsHere)
	}
	return ""
}

// trustOf is how far a local network is trusted, as a word.
func trustOf(n api.LocalNetwork) string {
	switch {
	case !n.Trusted:
		return "untrusted"
	case !n.Here:
		return "elsewhere"
	case !n.Lasting:
		return "stay"
	}
	return "trusted"
}

func (c *cli) networkTrust() *cobra.Command {
	return withExample(c.command("trust [network]", c.between(0, 1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		network, err := daemon.TrustNetwork(ctx, strings.Join(args, ""))
		if err != nil {
			return err
		}
		return c.show(network, func() error {
			c.say(speech.NetworkTrusted, network.Interface)
			if !network.Lasting {
				c.say(speech.NetworkForStay)
			}
			return nil
		})
	})), `  pabal network trust
  pabal network trust wlan0`)
}

func (c *cli) networkDistrust() *cobra.Command {
	return c.command("distrust [network]", c.between(0, 1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		word := strings.Join(args, "")
		if word == "" {
			network, err := daemon.Network(ctx)
			if err != nil {
				return err
			}
			if word, err = onlyTrusted(network.Networks); err != nil {
				return err
			}
		}
		if err := daemon.DistrustNetwork(ctx, word); err != nil {
			return err
		}
		c.say(speech.NetworkDistrusted)
		return nil
	}))
}

// onlyTrusted returns the id of the one trusted network that this machine is in.
func onlyTrusted(networks []api.LocalNetwork) (id string, err error) {
	for _, n := range networks {
		switch {
		case !n.Here || !n.Trusted:
		case id != "":
			return "", api.NewProblem(api.CodeNetworkAmbiguous)
		default:
			id = n.ID
		}
	}
	if id == "" {
		return "", api.NewProblem(api.CodeNotFound)
	}
	return id, nil
}
