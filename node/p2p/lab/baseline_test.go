package lab

import (
	"errors"
	"testing"
	"time"
)

func TestBaselines(t *testing.T) {
	for name, measure := range map[string]func(int) (Stats, error){"PingPong": PingPong, "DialEcho": DialEcho} {
		t.Run(name, func(t *testing.T) {
			const rounds = 40
			s, err := measure(rounds)
			if err != nil {
				t.Fatal(err)
			}
			if s.Rounds != rounds || s.Min <= 0 || s.P50 < s.Min || s.P99 < s.P50 || s.Max < s.P99 || s.Total < s.Max {
				t.Errorf("%+v", s)
			}
			t.Logf("%+v", s)
			for _, bad := range []int{0, -1, roundsMax + 1} {
				if _, err := measure(bad); !errors.Is(err, ErrRounds) {
					t.Errorf("%d rounds: error %v", bad, err)
				}
			}
		})
	}
}

func TestSummarise(t *testing.T) {
	var times []time.Duration
	for i := 200; i > 0; i-- {
		times = append(times, time.Duration(i))
	}
	want := Stats{Rounds: 200, Min: 1, P50: 100, P99: 198, Max: 200, Total: 200 * 201 / 2}
	if got := summarise(times); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
