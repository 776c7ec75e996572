package api

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
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
	Text             string     `json:"text,omitempty" doc:"header string; bytes that are not UTF-8 are replaced"`
	TextHex          string     `json:"text_hex,omitempty" doc:"header string, its bytes in hex"`
	Layout           string     `json:"layout"`
	SupplierVerified bool       `json:"supplier_verified" doc:"the home's supplier signed it, and the signature is good; without, meters with trust signed refuse it"`
	ForceReplace     bool       `json:"force_replace,omitempty" doc:"of a GB image: its flag is set, and it takes the place also of an image that a device is ordered to activate"`
	Damaged          bool       `json:"damaged,omitempty" doc:"the hub lost its bytes: upload it again"`
	AddedAt          *time.Time `json:"added_at,omitempty"`

	Warnings []ImageWarning `json:"warnings,omitempty" doc:"in the answer to an upload: what is wrong with the file and did not keep it out"`
}

// ImageWarning is something wrong with a file.
type ImageWarning struct {
	Code string `json:"code"`
	Text string `json:"text" doc:"one line"`
}

// Header returns the header string as it is in the file, which need not be UTF-8.
func (im *Image) Header() string {
	text, err := hex.DecodeString(im.TextHex)
	if err != nil || im.TextHex == "" {
		return im.Text
	}
	return string(text)
}

func imageOf(im store.Image) Image {
	out := Image{
		SHA256: fmt.Sprintf("%x", im.FileHash), ImageHash: im.ImageHash.String(),
		Manufacturer: fmt.Sprintf("%04X", im.Manufacturer), ImageType: fmt.Sprintf("%04X", im.ImageType),
		Version: versionText(im.FileVersion), Size: im.Size, Text: im.Text, TextHex: hex.EncodeToString([]byte(im.Text)), Layout: im.Layout.String(),
		SupplierVerified: im.SupplierVerified, ForceReplace: im.ForceReplace, Damaged: im.Damaged, AddedAt: instant(im.AddedAt),
	}
	if im.HasHardware {
		out.HardwareMin, out.HardwareMax = fmt.Sprintf("%04X", im.HardwareMin), fmt.Sprintf("%04X", im.HardwareMax)
	}
	return out
}

type imagesOutput struct {
	Body struct {
		Images []Image `json:"images"`
		Next   string  `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

// ImagePath names an image in the path.
type ImagePath struct {
	SHA256 string `path:"sha256" doc:"64 hex digits"`
}

type removeImageInput struct {
	ImagePath
	Precondition
}

type imageOutput struct {
	ETag string `header:"ETag"`
	Body Image
}

const (
	pathImages    = "/v1/images"
	uploadPattern = "POST " + pathImages
)

func (a *API) registerImages(mux *http.ServeMux) {
	register(a, huma.Operation{
		OperationID: "list-images", Method: http.MethodGet, Path: pathImages,
		Summary: "List the image cache", Tags: []string{"images"},
	}, nil, func(_ context.Context, in *Paging) (*imagesOutput, error) {
		items, next, err := cut(*in, a.Store.Images(), func(im store.Image) string { return fmt.Sprintf("%x", im.FileHash) })
		if err != nil {
			return nil, err
		}
		out := &imagesOutput{}
		out.Body.Images, out.Body.Next = []Image{}, next
		for _, im := range items {
			out.Body.Images = append(out.Body.Images, imageOf(im))
		}
		return out, nil
	})
	register(a, huma.Operation{
		OperationID: "read-image", Method: http.MethodGet, Path: pathImages + "/{sha256}",
		Summary: "Read an entry of the image cache", Tags: []string{"images"},
	}, []int{http.StatusNotFound}, func(_ context.Context, in *ImagePath) (*imageOutput, error) {
		hash, err := imagecache.ParseHash(in.SHA256)
		if err != nil {
			return nil, invalid("path.sha256", in.SHA256, err)
		}
		im, ok := a.Store.ImageByFileHash(hash)
		if !ok || im.Removed {
			return nil, problem(fmt.Errorf("image %s: %w", hash, store.ErrUnknownImage))
		}
		return &imageOutput{ETag: etag(im), Body: imageOf(im)}, nil
	})
	register(a, huma.Operation{
		OperationID: "remove-image", Method: http.MethodDelete, Path: pathImages + "/{sha256}", DefaultStatus: http.StatusNoContent,
		Summary: "Remove an image from the cache", Tags: []string{"images"},
		Description: "Refused while an update to the image has not ended; the answer says which, and what ends it. What is not there is removed already.",
	}, changing(http.StatusConflict, http.StatusPreconditionFailed), a.removeImage)
	mux.HandleFunc(uploadPattern, a.upload)
	a.describeUpload()
}

func (a *API) removeImage(_ context.Context, in *removeImageInput) (*struct{}, error) {
	hash, err := imagecache.ParseHash(in.SHA256)
	if err != nil {
		return nil, invalid("path.sha256", in.SHA256, err)
	}
	return nil, a.operate(func(_ *hub.Hub, now time.Time, out *han.Outbox) error {
		if im, ok := a.Store.ImageByFileHash(hash); ok && !im.Removed {
			if err := in.check(etag(im)); err != nil {
				return err
			}
		}
		return a.HeadEnd.RemoveImage(now, out, hash)
	})
}

// describeUpload describes the upload, which is handled outside huma because it is
// streamed to disk.
func (a *API) describeUpload() {
	const id = "upload-image"
	document := a.described.OpenAPI()
	schema := document.Components.Schemas.Schema(reflect.TypeFor[Image](), true, "Image")
	a.failures[id] = changing()
	document.AddOperation(&huma.Operation{
		OperationID: id, Method: http.MethodPost, Path: pathImages,
		Summary: "Upload a firmware image", Tags: []string{"images"},
		Description: "The body is the file as it was published, bare or in a vendor's wrapper. An image that is there already stays as it is. " +
			"A file whose image integrity code does not fit is refused unless it is forced; what else looks damaged comes in with warnings.",
		Parameters: []*huma.Param{{
			Name: forceParameter, In: "query", Description: "take a file whose image integrity code does not fit", Schema: &huma.Schema{Type: huma.TypeBoolean},
		}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		}},
		Responses: map[string]*huma.Response{
			"201": {Description: "Cached", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}},
		},
	})
}

// upload takes a file into the cache, and makes the image known if the supplier
// authorised it. Nothing is kept of a file that is refused.
func (a *API) upload(w http.ResponseWriter, r *http.Request) {
	force, err := forced(r.URL.Query())
	if err != nil {
		writeProblem(w, invalid("query", r.URL.RawQuery, err))
		return
	}
	im, warnings, err := a.takeImage(w, r, force)
	if err != nil {
		writeProblem(w, err)
		return
	}
	out := imageOf(im)
	for _, w := range warnings {
		out.Warnings = append(out.Warnings, ImageWarning{string(w.Code), w.Text})
	}
	writeJSON(w, http.StatusCreated, out)
}

// forceParameter is the one query parameter of an upload.
const forceParameter = "force"

func forced(query url.Values) (bool, error) {
	for name, values := range query {
		if name != forceParameter || len(values) != 1 {
			return false, errors.New("an upload takes force=true or force=false, and no other query parameter")
		}
		switch values[0] {
		case "true":
			return true, nil
		case "false":
		default:
			return false, fmt.Errorf("force=%q: want true or false", values[0])
		}
	}
	return false, nil
}

// takeImage returns the image as it is known from here on, and what is wrong with the file.
func (a *API) takeImage(w http.ResponseWriter, r *http.Request, force bool) (store.Image, []ota.Warning, error) {
	e, err := a.receiveImage(w, r)
	if err != nil {
		return store.Image{}, nil, err
	}
	authorised, err := a.HeadEnd.Authorise(e, a.Cache, force)
	switch {
	case errors.As(err, new(headend.AuthorityError)), errors.As(err, new(headend.DamageError)):
		err = invalid("body", nil, err)
	case err != nil:
		err = problem(err)
	default:
		err = a.operate(func(_ *hub.Hub, now time.Time, out *han.Outbox) error {
			return a.HeadEnd.RegisterImage(now, out, authorised)
		})
	}
	im, known := a.Store.ImageByFileHash(e.FileHash)
	if err != nil && (!known || im.Removed) {
		err = errors.Join(err, a.Cache.Remove(e.FileHash))
	}
	return im, e.Warnings, err
}

// receiveImage takes a body into the cache.
func (a *API) receiveImage(w http.ResponseWriter, r *http.Request) (imagecache.Entry, error) {
	if r.ContentLength > imagecache.MaxUpload {
		return imagecache.Entry{}, tooLarge()
	}
	body := &part{Reader: r.Body, control: http.NewResponseController(w), timeout: a.BodyTimeout}
	e, err := a.Cache.Put(body, imagecache.MaxUpload)
	switch {
	case err == nil:
		return e, nil
	case errors.Is(err, imagecache.ErrTooLarge):
		// A client that is about to finish hears why; one that is not is cut off.
		_, _ = io.CopyN(io.Discard, body, lateBytes)
		return imagecache.Entry{}, tooLarge()
	case errors.As(err, new(imagecache.StorageError)):
		return imagecache.Entry{}, problem(err)
	case body.failed != nil:
		return imagecache.Entry{}, bodyProblem(body.failed, imagecache.MaxUpload)
	default:
		return imagecache.Entry{}, invalid("body", nil, err)
	}
}

// lateBytes is how much of a file that is too large is still taken.
const lateBytes = 4 << 20

// part is a body that may take long as a whole but not between two reads.
type part struct {
	io.Reader
	control *http.ResponseController
	timeout time.Duration
	failed  error // what reading failed with, but the end
}

// Read implements io.Reader.
func (p *part) Read(b []byte) (int, error) {
	// Not every connection has deadlines. That for the answer moves along.
	_ = p.control.SetReadDeadline(time.Now().Add(p.timeout))
	_ = p.control.SetWriteDeadline(time.Now().Add(2 * p.timeout))
	n, err := p.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		p.failed = err
	}
	return n, err
}

func tooLarge() error {
	return statusProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("file is too large, want at most %d bytes", imagecache.MaxUpload))
}
