package imageview

import (
	"context"
	"fmt"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/inputfile"
)

// Read reads a file as it was published, of which a hub would take that many bytes, and
// takes it apart. The error begins with the path.
func Read(ctx context.Context, path string) (*ota.Published, error) {
	published, err := inputfile.Read(ctx, path, imagecache.MaxUpload)
	if err != nil {
		return nil, err
	}
	p, err := ota.Open(published)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}
