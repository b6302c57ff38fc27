package store

// AuditMax is how many rows of the audit log are kept.
const AuditMax = 1000

// auditLookBack is how many rows back a refusal is looked for that is like another one.
const auditLookBack = 64

// AuditOK is the outcome of what was done.
const AuditOK = "ok"

// schemaAudit is what addAudit adds: who did what with the profile. Its words are codes and ids,
// never a name or a text.
const schemaAudit = `
CREATE TABLE audit(
	seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
	outcome TEXT NOT NULL, about TEXT NOT NULL, count INTEGER NOT NULL);
`

func addAudit(c *conn) error { return c.db.Exec(schemaAudit) }

// Audited is a row of the audit log.
type Audited struct {
	Sequence    int64 // the order of the rows; 0: not written yet
	At          int64 // Unix milliseconds; of the last one, if Count is more than 1
	What        string
	Kind, Actor string // of who did it; Actor is the id of a token or session
	Outcome     string // AuditOK, or the code of the refusal
	About       string // the id of what it is about
	Count       int    // how often it was refused so, with nothing done in between
}

// PutAudit adds a row to the audit log. One that is refused like another behind the last that
// was not is counted with it: whoever tries again and again, in one way or in several by turns, does
// not push the others out.
type PutAudit struct{ Audited }

func (r PutAudit) put(w *writer, _ int64) error {
	if r.Outcome != AuditOK {
		err := w.c.query(`UPDATE audit SET count = count + ?, at = ? WHERE seq = (
			SELECT max(seq) FROM (SELECT * FROM audit ORDER BY seq DESC LIMIT ?)
			WHERE seq > coalesce((SELECT max(seq) FROM audit WHERE outcome = ?), 0)
			AND what = ? AND kind = ? AND actor = ? AND outcome = ? AND about = ?)`).
			bindInt(int64(max(r.Count, 1))).bindInt(r.At).bindInt(auditLookBack).bindText(AuditOK).bindText(r.What).bindText(r.Kind).bindText(r.Actor).bindText(r.Outcome).bindText(r.About).run()
		if err != nil || w.c.db.Changes() > 0 {
			return err
		}
	}
	err := w.c.query(`INSERT INTO audit(at, what, kind, actor, outcome, about, count) VALUES (?, ?, ?, ?, ?, ?, ?)`).
		bindInt(r.At).bindText(r.What).bindText(r.Kind).bindText(r.Actor).bindText(r.Outcome).bindText(r.About).
		bindInt(int64(max(r.Count, 1))).run()
	if err != nil {
		return err
	}
	return w.c.query(`DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - ?`).bindInt(AuditMax).run()
}

// Audit returns rows of the audit log, the newest first: those before a row, or the newest
// if that is 0.
func (v *View) Audit(before int64, limit int) ([]Audited, error) {
	q := v.c.query(`SELECT seq, at, what, kind, actor, outcome, about, count FROM audit
		WHERE ?1 = 0 OR seq < ?1 ORDER BY seq DESC LIMIT ?2`).bindInt(before).bindInt(int64(limit))
	return collect(q, func(q *query) Audited {
		return Audited{Sequence: q.int(), At: q.int(), What: q.text(), Kind: q.text(), Actor: q.text(), Outcome: q.text(),
			About: q.text(), Count: int(q.int())}
	}, "read the audit log")
}
