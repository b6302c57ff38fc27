package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/session"
)

const (
	ratchetTurns    = 3
	ratchetMessages = 20_000
	ratchetAckEvery = 64 // messages; the window is 512
	ratchetBar      = 4
)

// measureRatchet compares a session's seal and open of a hundred bytes, with the
// bytes that both sides would commit, with a port of the Signal protocol that keeps
// its sessions in memory. Both stay within one chain.
func measureRatchet(ctx context.Context, b *benchmark) ([]figure, error) {
	b.note("ratchet: against go.mau.fi/libsignal")
	ours, theirs, err := inTurns(ratchetTurns,
		func() (float64, error) { return sealAndOpen(ratchetMessages) },
		func() (float64, error) {
			line, err := b.output(ctx, "go", "run", "-C", ".tools/signalbench", ".", "-messages", strconv.Itoa(ratchetMessages))
			if err != nil {
				return 0, err
			}
			each, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read the reference: %w", err)
			}
			return perSecond(1, time.Duration(each)), nil
		})
	return []figure{{name: "ratchet", value: ours, limit: theirs, bar: ratchetBar, up: true}}, err
}

// sealAndOpen returns how many messages a second one session seals and the other opens.
func sealAndOpen(messages int) (float64, error) {
	random := rand.NewChaCha8([32]byte{1})
	seed, err := identity.NewKEMSeed(random)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	root := session.SplitRoot([identity.KeySize]byte{2}, [32]byte{3})
	inviter := session.NewInviter(root, seed, now)
	invitee, err := session.NewInvitee(root, seed.Public())
	if err != nil {
		return 0, err
	}
	acknowledge := func(from, to *session.Session) error {
		frame, err := from.Ack(now, random, nil, 0)
		if err != nil {
			return err
		}
		_, err = to.Open(frame)
		return err
	}
	if err := acknowledge(invitee, inviter); err != nil {
		return 0, err
	}
	contents := [][]byte{[]byte(benchText)}
	var sealer, opener []byte // the states that would be committed
	start := time.Now()
	for n := range messages {
		sealed, err := invitee.Seal(now, random, contents, 0)
		if err != nil {
			return 0, err
		}
		sealer = invitee.AppendState(sealer[:0])
		opened, err := inviter.Open(sealed.Frame)
		if err != nil {
			return 0, err
		}
		opener = inviter.AppendState(opener[:0])
		if len(opened.Contents) != len(benchText) {
			return 0, errors.New("a message came back with another length")
		}
		if n%ratchetAckEvery == 0 {
			if err := acknowledge(inviter, invitee); err != nil {
				return 0, err
			}
		}
	}
	return perSecond(messages, time.Since(start)), nil
}

func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }
