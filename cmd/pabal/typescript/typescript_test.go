package typescript

import (
	"os"
	"strings"
	"testing"
)

func TestTypes(t *testing.T) {
	got, err := Types([]byte(`{"info": {"version": "1.2"}, "components": {"schemas": {
		"B": {"type": "object", "description": "Ends */ early", "required": ["id", "state"], "properties": {
			"id": {"type": ["string", "null"], "description": "null of a gap"},
			"state": {"type": "string", "enum": ["off", "on"]},
			"many": {"type": "array", "items": {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}},
			"any": {}, "in": {"type": "object", "properties": {"n": {"type": "integer"}}},
			"by name": {"type": "object", "additionalProperties": {"type": "boolean"}}}},
		"A": {"type": "object", "additionalProperties": false}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `// The objects of Pabal's local API 1.2, by "pabal api types".

export type A = Record<string, never>;

/** Ends * / early */
export type B = {
  "any"?: unknown;
  "by name"?: Record<string, boolean>;
  /** null of a gap */
  "id": string | null;
  "in"?: {
    "n"?: number;
  };
  "many"?: (A | null)[];
  "state": "off" | "on";
};
`
	if string(got) != want {
		t.Errorf("%s", got)
	}
	for _, bad := range []string{
		`{`, `{"components": {"schemas": {"A": {"type": "tuple"}}}}`, `{"components": {"schemas": {"A": {"$ref": "other.json"}}}}`,
		`{"components": {"schemas": {"A": ` + strings.Repeat(`{"type": "array", "items": `, depthMax+2) + `{}` + strings.Repeat(`}`, depthMax+2) + `}}}`,
	} {
		if got, err := Types([]byte(bad)); err == nil {
			t.Errorf("%.60s becomes %s", bad, got)
		}
	}
}

// TestTypesOfTheAPI writes all that the API has.
func TestTypesOfTheAPI(t *testing.T) {
	openapi, err := os.ReadFile("../../../node/httpd/testdata/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Types(openapi)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"export type Message = {", `  "body": Body | null;`, "export type Problem = {"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing", want)
		}
	}
}
