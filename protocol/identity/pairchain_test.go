package identity

import (
	"errors"
	"testing"
)

var (
	dialerKey   = TransportKey{1}
	listenerKey = TransportKey{2}
)

// meet lets dialer and listener, with their own days, show each other a hello. It reports
// whether the listener and then the dialer knew the other.
func meet(dialer, listener *PairChain, dialerDay, listenerDay uint32) (heard, answered bool) {
	spoken, ok := dialer.Speak(dialerDay)
	if !ok {
		return false, false
	}
	tag := NewHelloTag(spoken.Key, FromDialer, dialerKey, listenerKey)
	match, ok := Match(listener.Listen(listenerDay), tag, FromDialer, dialerKey, listenerKey)
	if !ok {
		return false, false
	}
	*listener = listener.Confirm(listenerDay, match)
	answer, ok := listener.Speak(listenerDay)
	if !ok {
		return true, false
	}
	tag = NewHelloTag(answer.Key, FromListener, dialerKey, listenerKey)
	match, ok = Match(dialer.Listen(dialerDay), tag, FromListener, dialerKey, listenerKey)
	if ok {
		*dialer = dialer.Confirm(dialerDay, match)
	}
	return true, ok
}

func mustMeet(t *testing.T, a, b *PairChain, aDay, bDay uint32) {
	t.Helper()
	if heard, answered := meet(a, b, aDay, bDay); !heard || !answered {
		t.Fatalf("day %d and %d: heard %v, answered %v", aDay, bDay, heard, answered)
	}
}

func mustNotMeet(t *testing.T, a, b *PairChain, aDay, bDay uint32) {
	t.Helper()
	if heard, _ := meet(a, b, aDay, bDay); heard {
		t.Fatalf("day %d and %d: met", aDay, bDay)
	}
}

func newPair() (a, b PairChain) {
	return NewPairChain([32]byte{9}, 20000), NewPairChain([32]byte{9}, 20000)
}

func TestPairChainDays(t *testing.T) {
	a, b := newPair()
	mustMeet(t, &a, &b, 20000, 20000)
	mustMeet(t, &a, &b, 20001, 20000) // neighbouring days
	mustMeet(t, &b, &a, 20100, 20101) // after a long pause
	if a.Line.First != 20099 && a.Line.First != 20100 {
		t.Errorf("oldest key kept is of day %d", a.Line.First)
	}
	if _, ok := a.Line.at(a.Confirmed - 2); ok {
		t.Error("a day both have left two days behind still has a key")
	}
	mustNotMeet(t, &a, &b, 20150, 20140) // clocks ten days apart
	mustMeet(t, &a, &b, 20100, 20101)    // the last confirmed day still opens
}

func TestPairChainSlowClockAtTheStart(t *testing.T) {
	a, b := newPair()
	mustMeet(t, &a, &b, 19999, 20000)
	mustMeet(t, &b, &a, 20000, 19998)
}

func TestPairChainSurvivesWrongClock(t *testing.T) {
	const decade = 3653
	a, b := newPair()
	mustMeet(t, &a, &b, 20000, 20000)
	// One boot in 2036, met by nobody: the key of today must survive it.
	mustNotMeet(t, &a, &b, 20001+decade, 20001)
	mustMeet(t, &a, &b, 20001, 20001)
	// The contact boots in 1970: it still hears us on the last confirmed day.
	mustMeet(t, &a, &b, 20002, 3)
	mustMeet(t, &b, &a, 20002, 20002)
	// Both live in 2036 for a day. That erases the days before: there is no way back,
	// and it took an authenticated contact to get there.
	mustMeet(t, &a, &b, 20002+decade, 20002+decade)
	if _, ok := a.Line.at(20002); ok {
		t.Error("a day both left behind still has a key")
	}
	if _, ok := a.Speak(20002); !ok {
		t.Error("a clock set right again leaves nothing to say")
	}
}

func TestPairChainOutOfReach(t *testing.T) {
	a, _ := newPair()
	k, ok := a.Speak(20000 + DayDistanceMax + 1)
	if !ok || k.Day != 20000 {
		t.Errorf("a clock beyond reach speaks of day %d, %v", k.Day, ok)
	}
	if n := len(a.Listen(4294967295)); n == 0 {
		t.Error("a clock at the end of days hears nothing")
	}
	if _, ok := (PairChain{}).Speak(1); ok {
		t.Error("no chain, and yet a key")
	}
}

func TestHelloTagIsBound(t *testing.T) {
	key := [32]byte{5}
	tag := NewHelloTag(key, FromDialer, dialerKey, listenerKey)
	others := map[string]HelloTag{
		"other direction": NewHelloTag(key, FromListener, dialerKey, listenerKey),
		"other dialer":    NewHelloTag(key, FromDialer, TransportKey{3}, listenerKey),
		"other listener":  NewHelloTag(key, FromDialer, dialerKey, TransportKey{3}),
		"swapped":         NewHelloTag(key, FromDialer, listenerKey, dialerKey),
		"other key":       NewHelloTag([32]byte{6}, FromDialer, dialerKey, listenerKey),
		"link":            NewHelloTag(LinkHelloKey(key), FromDialer, dialerKey, listenerKey),
		"repair":          NewHelloTag(RepairHelloKey(key, 20000), FromDialer, dialerKey, listenerKey),
	}
	for name, other := range others {
		if tag.Equal(other) {
			t.Errorf("%s: the same tag", name)
		}
	}
}

func TestTagReplayedOnAnotherDay(t *testing.T) {
	a, b := newPair()
	k, _ := a.Speak(20000)
	tag := NewHelloTag(k.Key, FromDialer, dialerKey, listenerKey)
	mustMeet(t, &a, &b, 20003, 20003)
	if _, ok := Match(b.Listen(20003), tag, FromDialer, dialerKey, listenerKey); ok {
		t.Error("a tag of three days ago is taken")
	}
	if _, ok := Match(b.Listen(20003), tag, FromDialer, TransportKey{8}, listenerKey); ok {
		t.Error("a tag is taken from another node")
	}
}

func TestReseed(t *testing.T) {
	a, b := newPair()
	r := [32]byte{7}
	var err error
	if a, err = a.Reseed(20000, 20003, r, true); err != nil {
		t.Fatal(err)
	}
	mustMeet(t, &a, &b, 20004, 20004) // b has not got it yet: both speak of the old line
	mustMeet(t, &b, &a, 20004, 20004)
	if b, err = b.Reseed(20005, 20003, r, false); err != nil {
		t.Fatal(err)
	}
	mustMeet(t, &a, &b, 20005, 20005) // b answers under the new line
	if a.Old != (ChainLine{}) || a.Mine {
		t.Error("the contact used the new line and the old is still there")
	}
	mustMeet(t, &a, &b, 20006, 20006)
	if b.Old != (ChainLine{}) {
		t.Error("the sender used the new line and the old is still there")
	}
	if a.Line != b.Line {
		t.Error("the two lines differ")
	}
}

func TestReseedBeforeItsDay(t *testing.T) {
	a, b := newPair()
	var err error
	if a, err = a.Reseed(20000, 20010, [32]byte{7}, true); err != nil {
		t.Fatal(err)
	}
	if b, err = b.Reseed(20000, 20010, [32]byte{7}, false); err != nil {
		t.Fatal(err)
	}
	for day := uint32(20000); day < 20014; day++ {
		mustMeet(t, &a, &b, day, day)
		mustMeet(t, &b, &a, day, day)
	}
	if a.Old != (ChainLine{}) || b.Old != (ChainLine{}) || a.Line != b.Line {
		t.Error("the old line outlived the new one's first day")
	}
}

func TestReseedNeverTaken(t *testing.T) {
	a, b := newPair()
	var err error
	if a, err = a.Reseed(20000, 20003, [32]byte{7}, true); err != nil {
		t.Fatal(err)
	}
	for day := uint32(20000); day < 20040; day++ {
		mustMeet(t, &a, &b, day, day)
	}
	if a.Mine || a.Old != (ChainLine{}) {
		t.Error("a reseed nobody took is still under way")
	}
	if _, err := b.Reseed(20040, 20003, [32]byte{7}, false); !errors.Is(err, ErrReseed) {
		t.Errorf("a reseed is taken after it was given up: %v", err)
	}
	if _, err := a.Reseed(20040, 20043, [32]byte{8}, true); err != nil {
		t.Errorf("no second reseed: %v", err)
	}
}

func TestReseedBounds(t *testing.T) {
	a, _ := newPair()
	for _, row := range []struct {
		own, day uint32
		mine     bool
	}{
		{20000, 20002, true}, {20000, 19999, true}, {20000, 20061, true}, {20000, 20061, false}, {20021, 20000, false}, {20000, 19990, false},
	} {
		if _, err := a.Reseed(row.own, row.day, [32]byte{1}, row.mine); !errors.Is(err, ErrReseed) {
			t.Errorf("day %d on day %d: %v", row.day, row.own, err)
		}
	}
	once, err := a.Reseed(20000, 20003, [32]byte{1}, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := once.Reseed(20000, 20003, [32]byte{2}, true); !errors.Is(err, ErrReseed) {
		t.Errorf("two reseeds at once: %v", err)
	}
}

func TestPairChainBytes(t *testing.T) {
	a, _ := newPair()
	a, err := a.Reseed(20000, 20003, [32]byte{1}, true)
	if err != nil {
		t.Fatal(err)
	}
	b := a.Append(nil)
	if len(b) != PairChainSize {
		t.Fatalf("%d bytes", len(b))
	}
	if again, err := LoadPairChain(b); err != nil || again != a {
		t.Errorf("changed on the way: %v", err)
	}
	b[PairChainSize-1] = 2
	if _, err := LoadPairChain(b); !errors.Is(err, ErrPairChain) {
		t.Errorf("bad bytes: %v", err)
	}
}
