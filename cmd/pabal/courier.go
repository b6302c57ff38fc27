package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) courierCommand() *cobra.Command {
	return c.group("courier", c.courierOffer(), c.courierList(), c.courierAccept(), c.courierRevoke(), c.courierStatus())
}

func (c *cli) courierOffer() *cobra.Command {
	quota, lifetime := sizeValue(api.CourierQuotaDefault), durationValue(api.CourierDaysDefault*day)
	cmd := c.onContact("offer <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		kept := time.Duration(lifetime)
		if kept%day != 0 {
			return api.NewProblem(api.CodeInvalidTerms)
		}
		bytes, days := uint64(quota), uint32(kept/day)
		courier, err := daemon.OfferCourier(ctx, api.CourierRequest{ContactID: k.ID, QuotaBytes: &bytes, LifetimeDays: &days})
		if err != nil {
			return err
		}
		c.say(speech.CourierOffered, screen.Line(contactName(k)), size(bytes), c.inDays(days))
		return c.show(courier, func() error { return nil })
	})
	cmd.Flags().Var(&quota, "quota", "")
	cmd.Flags().Var(&lifetime, "lifetime", "")
	return withExample(cmd, `  pabal courier offer Mina
  pabal courier offer Mina --quota 256MiB --lifetime 30d`)
}

func (c *cli) courierList() *cobra.Command {
	return c.command("list", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		couriers, byID, err := couriers(ctx, daemon)
		if err != nil {
			return err
		}
		return showList(c, couriers, speech.NoCouriers, func(k api.Courier) []string {
			return []string{k.ContactID, dash(courierName(k, byID)), c.word("courier", k.Kind), c.helps(k), c.word("courier", k.State)}
		})
	}))
}

// couriers returns who keeps mail for whom, and the names of the contacts.
func couriers(ctx context.Context, daemon *api.Client) ([]api.Courier, map[string]string, error) {
	all, err := daemon.Couriers(ctx)
	if err != nil {
		return nil, nil, err
	}
	byID, err := names(ctx, daemon)
	return all, byID, err
}

// courierName returns what the user calls a courier; a home node is no contact, and called
// as it calls itself.
func courierName(k api.Courier, byID map[string]string) string {
	if k.Kind != api.CourierContact {
		return screen.Line(k.Name)
	}
	return byID[k.ContactID]
}

// helps says in which directions a courier helps.
func (c *cli) helps(k api.Courier) string {
	var ways []string
	if k.Gives != nil {
		ways = append(ways, c.text(speech.CourierGives))
	}
	if k.Takes != nil && k.Takes.Declined {
		ways = append(ways, c.text(speech.CourierDeclined))
	} else if k.Takes != nil {
		ways = append(ways, c.text(speech.CourierTakes))
	}
	return dash(strings.Join(ways, ", "))
}

func (c *cli) courierAccept() *cobra.Command {
	return c.contactSwitch("accept", speech.CourierAccepted, (*api.Client).AcceptCourier)
}

func (c *cli) courierRevoke() *cobra.Command {
	return c.contactSwitch("revoke", speech.CourierEnded, (*api.Client).EndCourier)
}

func (c *cli) courierStatus() *cobra.Command {
	return c.command("status", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		all, byID, err := couriers(ctx, daemon)
		if err != nil {
			return err
		}
		return c.show(listOf(all), func() error {
			if len(all) == 0 {
				c.say(speech.NoCouriers)
				return nil
			}
			var rows [][]string
			for _, k := range all {
				rows = append(rows, c.courierRows(k, courierName(k, byID))...)
			}
			return c.table(rows)
		})
	}))
}

// courierRows are the lines of one courier: its name, and what belongs to it.
func (c *cli) courierRows(k api.Courier, name string) [][]string {
	rows := [][]string{{dash(name), c.text(speech.LabelState), c.word("courier", k.State)}}
	if g := k.Gives; g != nil {
		rows = append(rows, []string{dash(name), c.text(speech.CourierGives), c.text(speech.CourierUse,
			size(g.UsedBytes), size(g.QuotaBytes), strconv.Itoa(g.Items), c.inDays(g.LifetimeDays))})
	}
	if t := k.Takes; t != nil {
		label := speech.CourierTakes
		if t.Declined {
			label = speech.CourierDeclined
		}
		rows = append(rows, []string{dash(name), c.text(label), c.text(speech.CourierMailboxes,
			size(t.QuotaBytes), c.inDays(t.LifetimeDays), strconv.Itoa(t.Mailboxes))})
	}
	if k.Trouble != nil {
		rows = append(rows, []string{dash(name), c.text(speech.LabelTrouble), c.word("trouble", *k.Trouble) + " (" + *k.Trouble + ")"})
	}
	if k.LastError != nil {
		rows = append(rows, []string{dash(name), c.text(speech.LabelLastError), *k.LastError})
	}
	return rows
}

// inDays writes a number of days, in English as --lifetime takes it.
func (c *cli) inDays(n uint32) string { return c.text(speech.Days, strconv.FormatUint(uint64(n), 10)) }

// units are the sizes that are written with a unit, the largest first.
var units = [...]struct {
	name  string
	bytes uint64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// size writes a number of bytes in the largest unit that it has one of, to a tenth.
func size(n uint64) string {
	for _, u := range units {
		if n >= u.bytes {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(u.bytes)), ".0") + u.name
		}
	}
	return strconv.FormatUint(n, 10)
}

// sizeValue is a flag that takes a number of bytes, also as 32MiB.
type sizeValue uint64

func (v *sizeValue) String() string { return size(uint64(*v)) }

func (v *sizeValue) Set(s string) error {
	number, unit := s, uint64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			number, unit = n, u.bytes
		}
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n > (1<<63-1)/unit {
		return fmt.Errorf("%q is not a size", s)
	}
	*v = sizeValue(n * unit)
	return nil
}

func (v *sizeValue) Type() string { return "size" }
