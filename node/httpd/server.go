package httpd

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"pabal/node/api"
	"pabal/protocol"
)

// Config is what a server is made with. RuntimeDir, Profile and Version must be set.
type Config struct {
	// RuntimeDir is the profile's runtime directory, for the socket and the
	// discovery file. It is made with mode 0700 and must be ours.
	RuntimeDir string
	// Profile is the profile's name, as status shows it.
	Profile string
	// Version and Commit say which build this is.
	Version, Commit string
	// Web holds the files of the web UI, served under a path that changes with
	// each run. Nil: there is none.
	Web fs.FS
	// Gatherers are further sources of GET /metrics.
	Gatherers []prometheus.Gatherer
	// Log takes what is worth knowing; never a text, name, link or whole id.
	// Nil: nothing is logged.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Server is the local HTTP server of one profile.
type Server struct {
	daemon Daemon
	config Config
	log    *slog.Logger
	now    func() time.Time

	mux         *http.ServeMux
	routes      map[string]*route // by the mux's pattern
	openapi     func() ([]byte, error)
	crossOrigin *http.CrossOriginProtection
	owner       *actor
	auth        *authority
	rates       *rates
	inFlight    *inFlight
	files       chan struct{} // 1: a bundle file is being read or taken; the next one waits
	scans       chan struct{} // 1: the same of a picture in which a code is looked for, which takes seconds
	decoding    chan struct{} // 1: a picture is being decoded for its thumbnail; the next one waits
	feed        *feed
	idle        *idle
	presence    presence
	audit       audit
	pairings    pairings
	locking     sync.Mutex // held while somebody locks, for which nobody waits
	hooks       *hooks
	approvals   chan struct{} // capacity 1: look again when the next one expires
	streams     atomic.Int32  // open event streams
	metrics     *metrics
	started     time.Time
	webSecret   string

	unix, tcp net.Listener
	socket    string
	hosts     []string // the Host values that TCP answers to
}

// New opens both listeners, so that an error is known before the daemon starts;
// [Server.Run] serves them. A server that is never run must be closed.
func New(c Config, d Daemon) (*Server, error) {
	s := &Server{
		daemon: d, config: c, log: c.Log, now: c.Now,
		crossOrigin: http.NewCrossOriginProtection(), owner: owner(), auth: newAuthority(d.Store),
		inFlight: newInFlight(), feed: newFeed(), idle: newIdle(), hooks: newHooks(), approvals: make(chan struct{}, 1), files: make(chan struct{}, 1), scans: make(chan struct{}, 1),
		pairings: pairings{
			asks: bucket{burst: pairingsBurst, every: pairingEvery}, guests: bucket{burst: pairingGuestsBurst, every: pairingEvery},
		},
		decoding: make(chan struct{}, 1), audit: audit{patience: auditFirstMax},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.started = s.now()
	s.rates = &rates{now: s.now, byID: make(map[string]*actorRates)}
	s.metrics = newMetrics(s)
	var secret [16]byte
	rand.Read(secret[:])
	s.webSecret = base64.RawURLEncoding.EncodeToString(secret[:])
	s.register()
	var err error
	if s.unix, s.socket, err = listenUnix(c.RuntimeDir); err != nil {
		return nil, err
	}
	if s.tcp, err = listenTCP(); err != nil {
		s.unix.Close()
		return nil, err
	}
	port := s.tcp.Addr().(*net.TCPAddr).Port
	s.hosts = []string{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("[::1]:%d", port), fmt.Sprintf("localhost:%d", port)}
	return s, nil
}

// SocketPath returns where the unix socket of a runtime directory is.
func SocketPath(runtimeDir string) string { return filepath.Join(runtimeDir, api.SocketFile) }

// Socket returns the path of the unix socket.
func (s *Server) Socket() string { return s.socket }

// Base returns the address of the TCP listener, "http://127.0.0.1:PORT".
func (s *Server) Base() string { return "http://" + s.hosts[0] }

// Run serves until ctx is done, then lets answers that are being written end,
// says bye on the event streams, and returns once all of it is over. The
// discovery file is there from then on until [Server.Withdraw]. ready, if not nil, is called once, when
// requests are answered and the file is written.
func (s *Server) Run(ctx context.Context, ready func(api.Discovery)) error {
	d := api.Discovery{
		PID: os.Getpid(), StartedAt: api.Time{Time: s.started}, Unix: s.socket, TCP: s.Base(),
		API: api.DiscoveryVersion{Major: api.Major, Minor: api.Minor}, Version: s.config.Version,
	}
	if err := writeDiscovery(s.config.RuntimeDir, d); err != nil {
		return errors.Join(err, s.Close())
	}
	servers := []*http.Server{s.httpServer(overUnix), s.httpServer(overTCP)}
	group, groupCtx := errgroup.WithContext(ctx)
	for i, l := range []net.Listener{s.unix, s.tcp} {
		group.Go(func() error {
			if err := servers[i].Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve API: %w", err)
			}
			return nil
		})
	}
	group.Go(func() error {
		s.watchIdle(groupCtx)
		return nil
	})
	group.Go(func() error {
		s.runHooks(groupCtx)
		return nil
	})
	group.Go(func() error {
		s.watchApprovals(groupCtx)
		return nil
	})
	if ready != nil {
		ready(d)
	}
	group.Go(func() error {
		<-groupCtx.Done()
		s.feed.stop()
		return shutdown(servers)
	})
	err := group.Wait()
	s.audit.end()
	return err
}

// Withdraw takes the discovery file away, if it is ours: everything is closed, and
// the profile may be served by somebody else. It is called behind Run.
func (s *Server) Withdraw() error { return removeDiscovery(s.config.RuntimeDir) }

// shutdown ends servers, at first gently.
func shutdown(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var wait sync.WaitGroup
	errs := make([]error, len(servers))
	for i, srv := range servers {
		wait.Go(func() {
			if srv.Shutdown(ctx) != nil {
				errs[i] = srv.Close()
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Close closes the listeners of a server that is not run.
func (s *Server) Close() error { return errors.Join(s.unix.Close(), s.tcp.Close()) }

func (s *Server) httpServer(t transport) *http.Server {
	srv := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax,
		DisableGeneralOptionsHandler: true,
		// net/http would log addresses and bytes of broken requests.
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return withTransport(context.Background(), t) },
		ConnContext: withConn,
		Protocols:   new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	if t == overUnix {
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	return srv
}

// Notify wakes the event streams and the waiting sends: the log has grown or the
// daemon's state has changed. It does not block.
func (s *Server) Notify() { s.feed.notify() }

// Announce hands an event that is not logged to the streams that want it. It
// does not block: a stream that is behind loses the oldest of its announcements.
func (s *Server) Announce(e protocol.Event) { s.feed.announce(e) }
