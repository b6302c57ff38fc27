package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/node"
	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

const (
	benchStartLimit   = 30 * time.Second
	benchDeliverLimit = 2 * time.Minute
	benchSubmitters   = 1024 // a side: more than two commits take
	benchPoll         = 2 * time.Millisecond
)

// end is one of two nodes in this process, and its conversation with the other.
type end struct {
	config       node.Config
	node         *node.Node
	client       *api.Client
	socket       string
	contact      protocol.ContactID
	conversation protocol.ConversationID
	stop         context.CancelFunc
	ended        chan error // capacity 1
}

// couple is two nodes that are contacts.
type couple [2]*end

// newCouple starts two nodes with profiles in dir and makes them contacts.
func newCouple(ctx context.Context, dir string) (couple, error) {
	var c couple
	for i, name := range []string{"left", "right"} {
		home := filepath.Join(dir, name)
		c[i] = &end{config: node.Config{
			Profile: name, DataDir: filepath.Join(home, "data"), RuntimeDir: filepath.Join(home, "run"),
			Create: &node.NewProfile{Name: name}, Listen: []string{"127.0.0.1:0"},
		}}
	}
	for _, e := range c {
		if err := e.start(ctx); err != nil {
			return c, errors.Join(err, c.close())
		}
	}
	if err := c.befriend(ctx); err != nil {
		return c, errors.Join(err, c.close())
	}
	return c, nil
}

func (c couple) close() error {
	var all error
	for _, e := range c {
		all = errors.Join(all, e.close())
	}
	return all
}

// befriend makes contacts of the two, by the inputs that the API would make.
func (c couple) befriend(ctx context.Context) error {
	result, err := c[0].node.Submit(ctx, func(ref uint64) protocol.Input {
		return protocol.CreateInvite{Ref: ref, Kind: protocol.InviteOnce}
	}, nil)
	if err != nil {
		return err
	}
	link := result.(protocol.InviteCreated).Link
	_, err = c[1].node.Submit(ctx, func(ref uint64) protocol.Input { return protocol.AddContact{Ref: ref, Link: link} }, nil)
	if err != nil {
		return err
	}
	for _, e := range c {
		err := e.until(ctx, benchStartLimit, "becoming contacts", func(v *store.View) (bool, error) {
			contacts, err := v.Contacts()
			if err != nil || len(contacts) == 0 || contacts[0].Phase != protocol.ContactEstablished {
				return false, err
			}
			e.contact, e.conversation = contacts[0].ID, contacts[0].Conversation
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// start starts the node and returns when it can send.
func (e *end) start(ctx context.Context) error {
	ready := make(chan api.Discovery, 1)
	config := e.config
	config.Ready = func(d api.Discovery) { ready <- d }
	n, err := node.New(config)
	if err != nil {
		return err
	}
	ctx, e.stop = context.WithCancel(ctx)
	e.node, e.ended = n, make(chan error, 1)
	go func() { e.ended <- n.Run(ctx) }()
	select {
	case d := <-ready:
		e.client, e.socket = api.NewUnixClient(d.Unix), d.Unix
		return nil
	case err := <-e.ended:
		e.stop()
		e.stop = nil
		return fmt.Errorf("%s does not start: %w", e.config.Profile, err)
	}
}

// close stops the node and waits until it has ended.
func (e *end) close() error {
	if e == nil || e.stop == nil {
		return nil
	}
	e.stop()
	e.stop = nil
	e.client.Close()
	return <-e.ended
}

// send gives the node one message and returns when it is durable there.
func (e *end) send(ctx context.Context) error {
	_, err := e.node.Submit(ctx, func(ref uint64) protocol.Input {
		return protocol.SendText{Ref: ref, Conversation: e.conversation, Text: benchText}
	}, nil)
	return err
}

// until looks at the store until the answer is yes.
func (e *end) until(ctx context.Context, limit time.Duration, what string, ask func(*store.View) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		var yes bool
		err := e.node.Store().View(func(v *store.View) (err error) {
			yes, err = ask(v)
			return err
		})
		if yes || err != nil {
			return err
		}
		if !pause(ctx, benchPoll) {
			return fmt.Errorf("%s: %s did not happen within %v", e.config.Profile, what, limit)
		}
	}
}

// delivered waits until the receipts of all that the node sent are committed.
func (e *end) delivered(ctx context.Context) error {
	return e.until(ctx, benchDeliverLimit, "delivering all", func(v *store.View) (bool, error) {
		c, err := v.Conversation(e.conversation)
		if err != nil {
			return false, err
		}
		var last uint64
		if n := len(c.Delivered); n > 0 {
			last = c.Delivered[n-1].Last
		}
		return len(c.Delivered) <= 1 && last == c.OwnSequence, nil
	})
}

// settle brings the search index of both up to date. It is filled when nothing else
// is to do: left alone, it would take its time from what is measured next.
func (c couple) settle() error {
	var group errgroup.Group
	for _, e := range c {
		group.Go(func() error {
			for {
				n, err := e.node.Store().IndexStep(store.IndexStepMax)
				if n == 0 || err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// exchange sends messages in both directions, half of them each, and returns
// how long it takes until the last receipt is committed.
func (c couple) exchange(ctx context.Context, messages int) (time.Duration, error) {
	start := time.Now()
	group, loading := errgroup.WithContext(ctx)
	for _, e := range c {
		var left atomic.Int64
		left.Store(int64(messages / len(c)))
		for range benchSubmitters {
			group.Go(func() error {
				for left.Add(-1) >= 0 {
					if err := e.send(loading); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	for _, e := range c {
		if err := e.delivered(ctx); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}
