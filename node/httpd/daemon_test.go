package httpd

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/node/egress"
	"pabal/protocol"
	"pabal/store"
)

// testDaemon is a Daemon over a real store and a real core without a network.
type testDaemon struct {
	t       testing.TB
	server  *Server
	profile *store.Profile

	mu     sync.Mutex
	state  api.State
	store  *store.Store
	behind *store.Store // of a locked screen
	peer   *protocol.Peer
	ref    uint64
	fail   error // of the next commits
	stops  int
	writes int // commits
	asked  int // calls of Why
	helps  []protocol.Help
	sent   egress.Seen
	live   []api.NetworkPeer
	duress *Duress // as it was set last

	// clockMu is one of its own: the clock is read within views, which commits wait for.
	clockMu sync.Mutex
	clock   func() time.Time // nil: the machine's

	verifying func() // is called while a passphrase is tried; nil: nothing

	stuck   chan struct{}    // Write says here that it begins, and waits until it is closed; nil: it does not
	signals []protocol.Input // of typing and presence
	busy    chan struct{}    // Submit says here that it begins, and waits; nil: it does not
}

func (d *testDaemon) set(s api.State) {
	d.mu.Lock()
	d.state = s
	d.mu.Unlock()
	if d.server != nil {
		d.server.Notify()
	}
}

func (d *testDaemon) now() time.Time {
	d.clockMu.Lock()
	defer d.clockMu.Unlock()
	if d.clock == nil {
		return time.Now()
	}
	return d.clock()
}

// setClock has the server's clock read otherwise from now on.
func (d *testDaemon) setClock(now func() time.Time) {
	d.clockMu.Lock()
	defer d.clockMu.Unlock()
	d.clock = now
}

func (d *testDaemon) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return State{State: d.state, Screen: d.behind != nil, Since: time.Now(), Network: api.NetworkSummary{Reachability: api.ReachabilityOffline}}
}

func (d *testDaemon) Restore(_ context.Context, from io.Reader, in Restore) (store.Archived, error) {
	st, done, err := d.profile.Restore(from, store.RestoreOptions{
		Archive: in.Archive, Options: store.Options{Passphrase: in.Passphrase, Argon: cheapArgon()}, Now: time.Now(),
	})
	if err != nil {
		return store.Archived{}, err
	}
	state, err := st.Load()
	if err != nil {
		return store.Archived{}, err
	}
	peer, err := protocol.Load(rand.Reader, protocol.Config{}, state)
	d.mu.Lock()
	d.store, d.peer = st, peer
	d.mu.Unlock()
	d.set(api.StateReady)
	return done, err
}

func (d *testDaemon) Setup(_ context.Context, in Setup) error {
	peer, out, err := protocol.Create(rand.Reader, protocol.Config{}, time.Now(), in.DisplayName)
	if err != nil {
		return err
	}
	t, err := timer(in.Disappearing)
	if err != nil {
		return err
	}
	if _, err := peer.Step(time.Now(), protocol.SetDefaultTimer{Timer: t}); err != nil {
		return err
	}
	flushed, err := peer.Step(time.Now(), protocol.Flush{})
	if err != nil {
		return err
	}
	st, err := d.profile.Create(store.Options{Passphrase: in.Passphrase, Argon: cheapArgon(), First: store.Batch{
		Now: time.Now(), Writes: append(out.Writes, flushed.Writes...), Events: append(out.Events, flushed.Events...),
		Rows: []store.Row{DisappearingSetting(in.Disappearing)},
	}})
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.store, d.peer = st, peer
	d.mu.Unlock()
	d.set(api.StateReady)
	return nil
}

func cheapArgon() store.Argon {
	return store.Argon{Time: 1, MemoryKiB: store.ArgonMemoryMin, Threads: 1}
}

func (d *testDaemon) Unlock(_ context.Context, passphrase []byte) error {
	d.mu.Lock()
	behind := d.behind
	d.mu.Unlock()
	if behind != nil {
		if err := behind.Verify(store.Unlock{Passphrase: passphrase}); err != nil {
			return err
		}
		d.mu.Lock()
		d.store, d.behind = behind, nil
		d.mu.Unlock()
		d.set(api.StateReady)
		return nil
	}
	st, err := d.profile.Open(store.Unlock{Passphrase: passphrase})
	if err != nil {
		return err
	}
	state, err := st.Load()
	if err != nil {
		return err
	}
	peer, err := protocol.Load(rand.Reader, protocol.Config{}, state)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.store, d.peer = st, peer
	d.mu.Unlock()
	d.set(api.StateReady)
	return nil
}

func (d *testDaemon) Lock(context.Context) error {
	d.mu.Lock()
	st := cmp.Or(d.store, d.behind)
	d.store, d.behind, d.peer = nil, nil, nil
	d.mu.Unlock()
	d.set(api.StateLocked)
	return st.Close()
}

func (d *testDaemon) LockScreen(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == nil && d.behind == nil {
		return api.NewProblem(api.CodeLocked)
	}
	d.store, d.behind, d.state = nil, cmp.Or(d.store, d.behind), api.StateLocked
	d.server.Notify()
	return nil
}

func (d *testDaemon) ChangePassphrase(context.Context, []byte, []byte) (api.Job, error) {
	return d.StartRotation()
}

func (d *testDaemon) StartRotation() (api.Job, error) {
	return api.Job{ID: "jb_2", Kind: api.JobRotation, State: api.JobRunning, Total: 1}, nil
}

func (d *testDaemon) Verify(_ context.Context, passphrase []byte) error {
	if d.verifying != nil {
		d.verifying()
	}
	return d.Store().Verify(store.Unlock{Passphrase: passphrase})
}

func (d *testDaemon) SetDuress(_ context.Context, in Duress) error {
	d.duress = &in
	return nil
}

func (d *testDaemon) Wipe(context.Context) error { return d.profile.DestroyKeys() }

func (d *testDaemon) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stops++
}

func (d *testDaemon) Store() *store.Store {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.store
}

func (d *testDaemon) Submit(_ context.Context, input func(uint64) protocol.Input, after func(any) []store.Row) (any, error) {
	if d.busy != nil {
		d.busy <- struct{}{}
		<-d.busy
	}
	result, err := d.step(input, after)
	if err == nil {
		d.server.Notify()
	}
	return result, err
}

func (d *testDaemon) SubmitAll(ctx context.Context, steps []Step, events []protocol.Event) (results []any, err error) {
	d.mu.Lock()
	err = d.peer.Refuses(time.Now(), Inputs(steps))
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		result, err := d.Submit(ctx, s.Input, s.After)
		if err != nil {
			return results, err
		}
		results = append(results, result)
	}
	if len(events) > 0 {
		err = d.Write(ctx, nil, events)
	}
	return results, err
}

func (d *testDaemon) step(input func(uint64) protocol.Input, after func(any) []store.Row) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ref++
	now := time.Now()
	in := input(d.ref)
	switch in.(type) {
	case protocol.SetTyping, protocol.SetPresence:
		d.signals = append(d.signals, in)
	}
	first, err := d.peer.Step(now, in)
	if err != nil {
		return nil, err
	}
	flushed, err := d.peer.Step(now, protocol.Flush{})
	if err != nil {
		return nil, err
	}
	var result any
	for _, r := range append(first.Replies, flushed.Replies...) {
		if r.Ref == d.ref {
			result = r.Result
		}
	}
	b := store.Batch{
		Now: now, Writes: append(first.Writes, flushed.Writes...), Events: append(first.Events, flushed.Events...),
	}
	if after != nil {
		b.Rows = after(result)
	}
	return result, d.commit(b)
}

func (d *testDaemon) commit(b store.Batch) error {
	if d.fail != nil {
		return d.fail
	}
	d.writes++
	_, err := cmp.Or(d.store, d.behind).Commit(b)
	return err
}

func (d *testDaemon) Write(_ context.Context, rows []store.Row, events []protocol.Event) error {
	d.mu.Lock()
	stuck, st := d.stuck, cmp.Or(d.store, d.behind)
	d.mu.Unlock()
	if stuck != nil {
		stuck <- struct{}{} // it has begun
		<-stuck
	}
	d.mu.Lock()
	err := error(api.NewProblem(api.CodeLocked))
	if st != nil && st == cmp.Or(d.store, d.behind) {
		err = d.commit(store.Batch{Now: time.Now(), Rows: rows, Events: events})
	}
	d.mu.Unlock()
	d.server.Notify()
	return err
}

func (d *testDaemon) Identity(context.Context) (Identity, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peer == nil {
		return Identity{}, api.NewProblem(api.CodeLocked)
	}
	return Identity{Account: d.peer.Account(), Devices: []api.Device{{Name: "test", This: true}}}, nil
}

func (d *testDaemon) Network() api.Network {
	return api.Network{Reachability: api.ReachabilityOffline, Peers: d.live}
}

func (d *testDaemon) TrustNetwork(_ context.Context, network string) (api.LocalNetwork, error) {
	if network != "eth0" {
		return api.LocalNetwork{}, api.NewProblem(api.CodeNotFound)
	}
	return api.LocalNetwork{ID: "0123", Interface: "eth0", Here: true, Addresses: []string{"192.168.1.20"}, Trusted: true}, nil
}

func (d *testDaemon) DistrustNetwork(_ context.Context, network string) error {
	if network != "eth0" {
		return api.NewProblem(api.CodeNotFound)
	}
	return nil
}

func (d *testDaemon) SwitchDHT(_ context.Context, servers []string) (api.DHT, error) {
	switch {
	case len(servers) == 0:
		return api.DHT{Bootstrap: []string{}}, nil
	case !strings.HasPrefix(servers[0], "/ip4/"):
		return api.DHT{}, api.NewProblem(api.CodeInvalidBootstrap)
	}
	return api.DHT{On: true, Bootstrap: servers}, nil
}

func (d *testDaemon) Egress() (egress.Seen, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent, nil
}

func (d *testDaemon) Transfers() []Transfer { return nil }

func (d *testDaemon) Why(_ context.Context, about ...Question) ([]*api.Why, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	out := make([]*api.Why, len(about))
	for i, q := range about {
		if why, found := d.peer.Why(time.Now(), q.Contact, q.Message); found {
			out[i] = &api.Why{State: string(why.Phase), Reason: why.Reason, Rungs: []api.Attempt{}}
		}
	}
	return out, nil
}

func (d *testDaemon) Couriers(context.Context) ([]protocol.Help, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append(d.peer.Helps(), d.helps...), nil
}

func (d *testDaemon) StartDrill() (api.Job, error) {
	return api.Job{ID: "jb_" + zeros, Kind: api.JobDrill, State: api.JobRunning, Total: 5}, nil
}

func (d *testDaemon) Job(id string) (api.Job, error) {
	if id != "jb_"+zeros {
		return api.Job{}, api.NewProblem(api.CodeNotFound)
	}
	row := api.DrillRow{Check: "pages", Verdict: api.VerdictOK, Code: "pages_owned", Count: 7}
	return api.Job{ID: id, Kind: api.JobDrill, State: api.JobDone, Drill: &api.DrillReport{Opened: true, Rows: []api.DrillRow{row}}}, nil
}

func (d *testDaemon) Alive(context.Context) error { return d.fail }

const testPassphrase = "correct horse battery"

// start returns a running server in the state uninitialised.
func start(t testing.TB) *testDaemon {
	t.Helper()
	profile, err := store.Lock(t.TempDir(), store.Self(""))
	if err != nil {
		t.Fatal(err)
	}
	d := &testDaemon{t: t, profile: profile, state: api.StateUninitialised}
	d.server, err = New(Config{RuntimeDir: shortDir(t), Profile: "test", Version: "0", Commit: "c", Now: d.now}, d)
	if err != nil {
		t.Fatal(err)
	}
	d.server.audit.patience = time.Minute // a slow machine loses no row of what a test locks
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	ready := make(chan struct{})
	go func() { over <- d.server.Run(ctx, func(api.Discovery) { close(ready) }) }()
	<-ready
	t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
		if st := d.Store(); st != nil {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := profile.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// startReady returns a running server with a profile that has a keyfile.
func startReady(t testing.TB) *testDaemon {
	t.Helper()
	d := start(t)
	if err := d.Setup(t.Context(), Setup{DisplayName: "Mina"}); err != nil {
		t.Fatal(err)
	}
	return d
}

// shortDir is a temporary directory whose path fits a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if len(dir)+len(api.SocketFile) < socketPathMax {
		return dir
	}
	t.Fatalf("temporary directory %q is too long for a socket", dir)
	return ""
}

// call is a request by hand.
type call struct {
	method, path string
	body         string
	header       map[string]string
	token        string // TCP with this token; "-" TCP without one; empty: unix
	host         string // another Host
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem returns the code of a refusal.
func (a answer) problem() api.Code {
	var p api.Problem
	json.Unmarshal([]byte(a.body), &p)
	return p.Code
}

// into decodes the body.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("decode %q: %v", a.body, err)
	}
}

func (d *testDaemon) do(c call) answer {
	d.t.Helper()
	base := "http://pabal.sock"
	transport := &http.Transport{DisableKeepAlives: true}
	if c.token == "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.server.Socket())
		}
	} else {
		base = d.server.Base()
	}
	req, err := http.NewRequestWithContext(d.t.Context(), c.method, base+c.path, strings.NewReader(c.body))
	if err != nil {
		d.t.Fatal(err)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	if c.token != "" && c.token != "-" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.host != "" {
		req.Host = c.host
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(bytes.TrimSpace(body))}
}

// must fails the test unless the answer has the status.
func (d *testDaemon) must(status int, c call) answer {
	d.t.Helper()
	a := d.do(c)
	if a.status != status {
		d.t.Fatalf("%s %s = %d %s, want %d", c.method, c.path, a.status, a.body, status)
	}
	return a
}

// token makes a token with scopes.
func (d *testDaemon) token(req api.TokenRequest) string {
	d.t.Helper()
	if req.Name == "" {
		req.Name = "test"
	}
	b, err := json.Marshal(req)
	if err != nil {
		d.t.Fatal(err)
	}
	var out api.TokenCreated
	d.must(http.StatusCreated, call{method: "POST", path: "/v1/tokens", body: string(b)}).into(d.t, &out)
	return out.Secret
}

// link is an invite link of somebody else.
func link(t testing.TB) string {
	t.Helper()
	peer, _, err := protocol.Create(rand.Reader, protocol.Config{}, time.Now(), "Jiwoo")
	if err != nil {
		t.Fatal(err)
	}
	out, err := peer.Step(time.Now(), protocol.CreateInvite{Ref: 1, Kind: protocol.InviteOnce})
	if err != nil {
		t.Fatal(err)
	}
	return out.Replies[0].Result.(protocol.InviteCreated).Link
}

var errTest = errors.New("test: on purpose")
