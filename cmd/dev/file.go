package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"pabal/node/api"
	"pabal/node/p2p/lab"
)

const (
	fileMiB        = 2048
	fileKills      = 20
	fileAgainMax   = 8.0 // MiB that go twice for each kill
	fileShareMin   = 0.5 // of what a plain stream carries
	fileResidentMB = 120
	filePaceMax    = 5.0 // times the quiet round trip
	fileStepLimit  = 10 * time.Minute
	filePings      = 20
)

type fileOptions struct {
	mib, kills  int
	dir, binary string
	seed        uint64
	gate        bool
}

// file sends a large file between two daemons: without a fault, beside a plain stream of the
// same run and with messages in between, and once more while both are killed.
func file(ctx context.Context, t tree, args []string) error {
	var o fileOptions
	flags := flag.NewFlagSet("file", flag.ContinueOnError)
	flags.IntVar(&o.mib, "mib", fileMiB, "`size` of the file")
	flags.IntVar(&o.kills, "kills", fileKills, "`number` of times that each daemon is killed")
	flags.StringVar(&o.dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.StringVar(&o.binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.Uint64Var(&o.seed, "seed", 0, "`seed` of the kills' times; 0 = a random one")
	flags.BoolVar(&o.gate, "gate", false, "fail if a bar is missed that depends on the machine's speed, too")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	parent, err := realDisk(o.dir)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "file-")
	if err != nil {
		return err
	}
	if err := t.file(ctx, o, dir); err != nil {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), os.RemoveAll(dir))
		}
		return fmt.Errorf("seed %d, profiles and logs in %s: %w", o.seed, dir, err)
	}
	return os.RemoveAll(dir)
}

func (t tree) file(ctx context.Context, o fileOptions, dir string) error {
	if o.binary == "" {
		o.binary = filepath.Join(dir, "pabal")
		if err := t.build(ctx, o.binary); err != nil {
			return err
		}
	}
	c := &courierOfFiles{o: o, path: filepath.Join(dir, "large.bin"), from: newSide("mina", o.binary, dir), to: newSide("jiwoo", o.binary, dir)}
	defer c.from.Close()
	defer c.to.Close()
	if err := c.make(); err != nil {
		return err
	}
	for _, s := range []*side{c.from, c.to} {
		if err := s.Start(ctx); err != nil {
			return err
		}
	}
	if err := befriend(ctx, c.from, c.to); err != nil {
		return err
	}
	if err := c.undisturbed(ctx, t); err != nil {
		return err
	}
	return c.underKills(ctx, t)
}

// courierOfFiles are two daemons and what goes from one to the other.
type courierOfFiles struct {
	o        fileOptions
	path     string
	sum      [sha256.Size]byte
	from, to *side
}

func (c *courierOfFiles) bytes() int64 { return int64(c.o.mib) << 20 }

// make writes a file that nothing can compress.
func (c *courierOfFiles) make() error {
	f, err := os.Create(c.path)
	if err != nil {
		return err
	}
	hash := sha256.New()
	var seed [32]byte
	copy(seed[:], strconv.FormatUint(c.o.seed, 10))
	_, err = io.CopyN(io.MultiWriter(f, hash), rand.NewChaCha8(seed), c.bytes())
	c.sum = [sha256.Size]byte(hash.Sum(nil))
	return errors.Join(err, f.Close())
}

// send brings the file to the sender's daemon and sends it, and returns what it is called at
// the receiver's.
func (c *courierOfFiles) send(ctx context.Context) (id string, err error) {
	f, err := os.Open(c.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	name := "large-" + strconv.FormatUint(rand.Uint64(), 36) + ".bin"
	brought, err := c.from.Client.UploadFile(ctx, api.FileUpload{Name: name, Size: c.bytes()}, f)
	if err != nil {
		return "", fmt.Errorf("bring the file: %w", err)
	}
	if _, err := c.from.Client.SendToContact(ctx, c.from.ContactID, api.MessageRequest{Files: []string{brought.ID}}, api.SendOptions{}); err != nil {
		return "", err
	}
	err = eventually(ctx, fileStepLimit, "the message", func(ctx context.Context) (bool, error) {
		files, err := c.to.Client.Files(ctx, "", 0)
		for _, f := range files {
			if f.Name == name {
				id = f.ID
			}
		}
		return id != "", err
	})
	return id, err
}

// wait waits until the file is here, and compares what it holds.
func (c *courierOfFiles) wait(ctx context.Context, id string) error {
	err := eventually(ctx, fileStepLimit, "the file", func(ctx context.Context) (bool, error) {
		f, err := c.to.Client.File(ctx, id)
		if err == nil && f.State == api.FileFailed {
			return false, fmt.Errorf("the file failed: %s", *f.Reason)
		}
		return err == nil && f.State == api.FileAvailable, nil
	})
	return err
}

func (c *courierOfFiles) compare(ctx context.Context, id string) error {
	content, err := c.to.Client.FileContent(ctx, id, 0)
	if err != nil {
		return err
	}
	defer content.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return err
	}
	if !bytes.Equal(hash.Sum(nil), c.sum[:]) {
		return errors.New("the file that came is another one")
	}
	return nil
}

// undisturbed measures the pace, beside that of a plain stream and of messages.
func (c *courierOfFiles) undisturbed(ctx context.Context, t tree) error {
	quiet, err := c.pings(ctx, func() bool { return true })
	if err != nil {
		return err
	}
	before, err := lab.Bulk(c.bytes())
	if err != nil {
		return err
	}
	id, err := c.send(ctx)
	if err != nil {
		return err
	}
	spent := [2]time.Duration{c.spent(c.from), c.spent(c.to)}
	if _, err := c.to.Client.FetchFile(ctx, id); err != nil {
		return err
	}
	began := time.Now()
	var done atomic.Bool
	busy := make(chan time.Duration, 1)
	go func() {
		d, err := c.pings(ctx, func() bool { return !done.Load() })
		if err != nil {
			d = 0
		}
		busy <- d
	}()
	err = c.wait(ctx, id)
	took := time.Since(began)
	spent = [2]time.Duration{c.spent(c.from) - spent[0], c.spent(c.to) - spent[1]}
	done.Store(true)
	loaded := <-busy
	if err == nil {
		err = c.compare(ctx, id)
	}
	if err != nil {
		return err
	}
	after, err := lab.Bulk(c.bytes())
	if err != nil {
		return err
	}
	plain := (before + after) / 2 // whoever else is on the machine comes and goes
	share, pace := plain.Seconds()/took.Seconds(), float64(loaded)/float64(quiet)
	fmt.Fprintf(t.stdout, "file: %d MiB in %.1f s, %.0f MiB/s: %.2f × a plain stream (%.0f MiB/s); a message there and acknowledged %.1f ms, %.1f ms quiet: %.1f ×; %.1f and %.1f ms of processor time a MiB, sender and receiver; %.0f MB at most\n",
		c.o.mib, took.Seconds(), float64(c.o.mib)/took.Seconds(), share, float64(c.o.mib)/plain.Seconds(),
		float64(loaded)/1e6, float64(quiet)/1e6, pace,
		spent[0].Seconds()*1e3/float64(c.o.mib), spent[1].Seconds()*1e3/float64(c.o.mib), c.peak())
	switch {
	case c.peak() > fileResidentMB:
		return fmt.Errorf("a daemon took more than %d MB", fileResidentMB)
	case c.o.gate && share < fileShareMin:
		return fmt.Errorf("slower than %.1f × a plain stream", fileShareMin)
	case c.o.gate && pace > filePaceMax:
		return fmt.Errorf("a message takes more than %.0f × its quiet time", filePaceMax)
	}
	return nil
}

// pings returns the median time for a message to be acknowledged.
func (c *courierOfFiles) pings(ctx context.Context, more func() bool) (time.Duration, error) {
	var times []time.Duration
	for i := 0; i < filePings && more(); i++ {
		began := time.Now()
		_, err := c.from.Client.SendToContact(ctx, c.from.ContactID, api.MessageRequest{Text: "ping"}, api.SendOptions{Wait: api.StateDelivered, Timeout: api.WaitMax})
		if err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	if len(times) == 0 {
		return 0, nil
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// spent returns the processor time that a daemon has taken; 0 where that is not told.
func (c *courierOfFiles) spent(s *side) time.Duration {
	d, _ := processorTime(s.PID())
	return d
}

// peak returns the most memory that one of the daemons has taken, in MB.
func (c *courierOfFiles) peak() float64 {
	most := 0.0
	for _, s := range []*side{c.from, c.to} {
		if kb, err := procNumber(s.PID(), "status", "VmHWM:"); err == nil {
			most = max(most, float64(kb)*1024/1e6)
		}
	}
	return most
}

// procNumber reads a number from a file of a process in /proc.
func procNumber(pid int, file, label string) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(b), label)
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("no %s in /proc/%d/%s", label, pid, file)
	}
	return strconv.ParseUint(fields[0], 10, 64)
}

// underKills fetches the file while both daemons are killed at random times. What went twice
// is what the sender has read of it beyond its size.
func (c *courierOfFiles) underKills(ctx context.Context, t tree) error {
	if c.o.kills == 0 {
		return nil
	}
	id, err := c.send(ctx)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(c.o.seed, 2))
	read, err := procNumber(c.from.PID(), "io", "rchar:")
	if err != nil {
		return err
	}
	if _, err := c.to.Client.FetchFile(ctx, id); err != nil {
		return err
	}
	total, kills := -int64(read), 0
	for step := c.bytes() / int64(2*c.o.kills+1); kills < 2*c.o.kills; kills++ {
		goal := uint64(step*int64(kills) + random.Int64N(step))
		done, err := c.past(ctx, id, goal)
		if err != nil {
			return err
		}
		if done {
			break
		}
		victim := []*side{c.from, c.to}[kills%2]
		if victim == c.from {
			n, err := procNumber(victim.PID(), "io", "rchar:")
			if err != nil {
				return err
			}
			total += int64(n)
		}
		if err := errors.Join(victim.Kill(), victim.Start(ctx)); err != nil {
			return err
		}
		if victim == c.from {
			n, err := procNumber(victim.PID(), "io", "rchar:")
			if err != nil {
				return err
			}
			total -= int64(n)
		}
	}
	if err := c.wait(ctx, id); err != nil {
		return err
	}
	read, err = procNumber(c.from.PID(), "io", "rchar:")
	if err != nil {
		return err
	}
	total += int64(read)
	if err := c.compare(ctx, id); err != nil {
		return err
	}
	again := float64(total-c.bytes()) / (1 << 20) / float64(max(kills, 1))
	fmt.Fprintf(t.stdout, "file: %d MiB arrived through %d kills, its hash is equal; %.2f MiB a kill went twice, at most; %.0f MB at most\n",
		c.o.mib, kills, again, c.peak())
	if again > fileAgainMax {
		return fmt.Errorf("more than %.0f MiB go twice for each kill", fileAgainMax)
	}
	return nil
}

// past waits until so many bytes of a file are here, or all.
func (c *courierOfFiles) past(ctx context.Context, id string, goal uint64) (done bool, err error) {
	err = eventually(ctx, fileStepLimit, "a part of the file", func(ctx context.Context) (bool, error) {
		f, err := c.to.Client.File(ctx, id)
		done = err == nil && f.State == api.FileAvailable
		return err == nil && (done || f.Received >= goal), nil
	})
	return done, err
}
