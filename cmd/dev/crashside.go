package main

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

// side is one daemon, its clients, and what they were promised.
type side struct {
	name, binary, home string
	within             []string // the command that runs the daemon in another place; empty = here
	listen             string
	args               []string // more for the daemon
	client             *api.Client

	contactID, conversation string // set by befriend

	mu      sync.Mutex // guards the running daemon: killed and started by one goroutine at a time
	process *exec.Cmd
	exited  chan struct{} // closed when process has ended
	killed  bool          // by us

	ledger   ledger
	follower follower
}

func newSide(name, binary, dir string) *side {
	home := filepath.Join(dir, "home")
	socket := filepath.Join(home, name, "run", api.SocketFile)
	return &side{name: name, binary: binary, home: home, listen: "127.0.0.1:0", client: api.NewUnixClient(socket)}
}

// start starts the daemon and returns when it is ready; a daemon that ends by
// itself is an error at once.
func (s *side) start(ctx context.Context) error {
	if err := s.launch(); err != nil {
		return err
	}
	exited, cmd := s.exited, s.process
	return eventually(ctx, crashReadyLimit, s.name+" getting ready", func(ctx context.Context) (bool, error) {
		select {
		case <-exited:
			return false, fmt.Errorf("%s ended by itself: %v\n%s", s.name, cmd.ProcessState, s.logTail())
		default:
		}
		status, err := s.client.Status(ctx)
		return err == nil && status.State == api.StateReady, err
	})
}

// launch starts the daemon and does not wait for it.
func (s *side) launch() error {
	log, err := os.OpenFile(s.logName(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the daemon has its own
	line := slices.Concat(s.within, []string{s.binary, "run", "--home", s.home, "--profile", s.name, "--name", s.name,
		"--no-passphrase", "--listen", s.listen}, s.args)
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

// kill ends the daemon with SIGKILL and waits until it is gone.
func (s *side) kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.exited:
		return fmt.Errorf("%s ended by itself: %v\n%s", s.name, s.process.ProcessState, s.logTail())
	default:
	}
	s.killed = true
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.exited
	return nil
}

// stop asks the daemon to end, as a user does, and waits until it has.
func (s *side) stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	select {
	case <-s.exited:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !s.process.ProcessState.Success() {
		return fmt.Errorf("%s ended badly: %v\n%s", s.name, s.process.ProcessState, s.logTail())
	}
	return nil
}

// restart stops the daemon and starts it again.
func (s *side) restart(ctx context.Context) error {
	if err := s.stop(ctx); err != nil {
		return err
	}
	return s.start(ctx)
}

// close ends the daemon and the clients of the side.
func (s *side) close() {
	s.follower.close()
	if s.process != nil {
		_ = s.kill() // it may have ended
	}
	s.client.Close()
}

func (s *side) logName() string { return filepath.Join(filepath.Dir(s.home), s.name+".log") }

func (s *side) logTail() []byte {
	text, err := os.ReadFile(s.logName())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-logTailBytes):])
}

// befriend makes two sides contacts by a link: from then on they write to each other.
// Either may have others.
func befriend(ctx context.Context, inviter, invitee *side) error {
	invite, err := inviter.client.CreateInvite(ctx, api.InviteRequest{})
	if err != nil {
		return err
	}
	if invite.URI == nil {
		return errors.New("the new invite has no link")
	}
	if _, err := invitee.client.AcceptInvite(ctx, api.AcceptRequest{URI: *invite.URI}); err != nil {
		return err
	}
	for _, pair := range [][2]*side{{inviter, invitee}, {invitee, inviter}} {
		s, other := pair[0], pair[1]
		err := eventually(ctx, befriendLimit, s.name+" having "+other.name+" as a contact", func(ctx context.Context) (bool, error) {
			contact, err := s.contact(ctx, other.name)
			if contact.ConversationID == nil {
				return false, err
			}
			s.contactID, s.conversation = contact.ID, *contact.ConversationID
			return true, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// contact returns the established contact of a name, or an empty one.
func (s *side) contact(ctx context.Context, name string) (api.Contact, error) {
	contacts, err := s.client.Contacts(ctx, api.ContactQuery{State: api.ContactEstablished})
	for _, c := range contacts {
		if c.Name == name {
			return c, err
		}
	}
	return api.Contact{}, err
}
