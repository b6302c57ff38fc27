package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"pabal/node/api"
)

// natForgets is how long a router of the lab remembers a hole that nobody uses: longer than
// the pause between two packets that keep it open.
const natForgets = 25 * time.Second

// comeBackAlone ends the courier's help and starts both daemons again, when their routers
// have forgotten each other. What is left is where the two were seen before. It returns how
// long the first message took that home wrote then.
func (k *natCouple) comeBackAlone(ctx context.Context) (time.Duration, error) {
	if err := k.helpEnds(ctx); err != nil {
		return 0, err
	}
	if err := k.away.Stop(ctx); err != nil {
		return 0, err
	}
	if err := k.warned(ctx); err != nil {
		return 0, err
	}
	if err := k.home.Stop(ctx); err != nil {
		return 0, err
	}
	if !pause(ctx, natForgets+time.Second) {
		return 0, ctx.Err()
	}
	group, starting := errgroup.WithContext(ctx)
	for _, s := range []*side{k.home, k.away} {
		group.Go(func() error { return s.Start(starting) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return k.home.deliver(ctx, "is anybody there?")
}

// helpEnds has the courier help nobody, and waits until both sides know of the other where
// it is seen, and that nobody can be sure of that.
func (k *natCouple) helpEnds(ctx context.Context) error {
	helped, err := k.help.Client.Couriers(ctx)
	if err != nil {
		return err
	}
	for _, c := range helped {
		if err := k.help.Client.EndCourier(ctx, c.ContactID); err != nil {
			return err
		}
	}
	for _, s := range []*side{k.home, k.away} {
		err := eventually(ctx, natReach, s.Name+" being left alone", func(ctx context.Context) (bool, error) {
			couriers, err := s.Client.Couriers(ctx)
			if err != nil || len(couriers) > 0 {
				return false, err
			}
			network, err := s.Client.Network(ctx)
			if err == nil && network.Reachability != "unconfirmed" {
				err = errors.New("a home is said to be reachable: " + network.Reachability)
			}
			return err == nil && len(network.Observed) == 1 && !network.Observed[0].Confirmed, err
		})
		if err != nil {
			return err
		}
	}
	if !pause(ctx, 3*time.Second) { // a record is told a while after the change
		return ctx.Err()
	}
	for _, s := range []*side{k.home, k.away} { // what comes after a record says that it has come
		if _, err := s.deliver(ctx, "alone now"); err != nil {
			return err
		}
	}
	return nil
}

// warned waits until the daemon at home says that there is no way to the other, which is off.
func (k *natCouple) warned(ctx context.Context) error {
	return eventually(ctx, natReach, "a warning that there is no public path", func(ctx context.Context) (bool, error) {
		status, err := k.home.Client.Status(ctx)
		return slices.ContainsFunc(status.Warnings, func(w api.Warning) bool { return w.Code == api.WarningNoPublicPath }), err
	})
}
