package main

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func newHealth(*global) *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:     "health",
		Short:   "Tell whether a hub answers; exit code 1 if not",
		Example: "  commshub health --api http://127.0.0.1:8080",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
			defer cancel()
			return c.call(ctx, http.MethodGet, "/v1/health", nil, nil)
		},
	}
	apiFlag(cmd, &base)
	return cmd
}
