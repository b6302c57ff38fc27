package main

import "testing"

func TestFigureLine(t *testing.T) {
	f := figure{name: "throughput", value: 12345.678, limit: 24691.356, bar: 0.4, up: true}
	if got, want := f.String(), "throughput\t12345.678\t24691.356\t0.500"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFigureBars(t *testing.T) {
	rows := []struct {
		f    figure
		want bool
	}{
		{figure{value: 5, limit: 10, bar: 0.4, up: true}, true},
		{figure{value: 3, limit: 10, bar: 0.4, up: true}, false},
		{figure{value: 3, limit: 1, bar: 4}, true},
		{figure{value: 5, limit: 1, bar: 4}, false},
		{figure{value: 5, limit: 1}, true},
	}
	for _, row := range rows {
		if row.f.met() != row.want {
			t.Errorf("%+v: met %v", row.f, !row.want)
		}
	}
}

func TestInTurnsTakesMedians(t *testing.T) {
	var order []string
	next := func(name string, values ...float64) func() (float64, error) {
		return func() (float64, error) {
			order = append(order, name)
			v := values[0]
			values = values[1:]
			return v, nil
		}
	}
	a, b, err := inTurns(3, next("a", 1, 100, 2), next("b", 7, 5, 6))
	if err != nil || a != 2 || b != 6 {
		t.Errorf("medians %v and %v, %v", a, b, err)
	}
	for i, name := range order {
		if name != []string{"a", "b"}[i%2] {
			t.Fatalf("order %v", order)
		}
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}
