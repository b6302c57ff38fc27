package main

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"pabal/node/api"
)

// reminderBot is an example of a bot: "remind me in 10m: tea" is answered in ten minutes. It runs as
//
//	reminder DISCOVERY-FILE TOKEN-FILE
//
// and ends behind its first reminder. Being off costs it nothing: it is a consumer of the event log,
// and answers under an id that follows from the message, so that it says nothing twice.
func reminderBot() int {
	if err := remind(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "reminder:", err)
		return exitCode(err)
	}
	return 0
}

func remind(ctx context.Context, discoveryFile, tokenFile string) error {
	where, err := api.ReadDiscovery(discoveryFile)
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(tokenFile)
	if err != nil {
		return err
	}
	// The daemon proves that it knows the token before the token is sent.
	daemon, err := api.NewTCPClient(ctx, where.TCP, strings.TrimSpace(string(secret)))
	if err != nil {
		return err
	}
	defer daemon.Close()
	const consumer = "reminder"
	if _, err := daemon.PutConsumer(ctx, consumer, api.ConsumerRequest{}); err != nil {
		return err
	}
	stream, err := daemon.Events(ctx, api.EventsOptions{Consumer: consumer, Types: []string{api.EventMessageCreated}})
	if err != nil {
		return err
	}
	defer stream.Close()
	fmt.Println("ready")
	for {
		e, err := stream.Next()
		if err != nil {
			return err
		}
		wait, answer, ok := reminderOf(e)
		if !ok {
			continue
		}
		<-time.After(wait)
		m, err := daemon.PutMessage(ctx, e.ConversationID, answer.id, api.MessageRequest{Text: answer.text}, api.SendOptions{})
		if err != nil {
			return err
		}
		fmt.Println(m.Status.State)
		_, err = daemon.Ack(ctx, api.Ack{Consumer: consumer, Cursor: e.Cursor})
		return err
	}
}

type reminder struct{ id, text string }

// reminderOf reads what somebody asks for: after how long, and what.
func reminderOf(e api.Event) (wait time.Duration, answer reminder, ok bool) {
	var m api.Message
	if e.Type != api.EventMessageCreated || json.Unmarshal(e.Data, &m) != nil || m.ID == nil || m.Direction != api.DirectionIn || m.Body == nil {
		return 0, reminder{}, false
	}
	rest, asked := strings.CutPrefix(m.Body.Text, "remind me in ")
	after, about, found := strings.Cut(rest, ":")
	wait, err := time.ParseDuration(strings.TrimSpace(after))
	return wait, reminder{answerID(*m.ID), "Reminder:" + about}, asked && found && err == nil
}

// answerID makes the id of an answer from that of the message.
func answerID(message string) string {
	sum := sha256.Sum256([]byte("reminder " + message))
	return "ms_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// hookReceiver is an example of a webhook's receiver. It runs as
//
//	receiver ADDRESS SECRET-FILE
//
// prints the text of each message that comes in, once, and ends at one that says "stop".
func hookReceiver() int {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		return 1
	}
	var seen string // the last cursor that was handled: repeats are not handled again
	over := make(chan struct{})
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		secret, _ := os.ReadFile(os.Args[2])
		if err == nil {
			err = api.VerifyWebhook(strings.TrimSpace(string(secret)), r.Header, body, time.Now())
		}
		var d api.WebhookDelivery
		if err == nil {
			err = json.Unmarshal(body, &d)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "receiver:", err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if d.Cursor == seen {
			return
		}
		seen = d.Cursor
		for _, e := range d.Events {
			var m api.Message
			if json.Unmarshal(e.Data, &m) == nil && m.Body != nil && m.Direction == api.DirectionIn {
				fmt.Println(m.Body.Text)
				if m.Body.Text == "stop" {
					close(over)
				}
			}
		}
	})}
	go func() {
		<-over
		_ = server.Shutdown(context.Background()) // the answer is written first
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return 1
	}
	return 0
}
