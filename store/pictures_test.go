package store

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pabal/protocol"
)

// TestPictureIsErased looks for a picture in the files after each way it ends.
func TestPictureIsErased(t *testing.T) {
	jpeg := bytes.Repeat([]byte("ein Gesicht "), 1000)
	for name, end := range map[string]func(id protocol.ContactID) protocol.Write{
		"replaced": func(id protocol.ContactID) protocol.Write {
			return protocol.PutPicture{Contact: id, Sequence: 2, JPEG: []byte("other")}
		},
		"none any more":   func(id protocol.ContactID) protocol.Write { return protocol.PutPicture{Contact: id, Sequence: 2} },
		"contact removed": func(id protocol.ContactID) protocol.Write { return protocol.EraseContact{ID: id} },
	} {
		t.Run(name, func(t *testing.T) {
			s := create(t)
			f := newFixture(t, 1)
			id := f.convs[0].Contact
			f.commit(s, protocol.PutContact{ID: id, Phase: protocol.ContactEstablished, State: []byte("contact")})
			f.commit(s, protocol.PutPicture{Contact: id, Sequence: 1, JPEG: jpeg})
			if got := view(t, s, func(v *View) ([]byte, error) { return v.Picture(id) }); !bytes.Equal(got, jpeg) {
				t.Fatal("it is not there")
			}
			word := []byte("ein Gesicht")
			if sight, err := s.Look(word); err != nil || sight.Hits[0] == 0 {
				t.Fatalf("hits %v, %v", sight.Hits, err)
			}
			f.commit(s, end(id))
			examined, err := s.Examine(word)
			if err != nil || examined.Sight.Hits[0] != 0 || len(examined.Orphans) != 0 {
				t.Errorf("hits %v, orphans %v, %v", examined.Sight.Hits, examined.Orphans, err)
			}
			sequence := view(t, s, func(v *View) (uint64, error) { return v.PictureSequence(id) })
			if want := map[string]uint64{"replaced": 2}[name]; sequence != want {
				t.Errorf("sequence %d", sequence)
			}
		})
	}
}

// TestReplacedPicturesShareAScrub replaces a contact's picture: the log is not cut for it alone,
// but soon. One of our own that was taken away is nowhere at once.
func TestReplacedPicturesShareAScrub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := create(t)
		f := newFixture(t, 1)
		id := f.convs[0].Contact
		for sequence, face := range []string{"the first face", "the second face", "the third face"} {
			f.commit(s, protocol.PutPicture{Contact: id, Sequence: uint64(sequence) + 1, JPEG: []byte(face)})
		}
		if hits(t, s, "the first face") == 0 || hits(t, s, "the second face") == 0 {
			t.Error("each picture of a contact has the log cut")
		}
		time.Sleep(ScrubWithin)
		synctest.Wait()
		if first, second := hits(t, s, "the first face"), hits(t, s, "the second face"); first+second != 0 {
			t.Errorf("%d and %d hits %v after they were replaced", first, second, ScrubWithin)
		}
		f.commit(s, protocol.PutPicture{Sequence: 1, JPEG: []byte("our own face")})
		f.commit(s, protocol.PutPicture{Sequence: 2})
		if n := hits(t, s, "our own face"); n != 0 {
			t.Errorf("%d hits of our own", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestPicturesOfNobody counts a picture of no contact as an orphan, and our own not.
func TestPicturesOfNobody(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	own := protocol.PutPicture{Sequence: 3, JPEG: []byte("own")}
	f.commit(s, own, protocol.PutPicture{Contact: protocol.ContactID{9}, Sequence: 1, JPEG: []byte("x")})
	examined, err := s.Examine()
	if err != nil || len(examined.Orphans) != 1 || examined.Orphans[0] != (Orphans{"pictures", 1}) {
		t.Errorf("orphans %v, %v", examined.Orphans, err)
	}
	err = s.View(func(v *View) error {
		if _, err := v.Picture(protocol.ContactID{8}); !errors.Is(err, ErrNotFound) {
			t.Errorf("of a stranger: %v", err)
		}
		jpeg, err := v.Picture(protocol.ContactID{})
		if string(jpeg) != "own" {
			t.Errorf("our own is %q", jpeg)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
