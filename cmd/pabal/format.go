package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// items is the shape of every list in the API.
type items[T any] struct {
	Items []T `json:"items"`
}

// listOf wraps rows as the API does; no row is an empty list, never null.
func listOf[T any](rows []T) items[T] {
	if rows == nil {
		rows = []T{}
	}
	return items[T]{rows}
}

// show prints v as JSON with --json, and calls human otherwise.
func (c *cli) show(v any, human func() error) error {
	if c.flags.json {
		return c.printJSON(v)
	}
	return human()
}

// showList prints a list: as JSON, or one row each, or says that it is empty.
func showList[T any](c *cli, rows []T, empty speech.Key, row func(T) []string) error {
	return c.show(listOf(rows), func() error {
		if len(rows) == 0 {
			c.say(empty)
			return nil
		}
		cells := make([][]string, len(rows))
		for i, r := range rows {
			cells[i] = row(r)
		}
		return c.table(cells)
	})
}

// localTime is a moment in the local zone, to the second, with the zone.
func localTime(t *api.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

// dash stands for nothing in a column.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return dash(*s)
}

// word translates a state or code of the API; an unknown one stays as it is.
func (c *cli) word(kind, code string) string {
	if code == "" {
		return "-"
	}
	if key := speech.Key(kind + "." + code); speech.Has(key) {
		return c.text(key)
	}
	return code
}

// reason says why something waits or, of a contact that could not be made, why not.
func (c *cli) reason(code string) string {
	if said := c.word("why", code); said != code {
		return said
	}
	return c.word("problem", code)
}

// warn tells a warning, and what helps.
func (c *cli) warn(w api.Warning) {
	c.say(speech.WarningLine, c.warning(w))
	for _, way := range c.ways(w.Params) {
		c.say(speech.WayLine, way)
	}
}

// warning is what a warning says.
func (c *cli) warning(w api.Warning) string {
	if n, ok := w.Params["contacts"].(float64); ok { // a number of JSON
		return c.text(speech.PathlessContacts, strconv.Itoa(int(n)))
	}
	return c.word("warning", w.Code)
}

// ways returns the ways out that the parameters of a warning or a reason name.
func (c *cli) ways(params map[string]any) (out []string) {
	codes, _ := params["ways"].([]any) // a list of JSON
	for _, code := range codes {
		if code, ok := code.(string); ok {
			out = append(out, c.word("way", code))
		}
	}
	return out
}

// messageState says how far a message has come, as 맡겨 둠(2).
func (c *cli) messageState(s *api.MessageState) string {
	if s == nil {
		return "-"
	}
	state := c.word("state", s.State)
	if s.State == api.StateCarried {
		state += "(" + strconv.Itoa(s.Carriers) + ")"
	}
	return state
}

// disappearing says a timer, as "7d:read", the form that --disappear takes.
func disappearing(d *api.Disappearing) string {
	if d == nil {
		return timerNever
	}
	return shortDuration(time.Duration(d.Seconds)*time.Second) + ":" + d.Mode
}

// timer says a timer to be read, in English in the form that --disappear takes.
func (c *cli) timer(d *api.Disappearing) string {
	short := disappearing(d)
	number, mode, ok := strings.Cut(short, ":")
	if !ok {
		return c.word("timer", short)
	}
	last := len(number) - 1 // its unit
	return c.text(speech.Key("timer."+mode), c.text(speech.Key("timer."+number[last:]), number[:last]))
}

const (
	timerNever = "never"
	day        = 24 * time.Hour
	week       = 7 * day
)

// shortDuration writes whole weeks and days as "1w" and "3d".
func shortDuration(d time.Duration) string {
	switch {
	case d >= week && d%week == 0:
		return strconv.Itoa(int(d/week)) + "w"
	case d >= day && d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return strconv.Itoa(int(d/time.Second)) + "s"
}

// parseDuration reads what time.ParseDuration does, and days and weeks as "3d"
// and "2w".
func parseDuration(s string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": day, "w": week} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 || time.Duration(n) > time.Duration(1<<62)/unit {
				return 0, fmt.Errorf("%q is not a duration", s)
			}
			return time.Duration(n) * unit, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	return d, nil
}

// parseDisappearing reads "never", "7d", "7d:read" or "1d:sent"; the time runs
// from reading unless it says otherwise.
func parseDisappearing(s string) (*api.Disappearing, error) {
	if s == timerNever {
		return nil, nil
	}
	number, mode, ok := strings.Cut(s, ":")
	if !ok {
		mode = api.DisappearFromRead
	}
	d, err := parseDuration(number)
	if err != nil || d < time.Second || mode != api.DisappearFromRead && mode != api.DisappearFromSent {
		return nil, fail(exitUsage, api.CodeInvalidTimer, speech.TimerInvalid)
	}
	return &api.Disappearing{Mode: mode, Seconds: int64(d / time.Second)}, nil
}

// durationValue is a flag that takes days and weeks, too.
type durationValue time.Duration

func (d *durationValue) String() string {
	if *d == 0 {
		return ""
	}
	return shortDuration(time.Duration(*d))
}

func (d *durationValue) Set(s string) error {
	v, err := parseDuration(s)
	*d = durationValue(v)
	return err
}

func (d *durationValue) Type() string { return "duration" }
