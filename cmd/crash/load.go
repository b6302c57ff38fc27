package crash

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pabal/node/api"
)

const (
	crashTextBytes  = 100
	crashRetryPause = 5 * time.Millisecond
)

// Promise is a message that the daemon acknowledged to its client.
type Promise struct{ ID, Text string }

// ledger is what the senders of one side were promised, a list for each sender
// in the order of its sending.
type ledger struct {
	mu      sync.Mutex // guards streams
	streams map[int][]Promise
}

func (l *ledger) add(stream int, p Promise) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams == nil {
		l.streams = map[int][]Promise{}
	}
	l.streams[stream] = append(l.streams[stream], p)
}

// send sends one message after the other, each until it is acknowledged, until
// stop is closed. A message that it has begun is always finished.
func (s *Side) send(ctx context.Context, stop <-chan struct{}, stream, rate int) error {
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			return nil
		case <-ticker.C:
		}
		p := Promise{api.NewMessageID(), crashText(s.Name, stream, n)}
		if err := s.put(ctx, p); err != nil {
			return fmt.Errorf("%s, sender %d, message %d: %w", s.Name, stream, n, err)
		}
		s.ledger.add(stream, p)
	}
}

// Say sends one message, until it is acknowledged: from then on it is promised.
func (s *Side) Say(ctx context.Context, text string) error {
	p := Promise{api.NewMessageID(), text}
	if err := s.put(ctx, p); err != nil {
		return err
	}
	s.ledger.add(0, p)
	return nil
}

// Said returns what Say was promised, in order.
func (s *Side) Said() []Promise {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return slices.Clone(s.ledger.streams[0])
}

// put repeats one message until the daemon has acknowledged it.
func (s *Side) put(ctx context.Context, p Promise) error {
	for {
		m, err := s.Client.PutMessage(ctx, s.Conversation, p.ID, api.MessageRequest{Text: p.Text}, api.SendOptions{})
		if err == nil && (m.ID == nil || *m.ID != p.ID || m.Body == nil || m.Body.Text != p.Text) {
			return errors.New("the acknowledgement is of another message")
		}
		var problem *api.Problem
		if err == nil || errors.As(err, &problem) && !passes(problem) {
			return err
		}
		if !Pause(ctx, crashRetryPause) {
			return ctx.Err()
		}
	}
}

// passes reports whether a refusal is one of a daemon that starts or stops.
func passes(p *api.Problem) bool {
	switch p.Code {
	case api.CodeNotReady, api.CodeStopping, api.CodeLocked:
		return true
	}
	return p.Retryable
}

// crashText is a text of a hundred bytes that no other message has.
func crashText(name string, stream, n int) string {
	text := fmt.Sprintf("%s %d %d ", name, stream, n)
	return text + strings.Repeat(".", crashTextBytes-len(text))
}

// drain waits until both sides have delivered everything and read their event logs to the end.
func drain(ctx context.Context, sides [2]*Side) error {
	for _, s := range sides {
		err := Eventually(ctx, crashDrainLimit, s.Name+" delivering all it has", func(ctx context.Context) (bool, error) {
			status, err := s.Client.Status(ctx)
			return err == nil && status.OutboxTotal == 0, err
		})
		if err != nil {
			return err
		}
	}
	for _, s := range sides {
		err := Eventually(ctx, crashDrainLimit, s.Name+" telling all its events", func(ctx context.Context) (bool, error) {
			snapshot, err := s.Client.Snapshot(ctx, api.SnapshotOptions{})
			return err == nil && s.follower.last() == snapshot.Cursor, errors.Join(err, s.follower.failure())
		})
		if err != nil {
			return err
		}
	}
	return nil
}
