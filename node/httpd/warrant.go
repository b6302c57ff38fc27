package httpd

import (
	"context"
	"math"
	"slices"
	"time"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/store"
)

type warrantInput struct {
	Since time.Time `query:"since" doc:"count apart what came at or after this time"`
}

// warrant says what would be obtained from whom. Every line follows from what lies here
// now; of other machines only what was given to them is counted.
func (s *Server) warrant(ctx context.Context, in *warrantInput) (*reply[api.Warrant], error) {
	couriers, err := s.daemon.Couriers(ctx)
	if err != nil {
		return nil, err
	}
	tokens := s.auth.list(s.daemon.Store())
	open := slices.ContainsFunc(s.daemon.State().Warnings, func(w api.Warning) bool { return w.Code == api.WarningNoPassphrase })
	out := api.Warrant{At: api.NewTime(s.now())}
	since := int64(math.MaxInt64)
	if !in.Since.IsZero() {
		at := api.NewTime(in.Since)
		out.Since, since = &at, in.Since.UnixMilli()
	}
	err = s.read(ctx, func(r *reader) error {
		holdings, err := r.Holdings(since)
		if err != nil {
			return err
		}
		held, err := r.HeldItems()
		if err != nil {
			return err
		}
		out.Targets = machineTargets(holdings, held, open)
		contacts, err := r.contactTargets(holdings)
		if err != nil {
			return err
		}
		out.Targets = append(out.Targets, contacts...)
		for i := range couriers {
			if k := r.courierView(&couriers[i]); k.Takes != nil {
				out.Targets = append(out.Targets, api.WarrantTarget{Target: api.TargetCourier, ID: &k.ContactID, Name: k.Name, Key: api.KeyDevices,
					Obtains: []string{api.ObtainsSealedMail, api.ObtainsAddresses, api.ObtainsTimes, api.ObtainsSizes}})
			}
		}
		most, err := r.mostNotified()
		if err != nil {
			return err
		}
		carried, err := r.carriedMessages()
		if err != nil {
			return err
		}
		out.Targets = append(out.Targets,
			api.WarrantTarget{Target: api.TargetContactCouriers, Sealed: carried, Key: api.KeyDevices,
				Obtains: []string{api.ObtainsSealedMail, api.ObtainsAddresses, api.ObtainsTimes, api.ObtainsSizes}},
			api.WarrantTarget{Target: api.TargetNetwork, Key: api.KeyDevices, Obtains: []string{api.ObtainsAddresses, api.ObtainsTimes, api.ObtainsSizes}},
			api.WarrantTarget{Target: api.TargetNotifications, Key: api.KeyNone, Obtains: notified(most)})
		exports, err := r.exportTarget(since)
		if err != nil {
			return err
		}
		out.Targets = append(out.Targets, exports...)
		hooks, err := r.webhookTargets(since)
		if err != nil {
			return err
		}
		out.Targets = append(out.Targets, hooks...)
		for _, t := range tokens {
			out.Targets = append(out.Targets, tokenTarget(t, holdings))
		}
		return nil
	})
	return ok(0, out), err
}

// count adds what a target can read of a conversation.
func count(t *api.WarrantTarget, n store.Tally) {
	t.Messages += n.Messages
	t.Fresh += n.Fresh
	if n.Messages > 0 && (t.Oldest == nil || n.Oldest < t.Oldest.UnixMilli()) {
		t.Oldest = api.MilliOrNil(n.Oldest)
	}
}

// machineTargets are this machine with and without the key. Without a passphrase it
// makes no difference: the keyfile lies beside the data.
func machineTargets(holdings []store.Holding, held uint64, open bool) []api.WarrantTarget {
	unlocked := api.WarrantTarget{Target: api.TargetMachineUnlocked, Key: api.KeyNone, Sealed: held,
		Obtains: []string{api.ObtainsTexts, api.ObtainsFiles, api.ObtainsNames, api.ObtainsContacts, api.ObtainsDrafts, api.ObtainsTimes}}
	for _, h := range holdings {
		count(&unlocked, h.Here)
	}
	if held > 0 {
		unlocked.Obtains = append(unlocked.Obtains, api.ObtainsHeldMail)
	}
	locked := api.WarrantTarget{Target: api.TargetMachineLocked, Key: api.KeyPassphrase, Obtains: []string{api.ObtainsSizes, api.ObtainsTimes}}
	if open {
		locked = unlocked
		locked.Target, locked.Key = api.TargetMachineLocked, api.KeyKeyfile
	}
	return []api.WarrantTarget{locked, unlocked}
}

// contactTargets are the contacts' devices: what they wrote, and what was delivered to them.
func (r *reader) contactTargets(holdings []store.Holding) (all []api.WarrantTarget, err error) {
	for _, h := range holdings {
		if h.Contact == (protocol.ContactID{}) {
			continue
		}
		c, err := r.contact(h.Contact)
		if isNotFound(err) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		t := api.WarrantTarget{Target: api.TargetContact, ID: idOrNil(c.ID), Name: r.name(c), Key: api.KeyTheirs,
			Obtains: []string{api.ObtainsTexts, api.ObtainsFiles, api.ObtainsNames, api.ObtainsAddresses, api.ObtainsTimes}}
		count(&t, h.There)
		all = append(all, t)
	}
	return all, nil
}

// carriedMessages counts messages of ours that couriers say they hold.
func (r *reader) carriedMessages() (n uint64, err error) {
	all, err := r.Outbox(outboxMax)
	if err != nil {
		return 0, err
	}
	for i := range all {
		c, err := r.conversation(all[i].Conversation)
		if err != nil {
			return 0, err
		}
		if store.StatusOf(c, &all[i]) == store.StatusCarried {
			n++
		}
	}
	return n, nil
}

// webhookTargets are the programs that are told of events: each may keep what came since it was
// made, and is counted from then on. Without any there is one line that says so.
func (r *reader) webhookTargets(since int64) ([]api.WarrantTarget, error) {
	all, err := r.webhooks()
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return []api.WarrantTarget{{Target: api.TargetWebhooks, Key: api.KeyNone, Obtains: []string{}}}, nil
	}
	var out []api.WarrantTarget
	for _, h := range all {
		told, err := r.Holdings(h.createdAt)
		if err != nil {
			return nil, err
		}
		fresh, err := r.Holdings(max(since, h.createdAt))
		if err != nil {
			return nil, err
		}
		for i := range told {
			told[i].Here = store.Tally{Messages: told[i].Here.Fresh, Fresh: fresh[i].Here.Fresh, Oldest: max(told[i].Here.Oldest, h.createdAt)}
		}
		t := tokenTarget(h.actor, told)
		t.Target = api.TargetWebhooks
		t.Obtains = slices.DeleteFunc(t.Obtains, func(what string) bool { return what == api.ObtainsFiles }) // names and sizes at most
		out = append(out, t)
	}
	return out, nil
}

// tokenTarget is a program with a token: it reads what the token shows, as long as the
// profile is unlocked.
func tokenTarget(a *actor, holdings []store.Holding) api.WarrantTarget {
	id := a.id
	t := api.WarrantTarget{Target: api.TargetToken, ID: &id, Name: a.name, Key: api.KeyNone, Obtains: []string{api.ObtainsTimes}}
	if a.has(api.ScopeFilesRead) && !a.redacted() {
		t.Obtains = append(t.Obtains, api.ObtainsFiles)
	}
	switch {
	case a.redacted():
	case a.has(api.ScopeMessagesRead), a.has(api.ScopeSearch):
		t.Obtains = append(t.Obtains, api.ObtainsTexts, api.ObtainsNames)
		for _, h := range holdings {
			if a.sees(h.Conversation.String()) {
				count(&t, h.Here)
			}
		}
	case a.has(api.ScopeContactsRead):
		t.Obtains = append(t.Obtains, api.ObtainsNames)
	}
	return t
}

// notified is what a system may keep of the notifications that a setting allowed.
func notified(setting string) []string {
	switch setting {
	case api.NotifySome:
		return []string{api.ObtainsTimes}
	case api.NotifyFull:
		return []string{api.ObtainsTimes, api.ObtainsTexts, api.ObtainsNames}
	}
	return []string{}
}
