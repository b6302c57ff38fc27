package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"pabal/cmd/pabal/profile"
	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node"
	"pabal/node/api"
)

const (
	demoProfile  = "demo"
	demoMeet     = 2 * time.Minute // for the peers to become contacts, on a machine however busy
	demoLoopback = "127.0.0.1:0"
	demoQuoteMax = 200 // characters of a message that an answer repeats
)

// demoNode is one of the nodes of a demonstration: the user's or a peer's.
type demoNode struct {
	name   string
	config node.Config
	paths  profile.Paths
	up     chan api.Discovery // capacity 1: a node tells once
	client *api.Client        // nil before it is up
}

// demo is a profile in a temporary home and two peers on loopback that answer.
// All three are whole nodes: they meet by invite links and talk over libp2p.
type demo struct {
	*cli
	home   string
	me     *demoNode
	peers  []*demoNode
	logger *slog.Logger
}

// runDemo runs the demonstration until it is told to stop, and erases it.
func (c *cli) runDemo(ctx context.Context, flags *runFlags, logger *slog.Logger) (err error) {
	if flags.setup.passphrase.file != "" {
		return fail(exitUsage, "usage", speech.DemoHasNoPassphrase)
	}
	places := c.places()
	if running, err := places.Choose(demoProfile); err == nil {
		return fail(exitConflict, "profile_in_use", speech.ProfileInUse, fmt.Sprint(running.PID))
	}
	paths, err := places.Paths(demoProfile)
	if err != nil {
		return err
	}
	if err := places.MakeRun(paths); err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "pabal-demo-")
	if err != nil {
		return fmt.Errorf("make temporary home: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	d := &demo{cli: c, home: home, logger: logger}
	if err := d.prepare(flags); err != nil {
		return err
	}
	defer unpublish(paths, d.me.config.RuntimeDir)
	return daemonError(d.run(ctx, paths))
}

// prepare gives each node its own home below the temporary one.
func (d *demo) prepare(flags *runFlags) error {
	name := flags.setup.name
	if name == "" {
		name = d.text(speech.DemoMe)
	}
	listen := flags.listen
	if len(listen) == 0 {
		listen = []string{demoLoopback}
	}
	var err error
	if d.me, err = d.node(demoProfile, name, listen); err != nil {
		return err
	}
	for i, name := range []string{d.text(speech.DemoFirstPeer), d.text(speech.DemoSecondPeer)} {
		peer, err := d.node(fmt.Sprintf("peer%d", i+1), name, []string{demoLoopback})
		if err != nil {
			return err
		}
		d.peers = append(d.peers, peer)
	}
	return nil
}

func (d *demo) node(profileName, name string, listen []string) (*demoNode, error) {
	places := d.places()
	places.Home = d.home
	paths, err := places.Paths(profileName)
	if err != nil {
		return nil, err
	}
	if err := places.MakeRun(paths); err != nil {
		return nil, err
	}
	n := &demoNode{name: name, paths: paths, up: make(chan api.Discovery, 1)}
	n.config = node.Config{
		Profile: profileName, DataDir: paths.Data, RuntimeDir: filepath.Dir(paths.Socket),
		Create: &node.NewProfile{Name: name},
		Listen: listen, LAN: true, Version: version, Commit: programVersion().Commit,
		Log:   d.logger.With("profile", profileName),
		Ready: func(found api.Discovery) { n.up <- found },
	}
	return n, nil
}

// run starts all nodes, introduces them and lets the peers answer.
func (d *demo) run(ctx context.Context, paths profile.Paths) error {
	group, running := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(running) // shutdown of the user's node ends the peers
	for _, n := range append([]*demoNode{d.me}, d.peers...) {
		group.Go(func() error {
			defer stop()
			return node.Run(running, n.config)
		})
	}
	group.Go(func() error {
		err := d.play(running, paths)
		if err == nil || running.Err() != nil { // stopped while playing
			return nil
		}
		stop()
		return err
	})
	return group.Wait()
}

// play waits for the nodes, makes them contacts and answers until the end.
func (d *demo) play(ctx context.Context, paths profile.Paths) error {
	for _, n := range append([]*demoNode{d.me}, d.peers...) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case found := <-n.up:
			n.client = api.NewUnixClient(found.Unix)
			defer n.client.Close()
			if n == d.me {
				if err := publish(found, paths); err != nil {
					return err
				}
			}
		}
	}
	if err := d.introduce(ctx); err != nil {
		return fmt.Errorf("make the demo's peers contacts: %w", err)
	}
	d.say(speech.DemoRunning, d.peers[0].name, d.peers[1].name)
	for _, n := range d.peers {
		fmt.Fprintf(d.talk, "  pabal send %s %s\n", shellWord(n.name), shellWord(d.text(speech.DemoHello)))
	}
	fmt.Fprintf(d.talk, "  pabal read %s\n", shellWord(d.peers[0].name))
	d.say(speech.DemoErased)
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range d.peers {
		group.Go(func() error { return d.answer(ctx, n, i) })
	}
	return group.Wait()
}

// introduce makes the user and each peer contacts by a link: the user opens the
// first peer's, the second peer opens the user's. Each peer then writes first.
func (d *demo) introduce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoMeet)
	defer cancel()
	if err := meet(ctx, d.peers[0], d.me); err != nil {
		return err
	}
	if err := meet(ctx, d.me, d.peers[1]); err != nil {
		return err
	}
	greetings := []speech.Key{speech.DemoFirstGreeting, speech.DemoSecondGreeting}
	for i, n := range d.peers {
		contacts, err := n.client.Contacts(ctx, api.ContactQuery{})
		if err != nil {
			return err
		}
		text := api.MessageRequest{Text: d.text(greetings[i], n.name)}
		options := api.SendOptions{Wait: api.StateDelivered, Timeout: api.WaitMax}
		if _, err := n.client.SendToContact(ctx, contacts[0].ID, text, options); err != nil {
			return err
		}
	}
	return nil
}

// meet makes two nodes contacts: guest opens a link of host. It returns when
// both know it and each has the other's name.
func meet(ctx context.Context, host, guest *demoNode) error {
	invite, err := host.client.CreateInvite(ctx, api.InviteRequest{})
	if err != nil {
		return err
	}
	if invite.URI == nil {
		return api.NewProblem(api.CodeInviteInvalid)
	}
	if _, err := guest.client.AcceptInvite(ctx, api.AcceptRequest{URI: *invite.URI}); err != nil {
		return err
	}
	if err := waitNamed(ctx, guest.client, host.name); err != nil {
		return err
	}
	return waitNamed(ctx, host.client, guest.name)
}

// waitNamed waits until there is an established contact of that name.
func waitNamed(ctx context.Context, daemon *api.Client, name string) error {
	options := api.EventsOptions{Types: []string{"contact.*"}, Latest: true}
	err := daemon.Follow(ctx, options, func(api.Event) error { // hello is the first: nothing is missed
		contacts, err := daemon.Contacts(ctx, api.ContactQuery{State: api.ContactEstablished})
		if err != nil {
			return err
		}
		for _, k := range contacts {
			if k.Name == name && k.ConversationID != nil {
				return errSettled
			}
		}
		return nil
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	return err
}

// answer writes back to every message that the peer receives.
func (d *demo) answer(ctx context.Context, n *demoNode, index int) error {
	options := api.EventsOptions{Types: []string{api.EventMessageCreated}}
	return n.client.Follow(ctx, options, func(e api.Event) error {
		if e.Type != api.EventMessageCreated {
			return nil
		}
		var m api.Message
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return err
		}
		if m.Direction != api.DirectionIn || m.Body == nil {
			return nil
		}
		reply := api.MessageRequest{Text: d.reply(n.name, index, m.Body.Text)}
		if _, err := n.client.MarkRead(ctx, m.ConversationID, m.Position); err != nil {
			return err
		}
		_, err := n.client.SendMessage(ctx, m.ConversationID, reply, api.SendOptions{})
		return err
	})
}

// reply is what a peer says to a text: one repeats it, the other counts.
func (d *demo) reply(name string, index int, text string) string {
	if index == 0 {
		quote := []rune(screen.Line(text))
		if len(quote) > demoQuoteMax {
			quote = append(quote[:demoQuoteMax], '…')
		}
		return d.text(speech.DemoEcho, string(quote), name)
	}
	return d.text(speech.DemoCount, fmt.Sprint(utf8.RuneCountInString(text)), name)
}
