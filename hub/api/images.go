package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
)

// Image is a firmware image in the hub's cache.
type Image struct {
	SHA256           string     `json:"sha256" doc:"of the OTA file as a device downloads it"`
	ImageHash        string     `json:"image_hash" doc:"Manufacturer Image Hash, the one that GBCS messages name"`
	Manufacturer     string     `json:"manufacturer" doc:"Zigbee manufacturer code, 4 hex digits"`
	ImageType        string     `json:"image_type" doc:"4 hex digits"`
	Version          string     `json:"version" doc:"OTA file version, 8 hex digits"`
	Size             uint32     `json:"size" doc:"bytes"`
	HardwareMin      string     `json:"hardware_min,omitempty" doc:"4 hex digits"`
	HardwareMax      string     `json:"hardware_max,omitempty" doc:"4 hex digits"`
	Text             string     `json:"text,omitempty" doc:"header string"`
	Layout           string     `json:"layout"`
	SupplierVerified bool       `json:"supplier_verified" doc:"the authorising signature was checked and is good"`
	AddedAt          *time.Time `json:"added_at,omitempty"`
}

func imageOf(im store.Image) Image {
	out := Image{
		SHA256: fmt.Sprintf("%x", im.FileHash), ImageHash: im.ImageHash.String(),
		Manufacturer: fmt.Sprintf("%04X", im.Manufacturer), ImageType: fmt.Sprintf("%04X", im.ImageType),
		Version: versionText(im.FileVersion), Size: im.Size, Text: im.Text, Layout: im.Layout.String(),
		SupplierVerified: im.SupplierVerified, AddedAt: instant(im.AddedAt),
	}
	if im.HasHardware {
		out.HardwareMin, out.HardwareMax = fmt.Sprintf("%04X", im.HardwareMin), fmt.Sprintf("%04X", im.HardwareMax)
	}
	return out
}

type imagesOutput struct {
	Body struct {
		Images []Image `json:"images"`
	}
}

func (b Backend) registerImages(a huma.API, mux *http.ServeMux) {
	huma.Register(a, huma.Operation{
		OperationID: "list-images", Method: http.MethodGet, Path: "/v1/images",
		Summary: "List the image cache", Tags: []string{"images"},
	}, func(context.Context, *struct{}) (*imagesOutput, error) {
		out := &imagesOutput{}
		out.Body.Images = []Image{}
		for _, im := range b.Store.Images() {
			out.Body.Images = append(out.Body.Images, imageOf(im))
		}
		return out, nil
	})
	// An upload is streamed to disk, so it is handled outside huma and only
	// described here.
	mux.HandleFunc("POST /v1/images", b.upload)
	schema := a.OpenAPI().Components.Schemas.Schema(typeOf[Image](), true, "")
	a.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "upload-image", Method: http.MethodPost, Path: "/v1/images",
		Summary: "Upload a firmware image", Tags: []string{"images"},
		Description: "The body is the file as it was published, bare or in a vendor's wrapper.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		}},
		Responses: map[string]*huma.Response{
			"201": {Description: "Cached", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}},
			"413": problemResponse("The file is too large"),
			"422": problemResponse("The file is no image, or its signature is wrong"),
			"507": problemResponse("The disk is full"),
		},
	})
}

// upload takes a file into the cache, checks the supplier's signature and makes
// the image known. Nothing is kept of a file that is refused.
func (b Backend) upload(w http.ResponseWriter, r *http.Request) {
	im, err := b.takeImage(w, r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(imageOf(im)) // the client is gone if this fails
}

func (b Backend) takeImage(w http.ResponseWriter, r *http.Request) (store.Image, error) {
	if r.ContentLength > imagecache.MaxUpload {
		return store.Image{}, tooLarge()
	}
	e, err := b.Cache.Put(http.MaxBytesReader(w, r.Body, imagecache.MaxUpload+1), imagecache.MaxUpload)
	if err != nil {
		var limit *http.MaxBytesError
		if errors.As(err, &limit) || errors.Is(err, imagecache.ErrTooLarge) {
			return store.Image{}, tooLarge()
		}
		if errors.As(err, new(imagecache.StorageError)) {
			return store.Image{}, problem(err)
		}
		return store.Image{}, invalid(err)
	}
	verified, err := b.verify(e)
	if err == nil {
		err = b.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.RegisterImage(now, out, e, verified) })
	}
	im, known := b.Store.ImageByFileHash(e.FileHash)
	if err != nil && !known {
		err = errors.Join(err, b.Cache.Remove(e.FileHash))
	}
	return im, err
}

// verify checks the authorising signature of an image that has one.
func (b Backend) verify(e imagecache.Entry) (bool, error) {
	if e.Layout != ota.LayoutGB || b.SupplierKey == nil {
		return false, nil
	}
	im, err := b.Cache.Load(e.FileHash)
	if err != nil {
		return false, problem(err)
	}
	if err := im.VerifyAuthority(b.SupplierKey); err != nil {
		return false, invalid(err)
	}
	return true, nil
}

func tooLarge() error {
	return huma.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("file is too large, want at most %d bytes", imagecache.MaxUpload))
}
