// Command conversation has two daemons become contacts and talk, by a client that was generated from
// openapi.json: what it does not need to know about Pabal, no author of a frontend does.
//
//	conversation BASE TOKEN BASE SOCKET
//
// For the second daemon it has no token: it asks the owner for one on the daemon's unix socket, and
// prints what the owner needs to approve: "pairing", an id and a code.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"conversation/pabalapi"
)

const text = "안녕, 반가워요 👋"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "conversation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("%d arguments, want BASE TOKEN BASE SOCKET", len(args))
	}
	mina, err := client(args[0], args[1])
	if err != nil {
		return err
	}
	granted, err := ask(ctx, args[3])
	if err != nil {
		return err
	}
	jiwoo, err := client(args[2], granted)
	if err != nil {
		return err
	}
	invite, err := mina.PostInvitesWithResponse(ctx, nil, pabalapi.InviteRequest{})
	if err != nil {
		return err
	}
	if invite.JSON201 == nil || invite.JSON201.Uri == nil {
		return refused("create invite", invite.ApplicationproblemJSONDefault)
	}
	alias := "Mina"
	accepted, err := jiwoo.PostInvitesAcceptWithResponse(ctx, nil, pabalapi.AcceptRequest{Uri: *invite.JSON201.Uri, Alias: &alias})
	if err != nil {
		return err
	}
	if accepted.JSON202 == nil {
		return refused("accept invite", accepted.ApplicationproblemJSONDefault)
	}
	wait, words := pabalapi.PostContactsIdMessagesParamsWaitDelivered, text
	sent, err := jiwoo.PostContactsIdMessagesWithResponse(ctx, accepted.JSON202.ContactId,
		&pabalapi.PostContactsIdMessagesParams{Wait: &wait}, pabalapi.MessageRequest{Text: &words})
	if err != nil {
		return err
	}
	if sent.JSON201 == nil || sent.JSON201.Status == nil || sent.JSON201.Status.State != pabalapi.MessageStateStateDelivered {
		return refused("send", sent.ApplicationproblemJSONDefault)
	}
	return read(ctx, mina)
}

// read finds the text once in the only conversation with a contact.
func read(ctx context.Context, c *pabalapi.ClientWithResponses) error {
	all, err := c.GetConversationsWithResponse(ctx, nil)
	if err != nil {
		return err
	}
	if all.JSON200 == nil {
		return refused("list conversations", all.ApplicationproblemJSONDefault)
	}
	found := 0
	for _, conversation := range all.JSON200.Items {
		page, err := c.GetConversationsIdMessagesWithResponse(ctx, conversation.Id, nil)
		if err != nil {
			return err
		}
		if page.JSON200 == nil {
			return refused("list messages", page.ApplicationproblemJSONDefault)
		}
		for _, m := range page.JSON200.Items {
			if m.Body != nil && m.Body.Text == text {
				found++
			}
		}
	}
	if found != 1 {
		return fmt.Errorf("the text is there %d times", found)
	}
	fmt.Println("a client generated in Go: sent, delivered, read once")
	return nil
}

// ask asks an owner for a token, and waits until it is approved.
func ask(ctx context.Context, socket string) (token string, err error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	local := &http.Client{Transport: &http.Transport{DialContext: dial}}
	c, err := pabalapi.NewClientWithResponses("http://pabal.sock", pabalapi.WithHTTPClient(local))
	if err != nil {
		return "", err
	}
	preset := pabalapi.PairingRequestPresetFrontend
	asked, err := c.PostPairingsWithResponse(ctx, pabalapi.PairingRequest{ClientName: "generated", Preset: &preset})
	if err != nil {
		return "", err
	}
	if asked.JSON200 == nil {
		return "", refused("ask for a token", asked.ApplicationproblemJSONDefault)
	}
	fmt.Println("pairing", asked.JSON200.Id, asked.JSON200.UserCode)
	for {
		look, err := c.PostPairingsIdCollectWithResponse(ctx, asked.JSON200.Id, pabalapi.PairingLook{DeviceCode: asked.JSON200.DeviceCode})
		switch {
		case err != nil:
			return "", err
		case look.JSON200 == nil:
			return "", refused("collect the token", look.ApplicationproblemJSONDefault)
		case look.JSON200.State == pabalapi.PairingResultStateApproved && look.JSON200.Token != nil:
			return *look.JSON200.Token, nil
		case look.JSON200.State != pabalapi.PairingResultStateWaiting:
			return "", fmt.Errorf("collect the token: %s", look.JSON200.State)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Duration(asked.JSON200.PollSeconds) * time.Second):
		}
	}
}

func client(base, token string) (*pabalapi.ClientWithResponses, error) {
	return pabalapi.NewClientWithResponses(base, pabalapi.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+token)
		return nil
	}))
}

func refused(what string, p *pabalapi.Problem) error {
	if p == nil {
		return fmt.Errorf("%s: an answer that openapi.json does not promise", what)
	}
	return fmt.Errorf("%s: %s", what, p.Code)
}
