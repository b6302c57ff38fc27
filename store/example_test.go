package store_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"pabal/protocol"
	"pabal/store"
)

// A daemon holds the profile for its life, and the store while it is unlocked.
func Example() {
	dir, err := os.MkdirTemp("", "pabal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	profile, err := store.Lock(dir, store.Self(""))
	if err != nil {
		log.Fatal(err)
	}
	defer profile.Close()
	s, err := profile.Create(store.Options{}) // no passphrase: a keyfile
	if err != nil {
		log.Fatal(err)
	}
	done, err := s.Commit(store.Batch{
		Now:    time.Now(),
		Writes: []protocol.Write{protocol.PutSelf{Name: "지우"}},
		Events: []protocol.Event{{Type: protocol.SelfUpdated}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("events up to", done.Cursor.Sequence)
	if err := s.Close(); err != nil { // locked: the keys are gone
		log.Fatal(err)
	}

	if s, err = profile.Open(store.Unlock{}); err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	err = s.View(func(v *store.View) error {
		self, err := v.Self()
		fmt.Println("I am", self.Name)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// events up to 1
	// I am 지우
}
