package api

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// ErrServer says that what answers is not the daemon: another user's process on
// the unix socket, or something on the TCP port that does not know our token.
// Nothing secret was sent to it.
var ErrServer = errors.New("api: the server is not our daemon")

// unixHost is the Host header on the unix socket.
const unixHost = SocketFile

// Client calls the daemon. It is safe for concurrent use.
type Client struct {
	base  string // "http://pabal.sock" or "http://127.0.0.1:PORT"
	token string // empty on the unix socket
	http  *http.Client
}

// ReadDiscovery reads a discovery file. The error of a file that is not there
// satisfies errors.Is(err, fs.ErrNotExist): no daemon runs, or it was killed
// before it could write one.
func ReadDiscovery(path string) (Discovery, error) {
	var d Discovery
	f, err := os.Open(path)
	if err != nil {
		return d, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, discoveryBytesMax)).Decode(&d); err != nil {
		return d, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return d, nil
}

// NewUnixClient returns a client of the daemon on a unix socket. Nothing is
// sent before the socket's other end is known to be a process of our own user,
// where the system can tell (Linux).
func NewUnixClient(socket string) *Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, err
		}
		if err := checkPeer(conn); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
	return &Client{base: "http://" + unixHost, http: newHTTP(dial)}
}

// NewTCPClient returns a client of the daemon on loopback TCP. Before the token
// is sent anywhere the server must prove that it knows it; otherwise the error
// is ErrServer.
func NewTCPClient(ctx context.Context, base, token string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("api: %q is not an http address", base)
	}
	c := &Client{base: strings.TrimSuffix(base, "/"), http: newHTTP((&net.Dialer{Timeout: dialTimeout}).DialContext)}
	nonceBytes := make([]byte, 24)
	rand.Read(nonceBytes)
	nonce := base64.RawURLEncoding.EncodeToString(nonceBytes)
	answer, err := c.Proof(ctx, ProofRequest{TokenID: TokenID(token), Nonce: nonce})
	if err != nil {
		if p := (*Problem)(nil); errors.As(err, &p) {
			return nil, fmt.Errorf("%w: %w", ErrServer, err)
		}
		return nil, err
	}
	hash := sha256.Sum256([]byte(token))
	if !hmac.Equal([]byte(answer.Proof), []byte(ServerProof(hash, u.Host, nonce))) {
		return nil, ErrServer
	}
	c.token = token
	return c, nil
}

func newHTTP(dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableCompression: true, MaxIdleConnsPerHost: 16, ExpectContinueTimeout: dialTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the daemon never redirects
		},
	}
}

// TokenID returns the public id of a token, which names it without telling it:
// it is derived from the token's hash, so whoever holds the token knows it.
func TokenID(token string) string {
	hash := sha256.Sum256([]byte(token))
	return TokenIDOfHash(tokenPrefix(token), hash)
}

// TokenIDOfHash returns the id of a token by the SHA-256 of its text; prefix is
// tk for tokens and ss for sessions.
func TokenIDOfHash(prefix string, hash [sha256.Size]byte) string {
	h := sha256.New()
	h.Write([]byte("pabal-token-id-v1\x00"))
	h.Write(hash[:])
	enc := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	return prefix + "_" + enc.EncodeToString(h.Sum(nil)[:16])
}

func tokenPrefix(token string) string {
	if strings.HasPrefix(token, SessionSecretPrefix) {
		return "ss"
	}
	return "tk"
}

// The beginnings of secrets, by which scanners find a leaked one.
const (
	TokenSecretPrefix   = "pbl_token_"
	SessionSecretPrefix = "pbl_session_"
)

// ServerProof computes the proof of POST /v1/auth/proof (see [ProofResponse])
// from the SHA-256 of a token.
func ServerProof(hash [sha256.Size]byte, host, nonce string) string {
	mac := hmac.New(sha256.New, hash[:])
	mac.Write([]byte("pabal-proof-v1\x00" + host + "\x00" + nonce))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Close closes idle connections. Calls and streams that run are not ended.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// RawRequest is any request to the daemon.
type RawRequest struct {
	Method string
	Path   string // with the leading /v1, and without the query
	Query  url.Values
	Header http.Header
	Body   []byte // nil: none; JSON unless Header says otherwise
	// Stream is a body that is not held in memory, of StreamSize bytes, -1: not known; nil: Body.
	Stream     io.Reader
	StreamSize int64
}

// Raw sends a request and returns the response whatever its status. The caller
// must close its body.
func (c *Client) Raw(ctx context.Context, r RawRequest) (*http.Response, error) {
	target := c.base + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	var body io.Reader
	if r.Body != nil {
		body = bytes.NewReader(r.Body)
	}
	if r.Stream != nil {
		body = r.Stream
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, body)
	if err != nil {
		return nil, fmt.Errorf("api request: %w", err)
	}
	if r.Stream != nil {
		req.ContentLength = r.StreamSize
		req.Header.Set("Expect", "100-continue") // a refusal comes before the bytes go
		if r.StreamSize == 0 {
			req.Body = http.NoBody
		}
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	if r.Body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.http.Do(req)
}

// download sends in as JSON and copies the answer, of whatever length, to w. What was written is
// not whole if it fails. A status of 400 and more is returned as a *Problem.
func (c *Client) download(ctx context.Context, path string, in any, w io.Writer) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	resp, err := c.Raw(ctx, RawRequest{Method: http.MethodPost, Path: path, Body: body})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		refused, err := io.ReadAll(io.LimitReader(resp.Body, responseBytesMax))
		if err != nil {
			return fmt.Errorf("read response: %w", err)
		}
		return responseProblem(resp, refused)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	return nil
}

// do sends in as JSON, unless it is nil, and reads the answer into out, unless
// that is nil. A status of 400 and more is returned as a *Problem.
func (c *Client) do(ctx context.Context, r RawRequest, in, out any) error {
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		r.Body = b
	}
	resp, err := c.Raw(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, responseBytesMax))
	if err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return responseProblem(resp, body)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = body
		return nil
	default:
		if err := json.Unmarshal(body, out); err != nil {
			return fmt.Errorf("decode response: %w", err)
		}
		return nil
	}
}

// responseProblem makes a Problem of a refusal; those without a body, which
// strangers get on TCP, by their status.
func responseProblem(resp *http.Response, body []byte) *Problem {
	p := new(Problem)
	if json.Unmarshal(body, p) == nil && p.Code != "" {
		p.Status = resp.StatusCode
		return p
	}
	code := CodeInternal
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		code = CodeUnauthenticated
	case http.StatusMisdirectedRequest:
		code = CodeHostNotAllowed
	}
	p = NewProblem(code)
	p.Status = resp.StatusCode
	return p
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, RawRequest{Method: http.MethodGet, Path: path, Query: query}, nil, out)
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, RawRequest{Method: http.MethodPost, Path: path, Header: idempotencyHeader(ctx)}, in, out)
}

func (c *Client) patch(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, RawRequest{Method: http.MethodPatch, Path: path}, in, out)
}

func (c *Client) put(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, RawRequest{Method: http.MethodPut, Path: path}, in, out)
}

func (c *Client) delete(ctx context.Context, path string, query url.Values) error {
	return c.do(ctx, RawRequest{Method: http.MethodDelete, Path: path, Query: query}, nil, nil)
}

type idempotencyKey struct{}

// WithIdempotencyKey returns a context whose POSTs carry the key: a repeat with
// the same key within 48 hours, also after a crash, has the effect of the first
// only. Give each intended effect a key of its own, for example a random one.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, idempotencyKey{}, key)
}

func idempotencyHeader(ctx context.Context) http.Header {
	key, ok := ctx.Value(idempotencyKey{}).(string)
	if !ok {
		return nil
	}
	return http.Header{"Idempotency-Key": {key}}
}
