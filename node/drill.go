package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"pabal/node/api"
	"pabal/node/surroundings"
	"pabal/protocol"
	"pabal/protocol/wire"
	"pabal/store"
)

// StartDrill begins a drill on the running profile. A lock ends it first: it holds texts.
func (n *Node) StartDrill() (api.Job, error) {
	n.mu.Lock() // or a lock could miss what begins now
	defer n.mu.Unlock()
	c := n.core
	if c == nil {
		return api.Job{}, api.NewProblem(api.CodeLocked)
	}
	hands := &hands{store: c.store, submit: func(ctx context.Context, input func(uint64) protocol.Input) (any, error) {
		return c.ask(ctx, request{input: input})
	}}
	return n.tasks.start(n.working, api.JobDrill, len(store.DrillSteps()), func(ctx context.Context, tell func(string)) (func(*api.Job), error) {
		defer debug.FreeOSMemory() // what measuring a guess took
		found, err := c.store.Drill(ctx, hands, func(step store.DrillStep) { tell(string(step)) })
		if ctx.Err() != nil {
			return nil, api.NewProblem(api.CodeLocked)
		}
		if err != nil {
			n.config.Log.Warn("drill failed", "error", err)
			return nil, err
		}
		report := drillReport(n.config.DataDir, &found)
		return func(j *api.Job) { j.Drill = &report }, nil
	}), nil
}

// Job returns a job that is under way or ended lately.
func (n *Node) Job(id string) (api.Job, error) { return n.tasks.job(id) }

// Drill attacks a profile that no daemon holds, as [Node.StartDrill] does a running one. What
// a daemon does at its start is done first: what a killed one left in the log is cut, and
// what fell due is erased. Errors are those of [Run]. tell, which may be nil, hears of
// each step.
func Drill(ctx context.Context, dataDir string, passphrase []byte, tell func(store.DrillStep)) (report api.DrillReport, err error) {
	left, err := store.LookOutside(ctx, dataDir, nil)
	if err != nil {
		return api.DrillReport{}, err
	}
	profile, err := store.Lock(dataDir, store.Self(""))
	if err != nil {
		return api.DrillReport{}, err
	}
	defer func() { err = errors.Join(err, profile.Close()) }()
	st, err := profile.Open(store.Unlock{Passphrase: passphrase})
	if err != nil {
		return api.DrillReport{}, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	peer, err := loadPeer(st, peerConfig(false))
	if err != nil {
		return api.DrillReport{}, fmt.Errorf("%w: load: %w", store.ErrDamaged, err)
	}
	if err := eraseDue(st, peer, time.Now); err != nil {
		return api.DrillReport{}, err
	}
	found, err := st.Drill(ctx, &hands{store: st, submit: stepAlone(st, peer)}, tell)
	if err != nil {
		return api.DrillReport{}, err
	}
	report = drillReport(dataDir, &found)
	if left.LogBytes > 0 {
		report.Rows = append(report.Rows, api.DrillRow{Check: "log", Verdict: api.VerdictWarn, Code: "log_left", Count: int(left.LogBytes)})
	}
	return report, nil
}

// DrillOutside attacks a profile with what whoever seized it has, and no key. It needs no
// lock: a daemon may run.
func DrillOutside(ctx context.Context, dataDir string) (api.DrillReport, error) {
	seen, err := store.LookOutside(ctx, dataDir, nil)
	if err != nil {
		return api.DrillReport{}, err
	}
	guess, err := store.MeasureGuess(dataDir)
	if err != nil {
		return api.DrillReport{}, err
	}
	var r report
	r.outside(&seen, false)
	r.locked(&seen, guess)
	r.guess(guess)
	r.around(dataDir)
	return api.DrillReport{Hits: seen.Hits(), Rows: r.rows}, nil
}

// stepAlone steps a Peer without a loop or a network: what it would send is not sent, as if
// the daemon had ended before.
func stepAlone(st *store.Store, peer *protocol.Peer) submitFunc {
	return func(_ context.Context, input func(uint64) protocol.Input) (any, error) {
		now := time.Now()
		out, err := peer.Step(now, input(1))
		if err != nil {
			return nil, err
		}
		rest, err := peer.Step(now, protocol.Flush{})
		if err != nil {
			return nil, err
		}
		_, err = st.Commit(store.Batch{Now: now, Writes: append(out.Writes, rest.Writes...), Events: append(out.Events, rest.Events...)})
		if err != nil || len(out.Replies) == 0 {
			return nil, err
		}
		return out.Replies[0].Result, nil
	}
}

// submitFunc steps the core with what input returns, and returns its answer after the commit.
type submitFunc func(ctx context.Context, input func(ref uint64) protocol.Input) (any, error)

// hands write and delete in note to self, as a user would. They are store.Hands.
type hands struct {
	store  *store.Store
	submit submitFunc

	self    protocol.ConversationID // zero until it is open
	planted []protocol.MessageID
}

// Plant writes texts, which end by themselves if the drill does not come to delete them.
func (h *hands) Plant(ctx context.Context, texts []string) error {
	if h.self == (protocol.ConversationID{}) {
		result, err := h.submit(ctx, func(ref uint64) protocol.Input { return protocol.OpenConversation{Ref: ref} })
		opened, ok := result.(protocol.Opened)
		if err != nil || !ok {
			return errors.Join(fmt.Errorf("open note to self: %T", result), err)
		}
		h.self = opened.Conversation
	}
	timer := &wire.Timer{Mode: wire.TimerFromSent, Seconds: uint32(drillTimer / time.Second)}
	for _, text := range texts {
		result, err := h.submit(ctx, func(ref uint64) protocol.Input {
			return protocol.SendText{Ref: ref, Conversation: h.self, Text: text, Timer: timer}
		})
		if err != nil {
			return err
		}
		sent, ok := result.(protocol.Sent)
		if !ok {
			return fmt.Errorf("write a note: %T", result)
		}
		h.planted = append(h.planted, sent.ID)
	}
	for {
		if n, err := h.store.IndexStep(store.IndexStepMax); err != nil || n == 0 {
			return err
		}
	}
}

// Erase deletes what was planted.
func (h *hands) Erase(ctx context.Context) error {
	for len(h.planted) > 0 {
		_, err := h.submit(ctx, func(ref uint64) protocol.Input {
			return protocol.DeleteMessage{Ref: ref, ID: h.planted[0], Conversation: h.self}
		})
		if err != nil {
			return err
		}
		h.planted = h.planted[1:]
	}
	return nil
}

// drillReport says what a drill found.
func drillReport(dataDir string, d *store.Drilled) api.DrillReport {
	var r report
	r.judge("sentinels", "sentinels_gone", d.Planted, "sentinels_left", d.Left)
	r.judge("later", "later_none", d.Planted, "later_back", d.Later)
	r.judge("pages", "pages_owned", d.Pages, "pages_unowned", d.Unowned())
	r.judge("cache", "cache_clean", d.Pages, "cache_unowned", d.CachedBytes)
	orphans, tables := 0, ""
	for _, o := range d.Orphans {
		orphans += o.Rows
		tables += " " + o.Table
	}
	r.judge("rows", "rows_owned", 0, "rows_orphaned", orphans).Detail = tables
	r.judge("terms", "terms_owned", 0, "terms_stale", d.StaleTerms)
	r.judge("chunks", "chunks_owned", 0, "chunks_stray", d.Chunks)
	r.judge("warrant", "warrant_agrees", int(d.Recount.Messages+d.Recount.Held), "warrant_differs", d.Recount.Differs())
	r.outside(&d.Outside, true)
	r.locked(&d.Outside, d.Guess)
	r.guess(d.Guess)
	r.around(dataDir)
	return api.DrillReport{Hits: d.Hits(), Opened: true, Rows: r.rows}
}

// report gathers rows.
type report struct{ rows []api.DrillRow }

// judge adds a row: a hit if something was found that must not be there.
func (r *report) judge(check, ok string, looked int, hit string, found int) *api.DrillRow {
	row := api.DrillRow{Check: check, Verdict: api.VerdictOK, Code: ok, Count: looked}
	if found > 0 {
		row.Verdict, row.Code, row.Count = api.VerdictHit, hit, found
	}
	r.rows = append(r.rows, row)
	return &r.rows[len(r.rows)-1]
}

// outside adds a row for each kind of trace. Words are only looked for with the key.
func (r *report) outside(o *store.Outside, words bool) {
	for _, t := range []struct {
		trace          store.Trace
		check, ok, hit string
	}{
		{store.TraceUnknown, "files", "files_known", "files_unknown"},
		{store.TraceStructure, "structure", "structure_none", "structure_seen"},
		{store.TraceText, "text", "text_none", "text_readable"},
		{store.TraceWord, "words", "words_none", "words_found"},
	} {
		if t.trace == store.TraceWord && !words {
			continue
		}
		found, where := 0, ""
		for _, f := range o.Findings {
			if f.Trace == t.trace {
				found += f.Count
				where = f.File
			}
		}
		r.judge(t.check, t.ok, o.Files, t.hit, found).Detail = where
	}
}

// locked adds whether what is seen without the key is what the warrant report says of this machine
// when it is locked: sizes and times, or all of it where the key lies beside.
func (r *report) locked(o *store.Outside, g store.Guess) {
	if g.Keyfile {
		r.judge("warrant_locked", "warrant_keyfile", o.Files, "", 0)
		return
	}
	r.judge("warrant_locked", "warrant_sealed", o.Files, "warrant_leaks", o.Hits())
}

// guess adds what trying a passphrase costs.
func (r *report) guess(g store.Guess) {
	row := api.DrillRow{Check: "guess", Verdict: api.VerdictWarn, Code: "guess_none"}
	if !g.Keyfile {
		row.Verdict, row.Code, row.Count = api.VerdictOK, "guess_cost", int(g.Took.Milliseconds())
		row.Detail = fmt.Sprintf("Argon2id, %d × %d MiB", g.Argon.Time, g.Argon.MemoryKiB>>10)
	}
	r.rows = append(r.rows, row)
}

// around adds what surrounds the files.
func (r *report) around(dataDir string) {
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	for _, a := range surroundings.Look(dataDir, home) {
		row := api.DrillRow{Check: a.Check, Verdict: api.VerdictOK, Code: a.Code, Detail: a.Detail}
		if a.Warn {
			row.Verdict = api.VerdictWarn
		}
		r.rows = append(r.rows, row)
	}
}
