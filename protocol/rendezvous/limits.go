package rendezvous

import "time"

const (
	// RecordDays is how many days of transport keys an address record names (protocol).
	RecordDays = 90
	// RecordLifetime is how long a contact may use a record (protocol).
	RecordLifetime = RecordDays * 24 * time.Hour
	// RecordRefresh is how long before its end a record is sent again (implementation).
	RecordRefresh = RecordDays / 2 * 24 * time.Hour
	// ChainDaysMax bounds how far the transport chain is followed in one go: a
	// clock further off than this has no key (implementation).
	ChainDaysMax = 4000

	backoffMin = time.Second
	backoffMax = 15 * time.Minute
)
