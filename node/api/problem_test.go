package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pabal/node/api"
)

// TestCodes: every constant is in the table, and the table is sound.
func TestCodes(t *testing.T) {
	source, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []api.Code
	for _, m := range regexp.MustCompile(`\tCode\w+\s+Code = "([a-z0-9_]+)"`).FindAllStringSubmatch(string(source), -1) {
		declared = append(declared, api.Code(m[1]))
	}
	codes := api.Codes()
	slices.Sort(declared)
	slices.Sort(codes)
	if !slices.Equal(declared, codes) || len(codes) == 0 {
		t.Errorf("declared %v\nin the table %v", declared, codes)
	}
	for _, code := range codes {
		p := api.NewProblem(code)
		if p.Status < 400 || p.Status > 599 || http.StatusText(p.Status) == "" || p.Title == "" || p.Code != code {
			t.Errorf("%s: %+v", code, p)
		}
		if p.Type != "urn:pabal:problem:"+string(code) {
			t.Errorf("type %s", p.Type)
		}
	}
	if p := api.NewProblem("no_such"); p.Code != api.CodeInternal || p.Status != 500 {
		t.Errorf("an unknown code becomes %+v", p)
	}
}

func TestProblem(t *testing.T) {
	p := api.NewProblem(api.CodeValidationFailed).Because("why").With("max", 3).At("/a", api.FieldTooLong)
	if got, want := p.Error(), "validation_failed /a=too_long: why"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	err := fmt.Errorf("wrapped: %w", p)
	if !errors.Is(err, &api.Problem{Code: api.CodeValidationFailed}) || errors.Is(err, &api.Problem{Code: api.CodeLocked}) {
		t.Error("errors.Is compares codes")
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"code":"validation_failed"`, `"status":422`, `"params":{"max":3}`, `"pointer":"/a"`, `"retryable":false`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s lacks %s", b, part)
		}
	}
}
