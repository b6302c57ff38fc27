package httpd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

func exportRoutes() []route {
	return []route{
		{method: http.MethodPost, path: "/v1/exports", summary: "A conversation as a file for other programs, where no deletion reaches it any more",
			scopes: scopes(api.ScopeOwner), states: writing, confirm: true, stream: true, secret: true, experimental: true, audit: api.AuditExport, register: registerExportFile},
	}
}

// registerExportFile says which files there are.
func registerExportFile(s *Server, a huma.API, op huma.Operation) {
	schemas := a.OpenAPI().Components.Schemas
	lines := &huma.Schema{OneOf: []*huma.Schema{
		schemas.Schema(reflect.TypeFor[api.ExportBegin](), true, ""), schemas.Schema(reflect.TypeFor[api.Message](), true, ""),
		schemas.Schema(reflect.TypeFor[api.ExportEnd](), true, ""),
	}}
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{
		ndjsonType: {Schema: lines}, "text/plain": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	operation((*Server).export)(s, a, op)
}

type exportInput struct{ Body api.ExportRequest }

// export writes a conversation as it is read; it is nowhere on our disk. That it was exported is
// committed before the first byte: also of a file that was cut somebody has the beginning.
func (s *Server) export(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	id, err := conversationID(ctx, in.Body.ConversationID)
	if err != nil {
		return nil, err
	}
	begin := api.ExportBegin{Version: api.ExportVersion, ConversationID: id.String(), At: api.NewTime(s.now())}
	var last uint64
	err = s.read(ctx, func(r *reader) error {
		c, err := r.conversation(id)
		if err != nil {
			return err
		}
		view, err := r.conversationView(c)
		begin.Title, last = view.Title, view.LastPosition
		return err
	})
	if err != nil {
		return nil, err
	}
	q := requestOf(ctx)
	q.about = id.String()
	if err := s.write(ctx, []store.Row{store.SetFlag{Conversation: id, Flag: store.FlagExported, Value: begin.At.UnixMilli()}}); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(to huma.Context) {
		to.SetHeader("Content-Type", api.ExportTypes()[in.Body.Format])
		x := &exporting{w: bufio.NewWriter(to.BodyWriter()), text: in.Body.Format == api.ExportText}
		if err := s.exportTo(ctx, x, id, begin, last); err != nil {
			s.log.Warn("export ended early", "code", problemOf(err).Code)
			panic(http.ErrAbortHandler) // or it would look whole
		}
	}}, nil
}

// exportTo writes the messages that were there when it began, a page at a time.
func (s *Server) exportTo(ctx context.Context, x *exporting, id protocol.ConversationID, begin api.ExportBegin, last uint64) error {
	if err := x.begin(&begin); err != nil {
		return err
	}
	query, first := store.PageQuery{Limit: store.PageMax}, true
	for more := last > 0; more; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		var page []api.Message
		err := s.read(ctx, func(r *reader) error {
			page, more = nil, false
			c, err := r.conversation(id)
			if err != nil {
				return err
			}
			rows, err := r.page(id, query, first)
			if err != nil {
				return err
			}
			more = rows.HasAfter && len(rows.Items) > 0
			for _, item := range rows.Items {
				if item.Position > last {
					more = false
					break
				}
				query.After = item.Position
				m, err := r.itemView(c, item)
				if err != nil {
					return err
				}
				page = append(page, m)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i := range page {
			if err := x.message(&page[i]); err != nil {
				return err
			}
		}
	}
	return x.end()
}

// exporting writes one export.
type exporting struct {
	w     *bufio.Writer
	text  bool
	count int
}

func (x *exporting) begin(b *api.ExportBegin) error {
	if x.text {
		return x.line("# " + oneLine(b.Title) + " · " + stampOf(&b.At))
	}
	return x.json(b)
}

func (x *exporting) end() error {
	var err error
	if x.text {
		err = x.line(fmt.Sprintf("# %d", x.count))
	} else {
		err = x.json(api.ExportEnd{Messages: x.count})
	}
	return errors.Join(err, x.w.Flush())
}

// message writes an item. In text, one that says nothing is a dash, and further lines of a text
// are indented, so that no text looks like another message.
func (x *exporting) message(m *api.Message) error {
	x.count++
	if !x.text {
		return x.json(m)
	}
	who := oneLine(m.Sender.Name)
	if who == "" {
		who = m.Sender.ContactID
	}
	var parts []string
	for _, f := range m.Attachments {
		parts = append(parts, "["+oneLine(f.Name)+"]")
	}
	if m.Body != nil {
		parts = append(parts, strings.ReplaceAll(strings.ReplaceAll(m.Body.Text, "\r", ""), "\n", "\n\t"))
	}
	if len(parts) == 0 {
		parts = []string{"—"}
	}
	return x.line(stampOf(m.CreatedAt) + " " + who + ": " + strings.Join(parts, " "))
}

func (x *exporting) line(text string) error {
	_, err := io.WriteString(x.w, text+"\n")
	return err
}

func (x *exporting) json(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode export: %w", err)
	}
	return x.line(string(b))
}

func stampOf(t *api.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// oneLine keeps a name on its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// exportCopy says that a message is in a file, or returns nil.
func (r *reader) exportCopy(c *protocol.PutConversation, m *store.Message) (*api.Copy, error) {
	flags, err := r.Flags(c.ID)
	at := flags[store.FlagExported]
	if err != nil || at == 0 || m.At > at {
		return nil, err
	}
	return &api.Copy{Place: api.CopyExport, Content: api.CopyReadable, Certainty: api.CopyKnown, At: api.MilliOrNil(at)}, nil
}

// exportTarget are the files that conversations were exported to, if there are any: what of them
// is still here is counted.
func (r *reader) exportTarget(since int64) ([]api.WarrantTarget, error) {
	n, err := r.Exported(since)
	if err != nil || n.Conversations == 0 {
		return nil, err
	}
	t := api.WarrantTarget{Target: api.TargetExports, Key: api.KeyNone, Obtains: []string{api.ObtainsTexts, api.ObtainsNames, api.ObtainsTimes}}
	count(&t, n.Tally)
	return []api.WarrantTarget{t}, nil
}
