package node

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"pabal/node/p2p"
	"pabal/protocol"
	"pabal/protocol/invite"
	"pabal/store"
)

// randomness is the system's source: it never fails.
type randomness struct{}

func (randomness) Read(b []byte) (int, error) { return rand.Read(b) }

// finished is the result of a job, and the Peer that asked for it.
type finished struct {
	input protocol.Input
	peer  *protocol.Peer
}

// finish steps the result of a job, unless the Peer that asked is no more.
func (c *core) finish(b *batch, f finished) {
	if f.peer == c.peer {
		c.step(b, f.input)
	}
}

// untilDone is randomness that fails when ctx is done: it ends the search of a
// stamp, which may take a minute.
type untilDone struct{ ctx context.Context }

func (r untilDone) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return rand.Read(b)
}

// isStamp reports whether a job takes much time and memory. The others read the
// store, and messages wait for them.
func isStamp(j protocol.Job) bool {
	switch j.(type) {
	case protocol.CheckStamp, protocol.MakeStamp:
		return true
	}
	return false
}

// start runs a job beside the loop; its result comes back as an input.
func (c *core) start(ctx context.Context, j protocol.Job) {
	peer := c.peer
	c.jobs.Go(func() {
		if isStamp(j) {
			select {
			case c.stamps <- struct{}{}:
				defer func() { <-c.stamps }()
			case <-ctx.Done():
				return
			}
		}
		in, err := c.work(ctx, j)
		for err != nil && !errors.Is(err, store.ErrClosed) && ctx.Err() == nil {
			c.log.Warn("job is tried again", "error", err)
			select {
			case <-time.After(jobRetry):
				in, err = c.work(ctx, j)
			case <-ctx.Done():
			}
		}
		if err != nil {
			return
		}
		select {
		case c.results <- finished{in, peer}:
		case <-ctx.Done():
		}
	})
}

func (c *core) work(ctx context.Context, j protocol.Job) (protocol.Input, error) {
	switch j := j.(type) {
	case protocol.FetchContents:
		fetched := protocol.ContentsFetched{Contact: j.Contact}
		err := c.store.View(func(v *store.View) (err error) {
			fetched.Contents, err = v.Contents(j.Messages)
			return err
		})
		return fetched, err
	case protocol.FetchParts:
		return c.makeParts(j)
	case protocol.FetchSequences:
		return c.fetchSequences(j)
	case protocol.FetchShared:
		fetched := protocol.SharedFetched{Job: j.Job, Conversation: j.Conversation}
		err := c.store.View(func(v *store.View) (err error) {
			fetched.Items, err = v.Shared(j.Conversation, j.Member, j.First, j.Last)
			return err
		})
		return fetched, err
	case protocol.FetchHeld:
		fetched := protocol.HeldFetched{Conn: j.Conn, Mailbox: j.Mailbox}
		err := c.store.View(func(v *store.View) (err error) {
			fetched.Items, err = v.Held(j.Mailbox, j.Items)
			return err
		})
		return fetched, err
	case protocol.CheckStamp:
		err := invite.CheckStamp(j.Stamp, j.Tag, j.Today, j.Request, j.Bits)
		return protocol.StampChecked{Job: j.Job, OK: err == nil}, nil
	case protocol.MakeStamp:
		stamp, err := invite.MakeStamp(untilDone{ctx}, j.Tag, j.Day, j.Request, j.Bits)
		return protocol.StampMade{Job: j.Job, Stamp: stamp, OK: err == nil}, nil
	}
	return nil, errors.New("a job of an unknown kind")
}

// fetchSequences reads which of our messages and operations first..last there still are,
// page by page.
func (c *core) fetchSequences(j protocol.FetchSequences) (protocol.Input, error) {
	fetched := protocol.SequencesFetched{Conversation: j.Conversation, First: j.First, Last: j.Last, Compare: j.Compare}
	for next := j.First; next <= j.Last; {
		var page []protocol.Waiting
		err := c.store.View(func(v *store.View) (err error) {
			page, err = v.Sequences(j.Conversation, next, j.Last)
			return err
		})
		if err != nil {
			return nil, err
		}
		fetched.Messages = append(fetched.Messages, page...)
		if len(page) < store.PageMax {
			break
		}
		next = page[len(page)-1].Sequence + 1
	}
	return fetched, nil
}

// tick does what the clock brings that the core does not know of: due messages
// and the next transport key.
func (c *core) tick(b *batch) {
	now := c.config.now()
	c.rotate(b)
	if c.readOnly.Load() { // only a write tells whether there is room again
		b.rows = append(b.rows, store.PutSetting{Name: settingTried, Value: []byte(now.UTC().Format(time.RFC3339))})
	}
	if c.unscrubbed {
		c.unscrubbed = c.store.Scrub() != nil
	}
	if now.Before(c.expire) {
		return
	}
	due, next, err := dueMessages(c.store, now, store.DeleteBatchMax)
	if err != nil {
		c.log.Warn("due messages not read", "error", err)
		return
	}
	c.expire = next
	b.deletions += len(due)
	for _, m := range due {
		c.step(b, m)
	}
}

// dueMessages returns the next messages, at most limit, whose timers ran out and when to look
// again.
func dueMessages(st *store.Store, now time.Time, limit int) (due []protocol.DeleteMessage, next time.Time, err error) {
	next = now.Add(expiryEvery)
	err = st.View(func(v *store.View) (err error) {
		if due, err = v.Due(now.UnixMilli(), limit); err != nil {
			return err
		}
		at, err := v.NextExpiry()
		if err == nil && at > 0 && time.UnixMilli(at).Before(next) {
			next = time.UnixMilli(at)
		}
		return err
	})
	if len(due) > 0 {
		next = now
	}
	return due, next, err
}

// settingPort keeps the port that was chosen once: a contact that knows our
// address reaches us after a restart with no lookup.
const settingPort = "node.port"

// settingTried is written to find out whether a full disk has room again.
const settingTried = "node.tried"

// listen returns where to listen; fixed says that a kept port stands in for 0.
func (c *core) listen() (addresses []string, fixed bool) {
	kept := c.keptPort()
	if kept == 0 {
		return c.config.Listen, false
	}
	wanted := c.config.Listen
	if len(wanted) == 0 {
		wanted = []string{"0.0.0.0:0", "[::]:0"}
	}
	for _, a := range wanted {
		at, err := netip.ParseAddrPort(a)
		if err == nil && at.Port() == 0 {
			a, fixed = netip.AddrPortFrom(at.Addr(), kept).String(), true
		}
		addresses = append(addresses, a)
	}
	if !fixed {
		return c.config.Listen, false
	}
	return addresses, true
}

func (c *core) keepPort(b *batch, e p2p.Addresses) {
	if len(e.Own) == 0 {
		return
	}
	if port := e.Own[0].Port; c.keptPort() != port {
		b.rows = append(b.rows, store.PutSetting{Name: settingPort, Value: []byte(strconv.Itoa(int(port)))})
	}
}

// keptPort returns the port of the last run, or 0.
func (c *core) keptPort() uint16 {
	var kept []byte
	err := c.store.View(func(v *store.View) (err error) {
		kept, err = v.Setting(settingPort)
		return err
	})
	port, perr := strconv.ParseUint(string(kept), 10, 16)
	if err != nil || perr != nil {
		return 0
	}
	return uint16(port)
}

// expireBy has the store asked what is due no later than the first of the timers that writes
// start.
func (c *core) expireBy(writes []protocol.Write) {
	for _, w := range writes {
		var at int64
		switch w := w.(type) {
		case protocol.PutMessage:
			at = w.ExpiresAt
		case protocol.SetMessageExpiry:
			at = w.ExpiresAt
		}
		if at != 0 && time.UnixMilli(at).Before(c.expire) {
			c.expire = time.UnixMilli(at)
		}
	}
}
