package main

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

const (
	waitDefault    = 30 * time.Second // of --wait, unless --timeout
	sendInputMax   = 1 << 20          // of a text from standard input, so that the daemon's own limit is what refuses it
	waitRoundTrips = 5 * time.Second  // for what a waiting send does besides waiting
)

func (c *cli) sendCommand() *cobra.Command {
	var wait, id, reply, disappear string
	var files []string
	var withMetadata, named bool
	cmd := c.command("send <to> [text|-]", c.between(1, 2), func(ctx context.Context, args []string) error {
		if err := checkWait(wait); err != nil {
			return err
		}
		request, err := c.messageRequest(args[1:], len(files) > 0)
		if err != nil {
			return err
		}
		if len(files) > 0 {
			if err := c.remote(followForever, func(ctx context.Context, daemon *api.Client, _ []string) (err error) {
				request.Files, err = c.uploads(ctx, daemon, files, withMetadata)
				return err
			})(ctx, nil); err != nil {
				return err
			}
		}
		request.ReplyTo = reply
		if disappear != "" {
			timer, err := parseDisappearing(disappear)
			if err != nil {
				return err
			}
			request.Disappearing = api.Some(timer)
		}
		options := api.SendOptions{Wait: wait, Timeout: waitDefault}
		if c.flags.timeout > 0 {
			options.Timeout = c.flags.timeout
		}
		return c.waiting(options, func(ctx context.Context, daemon *api.Client, _ []string) error {
			if named {
				if request.Mentions, err = mentionsTo(ctx, daemon, args[0], request.Text); err != nil {
					return err
				}
			}
			message, err := c.sendWaiting(ctx, daemon, args[0], id, request, options)
			if err != nil {
				return err
			}
			if err := c.show(message, func() error { return c.print(orDash(message.ID)) }); err != nil {
				return err
			}
			return c.reached(message, wait)
		})(ctx, nil)
	})
	cmd.Flags().StringVar(&wait, "wait", "", "")
	cmd.Flags().StringVar(&id, "id", "", "")
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "")
	cmd.Flags().BoolVar(&withMetadata, "with-metadata", false, "")
	cmd.Flags().StringVar(&reply, "reply", "", "")
	cmd.Flags().BoolVar(&named, "mention", false, "")
	cmd.Flags().StringVar(&disappear, "disappear", "", "")
	cmd.ValidArgsFunction = c.completeContacts
	return withExample(cmd, `  pabal send Mina "안녕, 반가워요 👋" --wait delivered
  pabal send Mina - < letter.txt
  pabal send Mina "그래요" --reply ms_…
  pabal send Mina "@Mina 봤어요?" --mention
  pabal send Mina -f beach.jpg -f map.png "어제 바다"`)
}

// messageRequest makes a message of the rest of the arguments: the text, or a dash. With
// files there need be none.
func (c *cli) messageRequest(args []string, files bool) (api.MessageRequest, error) {
	argument := "-"
	switch {
	case len(args) > 0:
		argument = args[0]
	case files:
		return api.MessageRequest{}, nil
	}
	text, err := c.messageText(argument)
	return api.MessageRequest{Text: text}, err
}

// waiting is remote with the time that waiting in the daemon takes.
func (c *cli) waiting(options api.SendOptions, do remoteFunc) func(context.Context, []string) error {
	limit := callTimeout
	if options.Wait != "" {
		limit = options.Timeout + waitRoundTrips
	}
	return func(ctx context.Context, args []string) error {
		c.flags.timeout = 0 // it is the time of the wait, which the daemon keeps
		return c.remote(limit, do)(ctx, args)
	}
}

func checkWait(wait string) error {
	switch wait {
	case "", api.StateQueued, api.StateCarried, api.StateDelivered:
		return nil
	}
	return fail(exitUsage, "usage", speech.WaitUnknown)
}

// messageText returns the text to send. The argument is taken as it is; of
// standard input the last newline is not part of the text. What is not UTF-8 is
// refused here, because JSON could not carry it unchanged.
func (c *cli) messageText(argument string) (string, error) {
	text, err := c.argumentOrInput(argument, sendInputMax)
	if err != nil {
		return "", err
	}
	if argument == "-" {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	if !utf8.ValidString(text) {
		return "", api.NewProblem(api.CodeInvalidUTF8)
	}
	return text, nil
}

// sendWaiting sends and waits as long as o says, also longer than one request
// may wait: the same message is then put again, which sends nothing twice.
func (c *cli) sendWaiting(ctx context.Context, daemon *api.Client, to, id string, request api.MessageRequest, o api.SendOptions) (api.Message, error) {
	end := time.Now().Add(o.Timeout)
	one := api.SendOptions{Wait: o.Wait, Timeout: min(o.Timeout, api.WaitMax)}
	message, err := c.send(ctx, daemon, to, id, request, one)
	for err == nil && o.Wait != "" && message.ID != nil && moving(message, o.Wait) {
		one.Timeout = min(time.Until(end).Truncate(time.Millisecond), api.WaitMax)
		if one.Timeout <= 0 {
			break
		}
		message, err = daemon.PutMessage(ctx, message.ConversationID, *message.ID, request, one)
	}
	return message, err
}

// moving reports whether a message may still reach the state that is waited for.
func moving(m api.Message, wait string) bool {
	return m.Status != nil && m.Status.State != api.StateFailed && m.Status.State != api.StateExpired && m.Status.State != api.StateDeleted &&
		stateRank(m.Status.State) < stateRank(wait)
}

// send sends a message to a conversation or contact, under a fresh id if none is
// given: a repeat of the same call with --id sends nothing twice.
func (c *cli) send(ctx context.Context, daemon *api.Client, to, id string, request api.MessageRequest, o api.SendOptions) (api.Message, error) {
	conversation, err := sendTarget(ctx, daemon, to)
	if err != nil {
		return api.Message{}, err
	}
	if !strings.HasPrefix(conversation, "cv_") { // a contact without a conversation yet
		if id != "" {
			return api.Message{}, fail(exitConflict, api.CodeNotEstablished, speech.NotEstablished, screen.Line(to))
		}
		return daemon.SendToContact(ctx, conversation, request, o)
	}
	if id == "" {
		id = api.NewMessageID()
	}
	return daemon.PutMessage(ctx, conversation, id, request, o)
}

// sendTarget returns the id of the conversation that word names, or of the
// contact if it has none yet.
func sendTarget(ctx context.Context, daemon *api.Client, word string) (string, error) {
	if strings.HasPrefix(word, "cv_") {
		return word, nil
	}
	contact, err := findContact(ctx, daemon, word)
	if err == nil && contact.ConversationID == nil {
		return contact.ID, nil
	}
	if err == nil {
		return *contact.ConversationID, nil
	}
	if !isNotFound(err) || word != noteToSelf {
		return "", err
	}
	self, err := daemon.OpenConversation(ctx, api.ConversationRequest{Kind: api.KindSelf})
	return self.ID, err
}

// reached says whether the state that --wait asked for was reached in time.
func (c *cli) reached(message api.Message, wait string) error {
	if message.Status == nil || wait == "" {
		return nil
	}
	switch state := message.Status.State; {
	case state == api.StateFailed || state == api.StateExpired:
		code := api.Code("failed")
		if message.Status.Error != nil {
			code = api.Code(message.Status.Error.Code)
		}
		return fail(exitError, code, speech.MessageFailed, c.word("why", string(code)))
	case stateRank(state) < stateRank(wait):
		return fail(exitTimeout, api.CodeTimeout, speech.WaitedInVain, c.messageState(message.Status), orDash(message.ID))
	}
	return nil
}

// stateRank orders the states of a message on its way.
func stateRank(state string) int {
	switch state {
	case api.StateCarried:
		return 1
	case api.StateDelivered:
		return 2
	case api.StateRead:
		return 3
	}
	return 0
}
