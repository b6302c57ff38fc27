package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"pabal/node/api"
)

const (
	logTailBytes  = 2 << 10 // of a daemon's log, quoted in an error
	befriendLimit = time.Minute
)

// Side is one daemon, its clients, and what they were promised.
type Side struct {
	Name   string
	Home   string      // of the daemon's profiles
	Listen string      // where it listens for other nodes
	Within []string    // the command that runs the daemon in another place; empty = here
	Args   []string    // more for the daemon
	Client *api.Client // of the daemon, across all restarts

	ContactID, Conversation string // set by Befriend

	binary string

	mu      sync.Mutex // guards the running daemon: killed and started by one goroutine at a time
	process *exec.Cmd
	exited  chan struct{} // closed when process has ended
	killed  bool          // by us

	ledger   ledger
	follower follower
}

// NewSide returns a side that is not started. Its profile and its log are in dir.
func NewSide(name, binary, dir string) *Side {
	home := filepath.Join(dir, "home")
	socket := filepath.Join(home, name, "run", api.SocketFile)
	return &Side{Name: name, binary: binary, Home: home, Listen: "127.0.0.1:0", Client: api.NewUnixClient(socket)}
}

// Start starts the daemon and returns when it is ready; a daemon that ends by
// itself is an error at once.
func (s *Side) Start(ctx context.Context) error {
	if err := s.Launch(); err != nil {
		return err
	}
	exited, cmd := s.exited, s.process
	return Eventually(ctx, crashReadyLimit, s.Name+" getting ready", func(ctx context.Context) (bool, error) {
		select {
		case <-exited:
			return false, fmt.Errorf("%s ended by itself: %v\n%s", s.Name, cmd.ProcessState, s.LogTail())
		default:
		}
		status, err := s.Client.Status(ctx)
		return err == nil && status.State == api.StateReady, err
	})
}

// Launch starts the daemon and does not wait for it.
func (s *Side) Launch() error {
	log, err := os.OpenFile(s.logName(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the daemon has its own
	line := slices.Concat(s.Within, []string{s.binary, "run", "--home", s.Home, "--profile", s.Name, "--name", s.Name,
		"--no-passphrase", "--listen", s.Listen}, s.Args)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // told by what waits for exited
		close(exited)
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process, s.exited, s.killed = cmd, exited, false
	return nil
}

// Kill ends the daemon with SIGKILL and waits until it is gone.
func (s *Side) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.exited:
		return fmt.Errorf("%s ended by itself: %v\n%s", s.Name, s.process.ProcessState, s.LogTail())
	default:
	}
	s.killed = true
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.exited
	return nil
}

// Stop asks the daemon to end, as a user does, and waits until it has.
func (s *Side) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", s.Name, err)
	}
	select {
	case <-s.exited:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !s.process.ProcessState.Success() {
		return fmt.Errorf("%s ended badly: %v\n%s", s.Name, s.process.ProcessState, s.LogTail())
	}
	return nil
}

// Restart stops the daemon and starts it again.
func (s *Side) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Close ends the daemon and the clients of the side.
func (s *Side) Close() {
	s.follower.close()
	if s.process != nil {
		_ = s.Kill() // it may have ended
	}
	s.Client.Close()
}

func (s *Side) logName() string { return filepath.Join(filepath.Dir(s.Home), s.Name+".log") }

// PID is the process of the daemon that was started last.
func (s *Side) PID() int { return s.process.Process.Pid }

// LogTail returns the end of what the daemon has logged.
func (s *Side) LogTail() []byte {
	text, err := os.ReadFile(s.logName())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-logTailBytes):])
}

// Befriend makes two sides contacts by a link: from then on they write to each other.
// Either may have others.
func Befriend(ctx context.Context, inviter, invitee *Side) error {
	invite, err := inviter.Client.CreateInvite(ctx, api.InviteRequest{})
	if err != nil {
		return err
	}
	if invite.URI == nil {
		return errors.New("the new invite has no link")
	}
	if _, err := invitee.Client.AcceptInvite(ctx, api.AcceptRequest{URI: *invite.URI}); err != nil {
		return err
	}
	for _, pair := range [][2]*Side{{inviter, invitee}, {invitee, inviter}} {
		s, other := pair[0], pair[1]
		err := Eventually(ctx, befriendLimit, s.Name+" having "+other.Name+" as a contact", func(ctx context.Context) (bool, error) {
			contact, err := s.Contact(ctx, other.Name)
			if contact.ConversationID == nil {
				return false, err
			}
			s.ContactID, s.Conversation = contact.ID, *contact.ConversationID
			return true, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Contact returns the established contact of a name, or an empty one.
func (s *Side) Contact(ctx context.Context, name string) (api.Contact, error) {
	contacts, err := s.Client.Contacts(ctx, api.ContactQuery{State: api.ContactEstablished})
	for _, c := range contacts {
		if c.Name == name {
			return c, err
		}
	}
	return api.Contact{}, err
}
