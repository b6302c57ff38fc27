package invite_test

import (
	"crypto/rand"
	"fmt"

	"pabal/protocol/identity"
	"pabal/protocol/invite"
	"pabal/protocol/wire"
)

// device makes an account with one device.
func device(account identity.AccountSeed, seed identity.KEMSeed) invite.Self {
	list := identity.NewDeviceList(account, identity.ListedDevice{Key: seed.Public(), Name: "laptop", AddedDay: 20600})
	entry, _ := identity.NewDeviceEntry(account, list, seed.Public())
	return invite.Self{Entry: entry, Device: seed}
}

// Two people become contacts. Errors are left out of the example, not of real code.
func Example() {
	const now, expiry = 1_800_000_000, 1_800_100_000
	inviterAccount := identity.AccountSeed{1}
	inviter, invitee := device(inviterAccount, identity.KEMSeed{2}), device(identity.AccountSeed{3}, identity.KEMSeed{4})

	offer, _ := invite.NewOffer(rand.Reader, wire.LinkContact, expiry, 0, inviterAccount, inviter)
	text, _ := offer.Link(inviter, invite.Places{})
	sealed, _ := offer.SealBundle(rand.Reader)

	link, _ := wire.ParseLink(text)
	bundle, _ := invite.OpenBundle(link, sealed, now)
	asking, _ := invite.Ask(rand.Reader, invitee, link, bundle, wire.RequestPayload{Name: "지우"})

	incoming, _ := offer.OpenRequest(inviter, asking.Request)
	accepted, _ := incoming.Accept(rand.Reader, wire.AcceptPayload{Day: now / 86400})

	answered, err := asking.OpenAccept(invitee, accepted.Accept)
	fmt.Println(incoming.Payload.Name, answered.Root == accepted.Root, err)
	// Output: 지우 true <nil>
}
