package httpd

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var freeze = flag.Bool("freeze", false, "promise what the API has by now")

// promisedFile is the description that frontends were promised.
const promisedFile = "testdata/promised.json"

// TestCompatible compares the description with the one that frontends were promised: of a stable operation
// nothing may go, and nothing that it takes may be narrowed. What is new is promised with -freeze.
func TestCompatible(t *testing.T) {
	now := readContract(t, openapiFile)
	for _, broken := range readContract(t, promisedFile).breaks(now) {
		t.Error(broken)
	}
	if !*freeze || t.Failed() {
		return
	}
	text, err := os.ReadFile(openapiFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(promisedFile, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readContract(t *testing.T, name string) *contract {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c := new(contract)
	if err := json.Unmarshal(text, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// contract is what a client may rely on in openapi.json.
type contract struct {
	Paths      map[string]map[string]*promisedOperation
	Components struct{ Schemas map[string]*promise }
}

type promisedOperation struct {
	Stability   string `json:"x-stability"`
	Parameters  []parameter
	RequestBody *struct {
		Required bool
		Content  map[string]media
	}
	Responses map[string]struct{ Content map[string]media }
}

type parameter struct {
	Name, In string
	Required bool
	Schema   *promise
}

type media struct{ Schema *promise }

// promise is a schema.
type promise struct {
	Ref        string `json:"$ref"`
	Type       json.RawMessage
	Enum       []string
	Format     string
	AnyOf      []*promise
	Items      *promise
	Properties map[string]*promise
	Required   []string
	Additional json.RawMessage `json:"additionalProperties"`

	Minimum, Maximum     *float64
	MinLength, MaxLength *float64
	MinItems, MaxItems   *float64
}

// direction says who gives a value to whom: what we take may only widen, what we give only become more certain.
type direction string

const (
	taken direction = "takes"
	given direction = "gives"
)

// comparison compares two contracts.
type comparison struct {
	old, now *contract
	found    []string
	done     map[compared]bool // or under way: a schema may hold itself
}

type compared struct {
	d                direction
	old, now         *promise
	oldNull, nowNull bool
}

// breaks returns what a client of c would miss in now.
func (c *contract) breaks(now *contract) []string {
	k := &comparison{old: c, now: now, done: make(map[compared]bool)}
	for _, path := range slices.Sorted(maps.Keys(c.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(c.Paths[path])) {
			if old := c.Paths[path][method]; old.Stability == "stable" {
				k.operation(strings.ToUpper(method)+" "+path, old, now.Paths[path][method])
			}
		}
	}
	return k.found
}

func (k *comparison) report(at, format string, args ...any) {
	k.found = append(k.found, at+": "+fmt.Sprintf(format, args...))
}

func (k *comparison) operation(at string, old, now *promisedOperation) {
	if now == nil || now.Stability != "stable" {
		k.report(at, "is gone, or not stable any more")
		return
	}
	for _, p := range now.Parameters {
		before := slices.IndexFunc(old.Parameters, p.is)
		if p.Required && (before < 0 || !old.Parameters[before].Required) {
			k.report(at, "the parameter %s is required now", p.Name)
		}
	}
	for _, p := range old.Parameters {
		if i := slices.IndexFunc(now.Parameters, p.is); i < 0 {
			k.report(at, "the parameter %s is gone", p.Name)
		} else {
			k.schema(at+" "+p.Name, taken, p.Schema, now.Parameters[i].Schema)
		}
	}
	switch {
	case old.RequestBody != nil && now.RequestBody == nil:
		k.report(at, "takes no body any more")
	case old.RequestBody != nil:
		k.media(at, taken, old.RequestBody.Content, now.RequestBody.Content)
	}
	if now.RequestBody != nil && now.RequestBody.Required && (old.RequestBody == nil || !old.RequestBody.Required) {
		k.report(at, "the body is required now")
	}
	for status, response := range old.Responses {
		if now, ok := now.Responses[status]; ok {
			k.media(at+" "+status, given, response.Content, now.Content)
		} else {
			k.report(at, "never answers %s any more", status)
		}
	}
}

func (p parameter) is(other parameter) bool { return p.Name == other.Name && p.In == other.In }

func (k *comparison) media(at string, d direction, old, now map[string]media) {
	for kind, m := range old {
		if other, ok := now[kind]; ok {
			k.schema(at, d, m.Schema, other.Schema)
		} else {
			k.report(at, "%s no %s any more", d, kind)
		}
	}
}

// schema compares what a value may be.
func (k *comparison) schema(at string, d direction, old, now *promise) {
	if old == nil || now == nil {
		if old != now {
			k.report(at, "%s something, and nothing", d)
		}
		return
	}
	old, oldNull := k.old.resolve(old)
	now, nowNull := k.now.resolve(now)
	pair := compared{d, old, now, oldNull, nowNull}
	if k.done[pair] {
		return
	}
	k.done[pair] = true
	oldKinds, nowKinds := old.kinds(oldNull), now.kinds(nowNull)
	if d == given {
		oldKinds, nowKinds = nowKinds, oldKinds
	}
	for _, kind := range oldKinds {
		if len(nowKinds) > 0 && !slices.Contains(nowKinds, kind) {
			k.report(at, "%s other kinds: %s", d, kind)
		}
	}
	if old.Format != now.Format {
		k.report(at, "the format %q is %q now", old.Format, now.Format)
	}
	if d == taken {
		k.limits(at, old, now)
	}
	if old.Items != nil {
		k.schema(at+"[]", d, old.Items, now.Items)
	}
	k.properties(at, d, old, now)
}

// limits reports what is refused now and was not.
func (k *comparison) limits(at string, old, now *promise) {
	for _, value := range old.Enum {
		if len(now.Enum) > 0 && !slices.Contains(now.Enum, value) {
			k.report(at, "does not take %q any more", value)
		}
	}
	if len(old.Enum) == 0 && len(now.Enum) > 0 {
		k.report(at, "takes certain values only")
	}
	for _, pair := range [][2]*float64{{old.Minimum, now.Minimum}, {old.MinLength, now.MinLength}, {old.MinItems, now.MinItems}} {
		if pair[1] != nil && (pair[0] == nil || *pair[1] > *pair[0]) {
			k.report(at, "takes at least %v", *pair[1])
		}
	}
	for _, pair := range [][2]*float64{{old.Maximum, now.Maximum}, {old.MaxLength, now.MaxLength}, {old.MaxItems, now.MaxItems}} {
		if pair[1] != nil && (pair[0] == nil || *pair[1] < *pair[0]) {
			k.report(at, "takes at most %v", *pair[1])
		}
	}
	if string(now.Additional) == "false" && string(old.Additional) != "false" {
		k.report(at, "takes no other fields any more")
	}
}

func (k *comparison) properties(at string, d direction, old, now *promise) {
	for name, p := range old.Properties {
		if other, ok := now.Properties[name]; ok {
			k.schema(at+"."+name, d, p, other)
		} else {
			k.report(at, "the field %s is gone", name)
		}
	}
	surer, before := now.Required, old.Required
	if d == given {
		surer, before = old.Required, now.Required
	}
	for _, name := range surer {
		switch {
		case slices.Contains(before, name):
		case d == taken:
			k.report(at, "the field %s is required now", name)
		case now.Properties[name] != nil:
			k.report(at, "the field %s may be missing now", name)
		}
	}
}

// resolve follows references, and says whether the value may be null beside what it is.
func (c *contract) resolve(p *promise) (resolved *promise, null bool) {
	for {
		switch {
		case p.Ref != "":
			p = c.Components.Schemas[strings.TrimPrefix(p.Ref, "#/components/schemas/")]
		case len(p.AnyOf) == 2 && string(p.AnyOf[1].Type) == `"null"`:
			p, null = p.AnyOf[0], true
		default:
			return p, null
		}
	}
}

// kinds returns the types that a value may have; none means any.
func (p *promise) kinds(null bool) (kinds []string) {
	var one string
	if json.Unmarshal(p.Type, &one) == nil {
		kinds = []string{one}
	} else {
		_ = json.Unmarshal(p.Type, &kinds) // absent: any
	}
	if null && len(kinds) > 0 {
		kinds = append(kinds, "null")
	}
	return kinds
}

// TestBreaksAreFound makes a change of each sort to a small contract.
func TestBreaksAreFound(t *testing.T) {
	const text = `{"paths": {"/v1/a": {"post": {"x-stability": "stable",
		"parameters": [{"name": "wait", "in": "query", "schema": {"type": "string", "enum": ["x", "y"]}}],
		"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/In"}}, "text/plain": {"schema": {"type": "string"}}}},
		"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Out"}}}}, "default": {}}}}},
		"components": {"schemas": {
			"In": {"type": "object", "additionalProperties": false, "properties": {"text": {"type": "string", "maxLength": 9}, "n": {"type": "integer", "minimum": 1}}},
			"Out": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "date-time"},
				"more": {"type": "array", "items": {"anyOf": [{"$ref": "#/components/schemas/Out"}, {"type": "null"}]}}}}}}}`
	parse := func(text string) *contract {
		c := new(contract)
		if err := json.Unmarshal([]byte(text), c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := parse(text)
	for _, change := range [][2]string{
		{`"/v1/a"`, `"/v1/b"`}, {`"stable"`, `"experimental"`}, {`"name": "wait"`, `"name": "until"`},
		{`"in": "query", `, `"in": "query", "required": true, `}, {`["x", "y"]`, `["x"]`}, {`"text/plain"`, `"text/html"`},
		{`"requestBody": {`, `"requestBody": {"required": true, `}, {`"200"`, `"201"`}, {`"maxLength": 9`, `"maxLength": 8`},
		{`"minimum": 1`, `"minimum": 2`}, {`"n": {"type": "integer"`, `"m": {"type": "integer"`}, {`"n": {"type": "integer"`, `"n": {"type": "string"`},
		{`"additionalProperties": false, `, `"additionalProperties": false, "required": ["n"], `}, {`"required": ["id"], `, ``},
		{`"id": {"type": "string"`, `"id": {"type": ["string", "null"]`}, {`"date-time"`, `"date"`}, {`"more"`, `"less"`},
		{`{"anyOf": [{"$ref": "#/components/schemas/Out"}, {"type": "null"}]}`, `{"type": "string"}`},
		{`"type": "string", "maxLength"`, `"type": "string", "enum": ["a"], "maxLength"`},
	} {
		if strings.Count(text, change[0]) == 0 {
			t.Fatalf("%s is not there to be changed", change[0])
		}
		if found := old.breaks(parse(strings.Replace(text, change[0], change[1], 1))); len(found) == 0 {
			t.Errorf("%s instead of %s breaks nothing", change[1], change[0])
		}
	}
	for _, change := range [][2]string{
		{`"default": {}`, `"default": {}, "404": {}`}, {`"maxLength": 9`, `"maxLength": 10`}, {`, "minimum": 1`, ``},
		{`"n": {`, `"new": {"type": "string"}, "n": {`}, {`"required": ["id"]`, `"required": ["id", "more"]`},
		{`["x", "y"]`, `["x", "y", "z"]`}, {`"text": {"type": "string"`, `"text": {"type": ["string", "null"]`}, {`x`, `x`},
	} {
		if found := old.breaks(parse(strings.Replace(text, change[0], change[1], 1))); len(found) > 0 {
			t.Errorf("%s instead of %s: %v", change[1], change[0], found)
		}
	}
}
