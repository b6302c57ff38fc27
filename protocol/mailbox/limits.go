package mailbox

import "pabal/protocol/wire"

const (
	// ShareOfQuota is the part of the owner's quota that one mailbox may fill, as a
	// divisor: a hostile depositor fills only its own (protocol).
	ShareOfQuota = 8
	// MailboxesPerOwnerMax bounds the mailboxes of one owner.
	MailboxesPerOwnerMax = 1024
	// MailboxesMax bounds the mailboxes of a courier: each costs a look at every hello.
	MailboxesMax = 4096
	// BoardBytesMax bounds the item of a board (protocol).
	BoardBytesMax = 16 << 10
	// ItemOverheadBytes is what an item counts above its own bytes.
	ItemOverheadBytes = 128

	itemsMax = wire.ItemsMax
)
