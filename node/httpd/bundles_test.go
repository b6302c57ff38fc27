package httpd

import (
	"strings"
	"testing"

	"pabal/node/api"
	"pabal/protocol/wire"
)

func TestBundleRoutes(t *testing.T) {
	w := newWorld(t)
	if api.BundleBytesMax != wire.BundleFileBytesMax {
		t.Error("the API takes other sizes than there are")
	}
	binary := map[string]string{"Content-Type": api.BundleType}
	noise := strings.Repeat("\xff", 64<<10)
	narrow := w.d.token(api.TokenRequest{
		Scopes: []api.Scope{api.ScopeMessagesSend}, Constraints: api.Constraints{Conversations: []string{w.conversation}},
	})
	for _, row := range []struct {
		name   string
		call   call
		status int
		code   api.Code
	}{
		{"export for nobody", call{path: "export", body: `{"contact_id":"ct_` + zeros + `"}`}, 404, api.CodeNotFound},
		{"export without a contact", call{path: "export", body: `{}`}, 422, api.CodeValidationFailed},
		{"export before the contact is one", call{path: "export", body: `{"contact_id":"` + w.contact + `"}`}, 409, api.CodeNotEstablished},
		{"export by a token of another conversation", call{path: "export", body: `{"contact_id":"` + w.contact + `"}`, token: narrow}, 404, api.CodeNotFound},
		{"import noise", call{path: "import", body: noise, header: binary}, 422, api.CodeBundleNotForYou},
		{"import a part", call{path: "import", body: noise[1:], header: binary}, 422, api.CodeBundleMalformed},
		{"import nothing", call{path: "import", header: binary}, 422, api.CodeBundleMalformed},
		{"import JSON", call{path: "import", body: `{}`}, 415, api.CodeUnsupportedMediaType},
		{"import too much", call{path: "import", body: strings.Repeat(noise, 577), header: binary}, 413, api.CodeTooLarge},
		{"import the largest", call{path: "import", body: strings.Repeat(noise, 576), header: binary}, 422, api.CodeBundleNotForYou},
		{"import by a token of another conversation", call{path: "import", body: noise, header: binary, token: narrow}, 404, api.CodeNotFound},
	} {
		row.call.method, row.call.path = "POST", "/v1/bundles/"+row.call.path
		if a := w.d.must(row.status, row.call); a.problem() != row.code {
			t.Errorf("%s: code %s, want %s", row.name, a.problem(), row.code)
		}
	}
}
