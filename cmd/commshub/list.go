package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/table"
)

// listing is a command that shows what a hub lists.
type listing[T any] struct {
	use, short, example string
	path, member        string // in the REST interface
	header              string
	row                 func(t table.Table, v T)
	// look, if set, asks the hub for what else the rows show.
	look func(ctx context.Context, c *client.Client, all []T) error
}

func (l listing[T]) command() *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use: l.use, Short: l.short, Example: l.example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			all, err := client.List[T](cmd.Context(), c, l.path, l.member)
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
