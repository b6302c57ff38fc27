package typescript

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// depthMax bounds how deep a schema may nest.
const depthMax = 32

var errUnknown = errors.New("a schema that has no type in TypeScript")

// document is what we read of openapi.json.
type document struct {
	Info struct {
		Version string `json:"version"`
	} `json:"info"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

type schema struct {
	Ref         string             `json:"$ref"`
	Type        kinds              `json:"type"`
	Enum        []string           `json:"enum"`
	Description string             `json:"description"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	AnyOf       []*schema          `json:"anyOf"`
	Additional  *additional        `json:"additionalProperties"`
}

// kinds is the type keyword: a name, or some.
type kinds []string

// UnmarshalJSON implements [json.Unmarshaler].
func (k *kinds) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*k = kinds{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(k))
}

// additional is the additionalProperties keyword: true, false, or what they are.
type additional struct{ of *schema }

// UnmarshalJSON implements [json.Unmarshaler].
func (a *additional) UnmarshalJSON(b []byte) error {
	var allowed bool
	if json.Unmarshal(b, &allowed) == nil {
		if allowed {
			a.of = new(schema)
		}
		return nil
	}
	return json.Unmarshal(b, &a.of)
}

// Types returns the schemas of an OpenAPI document as exported types, in the order of their names.
func Types(openapi []byte) ([]byte, error) {
	var d document
	if err := json.Unmarshal(openapi, &d); err != nil {
		return nil, fmt.Errorf("read openapi.json: %w", err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "// The objects of Pabal's local API %s, by \"pabal api types\".\n", d.Info.Version)
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := d.Components.Schemas[name]
		text, err := s.text("", 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.WriteString("\n" + comment(s.Description, ""))
		fmt.Fprintf(&out, "export type %s = %s;\n", name, text)
	}
	return out.Bytes(), nil
}

// text writes a schema as a type; indent is where its line begins.
func (s *schema) text(indent string, depth int) (string, error) {
	if depth > depthMax {
		return "", errUnknown
	}
	switch {
	case s.Ref != "":
		name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/")
		if !ok {
			return "", fmt.Errorf("%w: a reference elsewhere", errUnknown)
		}
		return name, nil
	case len(s.AnyOf) > 0:
		return union(s.AnyOf, func(one *schema) (string, error) { return one.text(indent, depth+1) })
	case len(s.Type) == 0:
		return "unknown", nil
	}
	return union(s.Type, func(kind string) (string, error) { return s.kind(kind, indent, depth) })
}

func (s *schema) kind(kind, indent string, depth int) (string, error) {
	switch kind {
	case "string":
		if len(s.Enum) == 0 {
			return kind, nil
		}
		return union(s.Enum, func(value string) (string, error) { return quoted(value) })
	case "integer", "number":
		return "number", nil
	case "boolean", "null":
		return kind, nil
	case "array":
		if s.Items == nil {
			return "unknown[]", nil
		}
		of, err := s.Items.text(indent, depth+1)
		if strings.Contains(of, " | ") && !strings.HasPrefix(of, "{") {
			of = "(" + of + ")"
		}
		return of + "[]", err
	case "object":
		return s.object(indent, depth)
	}
	return "", fmt.Errorf("%w: %q", errUnknown, kind)
}

// object writes properties in the order of their names; those that need not be there have a question mark.
func (s *schema) object(indent string, depth int) (string, error) {
	if len(s.Properties) == 0 {
		if s.Additional == nil || s.Additional.of == nil {
			return "Record<string, never>", nil
		}
		of, err := s.Additional.of.text(indent, depth+1)
		return "Record<string, " + of + ">", err
	}
	var out strings.Builder
	out.WriteString("{\n")
	inner := indent + "  "
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		of, err := p.text(inner, depth+1)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		key, err := quoted(name)
		if err != nil {
			return "", err
		}
		if !slices.Contains(s.Required, name) {
			key += "?"
		}
		out.WriteString(comment(p.Description, inner) + inner + key + ": " + of + ";\n")
	}
	out.WriteString(indent + "}")
	return out.String(), nil
}

// union joins what each of some becomes.
func union[T any](of []T, text func(T) (string, error)) (string, error) {
	parts := make([]string, len(of))
	for i, one := range of {
		var err error
		if parts[i], err = text(one); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, " | "), nil
}

// quoted writes a string as JSON does, which TypeScript reads.
func quoted(value string) (string, error) {
	b, err := json.Marshal(value)
	return string(b), err
}

// comment writes a description above what it describes.
func comment(text, indent string) string {
	if text == "" {
		return ""
	}
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "*/", "* /")
	return indent + "/** " + text + " */\n"
}
