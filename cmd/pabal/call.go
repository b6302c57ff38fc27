package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/cmd/pabal/typescript"
	"pabal/node/api"
)

// rawBodyMax bounds the body that "pabal api" reads; the daemon's own limit is
// lower and is what answers.
const rawBodyMax = 8 << 20

func (c *cli) apiCommand() *cobra.Command {
	var (
		data    string
		headers []string
	)
	cmd := c.command("api <method> <path>", c.exactly(2), c.remote(followForever, func(ctx context.Context, daemon *api.Client, args []string) error {
		request, err := c.rawRequest(args[0], args[1], headers)
		if err != nil {
			return err
		}
		if data != "" {
			if request.Body, err = c.rawBody(data); err != nil {
				return err
			}
		}
		return c.callRaw(ctx, daemon, request)
	}))
	cmd.Flags().StringVarP(&data, "data", "d", "", "")
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "")
	cmd.AddCommand(c.apiOpenAPI(), c.apiTypes())
	return withExample(cmd, `  pabal api GET /v1/status
  pabal api POST /v1/invites -d '{"note":"for Mina"}'
  pabal api openapi > openapi.json
  pabal api types > pabal.ts`)
}

func (c *cli) apiOpenAPI() *cobra.Command {
	return c.command("openapi", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		b, err := daemon.OpenAPI(ctx)
		if err != nil {
			return err
		}
		_, err = c.out.Write(b)
		return err
	}))
}

func (c *cli) apiTypes() *cobra.Command {
	return c.command("types", c.exactly(0), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, _ []string) error {
		b, err := daemon.OpenAPI(ctx)
		if err != nil {
			return err
		}
		if b, err = typescript.Types(b); err != nil {
			return err
		}
		_, err = c.out.Write(b)
		return err
	}))
}

// rawRequest reads the path as it would stand in a URL; "/v1/" may be left out.
func (c *cli) rawRequest(method, path string, headers []string) (api.RawRequest, error) {
	r := api.RawRequest{Method: strings.ToUpper(method), Header: http.Header{}}
	path, query, _ := strings.Cut(path, "?")
	if !strings.HasPrefix(path, "/") {
		path = "/v1/" + path
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return r, fail(exitUsage, "usage", speech.QueryWrong)
	}
	r.Path, r.Query = path, values
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return r, fail(exitUsage, "usage", speech.HeaderWrong)
		}
		name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
		r.Header[name] = append(r.Header[name], strings.TrimSpace(value))
	}
	return r, nil
}

// rawBody returns the JSON given, the content of a file after "@", or standard
// input for "-" and "@-".
func (c *cli) rawBody(data string) ([]byte, error) {
	name, isFile := strings.CutPrefix(data, "@")
	switch {
	case data == "-" || data == "@-":
		return io.ReadAll(io.LimitReader(c.in, rawBodyMax))
	case !isFile:
		return []byte(data), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, rawBodyMax))
}

// callRaw copies the answer to standard output as it comes. A refusal is copied,
// too, and decides the exit code.
func (c *cli) callRaw(ctx context.Context, daemon *api.Client, request api.RawRequest) error {
	response, err := daemon.Raw(ctx, request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode < http.StatusBadRequest {
		_, err := io.Copy(c.out, response.Body)
		return err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, rawBodyMax))
	if err != nil {
		return err
	}
	if _, err := c.out.Write(body); err != nil {
		return err
	}
	return refusal(response, body)
}

// readAnswer reads the answer to a raw request into out and closes it.
func readAnswer(response *http.Response, out any) error {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, rawBodyMax))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return refusal(response, body)
	}
	return json.Unmarshal(body, out)
}

// refusal is the problem that an answer tells of.
func refusal(response *http.Response, body []byte) error {
	problem := api.NewProblem(api.CodeInternal)
	if err := json.Unmarshal(body, problem); err != nil && len(body) > 0 {
		return errors.New("the answer is no JSON")
	}
	problem.Status = response.StatusCode
	return problem
}
