package node

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"slices"
	"strings"
	"sync"

	"pabal/node/api"
	"pabal/node/httpd"
)

// tasks are the long works that clients asked for, as they are told of them: jobs. (A
// protocol.Job is another thing: work of the core's.)
type tasks struct {
	running sync.WaitGroup

	mu  sync.Mutex // guards all
	all []api.Job  // the oldest first, at most tasksKept
}

// start begins a job, unless one of its kind is under way, and returns what there is. run
// may tell of each step that it begins; what it returns fills in the result.
func (t *tasks) start(ctx context.Context, kind string, total int, run func(context.Context, func(step string)) (func(*api.Job), error)) api.Job {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range t.all {
		if j.Kind == kind && j.State == api.JobRunning {
			return j
		}
	}
	job := api.Job{ID: newJobID(), Kind: kind, State: api.JobRunning, Total: total}
	t.all = append(t.all, job)
	if len(t.all) > tasksKept {
		t.all = slices.Delete(t.all, 0, 1)
	}
	begun := 0
	t.running.Go(func() {
		result, err := run(ctx, func(step string) {
			t.change(job.ID, func(j *api.Job) { j.Step, j.Progress = step, begun })
			begun++
		})
		t.change(job.ID, func(j *api.Job) {
			j.Step, j.State = "", api.JobDone
			if err != nil {
				j.State, j.Error = api.JobFailed, httpd.ProblemOf(err)
				return
			}
			j.Progress = total
			result(j)
		})
	})
	return job
}

func (t *tasks) change(id string, how func(*api.Job)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.index(id); i >= 0 {
		how(&t.all[i])
	}
}

// forget drops the jobs that have a result: it tells of what was open.
func (t *tasks) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = slices.DeleteFunc(t.all, func(j api.Job) bool { return j.State == api.JobDone })
}

func (t *tasks) index(id string) int {
	return slices.IndexFunc(t.all, func(j api.Job) bool { return j.ID == id })
}

// job returns a job by its id.
func (t *tasks) job(id string) (api.Job, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.index(id); i >= 0 {
		return t.all[i], nil
	}
	return api.Job{}, api.NewProblem(api.CodeNotFound)
}

func newJobID() string {
	var b [16]byte
	rand.Read(b[:])
	return "jb_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
