package node_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pabal/node"
	"pabal/node/api"
	"pabal/protocol/wire"
	"pabal/store"
)

const passphrase = "a passphrase of the disk"

// TestLockedDiskShowsNothing searches every file of a profile with a passphrase,
// those in its runtime directory too, while it is locked and when it is stopped. It
// also looks at what a guess of the passphrase costs.
func TestLockedDiskShowsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	hidden := needles{}
	hidden.text("passphrase", passphrase)
	port := freePort(t)
	mina, jiwoo := newSealedPerson(t, "Mina of the disk", port), newPerson(t, "Jiwoo of the disk")
	contact := hidden.befriend(ctx, mina, jiwoo, wire.QUIC, port)
	hidden.talk(ctx, mina, jiwoo, contact, mina.onlyContact(ctx))
	if err := mina.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	locked := disk(t, mina)
	mina.end()
	jiwoo.end()
	hidden.profile("Mina", peek(mina))
	hidden.profile("Jiwoo", peek(jiwoo))
	hidden.check(t, "locked", locked...)
	hidden.check(t, "stopped", disk(t, mina)...)
	checkGuessCost(t, mina)
}

// checkGuessCost reads from a profile's header what one guess of its passphrase costs.
func checkGuessCost(t *testing.T, p *person) {
	t.Helper()
	header := must[[]byte](t)(os.ReadFile(filepath.Join(p.config.DataDir, "header")))
	const parameters = 32 // behind the salt: version, threads, 2 unused, then passes and KiB of Argon2id
	passes := binary.LittleEndian.Uint32(header[parameters+4:])
	kib := binary.LittleEndian.Uint32(header[parameters+8:])
	if passes < 3 || kib < 256<<10 {
		t.Errorf("a guess costs %d passes over %d KiB", passes, kib)
	}
}

// newSealedPerson is newPerson with a passphrase, and a port of loopback.
func newSealedPerson(t *testing.T, name string, port uint16) *person {
	t.Helper()
	dir := t.TempDir()
	p := &person{t: t, config: node.Config{
		Profile: name, DataDir: filepath.Join(dir, "data"), RuntimeDir: filepath.Join(dir, "run"),
		Create: &node.NewProfile{Name: name, Passphrase: []byte(passphrase)}, Listen: []string{loopbackPort(port).String()},
	}}
	p.start()
	t.Cleanup(func() {
		if p.stop != nil {
			p.end()
		}
	})
	return p
}

// disk returns the files of a profile. Our own name, which is no secret there, is
// taken out.
func disk(t *testing.T, p *person) (files [][]byte) {
	t.Helper()
	for _, dir := range []string{p.config.DataDir, p.config.RuntimeDir} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			files = append(files, bytes.ReplaceAll(b, []byte("pabal"), nil))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 4 {
		t.Fatalf("%d files", len(files))
	}
	return files
}

// lookInto opens the profile of a person whose node is off and counts words in all
// that its key opens.
func lookInto(p *person, words ...[]byte) (n int) {
	p.t.Helper()
	opened(p, func(st *store.Store) { n = lookFor(p.t, st, words...) })
	return n
}

// TestContactKeepsNothingOfOurs lets one person have two contacts, and looks through
// all that one of them has stored: of the other one, and of what the person notes for
// itself, there is nothing.
func TestContactKeepsNothingOfOurs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo, hana := newPerson(t, "Mina with two contacts"), newPerson(t, "Jiwoo who is curious"), newPerson(t, "Hana who is nobody's business")
	hidden := needles{}
	hana.end()
	hidden.profile("hana", peek(hana))
	hana.start()
	note, alias := "a note on an invite of mine", "an alias that I gave to them"
	hidden.text("note", note)
	hidden.text("alias", alias)
	other := inviteOf(ctx, mina, api.InviteRequest{Note: note})
	hidden.link("another link", *other.URI, must[wire.Link](t)(wire.ParseLink(*other.URI)))
	mina.placed(ctx)
	ofHana := befriend(ctx, mina, hana)
	hidden.tell(ctx, hana, ofHana.ID, "what Hana tells to Mina only")
	hanaHere := mina.onlyContact(ctx)
	hidden.id("Hana's contact id", hanaHere.ID)
	befriend(ctx, mina, jiwoo)
	for _, c := range must[[]api.Contact](t)(mina.Contacts(ctx, api.ContactQuery{})) {
		if c.ID != hanaHere.ID {
			must[api.Contact](t)(mina.UpdateContact(ctx, c.ID, api.ContactPatch{Alias: api.Some(&alias)}))
			needles{}.tell(ctx, mina, c.ID, "what Mina tells to Jiwoo")
		}
	}
	jiwoo.end()
	if lookInto(jiwoo, []byte(mina.config.Profile)) == 0 {
		t.Error("not even Mina's name is found: the search is for nothing")
	}
	names, words := []string{}, [][]byte{}
	for what, needle := range hidden {
		names, words = append(names, what), append(words, needle)
	}
	opened(jiwoo, func(st *store.Store) {
		for i, hits := range must[store.Sight](t)(st.Look(words...)).Hits {
			if hits > 0 {
				t.Errorf("%s is in the store of a contact that has nothing to do with it", names[i])
			}
		}
	})
}

// TestDeletedIsOnNoDisk lets both sides of a conversation delete a text, by their
// APIs, and looks through all that their stores hold.
func TestDeletedIsOnNoDisk(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mina, jiwoo := newPerson(t, "Mina deletes"), newPerson(t, "Jiwoo deletes")
	mina.placed(ctx)
	contact := befriend(ctx, mina, jiwoo)
	const text = "a text that nobody shall find again"
	needles{}.tell(ctx, jiwoo, contact.ID, text)
	people := map[*person]string{mina: mina.onlyContact(ctx).ID, jiwoo: contact.ID}
	for p, id := range people {
		c := must[api.Contact](t)(p.Contact(ctx, id))
		page := must[api.MessagePage](t)(p.Messages(ctx, *c.ConversationID, api.MessageQuery{}))
		if len(page.Items) != 1 {
			t.Fatalf("%d messages", len(page.Items))
		}
		if p == jiwoo { // the control: before it is deleted it is found
			p.end()
			if lookInto(p, []byte(text)) == 0 {
				t.Error("the text is not found while it is there")
			}
			p.start()
		}
		if err := p.DeleteMessage(ctx, *page.Items[0].ID); err != nil {
			t.Fatal(err)
		}
		p.end()
		if n := lookInto(p, []byte(text)); n != 0 {
			t.Errorf("%d copies in the store of %s", n, p.config.Profile)
		}
	}
}
