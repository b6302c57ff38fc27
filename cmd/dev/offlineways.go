package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"pabal/node/api"
)

// byHome has the owner's home node keep the mail.
func byHome(ctx context.Context, c *cast, messages int) (figure, error) {
	keeper, owner, err := c.home(ctx)
	if err != nil {
		return figure{}, err
	}
	return c.byKeeper(ctx, "home", keeper, owner, messages)
}

// home starts somebody with a home node.
func (c *cast) home(ctx context.Context) (keeper, owner *side, err error) {
	if keeper, err = c.begin(ctx, "box", "--courier"); err != nil {
		return nil, nil, err
	}
	if owner, err = c.begin(ctx, "owner"); err != nil {
		return nil, nil, err
	}
	invite, err := keeper.Client.CreateInvite(ctx, api.InviteRequest{Kind: "home"})
	if err != nil {
		return nil, nil, err
	}
	if invite.URI == nil {
		return nil, nil, errors.New("the new invite has no link")
	}
	_, err = owner.Client.AddHome(ctx, api.HomeRequest{URI: *invite.URI})
	return keeper, owner, err
}

// byFriend has a contact of the owner keep the mail.
func byFriend(ctx context.Context, c *cast, messages int) (figure, error) {
	keeper, err := c.begin(ctx, "friend")
	if err != nil {
		return figure{}, err
	}
	owner, err := c.begin(ctx, "owner")
	if err != nil {
		return figure{}, err
	}
	if err := befriend(ctx, keeper, owner); err != nil {
		return figure{}, err
	}
	if _, err := keeper.Client.OfferCourier(ctx, api.CourierRequest{ContactID: "@owner"}); err != nil {
		return figure{}, err
	}
	return c.byKeeper(ctx, "courier", keeper, owner, messages)
}

func (c *cast) byKeeper(ctx context.Context, name string, keeper, owner *side, messages int) (figure, error) {
	senders, err := c.senders(ctx, owner, 1)
	if err != nil {
		return figure{}, err
	}
	texts := [][]string{letters(senders[0], messages, offlineTextBytes)}
	f := figure{name: name, limit: float64(messages)}
	if err := leave(ctx, keeper, owner, senders, texts, 0); err != nil {
		return f, err
	}
	if err := owner.Start(ctx); err != nil {
		return f, err
	}
	waited := owner.arrived(ctx, senders, texts, 0)
	right, err := owner.examine(ctx, senders, texts, 0)
	f.value = float64(right)
	if err := errors.Join(waited, err); err != nil {
		return f, err
	}
	return f, meetAgain(ctx, owner, senders, texts)
}

// leave has the senders leave their texts with the owner's keeper, a tail of each perhaps not,
// while the owner is off. Then they are off, too.
func leave(ctx context.Context, keeper, owner *side, senders []*side, texts [][]string, tail int) error {
	err := eventually(ctx, offlineStepLimit, "the owner having its mailboxes", func(ctx context.Context) (bool, error) {
		couriers, err := owner.Client.Couriers(ctx)
		return len(couriers) == 1 && couriers[0].Ready && couriers[0].Takes != nil &&
			couriers[0].Takes.Mailboxes == len(senders), err
	})
	if err != nil {
		return err
	}
	for _, s := range senders { // each is told of its mailbox before what the owner writes next
		if err := owner.say(ctx, s, "I am off now"); err != nil {
			return err
		}
	}
	if err := owner.Stop(ctx); err != nil {
		return err
	}
	for _, s := range senders { // nobody still holds a connection for alive
		if err := s.Restart(ctx); err != nil {
			return err
		}
	}
	if err := write(ctx, senders, texts); err != nil {
		return err
	}
	for i, s := range senders {
		if err := s.carried(ctx, len(texts[i])-tail, offlineCarryLimit); err != nil {
			return fmt.Errorf("%w\n%s", err, keeper.LogTail())
		}
	}
	for _, s := range senders {
		if err := s.Stop(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say sends a text to a contact and waits until it is delivered.
func (s *side) say(ctx context.Context, to *side, text string) error {
	m, err := s.Client.SendToContact(ctx, "@"+to.Name, api.MessageRequest{Text: text}, api.SendOptions{})
	if err != nil {
		return err
	}
	return eventually(ctx, offlineStepLimit, s.Name+" delivering", func(ctx context.Context) (bool, error) {
		m, err := s.Client.Message(ctx, *m.ID)
		return err == nil && m.Status != nil && m.Status.State == api.StateDelivered, err
	})
}

// meetAgain has the senders come back: all they sent becomes delivered, and nothing
// comes twice.
func meetAgain(ctx context.Context, owner *side, senders []*side, texts [][]string) error {
	for _, s := range senders {
		if err := s.Start(ctx); err != nil {
			return err
		}
	}
	for _, s := range senders {
		err := eventually(ctx, offlineStepLimit, s.Name+" hearing that all is delivered", func(ctx context.Context) (bool, error) {
			status, err := s.Client.Status(ctx)
			return err == nil && status.OutboxTotal == 0, err
		})
		if err != nil {
			return err
		}
	}
	_, err := owner.examine(ctx, senders, texts, 0)
	return err
}

// byBundle carries the mail in a file.
func byBundle(ctx context.Context, c *cast, messages int) (figure, error) {
	owner, err := c.begin(ctx, "owner")
	if err != nil {
		return figure{}, err
	}
	senders, err := c.senders(ctx, owner, 1)
	if err != nil {
		return figure{}, err
	}
	sender := senders[0]
	texts := [][]string{letters(sender, messages, offlineTextBytes)}
	f := figure{name: "bundle", limit: float64(messages)}
	if err := owner.Stop(ctx); err != nil {
		return f, err
	}
	if err := sender.Restart(ctx); err != nil {
		return f, err
	}
	if err := write(ctx, senders, texts); err != nil {
		return f, err
	}
	bundle, err := sender.Client.ExportBundle(ctx, "@owner")
	if err != nil {
		return f, err
	}
	if bundle.Messages != messages || bundle.Waiting != 0 {
		return f, fmt.Errorf("the file has %d messages, and %d stay out", bundle.Messages, bundle.Waiting)
	}
	name := filepath.Join(c.dir, "bundle")
	if err := os.WriteFile(name, bundle.File, 0o600); err != nil {
		return f, err
	}
	if err := sender.Stop(ctx); err != nil {
		return f, err
	}
	if err := owner.Start(ctx); err != nil {
		return f, err
	}
	file, err := os.ReadFile(name)
	if err != nil {
		return f, err
	}
	for _, fresh := range []int{messages, 0} { // the second time has nothing new
		in, err := owner.Client.ImportBundle(ctx, file)
		if err != nil {
			return f, err
		}
		if in.Messages != fresh {
			return f, fmt.Errorf("the file brings %d messages instead of %d", in.Messages, fresh)
		}
	}
	right, err := owner.examine(ctx, senders, texts, 0)
	f.value = float64(right)
	if err != nil {
		return f, err
	}
	return f, meetAgain(ctx, owner, senders, texts)
}

// collect measures how fast the owner collects much mail from its home node: from the
// start of its daemon until the messages are in its history. The limit is the
// speed at which the same bytes are written and synced in groups of 64 KiB.
func (c *cast) collect(ctx context.Context, t tree, megabytes int) (figure, error) {
	keeper, owner, err := c.home(ctx)
	if err != nil {
		return figure{}, err
	}
	senders, err := c.senders(ctx, owner, offlineSenders)
	if err != nil {
		return figure{}, err
	}
	const envelopes = offlineSenders * 2 * offlinePendingText // one of each sender
	each := 2 * ((megabytes*1e6 + envelopes - 1) / envelopes)
	var texts [][]string
	for _, s := range senders {
		texts = append(texts, letters(s, each+offlinePendingTail, offlinePendingText))
	}
	size := offlineSenders * each * offlinePendingText
	t.note("collect: %d senders leave %d texts of %d bytes each", offlineSenders, each, offlinePendingText)
	start := time.Now()
	if err := leave(ctx, keeper, owner, senders, texts, offlinePendingTail); err != nil {
		return figure{}, err
	}
	t.note("collect: left in %.1f s", time.Since(start).Seconds())
	before, err := groupedWrite(c.dir, size)
	if err != nil {
		return figure{}, err
	}
	start = time.Now()
	if err := owner.Start(ctx); err != nil {
		return figure{}, err
	}
	if err := owner.arrived(ctx, senders, texts, offlinePendingTail); err != nil {
		return figure{}, err
	}
	took := time.Since(start)
	after, err := groupedWrite(c.dir, size)
	if err != nil {
		return figure{}, err
	}
	t.note("collect: %d bytes of text in %.1f s; written and synced in %.1f s before, %.1f s after",
		size, took.Seconds(), before.Seconds(), after.Seconds())
	if _, err := owner.examine(ctx, senders, texts, offlinePendingTail); err != nil {
		return figure{}, err
	}
	return figure{
		name: "collect_mb_per_s", value: float64(size) / 1e6 / took.Seconds(),
		limit: 2 * float64(size) / 1e6 / (before + after).Seconds(), bar: offlineCollectBar, up: true,
	}, nil
}

// groupedWrite returns how long it takes to write so many bytes to a file, each group of
// 64 KiB synced.
func groupedWrite(dir string, size int) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "groups"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	group := make([]byte, 64<<10)
	start := time.Now()
	for left := size; left > 0; left -= len(group) {
		if _, err := f.Write(group[:min(left, len(group))]); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), f.Close()
}
