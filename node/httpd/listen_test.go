package httpd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pabal/node/api"
	"pabal/protocol"
)

// coreCodes reads the constants Code… of package protocol from its source.
func coreCodes() []string {
	files, err := filepath.Glob("../../protocol/*.go")
	if err != nil {
		panic(err)
	}
	var codes []string
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			panic(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) != 1 {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				code, _ := strconv.Unquote(lit.Value)
				codes = append(codes, code)
			}
			return true
		})
	}
	return codes
}

func TestDiscoveryFile(t *testing.T) {
	dir := filepath.Join(shortDir(t), "run")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir, api.SocketFile) // of a killed daemon
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := os.WriteFile(filepath.Join(dir, api.DiscoveryFile), []byte(`{"pid":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{RuntimeDir: dir, Version: "1.2"}, &testDaemon{t: t, state: api.StateLocked})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	told := make(chan api.Discovery, 1)
	go func() { over <- s.Run(ctx, func(d api.Discovery) { told <- d }) }()
	<-told
	d, err := api.ReadDiscovery(filepath.Join(dir, api.DiscoveryFile))
	if err != nil || d.PID != os.Getpid() || d.Unix != stale || d.TCP != s.Base() || d.Version != "1.2" || d.API.Major != api.Major {
		t.Errorf("discovery file %+v, %v", d, err)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, stale: 0o600, filepath.Join(dir, api.DiscoveryFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", filepath.Base(path), info.Mode(), want, err)
		}
	}
	c := api.NewUnixClient(d.Unix)
	if status, err := c.Status(t.Context()); err != nil || status.State != api.StateLocked {
		t.Errorf("status %+v, %v", status, err)
	}
	c.Close()
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, api.DiscoveryFile)); err != nil {
		t.Errorf("the discovery file is gone while the daemon closes: %v", err)
	}
	if err := s.Withdraw(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{api.DiscoveryFile, api.SocketFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left behind: %v", name, err)
		}
	}
}

func TestDiscoveryFileOfAnother(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, api.DiscoveryFile)
	if err := os.WriteFile(path, []byte(`{"pid":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := removeDiscovery(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another daemon's file is removed: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := shortDir(t)
	if err := os.WriteFile(filepath.Join(dir, api.SocketFile), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, _, err := listenUnix(dir); err == nil {
		l.Close()
		t.Error("a file in the way is replaced")
	}
	if l, _, err := listenUnix(filepath.Join(dir, strings.Repeat("x", socketPathMax))); err == nil {
		l.Close()
		t.Error("a path that no socket can have is taken")
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	if l, _, err := listenUnix(link); err == nil {
		l.Close()
		t.Error("a runtime directory that is a link is taken")
	}
}

// TestBoundedListener has four connections come to two places: who is not served makes room, who is
// served does not.
func TestBoundedListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newBoundedListener(inner, 2)
	accepted := make(chan *boundedConn)
	over := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				over <- err
				return
			}
			accepted <- c.(*boundedConn)
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	ended := func(name string, c net.Conn) {
		t.Helper()
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%s is still open", name)
		}
	}
	dial()
	first := <-accepted
	first.serve()
	silent := dial()
	<-accepted
	dial()
	third := <-accepted
	ended("the silent one", silent)
	end := third.serve()
	third.serve()() // another of its requests, and its end

	dial()
	select {
	case <-accepted:
		t.Fatal("a third connection has a place")
	case <-time.After(10 * time.Millisecond): // a wrong answer comes at once
	}
	end()
	fourth := <-accepted
	ended("the one that rests", third)
	fourth.Close()
	fourth.Close() // frees one place only
	dial()
	fifth := <-accepted
	l.mu.Lock()
	if len(l.open) != 2 || first.served != 1 {
		t.Errorf("%d connections are open", len(l.open))
	}
	l.mu.Unlock()
	l.Close()
	if err := <-over; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	first.Close()
	fifth.Close()
}

// TestCrowdKeepsNobodyOut opens many more connections than there are places: silent ones, such that never
// end their header, and such of somebody with a weak token that never send the body they tell of. Another
// one with a token is served as ever, and keeps an event stream.
func TestCrowdKeepsNobodyOut(t *testing.T) {
	w := newWorld(t)
	contact, err := protocol.ParseContactID(w.contact)
	if err != nil {
		t.Fatal(err)
	}
	token := w.d.token(api.TokenRequest{Preset: api.PresetBot})
	weak := w.d.token(api.TokenRequest{Preset: api.PresetMetrics})
	stream := w.d.openStream(t, "after=latest&ephemeral=1", ndjsonType, token)
	stream.want(api.EventHello)
	at := strings.TrimPrefix(w.d.server.Base(), "http://")
	for i := range 3 * connsMax {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		switch i % 3 {
		case 1:
			fmt.Fprintf(c, "GET /v1/status HTTP/1.1\r\nHost: ")
		case 2:
			fmt.Fprintf(c, "DELETE /v1/auth/me HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\n", at, weak)
		}
	}
	asked := time.Now()
	w.d.must(http.StatusOK, call{method: "GET", path: "/v1/conversations", token: token})
	if waited := time.Since(asked); waited >= headerTimeout { // the least that the crowd stays by itself
		t.Errorf("it is served behind the crowd, after %v", waited)
	}
	w.d.server.Announce(protocol.Event{Type: protocol.PeerState, Contact: contact, Code: "live"})
	stream.want(api.EventPeerState)
}

// TestBodyThatNeverComes waits until a request whose body does not come is answered and its connection
// ended, though net/http would read on.
func TestBodyThatNeverComes(t *testing.T) {
	w := newWorld(t)
	token := w.d.token(api.TokenRequest{Preset: api.PresetMetrics})
	at := strings.TrimPrefix(w.d.server.Base(), "http://")
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "DELETE /v1/auth/me HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\n", at, token)
	answer, err := io.ReadAll(c) // ends with the connection
	if err != nil || !strings.Contains(string(answer), string(api.CodeTimeout)) {
		t.Errorf("the answer is %q, %v", answer, err)
	}
}

// TestScansHaveTheirOwnPlace: somebody whose picture of a QR code is long in coming, or who sends one
// after the other, holds up other pictures of codes at most.
func TestScansHaveTheirOwnPlace(t *testing.T) {
	w := newWorld(t)
	then := time.Now()
	w.d.setClock(func() time.Time { return then }) // no bucket fills meanwhile
	token := w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeContactsRead}})
	at := strings.TrimPrefix(w.d.server.Base(), "http://")
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/invites/scan HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 10\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n", at, token, api.PictureType)
	if line, err := bufio.NewReader(io.LimitReader(c, 25)).ReadString('\n'); !strings.Contains(line, "100") { // its body is being read
		t.Fatalf("%q, %v", line, err)
	}
	asked := time.Now()
	picture := map[string]string{"Content-Type": api.PictureType}
	w.d.must(http.StatusUnprocessableEntity, call{method: "PUT", path: "/v1/self/picture", body: "no picture", header: picture})
	if waited := time.Since(asked); waited >= bodyTimeout { // as long as the other one could be read
		t.Errorf("a large body waits behind a scan: %v", waited)
	}
	fmt.Fprint(c, "no picture")
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), string(api.CodeInvalidPicture)) {
		t.Errorf("the answer is %q, %v", answer, err)
	}

	scan := call{method: "POST", path: "/v1/invites/scan", body: "no picture", header: picture, token: token}
	for range scanBurst - 1 {
		w.d.must(http.StatusUnprocessableEntity, scan)
	}
	if a := w.d.must(http.StatusTooManyRequests, scan); a.problem() != api.CodeRateLimited || a.header.Get("Retry-After") == "" {
		t.Errorf("%v %s", a.header, a.body)
	}
	w.d.must(http.StatusOK, call{method: "GET", path: "/v1/contacts", token: token}) // all else is as it was
	scan.token = w.d.token(api.TokenRequest{Scopes: []api.Scope{api.ScopeContactsRead}})
	w.d.must(http.StatusUnprocessableEntity, scan)
}

// TestSecretsStayOut sends secrets through every operation: none may come back
// in a refusal, nor reach the log or the metrics.
func TestSecretsStayOut(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.d.server.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	const canary = "hunter2-canary"
	each(t, w, func(t *testing.T, rt *route, s sample) {
		if s.state != "" || rt.path == "/v1/shutdown" || rt.path == "/v1/lock" {
			return
		}
		for _, body := range []string{
			`{"passphrase":"` + canary + `"}`, `{"text":"` + canary, canary, `"` + canary + `"`, `[{"` + canary + `":1}]`,
			`{"text":{"a":"` + canary + `"},"uri":["` + canary + `"],"name":7,"display_name":["` + canary + `"],"code":{"` + canary + `":1}}`,
		} {
			for _, kind := range []string{"application/json", "text/html", canary} {
				a := w.d.do(call{
					method: rt.method, path: s.path + "?" + "limit=" + canary, body: body,
					header: map[string]string{"Content-Type": kind, "Accept": canary},
				})
				if a.status < 400 && rt.method == http.MethodGet {
					continue
				}
				if got := strings.ReplaceAll(a.body, "/"+canary, ""); strings.Contains(got, canary) {
					t.Errorf("%s echoes: %s", rt.name(), a.body)
				}
			}
		}
	})
	w.d.fail = errTest
	w.d.do(call{method: "POST", path: "/v1/conversations/" + w.conversation + "/messages", body: `{"text":"` + canary + `"}`})
	w.d.fail = nil
	for name, text := range map[string]string{
		"log": log.String(), "metrics": w.d.must(200, call{method: "GET", path: "/metrics"}).body,
	} {
		for _, secret := range []string{canary, w.owner, w.contact, w.conversation, w.message, w.tokenID, "Mina"} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s holds %q", name, secret)
			}
		}
	}
	if !strings.Contains(log.String(), errTest.Error()) {
		t.Error("the failed commit is not logged")
	}
}

// TestHTTP2OnTheSocket gives native frontends many streams on one connection.
func TestHTTP2OnTheSocket(t *testing.T) {
	w := newWorld(t)
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", w.d.server.Socket())
	}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://" + api.SocketFile + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Errorf("%s %d", resp.Proto, resp.StatusCode)
	}
}
