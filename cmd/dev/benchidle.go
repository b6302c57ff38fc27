package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	idleRSSGateMB  = 50
	idleCPUGate    = 0.3 // percent of one core
	idleSettle     = 15 * time.Second
	idleTime       = 30 * time.Second
	ticksPerSecond = 100 // of /proc, on every Linux that Go runs on
)

// measureIdle looks at the memory and the processor time of a daemon that has
// one contact who is there, and nothing to do.
func measureIdle(ctx context.Context, b *benchmark) (figures []figure, err error) {
	dir, remove, err := b.workspace()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	binary := filepath.Join(dir, "pabal")
	if err := b.buildAlone(ctx, binary); err != nil {
		return nil, err
	}
	sides := [2]*side{newSide("left", binary, dir), newSide("right", binary, dir)}
	for _, s := range sides {
		defer s.Close()
		if err := s.Start(ctx); err != nil {
			return nil, err
		}
	}
	if err := befriend(ctx, sides[0], sides[1]); err != nil {
		return nil, err
	}
	b.note("idle: %v of nothing", idleSettle+idleTime)
	if !pause(ctx, idleSettle) {
		return nil, ctx.Err()
	}
	pid := sides[0].PID()
	before, err := processorTime(pid)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if !pause(ctx, idleTime) {
		return nil, ctx.Err()
	}
	after, err := processorTime(pid)
	if err != nil {
		return nil, err
	}
	percent := 100 * (after - before).Seconds() / time.Since(start).Seconds()
	resident, err := residentMB(pid)
	return []figure{
		{name: "idle_rss_mb", value: resident, limit: idleRSSGateMB, bar: 1},
		{name: "idle_cpu_percent", value: percent, limit: idleCPUGate, bar: 1},
	}, err
}

// processorTime returns what a process has used, from /proc/PID/stat.
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; behind it user and system time are the
	// 12th and 13th field.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const user, system = 11, 12
	if len(fields) <= system {
		return 0, errors.New("/proc/PID/stat is short")
	}
	var ticks int64
	for _, field := range []string{fields[user], fields[system]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// residentMB returns the resident memory of a process in MB (10⁶ bytes).
func residentMB(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		value, found := strings.CutPrefix(line, "VmRSS:")
		if !found {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
		return kib * 1024 / 1e6, err
	}
	return 0, errors.New("/proc/PID/status has no VmRSS")
}
