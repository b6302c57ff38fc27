package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"pabal/node/api"
	"pabal/store"
)

func auditRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/v1/audit", summary: "What was done with the profile, and by whom, the newest first",
			scopes: scopes(api.ScopeTokensManage), states: reading, confirm: true, register: operation((*Server).listAudit)},
	}
}

// audit is the log of what was done with the profile. Its rows are in the store; those of
// what is done while that is closed wait here for it, and end with the process.
type audit struct {
	mu      sync.Mutex
	waiting []store.Audited // at most auditWaitingMax; the oldest goes
}

// audits notes an operation when it is over, or before it begins if nothing may be written
// behind it. The caller calls the function when it has answered; also a panic calls it.
func (s *Server) audits(q *request, status func() int) func() {
	kind := q.route.audit
	if kind == "" {
		return func() {}
	}
	if q.route.auditFirst {
		s.note(kind, q.actor, api.AuditOK, "")
		return func() {}
	}
	return func() {
		outcome := api.AuditOK
		switch code := status(); {
		case q.code != "":
			outcome = string(q.code)
		case !q.served || code == 0:
			outcome = api.AuditCut
		}
		s.note(kind, q.actor, outcome, q.about)
	}
}

// note writes a row of the audit log. What nobody can do anything about, a disk that is full,
// must not have refused what was done. Rows that cannot be written are gone: another profile may be
// opened next, which they are not about.
func (s *Server) note(what api.AuditKind, by *actor, outcome, about string) {
	row := store.Audited{At: s.now().UnixMilli(), What: string(what), Kind: string(by.kind), Actor: by.id, Outcome: outcome, About: about, Count: 1}
	rows := s.audit.take(row, s.daemon.Store() != nil)
	if len(rows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), auditTimeout)
	defer cancel()
	batch := make([]store.Row, len(rows))
	for i, r := range rows {
		batch[i] = store.PutAudit{Audited: r}
	}
	if err := s.daemon.Write(ctx, batch, nil); err != nil {
		s.log.Warn("audit log not written", slog.String("code", string(problemOf(err).Code)))
	}
}

// take returns what is to be written now, or keeps the row.
func (a *audit) take(row store.Audited, open bool) []store.Audited {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := len(a.waiting) - 1; last >= 0 && row.Outcome != api.AuditOK && sameAudit(a.waiting[last], row) {
		a.waiting[last].Count++
		a.waiting[last].At = row.At
	} else {
		a.waiting = append(a.waiting, row)
	}
	if !open {
		a.bound()
		return nil
	}
	rows := a.waiting
	a.waiting = nil
	return rows
}

// bound forgets the oldest rows. The caller holds the lock.
func (a *audit) bound() {
	if over := len(a.waiting) - auditWaitingMax; over > 0 {
		a.waiting = slices.Clone(a.waiting[over:])
	}
}

func sameAudit(a, b store.Audited) bool {
	a.At, a.Count, b.At, b.Count = 0, 0, 0, 0
	return a == b
}

// itself returns the actor of what the daemon does by itself.
func itself() *actor { return &actor{kind: api.ActorDaemon} }

type auditInput struct {
	Before int64 `query:"before" minimum:"1" doc:"entries before this one; absent: the newest"`
	Limit  int   `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *Server) listAudit(ctx context.Context, in *auditInput) (*reply[list[api.AuditEntry]], error) {
	out := list[api.AuditEntry]{}
	err := s.read(ctx, func(r *reader) error {
		rows, err := r.Audit(in.Before, in.Limit)
		out.Items = make([]api.AuditEntry, len(rows))
		for i, row := range rows {
			out.Items[i] = api.AuditEntry{ID: row.Sequence, At: api.Milli(row.At), What: api.AuditKind(row.What), Actor: api.ActorKind(row.Kind),
				ActorID: textOrNil(row.Actor), Outcome: row.Outcome, About: textOrNil(row.About), Count: row.Count}
		}
		return err
	})
	return ok(0, out), err
}
