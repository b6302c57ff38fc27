package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pabal/cmd/pabal/screen"
	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) fileCommand() *cobra.Command {
	return c.group("file", c.fileList(), c.fileShow(), c.fileGet(), c.fileFetch(),
		c.fileStop("pause <file>", (*api.Client).PauseFile, speech.FilePaused),
		c.fileStop("cancel <file>", (*api.Client).CancelFile, speech.FileCancelled), c.fileTransfers())
}

func (c *cli) fileList() *cobra.Command {
	var number int
	cmd := c.command("list [chat]", c.between(0, 1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		of := ""
		if len(args) == 1 {
			conversation, err := findConversation(ctx, daemon, args[0])
			if err != nil {
				return err
			}
			of = conversation.ID
		}
		files, err := daemon.Files(ctx, of, number)
		if err != nil {
			return err
		}
		return showList(c, files, speech.NoFiles, func(f api.File) []string {
			return []string{f.ID, f.Name, size(f.Size), c.fileState(&f), f.MediaType, localTime(&f.CreatedAt)}
		})
	}))
	cmd.Flags().IntVarP(&number, "number", "n", api.ListDefault, "")
	cmd.ValidArgsFunction = c.completeContacts
	return cmd
}

// fileState says how far a file is, as "fetching 40%".
func (c *cli) fileState(f *api.File) string {
	state := c.word("file", f.State)
	switch f.State {
	case api.FileFetching, api.FilePaused, api.FileUploading:
		state += " " + percent(f.Received, f.Size)
	case api.FileFailed:
		state += ": " + c.word("why", orDash(f.Reason))
	}
	return state
}

func percent(part, all uint64) string {
	if all == 0 {
		return "100%"
	}
	return strconv.FormatUint(part*100/all, 10) + "%"
}

// fileItem is what stands for a file in a line of a conversation.
func (c *cli) fileItem(f *api.File) string {
	return c.text(speech.FileItem, screen.Line(f.Name), size(f.Size), c.fileState(f), f.ID)
}

// onFile makes a command on a file, which is named by its id or by that of the message
// that has no other.
func (c *cli) onFile(use string, args cobra.PositionalArgs, do func(context.Context, *api.Client, api.File, []string) error) *cobra.Command {
	return c.command(use, args, c.remote(followForever, func(ctx context.Context, daemon *api.Client, args []string) error {
		file, err := findFile(ctx, daemon, args[0])
		if err != nil {
			return err
		}
		return do(ctx, daemon, file, args[1:])
	}))
}

func findFile(ctx context.Context, daemon *api.Client, word string) (api.File, error) {
	if !strings.HasPrefix(word, "ms_") {
		return daemon.File(ctx, word)
	}
	message, err := daemon.Message(ctx, word)
	if err == nil && len(message.Attachments) != 1 {
		err = fail(exitConflict, api.CodeAmbiguous, speech.FileOfSeveral, strconv.Itoa(len(message.Attachments)))
	}
	if err != nil {
		return api.File{}, err
	}
	return message.Attachments[0], nil
}

func (c *cli) fileShow() *cobra.Command {
	return c.onFile("show <file>", c.exactly(1), func(_ context.Context, _ *api.Client, f api.File, _ []string) error {
		return c.show(f, func() error {
			return c.table([][]string{
				{c.text(speech.LabelName), f.Name},
				{c.text(speech.LabelSize), strconv.FormatUint(f.Size, 10)},
				{c.text(speech.LabelState), c.fileState(&f)},
				{c.text(speech.LabelType), f.MediaType},
				{c.text(speech.LabelMessage), orDash(f.MessageID)},
				{c.text(speech.LabelConversation), orDash(f.ConversationID)},
				{c.text(speech.LabelSince), localTime(&f.CreatedAt)},
			})
		})
	})
}

// fileGet writes a file that is here. One that is there already is never written over, and
// what was cut off is removed again.
func (c *cli) fileGet() *cobra.Command {
	cmd := c.onFile("get <file> [path|-]", c.between(1, 2), func(ctx context.Context, daemon *api.Client, f api.File, args []string) error {
		name := localName(f.Name)
		if len(args) > 0 {
			name = args[0]
		}
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			name = filepath.Join(name, localName(f.Name))
		}
		if name == "-" && c.toTerminal() {
			return fail(exitUsage, "file_required", speech.BundleToTerminal)
		}
		content, err := daemon.FileContent(ctx, f.ID, 0)
		if err != nil {
			return err
		}
		defer content.Close()
		from := c.measured(content, f.Name, f.Size)
		defer from.end()
		if name == "-" {
			_, err := io.Copy(c.out, from)
			return err
		}
		if err := writeNew(name, from, f.Size); err != nil {
			return err
		}
		return c.show(f, func() error {
			from.end()
			c.say(speech.FileSaved, screen.Line(name), size(f.Size))
			return nil
		})
	})
	return withExample(cmd, `  pabal file get fl_n5xm2q7wd4h3kz6tjr2ayb3cue
  pabal file get fl_n5xm2q7wd4h3kz6tjr2ayb3cue ~/Downloads`)
}

// writeNew writes a file of so many bytes that was not there.
func writeNew(name string, from io.Reader, size uint64) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitConflict, "file_exists", speech.BundleFileExists, screen.Line(name))
	}
	if err != nil {
		return fail(exitError, "file_not_written", speech.BundleNotWritten, screen.Line(name))
	}
	n, err := io.Copy(f, from)
	if err == nil && uint64(n) != size {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(name)
		return fail(exitError, "file_not_written", speech.BundleNotWritten, screen.Line(name))
	}
	return nil
}

// localName is a name that names a file here and nothing else: not a device, not hidden.
func localName(name string) string {
	name = strings.TrimLeft(filepath.Base(name), ".-~ ")
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch stem {
	case "", "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "LPT1", "LPT2", "LPT3":
		return "file-" + name
	}
	return name
}

func (c *cli) fileFetch() *cobra.Command {
	var wait bool
	cmd := c.onFile("fetch <file>", c.exactly(1), func(ctx context.Context, daemon *api.Client, f api.File, _ []string) error {
		f, err := daemon.FetchFile(ctx, f.ID)
		if err == nil && wait {
			f, err = c.awaitFile(ctx, daemon, f)
		}
		if err != nil {
			return err
		}
		if err := c.show(f, func() error {
			c.say(speech.FileIs, screen.Line(f.Name), c.fileState(&f))
			return nil
		}); err != nil {
			return err
		}
		if f.State == api.FileFailed {
			return silent(exitError)
		}
		return nil
	})
	cmd.Flags().BoolVar(&wait, "wait", false, "")
	return cmd
}

var errFileSettled = errors.New("the file is settled")

// awaitFile waits until a file is here or will not come. The stream is open before the
// file is looked at, so that nothing falls between the two.
func (c *cli) awaitFile(ctx context.Context, daemon *api.Client, f api.File) (api.File, error) {
	bar := c.bar(f.Name, f.Size)
	defer bar.end()
	look := func(now api.File) error {
		if now.ID != f.ID {
			return nil
		}
		f = now
		bar.at(f.Received)
		if f.State != api.FileFetching {
			return errFileSettled
		}
		return nil
	}
	options := api.EventsOptions{Latest: true, Types: []string{api.EventFileAvailable, api.EventFileFailed, api.EventTransfer}}
	err := daemon.Follow(ctx, options, func(e api.Event) error {
		if e.Type == api.EventHello {
			now, err := daemon.File(ctx, f.ID)
			if err != nil {
				return err
			}
			return look(now)
		}
		var now api.File
		if len(e.Data) == 0 || json.Unmarshal(e.Data, &now) != nil {
			return nil
		}
		return look(now)
	})
	if errors.Is(err, errFileSettled) {
		err = nil
	}
	return f, err
}

// fileStop is pause or cancel.
func (c *cli) fileStop(use string, stop func(*api.Client, context.Context, string) (api.File, error), said speech.Key) *cobra.Command {
	return c.onFile(use, c.exactly(1), func(ctx context.Context, daemon *api.Client, f api.File, _ []string) error {
		f, err := stop(daemon, ctx, f.ID)
		if err != nil {
			return err
		}
		return c.show(f, func() error {
			c.say(said, screen.Line(f.Name))
			return nil
		})
	})
}

func (c *cli) fileTransfers() *cobra.Command {
	return c.command("transfers", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		all, err := daemon.Transfers(ctx)
		if err != nil {
			return err
		}
		byID, err := names(ctx, daemon)
		if err != nil {
			return err
		}
		return showList(c, all, speech.NoTransfers, func(t api.Transfer) []string {
			state := size(t.Rate) + "/s"
			if t.State == api.TransferWaiting {
				state = c.word("transfer", t.Reason)
			}
			return []string{t.FileID, c.word("direction", t.Direction), dash(byID[t.ContactID]), percent(t.Bytes, t.Total), size(t.Total), state}
		})
	}))
}

// uploads brings files to the daemon and returns their ids, in the same order. If one is
// refused, the others go again.
func (c *cli) uploads(ctx context.Context, daemon *api.Client, paths []string, withMetadata bool) (ids []string, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, id := range ids {
			daemon.DeleteFile(context.WithoutCancel(ctx), id) // else it goes by itself after a day
		}
	}()
	for _, path := range paths {
		id, err := c.upload(ctx, daemon, path, withMetadata)
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *cli) upload(ctx context.Context, daemon *api.Client, path string, withMetadata bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fail(exitNotFound, "file_not_read", speech.BundleNotRead, screen.Line(path))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", fail(exitUsage, "file_not_read", speech.FileNotRegular, screen.Line(path))
	}
	from := c.measured(f, filepath.Base(path), uint64(info.Size()))
	defer from.end()
	file, err := daemon.UploadFile(ctx, api.FileUpload{
		Name: filepath.Base(path), Size: info.Size(), WithMetadata: withMetadata,
	}, from)
	if problem := (*api.Problem)(nil); errors.As(err, &problem) && problem.Code == api.CodeMetadataNotCleanable {
		return "", fail(exitUsage, problem.Code, speech.FileTells, screen.Line(path))
	}
	return file.ID, err
}

// bar shows how far something is, on standard error if that is a terminal.
type bar struct {
	to    io.Writer // nil: nobody looks
	name  string
	total uint64
	shown string
}

func (c *cli) bar(name string, total uint64) *bar {
	b := &bar{name: screen.Line(name), total: total}
	if f, ok := c.talk.(*os.File); ok && !c.flags.quiet && !c.flags.json && !c.flags.plain && term.IsTerminal(int(f.Fd())) {
		b.to = c.talk
	}
	return b
}

func (b *bar) at(n uint64) {
	if line := b.name + " " + percent(n, b.total); b.to != nil && line != b.shown {
		b.shown = line
		fmt.Fprint(b.to, "\r\x1b[K"+line)
	}
}

// end takes the line away.
func (b *bar) end() {
	if b.to != nil && b.shown != "" {
		b.shown = ""
		fmt.Fprint(b.to, "\r\x1b[K")
	}
}

// measured is a reader whose progress is shown.
type measured struct {
	io.Reader
	*bar
	n uint64
}

func (c *cli) measured(r io.Reader, name string, total uint64) *measured {
	return &measured{Reader: r, bar: c.bar(name, total)}
}

// Read reads on and shows how far it is.
func (m *measured) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	m.n += uint64(n)
	m.at(m.n)
	return n, err
}
