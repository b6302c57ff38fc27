package httpd

import (
	"context"

	"pabal/node/api"
	"pabal/node/egress"
	"pabal/protocol"
)

// learns says what whoever is at an address, or on the way to it, could learn from
// what is sent there by a rung.
func learns(by egress.Rung) []string {
	switch by {
	case egress.Link, egress.Courier, egress.Relay:
		return []string{api.LearnsAddress, api.LearnsTimes, api.LearnsVolume, api.LearnsKey}
	case egress.Direct, egress.LAN, egress.Punch:
		return []string{api.LearnsAddress, api.LearnsTimes, api.LearnsVolume, api.LearnsKey, api.LearnsIdentity}
	case egress.DHT:
		return []string{api.LearnsAddress, api.LearnsTimes, api.LearnsProgram, api.LearnsPair}
	case egress.Beacon:
		return []string{api.LearnsAddress, api.LearnsTimes, api.LearnsProgram}
	}
	return []string{api.LearnsAddress, api.LearnsTimes}
}

func egressView(e *egress.Entry) api.EgressEntry {
	out := api.EgressEntry{
		Address: e.To.String(), Network: string(e.Network), Reason: string(e.Why.Rung), Learns: learns(e.Why.Rung),
		FirstAt: api.NewTime(e.First), LastAt: api.NewTime(e.Last), Times: e.Times,
	}
	if e.Why.Contact != [16]byte{} {
		id := protocol.ContactID(e.Why.Contact).String()
		out.ContactID = &id
	}
	return out
}

// egress answers what the ledger holds. A token of some conversations sees what was
// sent for these alone.
func (s *Server) egress(ctx context.Context, _ *none) (*reply[api.Egress], error) {
	seen, err := s.daemon.Egress()
	if err != nil {
		return nil, err
	}
	out := api.Egress{Since: api.NewTime(seen.Since), Forgotten: seen.Forgotten, Items: []api.EgressEntry{}}
	err = s.read(ctx, func(r *reader) error {
		out.Items = out.Items[:0]
		for i := range seen.Entries {
			if r.actor.narrowed() {
				switch _, err := r.contact(seen.Entries[i].Why.Contact); {
				case isNotFound(err):
					continue
				case err != nil:
					return err
				}
			}
			out.Items = append(out.Items, egressView(&seen.Entries[i]))
		}
		return nil
	})
	return ok(0, out), err
}
