package node_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pabal/node"
	"pabal/node/api"
)

// The environment by which this test's binary plays something else.
const (
	playsCable  = "PABAL_TEST_CABLE"  // two machines with a cable between them; "name=address" twice
	playsPerson = "PABAL_TEST_PERSON" // one of these: "name=address"
	playsIn     = "PABAL_TEST_DIRECTORY"
)

func TestMain(m *testing.M) {
	for variable, play := range map[string]func(string) error{playsCable: cable, playsPerson: personOnCable} {
		if arguments := os.Getenv(variable); arguments != "" {
			os.Unsetenv(variable)
			if err := play(arguments); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// rerun starts this binary to play something, in network namespaces of its own.
func rerun(variable, arguments string, attributes *syscall.SysProcAttr) (*exec.Cmd, io.WriteCloser, *bufio.Reader, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+arguments)
	cmd.Stderr, cmd.SysProcAttr = os.Stderr, attributes
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	return cmd, in, bufio.NewReader(out), cmd.Start()
}

func ip(arguments string) error {
	if out, err := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", arguments, err, out)
	}
	return nil
}

// cable plays two machines with a cable between them and nothing else, until its
// standard input ends. It says "up" when both daemons run.
func cable(arguments string) error {
	var persons []*exec.Cmd
	var ins []io.WriteCloser
	var outs []*bufio.Reader
	for _, person := range strings.Fields(arguments) {
		cmd, in, out, err := rerun(playsPerson, person, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL})
		if err != nil {
			return err
		}
		persons, ins, outs = append(persons, cmd), append(ins, in), append(outs, out)
	}
	err := ip(fmt.Sprintf("link add eth0 netns %d type veth peer name eth0 netns %d", persons[0].Process.Pid, persons[1].Process.Pid))
	for i := range persons {
		if err == nil {
			_, err = fmt.Fprintln(ins[i], "cabled")
		}
		if err == nil {
			_, err = outs[i].ReadString('\n')
		}
	}
	if err == nil {
		fmt.Println("up")
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	for i := range persons {
		err = errors.Join(err, ins[i].Close(), persons[i].Wait())
	}
	return err
}

// personOnCable plays one machine with its daemon.
func personOnCable(arguments string) error {
	name, address, _ := strings.Cut(arguments, "=")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	if strings.Contains(address, ":") {
		address += " nodad"
	}
	for _, arguments := range []string{"link set lo up", "link set eth0 up", "address add " + address + " dev eth0"} {
		if err := ip(arguments); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		io.Copy(io.Discard, in)
		stop()
	}()
	dir := filepath.Join(os.Getenv(playsIn), name)
	return node.Run(ctx, node.Config{
		Profile: name, DataDir: filepath.Join(dir, "data"), RuntimeDir: filepath.Join(dir, "run"),
		Create: &node.NewProfile{Name: name}, Log: slog.New(slog.DiscardHandler),
		Ready: func(d api.Discovery) { fmt.Println(d.Unix) },
	})
}

// cabled has two people's daemons run on machines with a cable between them, while
// do is called with their clients. It returns false if this system does not let us make such machines.
func cabled(t *testing.T, dir string, addresses [2]string, do func(mina, jiwoo *person)) bool {
	t.Helper()
	t.Setenv(playsIn, dir)
	cmd, in, out, err := rerun(playsCable, "Mina="+addresses[0]+" Jiwoo="+addresses[1], &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	})
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOSPC) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal("the cable does not come up: ", cmd.Wait())
	}
	var people [2]*person
	for i, name := range []string{"Mina", "Jiwoo"} {
		people[i] = &person{Client: api.NewUnixClient(filepath.Join(dir, name, "run", "pabal.sock")), t: t, config: node.Config{Profile: name}}
		defer people[i].Close()
	}
	do(people[0], people[1])
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
	return true
}

// TestTwoMachinesOnACable lets two people find each other on a network without internet, router or any address
// that they know of each other: as soon as both trust it, not before.
func TestTwoMachinesOnACable(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Log("not tried: there is no program ip here")
		return
	}
	dir := t.TempDir()
	var contacts [2]string
	made := cabled(t, dir, [2]string{"10.77.0.1/24", "10.77.0.2/24"}, func(mina, jiwoo *person) {
		contacts[1] = befriend(ctx, mina, jiwoo).ID
		contacts[0] = mina.onlyContact(ctx).ID
		silent(ctx, mina)
	})
	if !made {
		t.Log("not tried: this system lets nobody but root make network namespaces")
		return
	}
	for _, addresses := range [][2]string{{"10.78.0.11/24", "10.78.0.12/24"}, {"fd00:77::1/64", "fd00:77::2/64"}} {
		cabled(t, dir, addresses, func(mina, jiwoo *person) { findEachOther(ctx, mina, jiwoo, contacts) })
	}
}

// silent checks that somebody has not been heard on the network, and does not trust it.
func silent(ctx context.Context, p *person) {
	p.t.Helper()
	network := must[api.Network](p.t)(p.Network(ctx))
	if n := network.Networks; len(n) != 1 || n[0].Interface != "eth0" || n[0].Trusted || n[0].Lasting || n[0].Gateway != nil || !n[0].Here {
		p.t.Errorf("networks %+v", n)
	}
	for _, e := range must[api.Egress](p.t)(p.Egress(ctx)).Items {
		if e.Network == "multicast" {
			p.t.Errorf("was heard before anybody trusted the network: %+v", e)
		}
	}
}

func findEachOther(ctx context.Context, mina, jiwoo *person, contacts [2]string) {
	t := mina.t
	t.Helper()
	people := [2]*person{mina, jiwoo}
	for _, p := range people {
		silent(ctx, p)
		if n := must[api.LocalNetwork](t)(p.TrustNetwork(ctx, "")); !n.Trusted || n.Lasting {
			t.Errorf("trusted: %+v", n)
		}
	}
	for i, p := range people {
		m := must[api.Message](t)(p.SendToContact(ctx, contacts[i], api.MessageRequest{Text: "are you here?"}, api.SendOptions{Wait: api.StateDelivered, Timeout: api.WaitMax}))
		if m.Status.State != api.StateDelivered {
			t.Fatalf("from %s: %s", p.config.Profile, m.Status.State)
		}
	}
	met, heard := false, 0
	for i, p := range people {
		why := must[api.Why](t)(p.WhyContact(ctx, contacts[i]))
		dialled := why.Path != nil && *why.Path == "lan"
		for _, e := range must[api.Egress](t)(p.Egress(ctx)).Items {
			switch e.Reason {
			case "beacon":
				heard++
			case "lan":
				met = met || dialled && e.ContactID != nil && *e.ContactID == contacts[i]
			}
		}
		if err := p.DistrustNetwork(ctx, "eth0"); err != nil {
			t.Error(err)
		}
		if n := must[api.Network](t)(p.Network(ctx)).Networks; len(n) != 1 || n[0].Trusted {
			t.Errorf("after it is distrusted: %+v", n)
		}
	}
	if !met || heard != 2 {
		t.Errorf("no side says that they met on the local network (%v), or %d were heard", met, heard)
	}
}
