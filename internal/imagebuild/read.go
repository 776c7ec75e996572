package imagebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/commshub/commshub/internal/imageview"
	"github.com/commshub/commshub/internal/inputfile"
)

// ReadPublished returns the headers of the images in a folder, or of the one that path
// is. What else lies in the folder is passed over, unless nothing is left.
func ReadPublished(ctx context.Context, path string) ([]Published, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, inputfile.Reason(err)
	}
	files := []string{path}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, inputfile.Reason(err)
		}
		files = nil
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	var images []Published
	passedOver := fmt.Errorf("no image in it: put one there, or say --manufacturer-code, --image-type and --hardware")
	for _, file := range files {
		im, err := imageview.Read(ctx, file)
		if err != nil {
			passedOver = fmt.Errorf("no image in it: %w", err)
			continue
		}
		images = append(images, Published{Name: filepath.Base(file), Header: im.Header})
	}
	if len(images) == 0 {
		return nil, passedOver
	}
	return images, nil
}
