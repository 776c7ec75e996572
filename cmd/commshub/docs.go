package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/outputfile"
)

// newDocs makes what a packager wants and nobody else.
func newDocs() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "docs",
		Short:   "Write the manual pages",
		Example: "  commshub docs man man1",
		Hidden:  true,
	}
	var date flagvalue.Time
	man := &cobra.Command{
		Use:   "man DIR",
		Short: "Write a manual page for each command into a folder",
		Long: `Write a manual page for each command into a folder, which is made if it is missing. The same program and
--date give the same bytes.`,
		Example: "  commshub docs man man1 && man -l man1/commshub-demo.1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := outputfile.Folder(args[0]); err != nil {
				return badInput("make folder %s: %w", args[0], err)
			}
			header := &doc.GenManHeader{Title: "COMMSHUB", Section: "1", Source: "commshub " + version, Manual: "Communications Hub"}
			if !date.IsZero() {
				header.Date = &date.Time
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			root.InitDefaultCompletionCmd()
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return badInput("write manual pages: %w", inputfile.Reason(err))
			}
			return nil
		},
	}
	date.Time = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	man.Flags().Var(&date, "date", "date on the pages")
	cmd.AddCommand(man)
	return cmd
}
