package httpd

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"pabal/node/api"
)

var update = flag.Bool("update", false, "rewrite testdata/openapi.json")

const openapiFile = "testdata/openapi.json"

// TestOpenAPI compares the description that is generated from the code with the
// one that was reviewed.
func TestOpenAPI(t *testing.T) {
	d := startReady(t)
	got := d.must(200, call{method: "GET", path: "/v1/openapi.json"}).body + "\n"
	if *update {
		if err := os.WriteFile(openapiFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(openapiFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("the API differs from %s; look at the change, then run go test ./node/httpd -run TestOpenAPI -update", openapiFile)
	}
}

func TestOpenAPIIsComplete(t *testing.T) {
	d := start(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Stability   string `json:"x-stability"`
			Responses   map[string]any
			Parameters  []struct{ Name, In string }
		}
		Components struct{ Schemas map[string]any }
	}
	description, err := d.server.openapi()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(description, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	seen := make(map[string]bool)
	for _, rt := range routes() {
		op, ok := doc.Paths[rt.path][strings.ToLower(rt.method)]
		if !ok || op.Summary == "" || op.Stability == "" || op.Responses["default"] == nil || seen[op.OperationID] {
			t.Errorf("%s is described as %+v", rt.name(), op)
		}
		seen[op.OperationID] = true
		params := 0
		for _, p := range op.Parameters {
			if p.In == "path" {
				params++
			}
		}
		if want := strings.Count(rt.path, "{"); params != want {
			t.Errorf("%s describes %d of %d path parameters", rt.name(), params, want)
		}
	}
	text := string(description)
	for _, bad := range []string{"ErrorModel", "$schema", "unpkg", "https://"} {
		if strings.Contains(text, bad) {
			t.Errorf("the description mentions %q", bad)
		}
	}
	if doc.Components.Schemas["Message"] == nil || doc.Components.Schemas["Problem"] == nil {
		t.Error("no schema of messages or problems")
	}
}

// TestEveryCodeOfTheCoreIsKnown: the core's codes reach clients as they are.
func TestEveryCodeOfTheCoreIsKnown(t *testing.T) {
	for _, code := range coreCodes() {
		if _, ok := api.Code(code).Status(); !ok {
			t.Errorf("the core refuses with %s, which the API does not know", code)
		}
	}
}
