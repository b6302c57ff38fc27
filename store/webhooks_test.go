package store

import "testing"

// TestWebhookGoesWhole: what is erased takes its place in the log along, and no late answer of
// its receiver brings it back.
func TestWebhookGoesWhole(t *testing.T) {
	s := create(t)
	put := func(rows ...Row) {
		t.Helper()
		if _, err := s.Commit(Batch{Rows: rows}); err != nil {
			t.Fatal(err)
		}
	}
	hooks := func() int { return len(view(t, s, (*View).Webhooks)) }
	consumers := func() []Consumer { return view(t, s, (*View).Consumers) }
	put(PutWebhook{ID: "wh_a", CreatedAt: 1, Detail: []byte(`{"secret":"not to be found"}`)}, PutConsumer{Name: "wh_a", Owner: "wh_a", Cursor: Cursor{Sequence: 1}})
	put(UpdateWebhook{ID: "wh_a", Detail: []byte(`{"secret":"not to be found"}`), Cursor: Cursor{Sequence: 4}})
	if all := consumers(); len(all) != 1 || all[0].Cursor.Sequence != 4 || hooks() != 1 {
		t.Errorf("consumers %+v", all)
	}
	put(EraseWebhook{ID: "wh_a"})
	put(UpdateWebhook{ID: "wh_a", Detail: []byte("{}"), Cursor: Cursor{Sequence: 9}})
	if len(consumers()) != 0 || hooks() != 0 {
		t.Errorf("%d webhooks, consumers %+v", hooks(), consumers())
	}
	seen, err := s.Examine([]byte("not to be found"))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range seen.Hits {
		if found != 0 {
			t.Errorf("the secret is found: %+v", seen)
		}
	}
}
