package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/hub/imagecache"
)

// ErrNoImage tells that a name is no image's, or that of several.
var ErrNoImage = errors.New("want a version, or the beginning of a SHA-256, of one image (see commshub firmware list)")

// FindImage returns the one image of a hub whose hash begins with name, or whose version it is.
func FindImage(ctx context.Context, c *client.Client, name string) (api.Image, error) {
	images, err := client.List[api.Image](ctx, c, "/v1/images", "images")
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
		return api.Image{}, fmt.Errorf("image %q: not in the hub's cache: %w", name, ErrNoImage)
	default:
		return api.Image{}, fmt.Errorf("image %q: fits %d images: %w", name, len(found), ErrNoImage)
	}
}

// RemoveImage removes an image of a hub, found as by FindImage, and returns its SHA-256. One
// that is named by the whole of that may be gone already.
func RemoveImage(ctx context.Context, c *client.Client, name string) (string, error) {
	hash, err := imagecache.ParseHash(name)
	if err != nil {
		im, err := FindImage(ctx, c, name)
		if err != nil {
			return "", err
		}
		if hash, err = imagecache.ParseHash(im.SHA256); err != nil {
			return "", err
		}
	}
	return hash.String(), c.Call(ctx, http.MethodDelete, "/v1/images/"+hash.String(), nil, nil)
}
