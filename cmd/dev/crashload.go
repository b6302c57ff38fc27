package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"pabal/node/api"
)

const (
	crashTextBytes  = 100
	crashRetryPause = 5 * time.Millisecond
)

// promise is a message that the daemon acknowledged to its client.
type promise struct{ id, text string }

// ledger is what the senders of one side were promised, a list for each sender
// in the order of its sending.
type ledger struct {
	mu      sync.Mutex // guards streams
	streams map[int][]promise
}

func (l *ledger) add(stream int, p promise) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams == nil {
		l.streams = map[int][]promise{}
	}
	l.streams[stream] = append(l.streams[stream], p)
}

// send sends one message after the other, each until it is acknowledged, until
// stop is closed. A message that it has begun is always finished.
func (s *side) send(ctx context.Context, stop <-chan struct{}, stream, rate int) error {
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
		p := promise{api.NewMessageID(), crashText(s.name, stream, n)}
		if err := s.put(ctx, p); err != nil {
			return fmt.Errorf("%s, sender %d, message %d: %w", s.name, stream, n, err)
		}
		s.ledger.add(stream, p)
	}
}

// put repeats one message until the daemon has acknowledged it.
func (s *side) put(ctx context.Context, p promise) error {
	for {
		m, err := s.client.PutMessage(ctx, s.conversation, p.id, api.MessageRequest{Text: p.text}, api.SendOptions{})
		if err == nil && (m.ID == nil || *m.ID != p.id || m.Body == nil || m.Body.Text != p.text) {
			return errors.New("the acknowledgement is of another message")
		}
		var problem *api.Problem
		if err == nil || errors.As(err, &problem) && !passes(problem) {
			return err
		}
		if !pause(ctx, crashRetryPause) {
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
func drain(ctx context.Context, sides [2]*side) error {
	for _, s := range sides {
		err := eventually(ctx, crashDrainLimit, s.name+" delivering all it has", func(ctx context.Context) (bool, error) {
			status, err := s.client.Status(ctx)
			return err == nil && status.OutboxTotal == 0, err
		})
		if err != nil {
			return err
		}
	}
	for _, s := range sides {
		err := eventually(ctx, crashDrainLimit, s.name+" telling all its events", func(ctx context.Context) (bool, error) {
			snapshot, err := s.client.Snapshot(ctx, api.SnapshotOptions{})
			return err == nil && s.follower.last() == snapshot.Cursor, errors.Join(err, s.follower.failure())
		})
		if err != nil {
			return err
		}
	}
	return nil
}
