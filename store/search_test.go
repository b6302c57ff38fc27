package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pabal/protocol"
)

func TestTokens(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"!? …", ""},
		{"회의실", "회의 의실 실 ㅎ ㅎㅇ ㅎㅇㅅ"},
		{"밥", "밥 ㅂ"},
		{"밥밥밥", "밥밥 밥 ㅂ ㅂㅂ ㅂㅂㅂ"},
		{"Hello, WORLD hello", "hel hell hello wor worl world"},
		{"STRASSE straße", "str stra stras strass strasse"},
		{"3시에 만나요", "3 시에 에 ㅅ ㅅㅇ 만나 나요 요 ㅁ ㅁㄴ ㅁㄴㅇ"},
		{"ㅋㅋㅋ 안녕ㅎㅎ", "ㅋ ㅋㅋ ㅋㅋㅋ 안녕 녕 ㅇ ㅇㄴ ㅎ ㅎㅎ"},
		{"東京タワー", "東京 京タ タワ ワー ー"},
		{"e\u0301te\u0301", "été"},
		{"\u1112\u1161\u11ab\u1100\u1173\u11af", "한글 글 ㅎ ㅎㄱ"}, // decomposed 한글
		{"🙂 ok", "ok"},
	} {
		if got := tokens(tt.text); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestTerms(t *testing.T) {
	for _, tt := range []struct {
		query, match, text string
		want               bool
	}{
		{"회의", `"회의"`, "오늘 회의는", true},
		{"회의실", `"회의" AND "의실"`, "대회의실에서", true},
		{"회의실", `"회의" AND "의실"`, "회의 거의실", false}, // the index has both pairs
		{"의", `"의" *`, "회의실", true},
		{"ㅎㅇ", `"ㅎㅇ"`, "회의실", true},
		{"ㅇㅅ", `"ㅇㅅ"`, "회의실", false}, // not from the word's start
		{"ㅋㅋ", `"ㅋㅋ"`, "ㅋㅋㅋ", true},
		{"go", `"go"`, "let's go", true},
		{"go", `"go"`, "gone", false},
		{"meet", `"meet"`, "Meeting", true},
		{"meeting", `"meeting" *`, "meetings", true},
		{"ㅎㅇㅅㅇㅅ", `"ㅎㅇㅅㅇㅅ" *`, "회의실에서", true},
		{"eet", `"eet"`, "meeting", false},
		{"회의 go", `"회의" AND "go"`, "go 회의", true},
		{"회의 go", `"회의" AND "go"`, "회의", false},
		{`"; DROP`, `"drop"`, "drop", true},
	} {
		wanted := parseTerms(tt.query)
		if got := wanted.match(); got != tt.match {
			t.Errorf("%q: match %s, want %s", tt.query, got, tt.match)
		}
		if got := wanted.has(tt.text); got != tt.want {
			t.Errorf("%q in %q: %v", tt.query, tt.text, got)
		}
	}
}

// FuzzTokens checks what deletion relies on: the same text gives the same
// tokens, each once, and the index's tokenizer would not cut them further.
func FuzzTokens(f *testing.F) {
	for _, s := range []string{"회의실 meeting 3시", "ㅋㅋ", "東京", "\xff\u0301", "a\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := tokens(text)
		if again := tokens(text); again != words {
			t.Fatalf("%q, then %q", words, again)
		}
		all := strings.Split(words, " ")
		seen := make(map[string]bool)
		for _, w := range all {
			if words != "" && w == "" || seen[w] || strings.ContainsAny(w, `"'*()-.,:`) {
				t.Fatalf("token %q of %q", w, words)
			}
			seen[w] = true
		}
		if wanted := parseTerms(text); !wanted.has(text) && !slices.ContainsFunc(wanted, func(r run) bool { return r.script == scriptJamo }) {
			t.Fatalf("%q is not found in itself", text)
		}
	})
}

// found tells the texts that a search finds.
func found(t *testing.T, s *Store, q SearchQuery) string {
	t.Helper()
	hits := view(t, s, func(v *View) (Found, error) { return v.Search(q) })
	var texts []string
	for _, m := range hits.Messages {
		texts = append(texts, textOf(m.Content, m.Edit))
	}
	return strings.Join(texts, "|")
}

func indexAll(t testing.TB, s *Store) {
	t.Helper()
	for {
		n, err := s.IndexStep(IndexStepMax)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
}

// TestSearch looks before, while and after the index is built: the same is found.
func TestSearch(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	texts := []string{"회의실 예약", "대회의실에서 meeting", "점심 뭐 먹지 ㅋㅋ", "Meet me", "회의는 취소"}
	var writes []protocol.Write
	var ids []protocol.MessageID
	var times []int64
	in, out := protocol.In, protocol.Out
	for i, text := range texts {
		m := f.message(i%2, protocol.In, text)
		m.At += int64(i)
		ids, times = append(ids, m.ID), append(times, m.At)
		writes = append(writes, m)
	}
	f.commit(s, append(writes, f.convs[0], f.convs[1])...)
	check := func(when string) {
		t.Helper()
		for _, tt := range []struct {
			query SearchQuery
			want  string
		}{
			{SearchQuery{Text: "회의"}, "회의는 취소|대회의실에서 meeting|회의실 예약"},
			{SearchQuery{Text: "회의실"}, "대회의실에서 meeting|회의실 예약"},
			{SearchQuery{Text: "회의", Conversations: []protocol.ConversationID{f.convs[0].ID}}, "회의는 취소|회의실 예약"},
			{SearchQuery{Text: "회의", Conversations: []protocol.ConversationID{{1}}}, ""},
			{SearchQuery{Text: "회의", Direction: &in}, "회의는 취소|대회의실에서 meeting|회의실 예약"},
			{SearchQuery{Text: "회의", Direction: &out}, ""},
			{SearchQuery{Text: "회의", Since: times[1], Until: times[4]}, "대회의실에서 meeting"},
			{SearchQuery{Text: "회의", Before: ids[4]}, "대회의실에서 meeting|회의실 예약"},
			{SearchQuery{Text: "ㅎㅇㅅ"}, "회의실 예약"},
			{SearchQuery{Text: "ㅋㅋ"}, "점심 뭐 먹지 ㅋㅋ"},
			{SearchQuery{Text: "MEET"}, "Meet me|대회의실에서 meeting"},
			{SearchQuery{Text: "회의 meet"}, "대회의실에서 meeting"},
			{SearchQuery{Text: "없다"}, ""},
			{SearchQuery{Text: " "}, ""},
		} {
			if got := found(t, s, tt.query); got != tt.want {
				t.Errorf("%s: %+v: %q, want %q", when, tt.query, got, tt.want)
			}
		}
	}
	check("without the index")
	if n, err := s.IndexStep(2); n != 2 || err != nil {
		t.Fatalf("indexed %d, %v", n, err)
	}
	check("with a part of the index")
	indexAll(t, s)
	check("with the index")
	f.commit(s, protocol.EraseMessage{ID: ids[0]}, protocol.EraseMessage{ID: ids[4]})
	if got := found(t, s, SearchQuery{Text: "회의"}); got != "대회의실에서 meeting" {
		t.Errorf("after deleting: %q", got)
	}
	checkIndex(t, s)
	s = reopen(t, s)
	if got := found(t, s, SearchQuery{Text: "회의"}); got != "대회의실에서 meeting" {
		t.Errorf("after opening again: %q", got)
	}
}

// checkIndex compares the search index with its own sums.
func checkIndex(t testing.TB, s *Store) {
	t.Helper()
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.write.c.db.Exec(`INSERT INTO search(search) VALUES ('integrity-check')`); err != nil {
		t.Error(err)
	}
}

func TestSearchPages(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	var writes []protocol.Write
	for i := range 25 {
		writes = append(writes, f.message(0, protocol.In, fmt.Sprintf("word %d", i)))
	}
	f.commit(s, append(writes, f.convs[0])...)
	if _, err := s.IndexStep(12); err != nil { // pages begin in the tail and end in the index
		t.Fatal(err)
	}
	for _, limit := range []int{1, 4, 5, 13, 25, 50} {
		n := 24
		for before := (protocol.MessageID{}); ; {
			page := view(t, s, func(v *View) (Found, error) {
				return v.Search(SearchQuery{Text: "word", Before: before, Limit: limit})
			})
			for _, m := range page.Messages {
				if want := fmt.Sprintf("word %d", n); textOf(m.Content, m.Edit) != want {
					t.Fatalf("limit %d: %q, want %q", limit, textOf(m.Content, m.Edit), want)
				}
				n--
			}
			if !page.More {
				break
			}
			before = page.Messages[limit-1].ID
		}
		if n != -1 {
			t.Errorf("limit %d: %d messages are missing", limit, n+1)
		}
	}
}

// TestSequenceIsNotUsedTwice erases the newest message: the next one must not
// take its place in the index.
func TestSequenceIsNotUsedTwice(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.In, "first")
	f.commit(s, m, f.convs[0])
	indexAll(t, s)
	f.commit(s, protocol.EraseMessage{ID: m.ID})
	s = reopen(t, s)
	f.commit(s, f.message(0, protocol.In, "second"), f.convs[0])
	indexAll(t, s)
	if got := found(t, s, SearchQuery{Text: "second"}); got != "second" {
		t.Errorf("found %q", got)
	}
	checkIndex(t, s)
}

// TestTokenizerChange opens a profile whose index another version filled.
func TestTokenizerChange(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	m := f.message(0, protocol.In, "old index")
	f.commit(s, m, f.convs[0])
	indexAll(t, s)
	if err := putMeta(s.write.c, metaTokenizer, tokenizerVersion+1); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	if got := found(t, s, SearchQuery{Text: "index"}); got != "old index" {
		t.Errorf("before indexing again: %q", got)
	}
	if n, err := s.IndexStep(IndexStepMax); n != 1 || err != nil {
		t.Fatalf("indexed %d again, %v", n, err)
	}
	checkIndex(t, s)
	f.commit(s, protocol.EraseMessage{ID: m.ID})
	if got := found(t, s, SearchQuery{Text: "index"}); got != "" {
		t.Errorf("after deleting: %q", got)
	}
	checkIndex(t, s)
}

// TestEraseConversation takes both ways through the index: few messages go one
// by one, many empty it.
func TestEraseConversation(t *testing.T) {
	s := create(t)
	f := newFixture(t, 3)
	var writes []protocol.Write
	for i := range IndexStepMax + 50 {
		writes = append(writes, f.message(0, protocol.In, fmt.Sprintf("many %d", i)))
	}
	for i := range 5 {
		writes = append(writes, f.message(1, protocol.In, fmt.Sprintf("few %d", i)), f.message(2, protocol.In, "stay"))
	}
	f.commit(s, append(writes, f.convs[0], f.convs[1], f.convs[2])...)
	indexAll(t, s)
	f.commit(s, protocol.EraseConversation{ID: f.convs[1].ID})
	checkIndex(t, s)
	if got := found(t, s, SearchQuery{Text: "few"}); got != "" {
		t.Errorf("found %q", got)
	}
	f.commit(s, protocol.EraseConversation{ID: f.convs[0].ID})
	for range 2 {
		if got := found(t, s, SearchQuery{Text: "many"}); got != "" {
			t.Errorf("found %q", got)
		}
		if got := found(t, s, SearchQuery{Text: "stay"}); strings.Count(got, "stay") != 5 {
			t.Errorf("found %q", got)
		}
		indexAll(t, s)
		checkIndex(t, s)
	}
	if all := view(t, s, func(v *View) ([]protocol.PutConversation, error) {
		return v.Conversations(protocol.ConversationID{}, 10)
	}); len(all) != 1 || all[0].ID != f.convs[2].ID {
		t.Errorf("conversations %v", all)
	}
}

func TestHighlights(t *testing.T) {
	for _, tt := range []struct {
		query, text string
		want        string // the parts, of the text's code points
	}{
		{"회의", "오늘 회의는 대회의실에서", "회의|회의"},
		{"의실", "회의실", "의실"},
		{"ㅎㅇ", "내일 회의실 하의", "회의|하의"},
		{"ㅋ", "ㅋㅋㅋ 크다", "ㅋ|크"},
		{"meet", "Meeting me, MEET", "Meet|MEET"},
		{"me", "Meeting me", "me"},
		{"회의 meet", "meet 회의", "meet|회의"},
		{"회의 meet", "회의", "회의"},
		{"strass", "die Straße", "Straß"},
		{"한글", "\u1112\u1161\u11ab\u1100\u1173\u11af 맞춤", "\u1112\u1161\u11ab\u1100\u1173\u11af"},
		{"ete", "e\u0301te\u0301 🙂 été", ""},
		{"été", "🙂 e\u0301te\u0301s", "e\u0301te\u0301"},
		{"회 회의", "회의", "회의"},
		{"밥밥", "밥밥밥밥밥", "밥밥밥밥"},
		{"🙂", "🙂", ""},
	} {
		var parts []string
		for _, h := range Highlights(tt.query, tt.text) {
			parts = append(parts, string([]rune(tt.text)[h.Start:h.Start+h.Len]))
		}
		if got := strings.Join(parts, "|"); got != tt.want {
			t.Errorf("%q in %q: %q, want %q", tt.query, tt.text, got, tt.want)
		}
	}
}

// FuzzHighlights checks that highlights stand in the text, in order, wherever a
// search finds it, and that tracing folds as fold does.
func FuzzHighlights(f *testing.F) {
	f.Add("회의 meet", "Meeting 회의실")
	f.Add("ss", "Straße ſs \xff")
	f.Add("ㅎ", "\u1112\u1161\u11ab\u0301")
	f.Fuzz(func(t *testing.T, query, text string) {
		if traced, origin := foldTraced(text); traced != fold(text) || len(origin) != len(traced) {
			t.Fatalf("%q traced as %q, %d origins, folded as %q", text, traced, len(origin), fold(text))
		}
		all := Highlights(query, text)
		if Searchable(query) && parseTerms(query).has(text) && len(all) == 0 {
			t.Fatalf("%q in %q: found, without highlights", query, text)
		}
		end := -1
		for _, h := range all {
			if h.Start <= end || h.Len <= 0 || h.Start+h.Len > len([]rune(text)) {
				t.Fatalf("%q in %q: highlights %v", query, text, all)
			}
			end = h.Start + h.Len
		}
	})
}

// TestEditsBehindTheCommit does by chance what can be done with messages: whatever the index has
// not yet caught up with, what is found is what they say now, newest first, and the drill finds
// nothing in the index that it should not know.
func TestEditsBehindTheCommit(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	words := []string{"회의", "점심", "meeting", "lunch", "내일", "zebra"}
	say := func() string {
		var text []string
		for range random.IntN(4) {
			text = append(text, words[random.IntN(len(words))])
		}
		return "… " + strings.Join(text, " ") // which may be none: that is not in the index
	}
	s := create(t)
	f := newFixture(t, 2)
	f.commit(s, f.convs[0], f.convs[1], f.session[0])
	type said struct {
		m        protocol.PutMessage
		conv     int
		text     string
		revision uint32
	}
	var all []*said
	check := func(what string) {
		t.Helper()
		for _, word := range words {
			for _, narrow := range []*said{nil, {conv: 1}} {
				var want []string
				query := SearchQuery{Text: word}
				for _, m := range slices.Backward(all) {
					if strings.Contains(m.text, word) && (narrow == nil || m.conv == narrow.conv) {
						want = append(want, m.text)
					}
				}
				if narrow != nil {
					query.Conversations = []protocol.ConversationID{f.convs[1].ID}
				}
				if got := found(t, s, query); got != strings.Join(want, "|") {
					t.Fatalf("behind %s: %q finds %q, want %q", what, word, got, want)
				}
			}
		}
	}
	for range 300 {
		what := "a message"
		switch n := random.IntN(10); {
		case n < 3 || len(all) < 3:
			m := &said{conv: random.IntN(2), text: say()}
			m.m = f.message(m.conv, protocol.In, m.text)
			all = append(all, m)
			f.commit(s, m.m)
		case n < 7:
			what = "an edit"
			m := all[random.IntN(len(all))]
			m.text, m.revision = say(), m.revision+1
			f.commit(s, f.edit(m.conv, m.m, m.revision, m.text))
		case n < 8:
			what = "an end"
			i := random.IntN(len(all))
			m := all[i]
			all = slices.Delete(all, i, i+1)
			if random.IntN(2) == 0 {
				f.commit(s, protocol.EraseMessage{ID: m.m.ID})
			} else {
				f.commit(s, protocol.StubMessage{Conversation: m.m.Conversation, Message: m.m.Wire})
			}
		case n < 9:
			what = "a step of the index"
			if _, err := s.IndexStep(1 + random.IntN(3)); err != nil {
				t.Fatal(err)
			}
		default:
			what = "the index"
			indexAll(t, s)
		}
		check(what)
		stray, err := s.write.c.number(`SELECT count(*) FROM search_edited WHERE seq NOT IN (SELECT seq FROM messages WHERE state <> 'deleted')`)
		if err != nil || stray > 0 {
			t.Fatalf("behind %s: %d messages that are gone wait for the index, %v", what, stray, err)
		}
	}
	clean(t, s)
	indexAll(t, s)
	clean(t, s)
	check("all")
}

// TestAnEditLeavesTheIndex edits long texts: no commit touches the index, which follows one
// message at a step, however often that was edited, and then not much is kept of a message.
func TestAnEditLeavesTheIndex(t *testing.T) {
	s := create(t)
	f := newFixture(t, 1)
	f.commit(s, f.convs[0], f.session[0])
	a, b := f.message(0, protocol.In, strings.Repeat("처음 ", 2000)), f.message(0, protocol.In, "another")
	f.commit(s, a, b)
	indexAll(t, s)
	number := func(sql string) int64 {
		t.Helper()
		n, err := s.write.c.number(sql)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	index := func() int64 { return number(`SELECT sum(length(block)) FROM search_data`) }
	before := index()
	for n := range protocol.EditsKeptMax + 10 {
		f.commit(s, f.edit(0, a, 1+uint32(n)%protocol.EditsMax, fmt.Sprint("나중 ", n)))
	}
	f.commit(s, f.edit(0, b, 1, "other words"))
	if n := index(); n != before {
		t.Errorf("the index has %d bytes behind the commits, had %d", n, before)
	}
	if n := number(`SELECT count(*) FROM operations`); n != protocol.EditsKeptMax+1 {
		t.Errorf("%d edits are kept, want %d", n, protocol.EditsKeptMax+1)
	}
	for _, want := range []int{1, 1, 0} {
		if n, err := s.IndexStep(IndexStepMax); n != want || err != nil {
			t.Errorf("a step indexes %d messages, want %d: %v", n, want, err)
		}
	}
	clean(t, s)
	f.commit(s, protocol.EraseMessage{ID: a.ID})
	gone(t, s, "처음", "나중")
}

// differentWords is a text of as many bytes as a message may have, with words that all differ, and
// its first and last one.
func differentWords(f *fixture) (text, first, last string) {
	var words []string
	for n := 0; n < protocol.TextBytesMax-16; n += len(words[0]) + 1 {
		words = append(words, fmt.Sprintf("%08x", uint32(f.rand.Uint64())))
	}
	return strings.Join(words, " "), words[0], words[len(words)-1]
}

// TestLongTexts has the index know no more of a text than termsMax, so that one of different words
// is deleted soon; the others of its words are read through for, of so many such texts.
func TestLongTexts(t *testing.T) {
	s := create(t)
	f := newFixture(t, 2)
	text, first, last := differentWords(f)
	long := f.message(0, protocol.In, text)
	f.commit(s, f.convs[0], f.convs[1], long)
	indexAll(t, s)
	if _, err := s.write.staleTerms(); err != nil { // makes the table
		t.Fatal(err)
	}
	if n, err := s.write.c.number(`SELECT count(*) FROM temp.terms`); err != nil || n > termsMax+1 {
		t.Errorf("the index has %d terms of a text, want at most %d: %v", n, termsMax+1, err)
	}
	look := func(word string, conversations ...protocol.ConversationID) Found {
		t.Helper()
		return view(t, s, func(v *View) (Found, error) { return v.Search(SearchQuery{Text: word, Conversations: conversations}) })
	}
	for _, word := range []string{first, last} {
		if got := look(word); len(got.Messages) != 1 || got.Messages[0].ID != long.ID || got.Partial {
			t.Errorf("%d messages have %q, partial %v", len(got.Messages), word, got.Partial)
		}
	}
	words := strings.Join(strings.Fields(text)[termsMax/2:termsMax], " ") // of another text
	for range searchMissesMax {
		f.commit(s, f.message(1, protocol.In, fmt.Sprintf("newer %x %s", f.rand.Uint64(), words)))
	}
	indexAll(t, s)
	for _, tt := range []struct {
		found Found
		want  int
	}{
		{look(first), 1}, // which the index knows
		{look(last), 0},
		{look(last, f.convs[0].ID), 1},
		{look("newer"), SearchMax},
	} {
		if n := len(tt.found.Messages); n != tt.want {
			t.Errorf("%d messages are found, want %d", n, tt.want)
		}
	}
	if !look(last).Partial || look(last, f.convs[0].ID).Partial {
		t.Error("what was not read through is not said")
	}
	clean(t, s)
	f.commit(s, protocol.EraseMessage{ID: long.ID})
	clean(t, s)
	gone(t, s, first, last)
}
