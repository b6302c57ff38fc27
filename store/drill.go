package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// ErrBlind says that a drill did not find what it had planted: that it finds nothing
// afterwards would prove nothing.
var ErrBlind = errors.New("store: the drill does not see what it planted")

// Hands are what a drill does to a profile, in the way that its user would.
type Hands interface {
	// Plant writes texts into the note to self. They must be in the search index when
	// it returns, unless the index takes no more.
	Plant(ctx context.Context, texts []string) error
	// Erase deletes all that Plant wrote and was not erased before; it returns when
	// the daemon would call it deleted.
	Erase(ctx context.Context) error
}

// The size of a drill on a profile in use.
const (
	drillSentinels = 16 // texts that are looked for
	drillLater     = 24 // texts written afterwards: they log again what the cache holds
)

// DrillStep is what a drill is at.
type DrillStep string

// The steps of a drill, in order.
const (
	DrillPlant   DrillStep = "plant"
	DrillErase   DrillStep = "erase"
	DrillLater   DrillStep = "later"
	DrillExamine DrillStep = "examine"
	DrillOutside DrillStep = "outside"
)

// DrillSteps returns them all.
func DrillSteps() []DrillStep {
	return []DrillStep{DrillPlant, DrillErase, DrillLater, DrillExamine, DrillOutside}
}

// Drilled is what a drill found.
type Drilled struct {
	Planted int // copies of the sentinels that were found before they were deleted
	Left    int // copies after
	Later   int // copies after more commits
	Examined
	Outside Outside
	Guess   Guess
}

// Drill attacks the open profile as an examiner with the key would: it plants
// sentinels, deletes them and looks for them in every page and frame, at once and
// after more commits; then it looks for anything that no live row owns, and last,
// without the key, at every file. Nothing is copied to a disk. tell, which may be nil,
// hears of each step that begins.
func (s *Store) Drill(ctx context.Context, hands Hands, tell func(DrillStep)) (Drilled, error) {
	d := drill{s: s, hands: hands, tell: tell}
	for range drillSentinels {
		d.texts = append(d.texts, sentinelWord())
	}
	for _, step := range []struct {
		name DrillStep
		run  func(context.Context) error
	}{{DrillPlant, d.plant}, {DrillErase, d.erase}, {DrillLater, d.later}, {DrillExamine, d.examine}, {DrillOutside, d.outside}} {
		if err := ctx.Err(); err != nil {
			return Drilled{}, errors.Join(err, d.tidy())
		}
		if tell != nil {
			tell(step.name)
		}
		if err := step.run(ctx); err != nil {
			return Drilled{}, errors.Join(fmt.Errorf("drill: %w", err), d.tidy())
		}
	}
	return d.found, nil
}

// drill is one run of Drill.
type drill struct {
	s     *Store
	hands Hands
	tell  func(DrillStep)
	texts []string
	found Drilled
}

// tidy takes away what a drill that failed has planted.
func (d *drill) tidy() error { return d.hands.Erase(context.Background()) }

// sentinelWord is a word that nobody writes: random letters, then random syllables.
func sentinelWord() string {
	var b [24]byte
	rand.Read(b[:])
	var word strings.Builder
	for _, c := range b[:16] {
		word.WriteByte('a' + c%26)
	}
	word.WriteByte(' ')
	for i := 16; i < len(b); i += 2 {
		word.WriteRune(syllableFirst + rune(int(b[i])<<8|int(b[i+1]))%(syllableLast-syllableFirst+1))
	}
	return word.String()
}

// needles are what is looked for of the sentinels: of the word without its first letters,
// which in the index are those of the beginnings before it, and of the syllables as they stand in a text.
func (d *drill) needles() (all [][]byte) {
	for _, text := range d.texts {
		word, syllables, _ := strings.Cut(text, " ")
		all = append(all, []byte(word[latinPrefixMax:]), []byte(syllables))
	}
	return all
}

// copies counts the sentinels in all that can be decrypted, and in clear.
func (d *drill) copies() (int, error) {
	sight, err := d.s.Look(d.needles()...)
	n := 0
	for _, hits := range sight.Hits {
		n += hits
	}
	return n, err
}

func (d *drill) plant(ctx context.Context) error {
	err := d.hands.Plant(ctx, d.texts)
	if err != nil {
		return err
	}
	d.found.Planted, err = d.copies()
	if err == nil && d.found.Planted < 2*len(d.texts) {
		err = ErrBlind
	}
	return err
}

func (d *drill) erase(ctx context.Context) error {
	err := d.hands.Erase(ctx)
	if err == nil {
		d.found.Left, err = d.copies()
	}
	return err
}

// later writes other texts, one commit each, and looks again: what a cache still held
// would be in the log by then.
func (d *drill) later(ctx context.Context) error {
	for range drillLater {
		if err := d.hands.Plant(ctx, []string{sentinelWord()}); err != nil {
			return err
		}
	}
	var err error
	if d.found.Later, err = d.copies(); err != nil {
		return err
	}
	return d.hands.Erase(ctx)
}

func (d *drill) examine(context.Context) (err error) {
	d.found.Examined, err = d.s.Examine(d.needles()...)
	return err
}

func (d *drill) outside(ctx context.Context) error {
	words, err := d.s.Words()
	if err != nil {
		return err
	}
	if d.found.Outside, err = LookOutside(ctx, d.s.profile.path, words); err != nil {
		return err
	}
	d.found.Guess, err = MeasureGuess(d.s.profile.path)
	return err
}

// Hits is how much was found that must not be there.
func (d *Drilled) Hits() int {
	n := d.Left + d.Later + d.Unowned() + d.CachedBytes + d.StaleTerms + d.Chunks + d.Recount.Differs() + d.Outside.Hits()
	for _, h := range d.Sight.Hits {
		n += h
	}
	for _, o := range d.Orphans {
		n += o.Rows
	}
	return n
}
