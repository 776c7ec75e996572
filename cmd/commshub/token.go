package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// tokenFile is the file in the state folder with the token of the REST interface.
const tokenFile = "api-token"

// tokenVariable is the environment variable with a token.
const tokenVariable = envPrefix + "TOKEN"

// makeToken returns the token in a file, made if there is none yet.
func makeToken(path string) (token string, fresh bool, err error) {
	token, err = readToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", false, badInput("make the token: %w", err)
	}
	token = rand.Text()
	if err := renameio.WriteFile(path, []byte(token+"\n"), 0o600, renameio.IgnoreUmask()); err != nil {
		return "", false, badInput("write token %s: %w", path, reason(err))
	}
	return token, true, nil
}

// readToken reads a token that nobody else may read.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", badInput("read token %s: %w", path, reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", badInput("read token %s: %w", path, reason(err))
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return "", badInput("read token %s: others may read it (mode %04o), want 0600", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return "", badInput("read token %s: %w", path, reason(err))
	}
	token := strings.TrimSpace(string(text))
	if len(token) < 16 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", badInput("read token %s: want at least 16 visible characters", path)
	}
	return token, nil
}

// apiToken is how the REST interface is protected.
type apiToken struct {
	mode  string // file or none
	hosts []string
}

func (t *apiToken) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.mode, "api-token", "file", "what changes something over the REST interface needs: file, the token in the state folder; or none, on loopback only")
	f.StringSliceVar(&t.hosts, "allow-host", nil, "names besides localhost under which the REST interface may be called")
}

// resolve returns the token of an interface that will listen on an address, "" for
// none, and tells a fresh one.
func (t *apiToken) resolve(state, listen string) (token string, fresh bool, err error) {
	switch t.mode {
	case "file":
		return makeToken(filepath.Join(state, tokenFile))
	case "none":
		host, _, err := net.SplitHostPort(listen)
		if err == nil && isLoopback(host) {
			return "", false, nil
		}
		return "", false, badInput("--api-token none: only on loopback, not on --listen %s", listen)
	default:
		return "", false, badInput("--api-token %q: want file or none", t.mode)
	}
}

// tellToken shows a token with a link that opens the page with it.
func tellToken(w io.Writer, url, token string) {
	fmt.Fprintf(w, "api token, shown once: %s (in a browser: %s/#token=%s)\n", token, url, token)
}

// findToken returns the token that a command of this machine bears: from the file
// named, the environment, or the state folder; "" if there is none.
func findToken(state, named string) (string, error) {
	if named != "" {
		return readToken(named)
	}
	if token := os.Getenv(tokenVariable); token != "" {
		return token, nil
	}
	token, err := readToken(filepath.Join(state, tokenFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	return token, err
}

func newToken(g *global) *cobra.Command {
	var base, named string
	var link bool
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print the token for changes over the REST interface",
		Example: `  commshub token
  commshub token --link`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := findToken(g.state, named)
			if err != nil {
				return err
			}
			if token == "" {
				return badInput("no token in %s: start commshub hub first, or name --state or --token-file", filepath.Join(g.state, tokenFile))
			}
			if link {
				token = strings.TrimRight(base, "/") + "/#token=" + token
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			return nil
		},
	}
	cmd.Flags().StringVar(&base, "api", defaultAPI, "address of the running hub, for --link")
	cmd.Flags().StringVar(&named, "token-file", "", "file with the token (default: api-token in the state folder)")
	cmd.Flags().BoolVar(&link, "link", false, "print a link that opens the page with the token")
	return cmd
}
