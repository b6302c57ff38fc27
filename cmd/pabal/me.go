package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) meCommand() *cobra.Command {
	cmd := c.group("me", c.meShow(), c.meSet(), c.meFingerprint(), c.meQR(), c.mePicture(), c.meHere())
	cmd.Aliases = []string{"self"}
	return cmd
}

func (c *cli) meShow() *cobra.Command {
	return c.command("show", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		self, err := daemon.Self(ctx)
		if err != nil {
			return err
		}
		return c.show(self, func() error {
			rows := [][]string{{c.text(speech.LabelName), self.DisplayName}, {c.text(speech.LabelAccount), self.AccountID}, {c.text(speech.LabelPicture), c.yesNo(self.Picture != nil)}}
			for _, d := range self.Devices {
				rows = append(rows, []string{c.text(speech.LabelDevice), d.Name})
			}
			return c.table(rows)
		})
	}))
}

func (c *cli) meSet() *cobra.Command {
	return c.command("set <name>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		self, err := daemon.UpdateSelf(ctx, api.SelfPatch{DisplayName: &args[0]})
		if err != nil {
			return err
		}
		c.say(speech.MeRenamed, screen.Line(self.DisplayName))
		return c.show(self, func() error { return nil })
	}))
}

func (c *cli) meFingerprint() *cobra.Command {
	return c.command("fingerprint", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		fingerprint, err := daemon.SelfFingerprint(ctx)
		if err != nil {
			return err
		}
		return c.show(fingerprint, func() error { return c.print(strings.Join(fingerprint.Groups, " ")) })
	}))
}

// meQR prints the picture that the API makes, for a file or a viewer.
func (c *cli) meQR() *cobra.Command {
	return withExample(c.command("qr", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		svg, err := daemon.SelfQR(ctx)
		if err != nil {
			return err
		}
		_, err = c.out.Write(svg)
		return err
	})), `  pabal me qr > me.svg`)
}
