package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

// mePicture sets or takes back the picture that contacts see, or prints it for a file or a
// viewer.
func (c *cli) mePicture() *cobra.Command {
	remove := false
	cmd := c.command("picture [file]", c.between(0, 1), func(ctx context.Context, args []string) error {
		if remove && len(args) > 0 {
			return fail(exitUsage, "usage", speech.PictureOrClear)
		}
		return c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
			switch {
			case remove:
				if err := daemon.ClearPicture(ctx); err != nil {
					return err
				}
				c.say(speech.PictureCleared)
				return nil
			case len(args) > 0:
				return c.setPicture(ctx, daemon, args[0])
			}
			picture, err := daemon.Picture(ctx)
			if err != nil {
				return err
			}
			_, err = c.out.Write(picture)
			return err
		})(ctx, args)
	})
	cmd.Flags().BoolVar(&remove, "clear", false, "")
	return withExample(cmd, `  pabal me picture beach.jpg
  pabal me picture > me.jpg
  pabal me picture --clear`)
}

// readPicture reads the picture in a file. What is larger than may be is not read whole.
func readPicture(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	picture, err := io.ReadAll(io.LimitReader(file, api.PictureBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(picture) > api.PictureBytesMax {
		return nil, api.NewProblem(api.CodeInvalidPicture)
	}
	return picture, nil
}

// setPicture brings the picture in a file.
func (c *cli) setPicture(ctx context.Context, daemon *api.Client, name string) error {
	picture, err := readPicture(name)
	if err != nil {
		return err
	}
	self, err := daemon.SetPicture(ctx, picture)
	if err != nil {
		return err
	}
	c.say(speech.PictureSet)
	return c.show(self, func() error { return nil })
}

// contactPicture prints a contact's picture for a file or a viewer.
func (c *cli) contactPicture() *cobra.Command {
	cmd := c.onContact("picture <contact>", c.exactly(1), func(ctx context.Context, daemon *api.Client, k api.Contact, _ []string) error {
		picture, err := daemon.PictureOf(ctx, k.ID)
		if err != nil {
			return err
		}
		_, err = c.out.Write(picture)
		return err
	})
	return withExample(cmd, `  pabal contact picture Mina > mina.jpg`)
}
