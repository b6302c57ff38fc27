package main

import (
	"path/filepath"
	"testing"
	"time"
)

func TestSeedQueueHandsOutEverySeedOnce(t *testing.T) {
	q := &seedQueue{batch: simBatch, first: 7, next: 7, left: 2*simBatch + 3, done: map[uint64]uint64{}}
	var batches []seedRange
	for {
		batch, ok := q.take()
		if !ok {
			break
		}
		batches = append(batches, batch)
	}
	want := uint64(7)
	for _, batch := range batches {
		if batch.first != want {
			t.Fatalf("batch %v begins elsewhere than %d", batch, want)
		}
		want += batch.count
	}
	if want != 7+2*simBatch+3 {
		t.Errorf("seeds up to %d", want)
	}
}

func TestSeedQueueKeepsOnlyWhatHasNoHole(t *testing.T) {
	q := &seedQueue{batch: simBatch, first: 1, next: 1, endless: true, done: map[uint64]uint64{}}
	var batches []seedRange
	for range 3 {
		batch, _ := q.take()
		batches = append(batches, batch)
	}
	q.finish(batches[2])
	if got := q.finished(); got.count != 0 {
		t.Errorf("finished %v before the first batch", got)
	}
	q.finish(batches[0])
	if got := q.finished(); got.last() != simBatch {
		t.Errorf("finished %v with a hole behind the first batch", got)
	}
	q.finish(batches[1])
	if got := q.finished(); got.last() != 3*simBatch {
		t.Errorf("finished %v after all", got)
	}
}

func TestSeedQueueStopsInTime(t *testing.T) {
	q := &seedQueue{batch: simBatch, first: 1, next: 1, endless: true, done: map[uint64]uint64{}, until: time.Now()}
	if batch, ok := q.take(); ok {
		t.Errorf("began %v after the end", batch)
	}
}

func TestSeedFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "new", simSeedFile)
	if seed, err := readSeed(name); err != nil || seed != 0 {
		t.Fatalf("no file: %d, %v", seed, err)
	}
	if err := writeSeed(name, 20000); err != nil {
		t.Fatal(err)
	}
	if seed, err := readSeed(name); err != nil || seed != 20000 {
		t.Fatalf("kept %d, %v", seed, err)
	}
}
