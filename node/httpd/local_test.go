package httpd

import "testing"

func TestTrustNetwork(t *testing.T) {
	w := newWorld(t)
	const want = `{"id":"0123","interface":"eth0","here":true,"addresses":["192.168.1.20"],"gateway":null,"trusted":true,"lasting":false,"since":null}`
	if a := w.d.must(200, call{method: "POST", path: "/v1/network/trust", body: `{"network":"eth0"}`}); a.body != want {
		t.Errorf("answer %s", a.body)
	}
	w.d.must(404, call{method: "POST", path: "/v1/network/trust"})
	w.d.must(404, call{method: "POST", path: "/v1/network/trust", body: `{"network":"eth1"}`})
	w.d.must(422, call{method: "POST", path: "/v1/network/trust", body: `{"network":7}`})
	w.d.must(204, call{method: "DELETE", path: "/v1/network/trust/eth0"})
	w.d.must(404, call{method: "DELETE", path: "/v1/network/trust/eth1"})
}
