package store

import (
	"testing"

	"pabal/protocol"
)

// TestApprovalGoesWithItsOwners: with its token, with its conversation, and whole.
func TestApprovalGoesWithItsOwners(t *testing.T) {
	for name, erase := range map[string]func(s *Store, f *fixture){
		"itself":       func(s *Store, f *fixture) { f.commitRows(s, EraseApproval{"ap_a"}) },
		"token":        func(s *Store, f *fixture) { f.commitRows(s, EraseToken{"tk_a"}) },
		"conversation": func(s *Store, f *fixture) { f.commit(s, protocol.EraseConversation{ID: f.convs[0].ID}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := create(t)
			f := newFixture(t, 1)
			f.commit(s, protocol.PutContact{ID: f.convs[0].Contact, Phase: protocol.ContactEstablished, State: []byte("contact")}, f.convs[0])
			waits := PutApproval{ID: "ap_a", Message: "ms_a", Token: "tk_a", Conversation: f.convs[0].ID, At: 1, ExpiresAt: 2, Content: []byte(`{"text":"not to be found"}`)}
			f.commitRows(s, waits) // without its token it is nobody's
			if all := view(t, s, (*View).Approvals); len(all) != 0 {
				t.Errorf("without a token %+v", all)
			}
			f.commitRows(s, PutToken{ID: "tk_a"}, waits, waits)
			all := view(t, s, (*View).Approvals)
			if len(all) != 1 || all[0].Message != "ms_a" || all[0].Conversation != f.convs[0].ID || string(all[0].Content) != string(waits.Content) {
				t.Fatalf("%+v", all)
			}
			erase(s, f)
			if all := view(t, s, (*View).Approvals); len(all) != 0 {
				t.Errorf("left %+v", all)
			}
			seen, err := s.Examine([]byte("not to be found"))
			if err != nil {
				t.Fatal(err)
			}
			if len(seen.Orphans) != 0 || seen.Unowned() != 0 {
				t.Errorf("the examination finds %+v", seen)
			}
		})
	}
}

func (f *fixture) commitRows(s *Store, rows ...Row) {
	f.t.Helper()
	if _, err := s.Commit(Batch{Rows: rows}); err != nil {
		f.t.Fatal(err)
	}
}
