package httpd

import "testing"

func TestSwitchDHT(t *testing.T) {
	w := newWorld(t)
	const server = `/ip4/192.0.2.1/tcp/4001/p2p/12D3`
	const want = `{"on":true,"bootstrap":["` + server + `"],"since":null}`
	if a := w.d.must(200, call{method: "PUT", path: "/v1/network/dht", body: `{"bootstrap":["` + server + `"]}`}); a.body != want {
		t.Errorf("answer %s", a.body)
	}
	w.d.must(422, call{method: "PUT", path: "/v1/network/dht", body: `{"bootstrap":["example.com"]}`})
	w.d.must(422, call{method: "PUT", path: "/v1/network/dht", body: `{"bootstrap":[]}`}) // nothing is built in
	w.d.must(422, call{method: "PUT", path: "/v1/network/dht", body: `{}`})
	w.d.must(204, call{method: "DELETE", path: "/v1/network/dht"})
}
