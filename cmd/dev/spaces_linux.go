package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// spaces is a set of network namespaces that this process made.
type spaces struct {
	prefix string // of all names, of this process only
	made   []string
}

func newSpaces() spaces { return spaces{prefix: "pabal-" + strconv.Itoa(os.Getpid()) + "-"} }

// spacesRefusal says why there can be no namespaces, as errNoLab, or nil.
func spacesRefusal() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: namespaces need root: run it with sudo", errNoLab)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("%w: there is no ip: apt-get install iproute2", errNoLab)
	}
	return nil
}

// space makes a namespace; once begun that is finished, or nobody would know what to remove.
func (s *spaces) space(ctx context.Context, name string) error {
	name = s.prefix + name
	if err := shell(context.WithoutCancel(ctx), "ip netns add "+name, ""); err != nil {
		return err
	}
	s.made = append(s.made, name)
	return shell(ctx, "ip -n "+name+" link set lo up", "")
}

// inside is the command that runs another one in a namespace.
func (s *spaces) inside(space string) []string {
	return []string{"ip", "netns", "exec", s.prefix + space}
}

// remove takes the namespaces away, with all that is in them.
func (s *spaces) remove() (err error) {
	for _, name := range s.made {
		err = errors.Join(err, shell(context.Background(), "ip netns del "+name, ""))
	}
	s.made = nil
	return err
}

// shell runs a program with an input; what it says is part of the error. The program
// does not hear an interrupt at the terminal: it may be one that cleans up.
func shell(ctx context.Context, line, input string) error {
	words := strings.Fields(line)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdin = strings.NewReader(input)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, bytes.TrimSpace(said))
	}
	return nil
}
