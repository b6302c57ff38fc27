package httpd

import (
	"context"
	"net/http"
	"slices"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

func courierView(h *protocol.Help) api.Courier {
	out := api.Courier{ContactID: h.Contact.String(), State: api.CourierOff, LastError: textOrNil(h.LastError)}
	if h.Live {
		out.State = api.CourierLive
	}
	if g := h.Given; g != nil {
		out.Gives = &api.CourierGives{
			QuotaBytes: g.QuotaBytes, LifetimeDays: g.LifetimeDays, UsedBytes: h.UsedBytes, Mailboxes: h.Mailboxes, Items: h.HeldHere,
		}
	}
	if t := h.Taken; t != nil {
		out.Takes = &api.CourierTakes{
			QuotaBytes: t.QuotaBytes, LifetimeDays: t.LifetimeDays, Mailboxes: h.Standing, Declined: h.Declined,
		}
	}
	return out
}

func (s *Server) listCouriers(ctx context.Context, _ *none) (*reply[list[api.Courier]], error) {
	helps, err := s.daemon.Couriers(ctx)
	if err != nil {
		return nil, err
	}
	out := list[api.Courier]{Items: []api.Courier{}}
	err = s.read(ctx, func(r *reader) error {
		out.Items = out.Items[:0]
		for i := range helps {
			switch _, err := r.contact(helps[i].Contact); {
			case isNotFound(err): // removed since, or not the token's
			case err != nil:
				return err
			default:
				out.Items = append(out.Items, courierView(&helps[i]))
			}
		}
		return nil
	})
	return ok(0, out), err
}

// help returns what a contact and we do for each other, or [store.ErrNotFound].
func (s *Server) help(ctx context.Context, id protocol.ContactID) (*protocol.Help, error) {
	helps, err := s.daemon.Couriers(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(helps, func(h protocol.Help) bool { return h.Contact == id })
	if i < 0 {
		return nil, store.ErrNotFound
	}
	return &helps[i], nil
}

type courierInput struct{ Body api.CourierRequest }

// offerCourier answers 201 if we help the contact from now on, and 200 if we did
// before: the same terms again change nothing.
func (s *Server) offerCourier(ctx context.Context, in *courierInput) (*reply[api.Courier], error) {
	c, err := s.readContact(ctx, in.Body.ContactID)
	if err != nil {
		return nil, err
	}
	offer := protocol.OfferHelp{Contact: c.ID, QuotaBytes: api.CourierQuotaDefault, LifetimeDays: api.CourierDaysDefault}
	if q := in.Body.QuotaBytes; q != nil {
		offer.QuotaBytes = *q
	}
	if d := in.Body.LifetimeDays; d != nil {
		offer.LifetimeDays = *d
	}
	before, err := s.help(ctx, c.ID)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	status := http.StatusCreated
	if before != nil && before.Given != nil {
		status = http.StatusOK
		if g := before.Given; g.QuotaBytes == offer.QuotaBytes && g.LifetimeDays == offer.LifetimeDays {
			return ok(status, courierView(before)), nil
		}
	}
	err = s.change(ctx, func(ref uint64) protocol.Input {
		offer.Ref = ref
		return offer
	})
	if err != nil {
		return nil, err
	}
	after, err := s.help(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	return ok(status, courierView(after)), nil
}

func (s *Server) endCourier(ctx context.Context, in *byID) (*done, error) {
	c, err := s.readContact(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := s.help(ctx, c.ID); err != nil {
		return nil, err
	}
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input { return protocol.EndHelp{Ref: ref, Contact: c.ID} })
}
