package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"pabal/node/api"
)

// What makes clients from openapi.json, beside the Go generator, whose version is in .tools/clients/go.mod:
// no part of the tree, nor of what is built.
var clientTools = []string{"openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", "@types/node@20.19.0"}

// errNoNode says why the TypeScript client cannot be tried here.
var errNoNode = errors.New("no node or npm for a client in TypeScript")

// clients generates clients from openapi.json, as authors of frontends do, in Go and in TypeScript, and
// has each of them make two daemons contacts and talk. The one in Go asks an owner for its token.
func clients(ctx context.Context, t tree, args []string) error {
	var binary, dir string
	var optional bool
	flags := flag.NewFlagSet("clients", flag.ContinueOnError)
	flags.StringVar(&binary, "binary", "", "`program` to test; empty = build the tree's")
	flags.StringVar(&dir, "dir", "", "`directory` on a real disk; empty = the user's cache directory")
	flags.BoolVar(&optional, "optional", false, "without node or npm say NOT RUN of the TypeScript client and succeed")
	if err := parseFlags(flags, args, t.stderr); err != nil {
		return err
	}
	return t.withProfiles(ctx, "clients-", binary, dir, func(c *cast) error {
		if err := t.goClient(ctx, c); err != nil {
			return fmt.Errorf("client in Go: %w", err)
		}
		err := t.typescriptClient(ctx, c)
		if optional && errors.Is(err, errNoNode) {
			fmt.Fprintf(t.stdout, "NOT RUN: %v\n", err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("client in TypeScript: %w", err)
		}
		return nil
	})
}

// openAPI is the description of the API, which a test compares with what the daemon says.
func (t tree) openAPI() string {
	return filepath.Join(t.root, "node", "httpd", "testdata", "openapi.json")
}

// goClient generates a client in Go beside the program that uses it, and runs that.
func (t tree) goClient(ctx context.Context, c *cast) error {
	dir := filepath.Join(c.dir, "go")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(t.root, ".tools", "clients"))); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "pabalapi"), 0o755); err != nil {
		return err
	}
	there := t
	there.root = dir
	err := there.run(ctx, "go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "pabalapi",
		"-o", filepath.Join("pabalapi", "client.go"), t.openAPI())
	if err != nil {
		return err
	}
	program := filepath.Join(dir, "conversation.exe")
	if err := there.run(ctx, "go", "build", "-o", program, "."); err != nil {
		return err
	}
	arguments, err := c.couple(ctx, "go")
	if err != nil {
		return err
	}
	jiwoo := c.all[len(c.all)-1]
	d, err := jiwoo.discovery()
	if err != nil {
		return err
	}
	return there.pairs(ctx, c, jiwoo, program, arguments[0], arguments[1], arguments[2], d.Unix)
}

// typescriptClient generates types, has the compiler check the program that uses them, and runs that.
func (t tree) typescriptClient(ctx context.Context, c *cast) error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: %w", errNoNode, err)
		}
	}
	there := t
	there.root = filepath.Join(c.dir, "typescript")
	if err := os.Mkdir(there.root, 0o755); err != nil {
		return err
	}
	program, err := os.ReadFile(filepath.Join(t.root, ".tools", "clients", "conversation.ts"))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"conversation.ts": program, "package.json": []byte(`{"type": "module"}`)} {
		if err := os.WriteFile(filepath.Join(there.root, name), text, 0o600); err != nil {
			return err
		}
	}
	install := slices.Concat([]string{"install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"}, clientTools)
	if err := there.run(ctx, "npm", install...); err != nil {
		return fmt.Errorf("%w: %w", errNoNode, err)
	}
	tool := func(name string) string { return filepath.Join("node_modules", ".bin", name) }
	if err := there.run(ctx, tool("openapi-typescript"), t.openAPI(), "-o", "pabal.ts"); err != nil {
		return err
	}
	err = there.run(ctx, tool("tsc"), "--strict", "--noUncheckedIndexedAccess", "--skipLibCheck", "--target", "es2022",
		"--module", "nodenext", "--moduleResolution", "nodenext", "conversation.ts")
	if err != nil {
		return err
	}
	arguments, err := c.couple(ctx, "typescript")
	if err != nil {
		return err
	}
	last := c.all[len(c.all)-1]
	types, err := there.output(ctx, c.binary, "--home", last.Home, "--profile", last.Name, "api", "types")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(there.root, "types.ts"), []byte(types), 0o600); err != nil {
		return err
	}
	if err := there.run(ctx, tool("tsc"), "--strict", "--noEmit", "types.ts"); err != nil {
		return fmt.Errorf("pabal api types: %w", err)
	}
	return there.run(ctx, "node", slices.Concat([]string{"conversation.js"}, arguments)...)
}

// couple starts two new daemons and returns the address and a token of each, in turns.
func (c *cast) couple(ctx context.Context, name string) (arguments []string, err error) {
	for i := range 2 {
		s, err := c.begin(ctx, fmt.Sprint(name, i+1))
		if err != nil {
			return nil, err
		}
		d, err := s.discovery()
		if err != nil {
			return nil, err
		}
		token, err := s.Client.CreateToken(ctx, api.TokenRequest{Name: "generated", Preset: api.PresetFrontend})
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, d.TCP, token.Secret)
	}
	return arguments, nil
}

// pairs runs a program that asks a daemon for its token, "pairing ID CODE" in its first line, and has
// the owner approve that.
func (t tree) pairs(ctx context.Context, c *cast, owner *side, program string, args ...string) error {
	cmd := t.command(ctx, program, args...)
	said, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	approve := func() error {
		lines := bufio.NewReader(said)
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("it does not ask: %w", err)
		}
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "pairing" {
			return fmt.Errorf("it says %q", line)
		}
		if _, err := t.output(ctx, c.binary, "--home", owner.Home, "--profile", owner.Name, "pairing", "approve", words[1], words[2]); err != nil {
			return err
		}
		_, err = io.Copy(t.stdout, lines)
		return err
	}
	if err := approve(); err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(err, cmd.Wait())
	}
	return cmd.Wait()
}
