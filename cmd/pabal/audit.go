package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) auditCommand() *cobra.Command {
	query := api.AuditQuery{}
	cmd := c.command("audit", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		entries, err := daemon.Audit(ctx, query)
		if err != nil {
			return err
		}
		return showList(c, entries, speech.NoAudit, func(e api.AuditEntry) []string {
			outcome := c.word("outcome", e.Outcome)
			if e.Count > 1 {
				outcome += " ×" + strconv.Itoa(e.Count)
			}
			return []string{strconv.FormatInt(e.ID, 10), localTime(&e.At), c.word("audit", string(e.What)), c.word("actor", string(e.Actor)),
				dashOf(e.ActorID), outcome, dashOf(e.About)}
		})
	}))
	cmd.Flags().IntVarP(&query.Limit, "number", "n", 0, "")
	cmd.Flags().Int64Var(&query.Before, "before", 0, "")
	return withExample(cmd, `  pabal audit
  pabal audit -n 200 --before 801`)
}

// dashOf is a text that may be missing, in a column.
func dashOf(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}
