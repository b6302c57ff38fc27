package api

import "context"

// JobState says whether a job is under way.
type JobState string

// The states of a job.
const (
	JobRunning JobState = "running"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed"
)

// The kinds of jobs: an attack on the own profile, and a new key for its database.
const (
	JobDrill    = "drill"
	JobRotation = "rotation"
)

// Job is work that takes longer than a request should. The daemon keeps the last few
// that have ended, as long as it runs.
type Job struct {
	ID       string       `json:"id"`
	Kind     string       `json:"kind" doc:"for example drill"`
	State    JobState     `json:"state" enum:"running,done,failed"`
	Step     string       `json:"step" doc:"what it is at, while it runs"`
	Progress int          `json:"progress" doc:"steps that are done"`
	Total    int          `json:"total" doc:"steps in all"`
	Drill    *DrillReport `json:"drill,omitempty" doc:"of a drill that is done"`
	Error    *Problem     `json:"error,omitempty" doc:"of a job that failed"`
}

// Verdict says what a row of a report means.
type Verdict string

// The verdicts of a drill. Only a hit is against the promise; a warning is about what no
// program of the user's can reach, or about the user's own choice.
const (
	VerdictOK   Verdict = "ok"
	VerdictWarn Verdict = "warn"
	VerdictHit  Verdict = "hit"
)

// DrillReport is what an attack on the own profile found.
type DrillReport struct {
	Hits   int        `json:"hits" doc:"of what must not be there"`
	Opened bool       `json:"opened" doc:"with the passphrase, too, and not only from outside"`
	Rows   []DrillRow `json:"rows"`
}

// DrillRow is what was found of one kind.
type DrillRow struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict" enum:"ok,warn,hit"`
	Code    string  `json:"code"`
	Count   int     `json:"count" doc:"of what the code names"`
	Detail  string  `json:"detail,omitempty" doc:"where, or which"`
}

// StartDrill attacks the own profile as an examiner would, and returns the job at once; one
// that is under way is returned as it is.
func (c *Client) StartDrill(ctx context.Context) (Job, error) {
	var out Job
	err := c.post(ctx, "/v1/drill", nil, &out)
	return out, err
}

// StartRotation copies the database under a new key, and returns the job at once; one that is
// under way is returned as it is.
func (c *Client) StartRotation(ctx context.Context) (Job, error) {
	var out Job
	err := c.post(ctx, "/v1/rotation", nil, &out)
	return out, err
}

// Job returns how far a job is.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	return fetch[Job](ctx, c, "/v1/jobs/"+seg(id), nil)
}
