package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// safetyColumns is how many groups of a safety number stand on a line.
const safetyColumns = 4

func (c *cli) verifyCommand() *cobra.Command {
	var (
		confirm, qr bool
		compare     string
	)
	cmd := c.onContact("verify <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		if compare != "" || confirm {
			return c.recordVerification(ctx, daemon, k, compare)
		}
		verification, err := daemon.Verification(ctx, k.ID)
		if err != nil {
			return err
		}
		return c.show(verification, func() error {
			if qr {
				if err := c.drawQR(verification.QRPayload); err != nil {
					return err
				}
			}
			if err := c.printSafetyNumber(verification); err != nil {
				return err
			}
			c.say(speech.VerifyHow, screen.Line(contactName(k)), c.word("verification", verification.State), screen.Line(shellWord(contactName(k))))
			return nil
		})
	})
	cmd.Flags().BoolVar(&confirm, "confirm", false, "")
	cmd.Flags().StringVar(&compare, "compare", "", "")
	cmd.Flags().BoolVar(&qr, "qr", false, "")
	return withExample(cmd, `  pabal verify Mina
  pabal verify Mina --confirm`)
}

func (c *cli) printSafetyNumber(v api.Verification) error {
	groups := v.SafetyNumber
	if c.flags.plain {
		return c.print(strings.Join(groups, " "))
	}
	for len(groups) > 0 {
		n := min(safetyColumns, len(groups))
		if err := c.print(strings.Join(groups[:n], " ")); err != nil {
			return err
		}
		groups = groups[n:]
	}
	return nil
}

// recordVerification says that the numbers are equal. With the other side's
// digits the daemon compares them and refuses what differs.
func (c *cli) recordVerification(ctx context.Context, daemon *api.Client, k api.Contact, digits string) error {
	verification, err := daemon.Verify(ctx, k.ID, api.VerifyRequest{Method: "number", Payload: digits})
	if err != nil {
		return err
	}
	c.say(speech.ContactVerified, screen.Line(contactName(k)))
	return c.show(verification, func() error { return nil })
}
