package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

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
// what is done while that is closed wait here for it, and end with the process. One goroutine
// at a time writes: what is done waits for it a while, and not for a core that takes nothing.
type audit struct {
	patience time.Duration // of what is noted before it is done

	mu      sync.Mutex
	waiting []waitingAudit // at most auditWaitingMax; the oldest goes
	writing chan struct{}  // closed when there is nothing left to write; nil: nobody writes
	over    bool           // the server ends, and nothing is written any more
}

// waitingAudit is a row and what was open when it was noted, which alone it may be written to;
// nil is nothing: then it is about whatever is opened next.
type waitingAudit struct {
	row   store.Audited
	store *store.Store
}

// audits notes an operation when it is over. The caller calls the function when it has
// answered; also a panic calls it.
func (s *Server) audits(q *request, status func() int) func() {
	kind := q.route.audit
	if kind == "" {
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

// note adds a row to the audit log, and waits a while until it is written. What nobody can do
// anything about, a disk that is full, must not have refused what was done.
func (s *Server) note(what api.AuditKind, by *actor, outcome, about string) {
	s.noted(store.Audited{What: string(what), Kind: string(by.kind), Actor: by.id, Outcome: outcome, About: about}, auditTimeout)
}

// noteFirst notes what is about to be done, behind which nothing may be written. That must
// not wait for long: somebody who is in a hurry locks or wipes, also in front of a core that takes
// nothing. It notes nothing if nothing is open.
func (s *Server) noteFirst(what api.AuditKind, by *actor) {
	if s.daemon.Store() != nil {
		s.noted(store.Audited{What: string(what), Kind: string(by.kind), Actor: by.id, Outcome: api.AuditOK}, s.audit.patience)
	}
}

// locks notes a lock and then locks. What is locked already is not noted, and neither is it twice
// if two lock at once.
func (s *Server) locks(by *actor, lock func() error) error {
	if s.locking.TryLock() {
		defer s.locking.Unlock()
		s.noteFirst(api.AuditLocked, by)
	}
	return lock()
}

func (s *Server) noted(row store.Audited, patience time.Duration) {
	row.At, row.Count = s.now().UnixMilli(), 1
	written := s.enterAudit(row)
	if written == nil {
		return
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-written:
	case <-late.C:
	}
}

// enterAudit has a row written, and returns what is closed behind that; nil if it waits for a
// profile to be opened.
func (s *Server) enterAudit(row store.Audited) <-chan struct{} {
	a, st := &s.audit, s.daemon.Store()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return nil
	}
	a.add(row, st)
	if a.writing == nil && st != nil {
		a.writing = make(chan struct{})
		go s.writeAudit()
	}
	return a.writing
}

// writeAudit writes what waits until nothing does. Rows that cannot be written are gone: another
// profile may be opened next, which they are not about.
func (s *Server) writeAudit() {
	for rows := s.audit.take(s.daemon.Store()); len(rows) > 0; rows = s.audit.take(s.daemon.Store()) {
		ctx, cancel := context.WithTimeout(context.Background(), auditTimeout)
		if err := s.daemon.Write(ctx, rows, nil); err != nil {
			s.log.Warn("audit log not written", slog.String("code", string(problemOf(err).Code)))
		}
		cancel()
	}
}

// add keeps a row. One that is refused as another was behind the last that was not is
// counted with it.
func (a *audit) add(row store.Audited, st *store.Store) {
	if row.Outcome != api.AuditOK {
		for i := len(a.waiting) - 1; i >= 0 && a.waiting[i].row.Outcome != api.AuditOK; i-- {
			if w := &a.waiting[i]; w.store == st && sameAudit(w.row, row) {
				w.row.Count++
				w.row.At = row.At
				return
			}
		}
	}
	a.waiting = append(a.waiting, waitingAudit{row: row, store: st})
	if over := len(a.waiting) - auditWaitingMax; over > 0 {
		a.waiting = slices.Clone(a.waiting[over:])
	}
}

// take returns what is to be written to a store, and forgets what is about another one. If there
// is nothing, the caller writes no more.
func (a *audit) take(st *store.Store) []store.Row {
	a.mu.Lock()
	defer a.mu.Unlock()
	var rows []store.Row
	if st != nil {
		for _, w := range a.waiting {
			if w.store == nil || w.store == st {
				rows = append(rows, store.PutAudit{Audited: w.row})
			}
		}
		a.waiting = nil
	}
	if len(rows) == 0 {
		close(a.writing)
		a.writing = nil
	}
	return rows
}

// end waits until what is being written is.
func (a *audit) end() {
	a.mu.Lock()
	a.over = true
	writing := a.writing
	a.mu.Unlock()
	if writing != nil {
		<-writing
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
