package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

const (
	addWait      = 5 * time.Second // for the answer to a request, unless --wait
	linkBytesMax = 64 << 10        // of the text around a link
)

func (c *cli) addCommand() *cobra.Command {
	request := api.AcceptRequest{}
	wait := durationValue(addWait)
	var picture string
	cmd := c.command("add <link|->", c.between(0, 1), func(ctx context.Context, args []string) error {
		if (len(args) == 1) == (picture != "") {
			return fail(exitUsage, "usage", speech.LinkOrPicture)
		}
		if len(args) == 1 {
			var err error
			if request.URI, err = c.link(args[0]); err != nil {
				return err
			}
		}
		limit := callTimeout + time.Duration(wait)
		return c.remote(limit, func(ctx context.Context, daemon *api.Client, _ []string) error {
			if picture != "" {
				found, err := c.scan(ctx, daemon, picture)
				if err != nil {
					return err
				}
				request.URI = found
			}
			return c.add(ctx, daemon, request, time.Duration(wait))
		})(ctx, nil)
	})
	f := cmd.Flags()
	f.StringVar(&picture, "scan", "", "")
	f.StringVar(&request.Alias, "as", "", "")
	f.StringVar(&request.Greeting, "greeting", "", "")
	f.Var(&wait, "wait", "")
	return withExample(cmd, `  pabal add LINK --as Mina
  pabal add - < message-with-a-link.txt
  pabal add --scan photo-of-a-code.jpg --as Mina`)
}

// scan has the daemon find the link in a picture of a QR code.
func (c *cli) scan(ctx context.Context, daemon *api.Client, name string) (link string, err error) {
	picture, err := readPicture(name)
	if err != nil {
		return "", err
	}
	found, err := daemon.ScanInvite(ctx, picture)
	return found.URI, err
}

// add sends the request and waits a little for the answer. It succeeds when the
// request is durable, answered or not.
func (c *cli) add(ctx context.Context, daemon *api.Client, request api.AcceptRequest, wait time.Duration) error {
	before, err := newestEvent(ctx, daemon)
	if err != nil {
		return err
	}
	accepted, err := daemon.AcceptInvite(ctx, request)
	if err != nil {
		return err
	}
	contact, err := waitContact(ctx, daemon, accepted.ContactID, before, wait)
	if err != nil {
		return err
	}
	name := screen.Line(contactName(contact))
	switch contact.State {
	case api.ContactEstablished:
		c.say(speech.ContactEstablished, dash(name))
	case api.ContactFailed:
		return fail(exitNetwork, api.CodeContactFailed, speech.ContactFailed, c.reason(orDash(contact.Reason)))
	default:
		c.say(speech.ContactRequested)
	}
	return c.show(contact, func() error { return c.print(contact.ID) })
}

// errSettled ends the wait for a contact.
var errSettled = errors.New("contact is settled")

// newestEvent returns the cursor of the newest event there is.
func newestEvent(ctx context.Context, daemon *api.Client) (cursor string, err error) {
	var hello api.Hello
	err = daemon.Follow(ctx, api.EventsOptions{Latest: true, Types: []string{"contact.*"}}, func(e api.Event) error {
		return errors.Join(errSettled, json.Unmarshal(e.Data, &hello)) // hello is the first
	})
	if errors.Is(err, errSettled) {
		err = nil
	}
	return hello.Cursor, err
}

// waitContact waits until the contact is established and has a name, or failed, at most for
// that long, and returns it as it then is: another one if it turns out to be a contact there
// was. The events begin behind a cursor from before it was made.
func waitContact(ctx context.Context, daemon *api.Client, id, after string, wait time.Duration) (api.Contact, error) {
	contact, err := daemon.Contact(ctx, id)
	if err == nil && settled(contact) || err != nil && !isNotFound(err) || wait <= 0 {
		return contact, err
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	options := api.EventsOptions{After: after, Types: []string{"contact.*"}}
	err = daemon.Follow(waiting, options, func(e api.Event) error {
		if e.Type == api.EventContactRemoved {
			var gone api.Reference
			if err := json.Unmarshal(e.Data, &gone); err == nil && gone.ID == id && gone.Became != "" {
				id = gone.Became
			}
		}
		found, err := daemon.Contact(waiting, id)
		switch {
		case isNotFound(err): // the next event says what has become of it
			return nil
		case err != nil:
			return err
		}
		if contact = found; settled(contact) {
			return errSettled
		}
		return nil
	})
	switch {
	case errors.Is(err, errSettled):
		return contact, nil
	case waiting.Err() != nil && ctx.Err() == nil:
		return daemon.Contact(ctx, id)
	}
	return contact, err
}

// settled reports whether nothing more is to come: an established contact's
// name follows inside the session.
func settled(k api.Contact) bool {
	return k.State == api.ContactEstablished && k.Name != "" || k.State == api.ContactFailed
}

// link returns the link that an argument is, or that standard input holds if it is "-".
// An empty one, as of a variable that nothing was put in, is refused as any other that is none.
func (c *cli) link(argument string) (string, error) {
	link, err := c.argumentOrInput(argument, linkBytesMax)
	if err == nil && strings.TrimSpace(link) == "" {
		err = api.NewProblem(api.CodeInviteInvalid)
	}
	return link, err
}

// argumentOrInput returns an argument, or all of standard input for "-", of at
// most limit bytes.
func (c *cli) argumentOrInput(argument string, limit int) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	b, err := io.ReadAll(io.LimitReader(c.in, int64(limit)+1))
	if err != nil {
		return "", err
	}
	if len(b) > limit {
		return "", api.NewProblem(api.CodeTooLarge)
	}
	return string(b), nil
}
