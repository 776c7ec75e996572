package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/hub/api"
)

func newHealth(*global) *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:     "health",
		Short:   "Tell whether a hub is well: it answers and has its broker; exit code 1 and why if not",
		Example: "  commshub health --api http://127.0.0.1:8080",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
			defer cancel()
			var h api.Health
			if err := c.Call(ctx, http.MethodGet, "/v1/health", nil, &h); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "ok; encrypted at rest: %v\n", h.Encrypted)
			return nil
		},
	}
	apiFlag(cmd, &base)
	return cmd
}
