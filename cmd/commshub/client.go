package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
)

// client talks to a running hub.
type client struct {
	base  string
	token string // "" for none
	http  *http.Client
}

const defaultAPI = "http://127.0.0.1:8080"

// apiFlag adds --api, the address of a running hub, and --token-file.
func apiFlag(cmd *cobra.Command, base *string) {
	cmd.Flags().StringVar(base, "api", defaultAPI, "address of the running hub")
	cmd.Flags().String("token-file", "", "file with the token for changes (default: "+tokenVariable+", or "+tokenFile+" in the state folder)")
}

// newClient returns a client for a command that has the flags of apiFlag. It finds
// the token by itself. That of the state folder is this machine's own: it is shown
// to nobody else.
func newClient(cmd *cobra.Command, base string) (*client, error) {
	c, err := clientOf(base, "")
	if err != nil {
		return nil, err
	}
	named := cmd.Flag("token-file").Value.String()
	if named == "" && os.Getenv(tokenVariable) == "" && !c.isLocal() {
		return c, nil
	}
	c.token, err = findToken(cmd.Flag("state").Value.String(), named)
	return c, err
}

// clientOf returns a client that bears a token.
func clientOf(base, token string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, badInput("--api %q: want an address such as %s", base, defaultAPI)
	}
	return &client{base: strings.TrimRight(base, "/"), token: token, http: &http.Client{Timeout: 5 * time.Minute}}, nil
}

// isLocal reports whether the hub is on this machine.
func (c *client) isLocal() bool {
	u, err := url.Parse(c.base)
	return err == nil && isLoopback(u.Hostname())
}

// isLoopback reports whether a host is this machine itself.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// problem is an RFC 9457 answer.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

func (p problem) String() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		if !strings.Contains(p.Detail, e.Message) {
			text += fmt.Sprintf("; %s: %s", e.Location, e.Message)
		}
	}
	return text
}

// call sends a request with an optional JSON body and decodes the answer into out,
// if out is not nil.
func (c *client) call(ctx context.Context, method, path string, body, out any) error {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.do(req, out)
}

// do sends a request. What the hub refuses for the input's sake is bad input; what
// it cannot do is an outcome.
func (c *client) do(req *http.Request, out any) error {
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	return c.take(resp, out)
}

func (c *client) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return outcomeError{fmt.Sprintf("no hub answers at %s: %v (is commshub hub running?)", c.base, err)}
}

// take decodes an answer into out, if out is not nil.
func (c *client) take(resp *http.Response, out any) error {
	if resp.StatusCode >= http.StatusBadRequest {
		return refusal(resp)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(out); err != nil {
		return outcomeError{fmt.Sprintf("the answer of %s cannot be read: %v", c.base, err)}
	}
	return nil
}

// conflictError is what the hub cannot do as things are.
type conflictError struct{ reason string }

func (e conflictError) Error() string { return e.reason }

func refusal(resp *http.Response) error {
	var p problem
	text := resp.Status
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p) == nil {
		text = p.String()
	}
	switch {
	case resp.StatusCode == http.StatusConflict:
		return conflictError{text}
	case resp.StatusCode == http.StatusInsufficientStorage, resp.StatusCode < http.StatusInternalServerError:
		return inputError{errors.New(text)}
	default:
		return outcomeError{text}
	}
}

// pages reads a whole list.
func pages[T any](ctx context.Context, c *client, path, name string) ([]T, error) {
	all := []T{}
	for cursor := ""; ; {
		answer := map[string]json.RawMessage{}
		if err := c.call(ctx, http.MethodGet, path+"?limit=1000"+cursor, nil, &answer); err != nil {
			return nil, err
		}
		var page []T
		if err := json.Unmarshal(answer[name], &page); err != nil {
			return nil, outcomeError{fmt.Sprintf("the answer of %s%s cannot be read: %v", c.base, path, err)}
		}
		all = append(all, page...)
		var next string
		if more, ok := answer["next"]; !ok || json.Unmarshal(more, &next) != nil || next == "" {
			return all, nil
		}
		cursor = "&cursor=" + url.QueryEscape(next)
	}
}

// onDevice runs f with the device that the command's argument names, at the hub.
func onDevice(cmd *cobra.Command, base, argument string, f func(c *client, eui han.EUI64) error) error {
	eui, err := han.ParseEUI64(argument)
	if err != nil {
		return inputError{err}
	}
	c, err := newClient(cmd, base)
	if err != nil {
		return err
	}
	return f(c, eui)
}
