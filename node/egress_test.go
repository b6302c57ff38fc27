package node_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/node/egress"
)

// forTests is why hosts of tests dial.
func forTests() egress.Reason { return egress.Reason{Rung: egress.Direct, Contact: [16]byte{1}} }

// ports returns the ports that a person's node listens on.
func (p *person) ports(ctx context.Context) (out []uint16) {
	p.t.Helper()
	for _, l := range must[api.Network](p.t)(p.Network(ctx)).Listen {
		_, text, _ := strings.Cut(l, "://")
		out = append(out, must[netip.AddrPort](p.t)(netip.ParseAddrPort(text)).Port())
	}
	return out
}

// TestLedgerHoldsEveryDial lets two people talk, the second time by a courier whom the
// writer does not know, and looks up whom the writer's node has sent to.
func TestLedgerHoldsEveryDial(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo, hana := newPerson(t, "Mina"), newPerson(t, "Jiwoo"), newPerson(t, "Hana")
	befriend(ctx, jiwoo, hana)
	jiwooAtMina := befriend(ctx, jiwoo, mina)
	jiwooAtHana := hana.onlyContact(ctx)
	must[api.Courier](t)(hana.OfferCourier(ctx, api.CourierRequest{ContactID: jiwooAtHana.ID}))
	jiwoo.until(ctx, func() bool {
		all := must[[]api.Courier](t)(jiwoo.Couriers(ctx))
		return len(all) == 1 && all[0].Takes != nil && all[0].Takes.Mailboxes == 1
	})
	send := func(from *person, to, text, wait string) {
		t.Helper()
		m := must[api.Message](t)(from.SendToContact(ctx, to, api.MessageRequest{Text: text}, api.SendOptions{Wait: wait, Timeout: api.WaitMax}))
		if m.Status.State != wait {
			t.Fatalf("%q is %s", text, m.Status.State)
		}
	}
	for _, c := range must[[]api.Contact](t)(jiwoo.Contacts(ctx, api.ContactQuery{})) {
		send(jiwoo, c.ID, "good night", api.StateDelivered)
	}
	places := map[string][]uint16{"direct": jiwoo.ports(ctx), "link": jiwoo.ports(ctx), "courier": hana.ports(ctx)}
	jiwoo.end()
	send(mina, jiwooAtMina.ID, "sleep well", api.StateCarried)

	seen := must[api.Egress](t)(mina.Egress(ctx))
	if seen.Forgotten != 0 || seen.Since.IsZero() {
		t.Errorf("%+v", seen)
	}
	reasons := map[string]bool{}
	for _, e := range seen.Items {
		reasons[e.Reason] = true
		at := must[netip.AddrPort](t)(netip.ParseAddrPort(e.Address))
		if !at.Addr().IsLoopback() || !slices.Contains(places[e.Reason], at.Port()) {
			t.Errorf("%s was dialled, the reason %q stands for %v", e.Address, e.Reason, places[e.Reason])
		}
		if e.ContactID == nil || *e.ContactID != jiwooAtMina.ID || len(e.Learns) == 0 || e.Times == 0 {
			t.Errorf("%+v", e)
		}
	}
	if !reasons["link"] || !reasons["courier"] || !reasons["direct"] {
		t.Errorf("reasons %v", reasons)
	}
}
