package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/table"
)

// listing is a command that shows what a hub lists.
type listing[T any] struct {
	use, short, long, example string
	path, member              string // in the REST interface
	header                    string
	row                       func(t table.Table, v T)
	// kept, if set, returns what is to be shown if it is not the hub's to say.
	kept func(cmd *cobra.Command) (all []T, ok bool, err error)
	// look, if set, asks the hub for what else the rows show.
	look func(ctx context.Context, c *client.Client, all []T) error
}

func (l listing[T]) command() *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use: l.use, Short: l.short, Long: l.long, Example: l.example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, all, err := l.all(cmd, base)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), all)
			}
			if l.look != nil {
				if err := l.look(cmd.Context(), c, all); err != nil {
					return err
				}
			}
			t := table.New(cmd.OutOrStdout(), l.header)
			for _, v := range all {
				l.row(t, v)
			}
			return t.Flush()
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// all returns what is to be shown, and the client of the hub that was asked.
func (l listing[T]) all(cmd *cobra.Command, base string) (c *client.Client, all []T, err error) {
	if l.kept != nil {
		if all, ok, err := l.kept(cmd); ok {
			return nil, all, err
		}
	}
	if c, err = newClient(cmd, base); err == nil {
		all, err = client.List[T](cmd.Context(), c, l.path, l.member)
	}
	return c, all, err
}
