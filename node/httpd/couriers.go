package httpd

import (
	"context"
	"net/http"
	"slices"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

// courierView shows a courier as the actor may see it.
func (r *reader) courierView(h *protocol.Help) api.Courier {
	out := courierView(h)
	if r.actor.redacted() {
		out.Name = ""
	}
	return out
}

func courierView(h *protocol.Help) api.Courier {
	out := api.Courier{
		ContactID: h.Contact.String(), Kind: api.CourierContact, Name: h.Name, Pairing: string(h.Phase), Reason: textOrNil(h.Reason),
		Ready: h.Ready, State: api.CourierOff, LastError: textOrNil(h.LastError),
		Trouble: textOrNil(h.Trouble),
	}
	if h.Role != protocol.RolePerson {
		out.Kind = string(h.Role)
	}
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
			if helps[i].Role != protocol.RolePerson && !r.actor.narrowed() {
				out.Items = append(out.Items, r.courierView(&helps[i]))
				continue
			}
			switch _, err := r.contact(helps[i].Contact); {
			case isNotFound(err): // removed since, or not the token's
			case err != nil:
				return err
			default:
				out.Items = append(out.Items, r.courierView(&helps[i]))
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
	id, err := s.courierID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input { return protocol.EndHelp{Ref: ref, Contact: id} })
}

// acceptCourier takes back that we declined what a contact offers.
func (s *Server) acceptCourier(ctx context.Context, in *byID) (*done, error) {
	id, err := s.courierID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &done{}, s.change(ctx, func(ref uint64) protocol.Input { return protocol.AcceptHelp{Ref: ref, Contact: id} })
}

// courierID returns the id of a contact that helps or is helped, or of an end of a
// pairing, which is no contact.
func (s *Server) courierID(ctx context.Context, text string) (protocol.ContactID, error) {
	if id, err := protocol.ParseContactID(text); err == nil && !requestOf(ctx).actor.narrowed() {
		if h, err := s.help(ctx, id); err == nil && h.Role != protocol.RolePerson {
			return id, nil
		}
	}
	c, err := s.readContact(ctx, text)
	if err != nil {
		return protocol.ContactID{}, err
	}
	_, err = s.help(ctx, c.ID)
	return c.ID, err
}

type homeInput struct{ Body api.HomeRequest }

// addHome answers as soon as the request is durable; the same link again answers the same.
func (s *Server) addHome(ctx context.Context, in *homeInput) (*reply[api.Courier], error) {
	result, err := s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
		return protocol.AddContact{Ref: ref, Link: in.Body.URI, Home: true}
	}, nil)
	if err != nil {
		return nil, err
	}
	h, err := s.help(ctx, result.(protocol.Added).Contact)
	if err != nil {
		return nil, err
	}
	return ok(http.StatusCreated, courierView(h)), nil
}
