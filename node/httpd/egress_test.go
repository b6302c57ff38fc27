package httpd

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/node/egress"
	"pabal/protocol"
)

func TestEgress(t *testing.T) {
	w := newWorld(t)
	since := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	id, err := protocol.ParseContactID(w.contact)
	if err != nil {
		t.Fatal(err)
	}
	w.d.sent = egress.Seen{Since: since, Forgotten: 7, Entries: []egress.Entry{
		{Network: egress.QUIC, To: netip.MustParseAddrPort("192.0.2.1:4001"), Why: egress.Reason{Rung: egress.Direct, Contact: id},
			First: since, Last: since.Add(time.Minute), Times: 3},
		{Network: egress.Multicast, To: netip.MustParseAddrPort("[ff12::1]:4002"), Why: egress.Reason{Rung: egress.Beacon},
			First: since, Last: since, Times: 1},
	}}
	a := w.d.must(200, call{method: "GET", path: "/v1/network/egress"})
	for _, want := range []string{
		`"forgotten":7`,
		`{"address":"192.0.2.1:4001","network":"quic","reason":"direct","contact_id":"` + w.contact + `","learns":["ip_address","times","volume","transport_key","identity"],`,
		`"times":3}`,
		`{"address":"[ff12::1]:4002","network":"multicast","reason":"beacon","contact_id":null,"learns":["ip_address","times","program"],`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	narrow := w.d.token(api.TokenRequest{
		Scopes:      []api.Scope{api.ScopeNetworkRead},
		Constraints: api.Constraints{Conversations: []string{w.conversation}},
	})
	if a := w.d.must(200, call{method: "GET", path: "/v1/network/egress", token: narrow}); !strings.Contains(a.body, `"items":[]`) {
		t.Errorf("a token of another conversation sees %s", a.body)
	}
}
