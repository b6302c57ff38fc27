package protocol

import (
	"testing"

	"pabal/protocol/identity"
)

// TestKeyChangeHoldsMail: to a contact that was verified and comes with another device
// nothing is sent, until the user has compared again or goes on without.
func TestKeyChangeHoldsMail(t *testing.T) {
	for name, verified := range map[string]bool{"compared again": true, "went on without": false} {
		t.Run(name, func(t *testing.T) {
			w, a, b, _ := friends(t)
			id := a.of(b).row.ID
			a.step(w.now, SetVerified{Contact: id, Verified: true})
			a.p.out = new(Output)
			a.p.takeDevice(a.of(b), identity.KEMPublic{1})
			if got := a.of(b).row.Verification; got != VerifiedChanged {
				t.Fatalf("another device is %s", got)
			}
			if _, err := a.p.Step(w.now, SendText{Contact: id, Text: "to whom?"}); !problem(err, CodeDevicesChanged) {
				t.Errorf("sending: %v", err)
			}
			a.step(w.now, SetVerified{Contact: id, Verified: verified})
			if got := a.of(b).row.Verification == Verified; got != verified {
				t.Errorf("verified: %v", got)
			}
			a.step(w.now, SendText{Contact: id, Text: "to you"})
			w.run()
			if !a.of(b).queue.Empty() {
				t.Error("the message did not go")
			}
		})
	}
}

// TestOneLinkTwoPeople: the link of a contact that is added as somebody else was passed
// on, and the user is told whose it is.
func TestOneLinkTwoPeople(t *testing.T) {
	w, a, b, _ := friends(t)
	made := b.step(w.now, CreateInvite{Kind: InviteOnce}).Replies[0].Result.(InviteCreated)
	link := made.Link
	a.step(w.now, AddContact{Link: link, Alias: "Bora"})
	for _, tt := range []struct{ alias, code string }{{"Hana", CodeSameLink}, {"bora ", ""}, {"", ""}} {
		_, err := a.p.Step(w.now, AddContact{Link: link, Alias: tt.alias})
		if tt.code != "" && !problem(err, tt.code) || tt.code == "" && problem(err, CodeSameLink) {
			t.Errorf("as %q: %v", tt.alias, err)
		}
	}
}
