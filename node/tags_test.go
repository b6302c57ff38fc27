package node_test

import (
	"fmt"
	"testing"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
)

// tagDays is how many days two Peers meet: more than a month, so that the pair
// chain is reseeded on the way.
const tagDays = 45

// month lets two Peers connect three times a day for tagDays days, by turns from
// either side, and returns every hello. Their accounts, devices and transport keys
// come from the name public; all that they draw after that from the name secret.
// With fixed set, both keep one transport key, as a node at a known address would.
func month(t *testing.T, public, secret string, fixed bool) *pair {
	t.Helper()
	a := newBare(t, "Mina", 1001, &source{sourceOf(public + ", one")})
	b := newBare(t, "Jiwoo", 1002, &source{sourceOf(public + ", two")})
	a.random.Reader, b.random.Reader = sourceOf(secret+", one"), sourceOf(secret+", two")
	p := newPair(t, a, b)
	now := peerNoon
	if fixed {
		for i, e := range p.ends {
			key := e.key(now)
			p.fixed[i] = &key
		}
	}
	p.join(now)
	for day := range tagDays {
		for hour := range 3 {
			p.part(now)
			now = peerNoon.AddDate(0, 0, day).Add(time.Duration(1+hour) * time.Hour)
			for _, e := range p.ends {
				e.step(now, protocol.Woke{})
			}
			from := (day + hour) % 2
			p.ends[from].step(now, protocol.SendText{Contact: p.contact[from], Text: fmt.Sprint("day ", day, " hour ", hour)})
			p.carry(now)
		}
	}
	return p
}

// TestTagsNeverRepeat follows two Peers for a month and a half: no tag is shown on
// two days, between other transport keys, or in the other direction. That holds too
// when the transport keys never change, so it is the pair's secret that moves on.
// Two connections of one day between the same keys do show the same tag; it passes
// inside libp2p's encryption.
func TestTagsNeverRepeat(t *testing.T) {
	for name, fixed := range map[string]bool{"keys of the day": false, "fixed keys": true} {
		t.Run(name, func(t *testing.T) {
			places := map[identity.HelloTag]shownHello{}
			days := map[int]bool{}
			for _, h := range month(t, "public", "secret", fixed).hellos {
				if before, ok := places[h.tag]; ok && before != h.place() {
					t.Fatalf("a tag of day %d is shown again on day %d", before.day, h.day)
				}
				places[h.tag] = h.place()
				days[h.day] = true
			}
			if len(days) != tagDays {
				t.Errorf("hellos on %d days", len(days))
			}
			// Each side dials on each day, and each connection has two directions; the
			// first day has the link's tags beside.
			if want := 4*tagDays + 2; len(places) != want {
				t.Errorf("%d tags, want %d", len(places), want)
			}
		})
	}
}

// TestTagsDeriveFromSecretsOnly lets the same two accounts, on the same devices,
// with the same transport keys, at the same times, meet in two worlds that differ
// in nothing but what was drawn in secret after that. If a tag were made of public
// data, both worlds would show it.
func TestTagsDeriveFromSecretsOnly(t *testing.T) {
	one, two := month(t, "public", "secret one", false), month(t, "public", "secret two", false)
	for i := range one.ends {
		if one.ends[i].p.Account() != two.ends[i].p.Account() || one.ends[i].p.Devices()[0].Key != two.ends[i].p.Devices()[0].Key {
			t.Fatal("the worlds differ in public data")
		}
	}
	places, tags := map[shownHello]bool{}, map[identity.HelloTag]bool{}
	for _, h := range one.hellos {
		places[h.place()], tags[h.tag] = true, true
	}
	same := 0
	for _, h := range two.hellos {
		if places[h.place()] {
			same++
		}
		if tags[h.tag] {
			t.Fatalf("a tag of day %d is the same in both worlds", h.day)
		}
	}
	if same < 6*tagDays {
		t.Errorf("only %d hellos have their like in the other world", same)
	}
}
