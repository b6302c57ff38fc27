package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"pabal/node/api"
)

// reply is a handler's answer: a status, if it is not the operation's own, and a body.
type reply[T any] struct {
	Status int
	Body   T
}

// ok answers with a body and the operation's own status.
func ok[T any](status int, body T) *reply[T] { return &reply[T]{Status: status, Body: body} }

func (r *reply[T]) orStatus(status int) {
	if r.Status == 0 {
		r.Status = status
	}
}

// done is the answer of an operation that answers 204.
type done struct{}

// list is the shape of every list.
type list[T any] struct {
	Items []T `json:"items"`
}

// none is the input of an operation that takes none.
type none struct{}

// byID is the input of an operation on one object.
type byID struct {
	ID string `path:"id"`
}

// operation registers a JSON handler: huma decodes and checks the request and
// describes it; errors become problems.
func operation[I, O any](handle func(*Server, context.Context, *I) (*O, error)) func(*Server, huma.API, huma.Operation) {
	return func(s *Server, a huma.API, op huma.Operation) {
		huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := handle(s, ctx, in)
			if err != nil {
				return nil, s.refusal(ctx, err)
			}
			if answer, ok := any(out).(interface{ orStatus(status int) }); ok {
				answer.orStatus(op.DefaultStatus)
			}
			return out, nil
		})
	}
}

// raw registers a handler that writes its own answer, of a media type.
func raw(mediaType string, handle func(*Server, http.ResponseWriter, *http.Request), params ...*huma.Param) func(*Server, huma.API, huma.Operation) {
	return func(s *Server, a huma.API, op huma.Operation) {
		op.Parameters = params
		for _, part := range strings.Split(op.Path, "/") {
			if name, isParam := strings.CutPrefix(part, "{"); isParam {
				op.Parameters = append(op.Parameters, &huma.Param{
					Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
				})
			}
		}
		if op.Responses["200"] == nil {
			op.Responses["200"] = &huma.Response{
				Description: "OK", Content: map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: huma.TypeString}}},
			}
		}
		a.OpenAPI().AddOperation(&op)
		s.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) { handle(s, w, r) })
	}
}

// takingFile registers an operation whose body is a file, which the chain has read, and whose answer
// is JSON. It has no parameters.
func takingFile[O any](mediaType string, handle func(*Server, *http.Request) (O, error)) func(*Server, huma.API, huma.Operation) {
	return func(s *Server, a huma.API, op huma.Operation) {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{mediaType: {Schema: aFile()}}}
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/json": {
			Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[O](), true, ""),
		}}}
		raw("application/json", func(s *Server, w http.ResponseWriter, r *http.Request) {
			if !s.plain(w, r) {
				return
			}
			out, err := handle(s, r)
			if err != nil {
				s.answerError(w, r, err)
				return
			}
			b, err := json.Marshal(out)
			if err != nil {
				s.answerError(w, r, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Write(b)
		})(s, a, op)
	}
}

func aFile() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Format: "binary"} }

// plain refuses a request with parameters, for operations that have none.
func (s *Server) plain(w http.ResponseWriter, r *http.Request) bool {
	for name := range r.URL.Query() {
		s.refuse(w.(*response), requestOf(r.Context()), api.NewProblem(api.CodeUnknownField).At("query:"+cut(name), api.FieldUnknown))
		return false
	}
	return true
}

// adapter puts huma's operations on the mux. Accept is hidden from huma: every
// answer of it is JSON, whatever is asked for.
type adapter struct{ *http.ServeMux }

func (a adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	a.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		handler(jsonContext{humago.NewContext(op, r, w)})
	})
}

type humaContext = huma.Context

type jsonContext struct{ humaContext }

func (c jsonContext) Header(name string) string {
	if name == "Accept" {
		return "application/json"
	}
	return c.humaContext.Header(name)
}

// register puts every route on the mux; the description is made when it is asked for.
func (s *Server) register() {
	s.mux = http.NewServeMux()
	s.routes = make(map[string]*route)
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Pabal local API", Version: fmt.Sprintf("%d.%d", api.Major, api.Minor),
				License: &huma.License{Name: "MPL-2.0", Identifier: "MPL-2.0"},
			},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry(schemaPrefix, schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer"}},
			},
		},
		Formats: map[string]huma.Format{
			"application/json": strictJSON(), "json": strictJSON(), "text/plain": plainText(),
		},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{s.toProblem},
	}
	schemas := config.Components.Schemas
	schemas.RegisterTypeAlias(reflect.TypeFor[api.Optional[*api.Disappearing]](), reflect.TypeFor[*api.Disappearing]())
	schemas.RegisterTypeAlias(reflect.TypeFor[api.Optional[*string]](), reflect.TypeFor[*string]())
	schemas.RegisterTypeAlias(reflect.TypeFor[api.Optional[*api.Time]](), reflect.TypeFor[*api.Time]())
	schemas.RegisterTypeAlias(reflect.TypeFor[api.Time](), reflect.TypeFor[moment]())
	problem := schemas.Schema(reflect.TypeFor[api.Problem](), true, "Problem")
	a := huma.NewAPI(config, adapter{s.mux})
	table := routes()
	for i := range table {
		rt := &table[i]
		s.routes[rt.name()] = rt
		rt.register(s, a, rt.operation(problem))
	}
	describe(a.OpenAPI())
	s.openapi = sync.OnceValues(func() ([]byte, error) { // nothing of a start needs it
		b, err := json.MarshalIndent(a.OpenAPI(), "", "  ")
		if err != nil {
			return nil, fmt.Errorf("describe API: %w", err)
		}
		return append(b, '\n'), nil
	})
}

// moment describes api.Time.
type moment struct{}

// Schema is what huma asks the type for.
func (moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// schemaName names the schema of a type after the type; list[T] is TList.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if item, ok := strings.CutPrefix(name, "List"); ok && t.PkgPath() == reflect.TypeFor[none]().PkgPath() {
		return item + "List"
	}
	return name
}

// operation returns what huma is told of a route.
func (rt *route) operation(problem *huma.Schema) huma.Operation {
	status := rt.status
	if status == 0 {
		status = http.StatusOK
	}
	op := huma.Operation{
		OperationID: rt.operationID(), Method: rt.method, Path: rt.path, Summary: rt.summary, DefaultStatus: status,
		MaxBodyBytes: -1, BodyReadTimeout: -1, // the chain has read it
		Responses: map[string]*huma.Response{"default": {
			Description: "Refusal",
			Content:     map[string]*huma.MediaType{problemType: {Schema: problem}},
		}},
		Extensions: map[string]any{"x-stability": rt.stability(), "x-states": rt.states.names()},
	}
	if len(rt.scopes) > 0 {
		op.Extensions["x-scopes"] = rt.scopes
	}
	if rt.stepUp {
		op.Extensions["x-step-up"] = true
	}
	if rt.confirm {
		op.Extensions["x-confirm"] = true
	}
	if !rt.public {
		op.Security = []map[string][]string{{"bearer": {}}}
	}
	if rt.text {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}},
		}}
	}
	return op
}

// operationID makes "get-contacts-id" of GET /v1/contacts/{id}.
func (rt *route) operationID() string {
	path := strings.NewReplacer("/v1/", "/", "{", "", "}", "", ".", "-").Replace(rt.path)
	return strings.ToLower(rt.method) + strings.ReplaceAll(path, "/", "-")
}

// describe finishes the description. Lists are never null; objects of answers
// may grow, so only those of requests forbid further fields.
func describe(doc *huma.OpenAPI) {
	all := doc.Components.Schemas.Map()
	delete(all, "ErrorModel")
	delete(all, "ErrorDetail")
	sent := make(map[string]bool)
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Content {
				reach(media.Schema, all, sent)
			}
		}
	}
	for name, schema := range all {
		if !sent[name] {
			describeNulls(schema, doc.Components.Schemas.TypeFromRef(schemaPrefix+name))
		}
		walkSchema(schema, func(s *huma.Schema) {
			if s.Type == huma.TypeArray {
				s.Nullable = false
			}
			if s.Type == huma.TypeObject && !sent[name] && s.AdditionalProperties == false {
				s.AdditionalProperties = nil
			}
		})
	}
}

const schemaPrefix = "#/components/schemas/"

// describeNulls says of the fields of an answer which may be null: those that are
// pointers and always there. huma itself says so of scalars only.
func describeNulls(schema *huma.Schema, t reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		property := schema.Properties[name]
		if property == nil || field.Type.Kind() != reflect.Pointer || strings.Contains(options, "omit") {
			continue
		}
		if property.Ref == "" {
			property.Nullable = true
			continue
		}
		schema.Properties[name] = &huma.Schema{
			Description: property.Description, AnyOf: []*huma.Schema{{Ref: property.Ref}, {Type: "null"}},
		}
	}
}

// reach marks the named schemas that a schema refers to.
func reach(s *huma.Schema, all map[string]*huma.Schema, seen map[string]bool) {
	walkSchema(s, func(s *huma.Schema) {
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		if name != "" && !seen[name] {
			seen[name] = true
			reach(all[name], all, seen)
		}
	})
}

func walkSchema(s *huma.Schema, visit func(*huma.Schema)) {
	if s == nil {
		return
	}
	visit(s)
	walkSchema(s.Items, visit)
	for _, p := range s.Properties {
		walkSchema(p, visit)
	}
	for _, p := range s.AnyOf {
		walkSchema(p, visit)
	}
}

func (s states) names() []string {
	var names []string
	for _, state := range []api.State{
		api.StateUninitialised, api.StateLocked, api.StateStarting, api.StateReady, api.StateReadOnly, api.StateStopping,
	} {
		if s&stateBit(state) != 0 {
			names = append(names, string(state))
		}
	}
	return slices.Clip(names)
}
