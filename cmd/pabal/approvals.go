package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) approvalsCommand() *cobra.Command {
	return withExample(c.group("approvals", c.approvalsList(),
		c.command("approve <approval>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
			message, err := daemon.Approve(ctx, args[0])
			if err != nil {
				return err
			}
			c.say(speech.ApprovalApproved)
			return c.show(message, func() error { return c.print(orDash(message.ID)) })
		})),
		c.command("refuse <approval>", c.exactly(1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
			if err := daemon.Refuse(ctx, args[0]); err != nil {
				return err
			}
			c.say(speech.ApprovalRefused)
			return nil
		}))), `  pabal token create agent --preset bot --approval
  pabal approvals list
  pabal approvals approve ap_4q2…`)
}

func (c *cli) approvalsList() *cobra.Command {
	return c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		waiting, err := daemon.Approvals(ctx)
		if err != nil {
			return err
		}
		byID, err := names(ctx, daemon)
		if err != nil {
			return err
		}
		return showList(c, waiting, speech.NoApprovals, func(a api.Approval) []string {
			to := c.text(speech.NoteToSelf)
			if a.ContactID != nil {
				to = dash(byID[*a.ContactID])
			}
			text := "-"
			if a.Message.Body != nil {
				text = a.Message.Body.Text
			}
			for _, f := range a.Message.Attachments {
				text += " [" + f.Name + "]"
			}
			return []string{a.ID, a.TokenName, to, localTime(&a.ExpiresAt), text}
		})
	}))
}
