package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/imagebuild"
)

// uploadFile sends a file to the hub, with a progress bar on a terminal.
func uploadFile(cmd *cobra.Command, c *client, path string, im *api.Image) error {
	f, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return badInput("%s: %w", path, reason(err))
	}
	body, done := uploadProgress(cmd.ErrOrStderr(), f, info.Size())
	defer done()
	if err := c.upload(cmd.Context(), body, info.Size(), im); err != nil {
		return prefixed(path, err)
	}
	return nil
}

// prefixed puts a file's name before what the hub said about it.
func prefixed(path string, err error) error {
	var input inputError
	if errors.As(err, &input) {
		return badInput("%s: %w", path, input.err)
	}
	return err
}

func (c *client) upload(ctx context.Context, body io.Reader, size int64, im *api.Image) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/images", body)
	if err != nil {
		return err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	return c.do(req, im)
}

// sampleVersion and sampleSize are those of the image that is made for people who
// have none.
const (
	sampleVersion = 0x02000000
	sampleSize    = 256 << 10
)

func uploadSample(cmd *cobra.Command, c *client, pkiDir string, im *api.Image) error {
	file, err := buildSample(pkiDir, sampleVersion, 1)
	if err != nil {
		return err
	}
	return c.upload(cmd.Context(), bytes.NewReader(file), int64(len(file)), im)
}

// buildSample makes the signed sample image of a version.
func buildSample(pkiDir string, version uint32, seed uint64) ([]byte, error) {
	manufacturer, supplier, err := signers(pkiDir)
	if err != nil {
		return nil, err
	}
	return imagebuild.SampleFile(version, seed, sampleSize, manufacturer.Key, supplier.Key)
}

func (c *client) images(ctx context.Context) ([]api.Image, error) {
	return pages[api.Image](ctx, c, "/v1/images", "images")
}

// findImage finds the one image whose hash begins with name, or whose version it is.
func (c *client) findImage(ctx context.Context, name string) (api.Image, error) {
	images, err := c.images(ctx)
	if err != nil {
		return api.Image{}, err
	}
	var found []api.Image
	for _, im := range images {
		if strings.HasPrefix(im.SHA256, strings.ToLower(name)) || strings.EqualFold(im.Version, name) {
			found = append(found, im)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.Image{}, badInput("image %q: not in the hub's cache (see commshub firmware list)", name)
	default:
		return api.Image{}, badInput("image %q: fits %d images, name more of its SHA-256", name, len(found))
	}
}
