package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/progress"
)

// uploadFile sends a file to the hub, with a progress bar on a terminal.
func uploadFile(cmd *cobra.Command, c *client.Client, path string, force bool, im *api.Image) error {
	f, err := openFile(cmd.Context(), path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return badInput("%s: %w", path, inputfile.Reason(err))
	}
	body, done := progress.Upload(cmd.ErrOrStderr(), movesCursor(cmd.ErrOrStderr()), f, info.Size())
	defer done()
	if err := c.Upload(cmd.Context(), body, info.Size(), force, im); err != nil {
		return prefixed(path, err)
	}
	return nil
}

// prefixed puts a file's name before what the hub said about it.
func prefixed(path string, err error) error {
	if isBadInput(err) {
		return badInput("%s: %w", path, err)
	}
	return err
}

// sampleVersion and sampleSize are those of the image that is made for people who
// have none.
const (
	sampleVersion = 0x02000000
	sampleSize    = 256 << 10
)

func uploadSample(cmd *cobra.Command, c *client.Client, pkiDir string, im *api.Image) error {
	file, err := buildSample(pkiDir, sampleVersion, 1)
	if err != nil {
		return err
	}
	return c.Upload(cmd.Context(), bytes.NewReader(file), int64(len(file)), false, im)
}

// buildSample makes the signed sample image of a version.
func buildSample(pkiDir string, version uint32, seed uint64) ([]byte, error) {
	manufacturer, supplier, err := pki.Signers(pkiDir)
	if err != nil {
		return nil, inputError{err}
	}
	return imagebuild.SampleFile(version, seed, sampleSize, manufacturer.Key, supplier.Key)
}
