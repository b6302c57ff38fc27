package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"pabal/node/api"
)

// errEnough ends a stream after --number events.
var errEnough = errors.New("enough events")

func (c *cli) eventsCommand() *cobra.Command {
	var (
		options api.EventsOptions
		number  int
	)
	cmd := c.command("events", c.exactly(0), c.remote(followForever, func(ctx context.Context, daemon *api.Client, _ []string) error {
		if options.After == "latest" {
			options.After, options.Latest = "", true
		}
		if err := ensureConsumer(ctx, daemon, options.Consumer); err != nil {
			return err
		}
		err := daemon.Follow(ctx, options, c.eventPrinter(ctx, daemon, options.Consumer, number))
		if errors.Is(err, errEnough) || errors.Is(err, context.DeadlineExceeded) && c.flags.timeout > 0 {
			return nil
		}
		return err
	}))
	f := cmd.Flags()
	f.StringVar(&options.After, "since", "", "")
	f.StringSliceVar(&options.Types, "types", nil, "")
	f.StringVar(&options.Consumer, "consumer", "", "")
	f.StringVar(&options.Conversation, "chat", "", "")
	f.BoolVar(&options.Ephemeral, "ephemeral", false, "")
	f.IntVarP(&number, "number", "n", 0, "")
	return withExample(cmd, `  pabal events --types 'message.*'
  pabal events --consumer my-bot | while read -r event; do echo "$event"; done`)
}

// eventPrinter prints each event as one line of JSON. A consumer's position
// moves when the line is written: what was not written comes again. Only
// durable events count towards number; 0 means all.
func (c *cli) eventPrinter(ctx context.Context, daemon *api.Client, consumer string, number int) func(api.Event) error {
	out := json.NewEncoder(c.out)
	out.SetEscapeHTML(false)
	count := 0
	return func(e api.Event) error {
		if err := out.Encode(e); err != nil {
			return err
		}
		if e.Cursor == "" {
			return nil
		}
		if consumer != "" {
			if _, err := daemon.Ack(ctx, api.Ack{Consumer: consumer, Cursor: e.Cursor}); err != nil {
				return err
			}
		}
		if count++; count == number {
			return errEnough
		}
		return nil
	}
}

// ensureConsumer makes the consumer if it is new; it then stands at the end of
// the log.
func ensureConsumer(ctx context.Context, daemon *api.Client, name string) error {
	if name == "" {
		return nil
	}
	consumers, err := daemon.Consumers(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(consumers, func(k api.Consumer) bool { return k.Name == name }) {
		return nil
	}
	_, err = daemon.PutConsumer(ctx, name, api.ConsumerRequest{})
	return err
}
