package mailbox

import (
	"math/rand/v2"
	"testing"
	"time"

	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func today() uint32 { return dayOf(now) }

func terms() Terms { return Terms{QuotaBytes: 32 << 20, LifetimeDays: 14} }

// order is that of mailbox n, whose capabilities are {n, 1} and {n, 2}.
func order(n byte, kind wire.MailboxKind) wire.MailboxOrder {
	return wire.MailboxOrder{
		ID: wire.MailboxID{n}, Kind: kind, ClosesDay: today() + 90, ExpiresDay: today() + 104,
		Write: wire.Capability{n, 1}.Access(), Read: wire.Capability{n, 2}.Access(),
	}
}

func writer(n byte) wire.Capability { return wire.Capability{n, 1} }

func TestOnlyTheOwnerOpensAndCloses(t *testing.T) {
	var s Shelves
	for range 2 {
		if !s.Open(Owner{1}, order(1, wire.MailboxQueue)) {
			t.Fatal("not opened, or not again")
		}
	}
	if s.Open(Owner{2}, order(1, wire.MailboxQueue)) || s.Open(Owner{1}, order(1, wire.MailboxBoard)) || s.Close(Owner{2}, wire.MailboxID{1}) {
		t.Error("another owner, or kind, has its way")
	}
	if !s.Close(Owner{1}, wire.MailboxID{1}) || s.Close(Owner{1}, wire.MailboxID{1}) {
		t.Error("not closed, or twice")
	}
}

func TestDepositIsIdempotent(t *testing.T) {
	var s Shelves
	s.Open(Owner{1}, order(1, wire.MailboxQueue))
	if got := s.Deposit(now, terms(), wire.MailboxID{1}, writer(2), wire.ItemHash{1}, 512); got.Word != 0 {
		t.Errorf("a wrong capability: %v", got)
	}
	for i := range 2 {
		got := s.Deposit(now, terms(), wire.MailboxID{1}, writer(1), wire.ItemHash{1}, 512)
		if got.Word != wire.MailboxStored || (got.Put != nil) != (i == 0) {
			t.Errorf("deposit %d: %v", i, got)
		}
	}
	if used, boxes := s.UsedBytes(Owner{1}); used != 512+ItemOverheadBytes || boxes != 1 {
		t.Errorf("%d bytes in %d", used, boxes)
	}
}

func TestShareOfQuota(t *testing.T) {
	var s Shelves
	for n := range byte(10) {
		s.Open(Owner{1}, order(n, wire.MailboxQueue))
		stored := 0
		for i := range 600 {
			if s.Deposit(now, terms(), wire.MailboxID{n}, writer(n), wire.ItemHash{n, byte(i), byte(i >> 8)}, 24<<10).Word == wire.MailboxStored {
				stored++
			}
		}
		share := int(terms().QuotaBytes / ShareOfQuota / (24<<10 + ItemOverheadBytes))
		if n < 8 && stored != share || n >= 8 && stored > 8 {
			t.Errorf("mailbox %d took %d, its share is %d", n, stored, share)
		}
	}
	if used, _ := s.UsedBytes(Owner{1}); used > terms().QuotaBytes {
		t.Errorf("%d bytes used", used)
	}
	s = Shelves{}
	s.Open(Owner{1}, order(1, wire.MailboxQueue))
	for i := range wire.ItemsMax + 1 {
		got := s.Deposit(now, terms(), wire.MailboxID{1}, writer(1), wire.ItemHash{byte(i), byte(i >> 8)}, 1)
		if (got.Word == wire.MailboxStored) != (i < wire.ItemsMax) {
			t.Fatalf("item %d: %v", i, got)
		}
	}
}

func TestBoardHoldsTheLast(t *testing.T) {
	var s Shelves
	s.Open(Owner{1}, order(1, wire.MailboxBoard))
	s.Deposit(now, terms(), wire.MailboxID{1}, writer(1), wire.ItemHash{1}, 100)
	got := s.Deposit(now, terms(), wire.MailboxID{1}, writer(1), wire.ItemHash{2}, 100)
	if got.Put == nil || len(got.Replaced) != 1 || got.Replaced[0] != (wire.ItemHash{1}) {
		t.Errorf("%+v", got)
	}
	if items := s.Box(wire.MailboxID{1}).Items(); len(items) != 1 || items[0].Hash != (wire.ItemHash{2}) {
		t.Errorf("%+v", items)
	}
	if got := s.Deposit(now, terms(), wire.MailboxID{1}, writer(1), wire.ItemHash{3}, BoardBytesMax+1); got.Word != wire.MailboxFull {
		t.Errorf("%+v", got)
	}
}

func TestEnds(t *testing.T) {
	var s Shelves
	s.Open(Owner{1}, order(1, wire.MailboxQueue))
	s.Deposit(now, terms(), wire.MailboxID{1}, writer(1), wire.ItemHash{1}, 100)
	days := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	if boxes, items := s.Expired(days(13)); len(boxes)+len(items) > 0 {
		t.Error("too early")
	}
	if boxes, items := s.Expired(days(14)); len(boxes) > 0 || len(items[wire.MailboxID{1}]) != 1 {
		t.Errorf("after the lifetime: %v, %v", boxes, items)
	}
	if got := s.Deposit(days(91), terms(), wire.MailboxID{1}, writer(1), wire.ItemHash{2}, 100); got.Word != wire.MailboxClosed {
		t.Errorf("after the last day of deposits: %+v", got)
	}
	if boxes, _ := s.Expired(days(105)); len(boxes) != 1 {
		t.Error("after the last day it stands")
	}
	if used, boxes := s.UsedBytes(Owner{1}); used != 0 || boxes != 0 {
		t.Errorf("%d bytes in %d", used, boxes)
	}
}

func TestHear(t *testing.T) {
	var s Shelves
	for n := range byte(3) {
		s.Open(Owner{1}, order(n, wire.MailboxQueue))
	}
	dialer, listener := identity.TransportKey{1}, identity.TransportKey{2}
	for _, row := range []struct {
		capability wire.Capability
		day        uint32
		heard      bool
	}{
		{writer(1), today(), true}, {wire.Capability{1, 2}, today(), true}, {writer(1), today() - 1, true}, {writer(1), today() + 1, true},
		{writer(1), today() + 2, false}, {writer(9), today(), false},
	} {
		tag := identity.NewHelloTag(row.capability.Access().HelloKey(row.day), identity.FromDialer, dialer, listener)
		box, _ := s.Hear(today(), tag, dialer, listener)
		if (box != nil) != row.heard || row.heard && box.Order.ID != (wire.MailboxID{1}) {
			t.Errorf("%v: %v", row, box)
		}
		if box, _ := s.Hear(today(), tag, listener, dialer); box != nil {
			t.Error("the tag is worth something on another connection")
		}
	}
}

// TestBooksAgree does many things by chance and adds up what lies there.
func TestBooksAgree(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		var s Shelves
		for range 2000 {
			n := byte(random.IntN(12))
			owner, id := Owner{n % 3}, wire.MailboxID{n}
			switch random.IntN(12) {
			case 0:
				s.Open(owner, order(n, wire.MailboxKind(1+n%2)))
			case 1:
				s.Close(owner, id)
			case 2:
				s.CloseAll(owner)
			case 3:
				if b := s.Reader(wire.Key{ID: id, Capability: wire.Capability{n, 2}}); b != nil {
					s.Erase(b, []wire.ItemHash{{byte(random.IntN(20))}})
				}
			case 4:
				s.Expired(now.Add(time.Duration(random.IntN(15)) * 24 * time.Hour))
			default:
				s.Deposit(now, Terms{QuotaBytes: 1 << 20, LifetimeDays: 14}, id, writer(n), wire.ItemHash{byte(random.IntN(20))}, random.IntN(64<<10))
			}
		}
		used, count := map[Owner]uint64{}, map[Owner]int{}
		for _, b := range s.Boxes() {
			count[b.Owner]++
			for _, h := range b.Items() {
				used[b.Owner] += cost(h.SizeBytes)
			}
		}
		for n := range byte(3) {
			if bytes, boxes := s.UsedBytes(Owner{n}); bytes != used[Owner{n}] || boxes != count[Owner{n}] || bytes > 1<<20 {
				t.Fatalf("seed %d, owner %d: %d bytes in %d, counted %d in %d", seed, n, bytes, boxes, used[Owner{n}], count[Owner{n}])
			}
		}
	}
}
