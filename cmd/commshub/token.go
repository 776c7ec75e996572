package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/hub/client"
	secret "github.com/commshub/commshub/internal/home/token"
)

// tokenFile is the file in the state folder with the token of the REST interface.
const tokenFile = "api-token"

// tokenVariable is the environment variable with a token.
const tokenVariable = envPrefix + "TOKEN"

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
		token, fresh, err := secret.Make(filepath.Join(state, tokenFile))
		if err != nil {
			err = inputError{err}
		}
		return token, fresh, err
	case "none":
		host, _, err := net.SplitHostPort(listen)
		if err == nil && client.IsLoopback(host) {
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
		return input(secret.Read(named))
	}
	if token := os.Getenv(tokenVariable); token != "" {
		return token, nil
	}
	token, err := input(secret.Read(filepath.Join(state, tokenFile)))
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
	cmd.Flags().StringVar(&base, "api", client.DefaultBase, "address of the running hub, for --link")
	cmd.Flags().StringVar(&named, "token-file", "", "file with the token (default: api-token in the state folder)")
	cmd.Flags().BoolVar(&link, "link", false, "print a link that opens the page with the token")
	return cmd
}
