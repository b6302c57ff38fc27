package store

import (
	"fmt"
	"testing"
)

func TestAuditIsBoundedAndCountsRepeats(t *testing.T) {
	s := create(t)
	note := func(rows ...Audited) {
		t.Helper()
		for _, r := range rows {
			if _, err := s.Commit(Batch{Rows: []Row{PutAudit{r}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	wrong := Audited{At: 5, What: "unlocked", Kind: "owner", Outcome: "bad_passphrase"}
	again := wrong
	again.At = 9
	note(Audited{At: 1, What: "locked", Kind: "owner", Outcome: AuditOK}, Audited{At: 2, What: "locked", Kind: "owner", Outcome: AuditOK}, wrong, wrong, again)
	rows := view(t, s, func(v *View) ([]Audited, error) { return v.Audit(0, 10) })
	if len(rows) != 3 || rows[0].Count != 3 || rows[0].At != 9 || rows[0].Outcome != "bad_passphrase" || rows[2].At != 1 {
		t.Fatalf("rows %+v", rows)
	}
	older := view(t, s, func(v *View) ([]Audited, error) { return v.Audit(rows[1].Sequence, 10) })
	if len(older) != 1 || older[0] != rows[2] {
		t.Errorf("before the second: %+v", older)
	}
	b := Batch{}
	for i := range AuditMax {
		b.Rows = append(b.Rows, PutAudit{Audited{At: int64(i), What: "token.created", Kind: "owner", Outcome: AuditOK, About: fmt.Sprint("tk_", i)}})
	}
	if _, err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
	rows = view(t, s, func(v *View) ([]Audited, error) { return v.Audit(0, 2*AuditMax) })
	if len(rows) != AuditMax || rows[AuditMax-1].About != "tk_0" {
		t.Errorf("%d rows, the oldest %+v", len(rows), rows[len(rows)-1])
	}
}

// TestAuditCountsRefusalsByTurns: two refusals by turns are two rows, until something is done.
func TestAuditCountsRefusalsByTurns(t *testing.T) {
	s := create(t)
	wrong := Audited{At: 5, What: "unlocked", Kind: "owner", Outcome: "bad_passphrase"}
	long := Audited{At: 6, What: "unlocked", Kind: "owner", Outcome: "validation_failed"}
	done := Audited{At: 7, What: "unlocked", Kind: "owner", Outcome: AuditOK}
	b := Batch{Rows: []Row{PutAudit{done}}}
	for range 2 * AuditMax {
		b.Rows = append(b.Rows, PutAudit{wrong}, PutAudit{long})
	}
	b.Rows = append(b.Rows, PutAudit{done}, PutAudit{wrong})
	if _, err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
	rows := view(t, s, func(v *View) ([]Audited, error) { return v.Audit(0, AuditMax) })
	if len(rows) != 5 || rows[0].Count != 1 || rows[1].Outcome != AuditOK || rows[2].Count != 2*AuditMax || rows[3].Count != 2*AuditMax {
		t.Errorf("rows %+v", rows)
	}
}
