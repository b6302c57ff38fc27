package httpd

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"

	"pabal/node/api"
)

// TestPictureRights has a picture be set by who may, as a file, and be nothing but a picture to
// whom it is shown.
func TestPictureRights(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 9, 9))); err != nil {
		t.Fatal(err)
	}
	put := call{method: "PUT", path: "/v1/self/picture", body: b.String(), header: map[string]string{"Content-Type": api.PictureType}}
	frontend := put
	frontend.token = w.d.token(api.TokenRequest{Preset: api.PresetFrontend})
	w.d.must(403, frontend)
	other := put
	other.header = map[string]string{"Content-Type": "image/png"}
	w.d.must(415, other)
	large := put
	large.body = strings.Repeat("x", api.BundleBytesMax+1)
	w.d.must(413, large)
	w.d.must(404, call{method: "GET", path: "/v1/self/picture"})
	w.d.must(200, put)
	a := w.d.must(200, call{method: "GET", path: "/v1/self/picture"})
	if a.header.Get("Content-Type") != "image/jpeg" || !strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox") || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", a.header)
	}
	blind := w.d.token(api.TokenRequest{Preset: api.PresetReader, Constraints: api.Constraints{Content: api.ContentMeta}})
	w.d.must(404, call{method: "GET", path: "/v1/self/picture", token: blind})
	if a := w.d.must(200, call{method: "GET", path: "/v1/self", token: blind}); !strings.Contains(string(a.body), `"picture":null`) {
		t.Errorf("a token for no content is told: %s", a.body)
	}
	w.d.must(204, call{method: "DELETE", path: "/v1/self/picture"})
	w.d.must(404, call{method: "GET", path: "/v1/self/picture"})
}
