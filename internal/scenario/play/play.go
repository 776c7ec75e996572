// Package play plays scenario files in virtual time and says how they went.
//
//	homefile.Home ─► Stage ── seed ──► run ─► Result ─► Check ─► failed expectations
//	                  │ images, keys     │ supplier, faults, what was seen
//	                  └ shared by all runs of the home
//
// A [Stage] is made once and may be played any number of times, from any number
// of goroutines: with one seed, with many ([Stage.Neighbourhood]), with and
// without a trace. The same seed gives the same trace, byte by byte, on every
// processor.
//
// A run has a supplier, who distributes the image, orders meters to switch once
// they hold it, and orders again if the order was not fetched.
package play

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/scenario/homefile"
)

// Stage is a home with everything that its runs share.
type Stage struct {
	home   *homefile.Home
	images map[*homefile.Image]*imagecache.Image
	meters []home.Meter // without what depends on the seed
	config hub.Config
}

// Home returns the scenario.
func (s *Stage) Home() *homefile.Home { return s.home }

// NewStage makes the images of a home. An image file is looked for in the folder
// dir. Errors are about files that cannot be read or are no image.
func NewStage(home *homefile.Home, dir string) (*Stage, error) { return NewImages().Stage(home, dir) }

// Images are images that were made, for stages that have the same ones.
type Images struct {
	images    map[string]*imagecache.Image // by description
	factories map[string][]byte
}

// NewImages returns no images.
func NewImages() *Images {
	return &Images{images: map[string]*imagecache.Image{}, factories: map[string][]byte{}}
}

// Stage is NewStage with the images that were made before.
func (p *Images) Stage(home *homefile.Home, dir string) (*Stage, error) {
	s := &Stage{home: home, images: map[*homefile.Image]*imagecache.Image{}, config: hub.DefaultConfig()}
	s.config.Policy, s.config.Battery = home.Pacing.Policy, home.Radio.Set
	s.config.BlockSize, s.config.MailboxTime = int(home.BlockSize), duration(home.Mailbox)
	s.config.Gas.PerHour, s.config.Electricity.PerHour = uint64(home.Supply.Gas), uint64(home.Supply.Electricity)
	if s.config.BlockSize != hub.DefaultConfig().BlockSize {
		s.config.PlanBlockSize = s.config.BlockSize
	}
	wanted := []*homefile.Image{home.Image}
	for i := range home.Faults {
		wanted = append(wanted, home.Faults[i].Newer)
	}
	for _, i := range wanted {
		if i == nil {
			continue
		}
		im, err := p.image(i, dir, i != home.Image)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", home.File, err)
		}
		s.images[i] = im
	}
	for i := range home.Devices {
		if d := &home.Devices[i]; d.IsMeter() {
			m, err := s.meter(d, p)
			if err != nil {
				return nil, fmt.Errorf("%s: device %s: %w", home.File, d.Name, err)
			}
			s.meters = append(s.meters, m)
		}
	}
	return s, nil
}

// image returns an image that was made before, or makes or reads it. One that is made has
// the force-replace flag if it is to take the place of another.
func (p *Images) image(i *homefile.Image, dir string, replaces bool) (*imagecache.Image, error) {
	d := *i
	d.Size, d.File = nil, nil
	key := fmt.Sprintf("%+v %v", d, replaces)
	if i.Size != nil {
		key += fmt.Sprintf(" of %d bytes", *i.Size)
	} else {
		key += " from " + string(*i.File)
	}
	if im, ok := p.images[key]; ok {
		return im, nil
	}
	im, err := loadImage(i, dir, replaces)
	if err == nil {
		p.images[key] = im
	}
	return im, err
}

// factory returns the image that a meter leaves the factory with.
func (p *Images) factory(spec imagebuild.Spec) ([]byte, error) {
	key := fmt.Sprintf("%+v", spec)
	if file, ok := p.factories[key]; ok {
		return file, nil
	}
	file, err := imagebuild.ExactFile(spec, bootloader.ProgramWorks, 1, factorySize, signer("manufacturer"), signer("supplier"))
	if err == nil {
		p.factories[key] = file
	}
	return file, err
}

// loadImage makes an image, or reads it.
func loadImage(i *homefile.Image, dir string, replaces bool) (*imagecache.Image, error) {
	if i.File == nil {
		built, err := buildImage(i, replaces)
		if err != nil {
			return nil, err
		}
		return imagecache.NewImage(built)
	}
	path := string(*i.File)
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	published, err := readImage(path)
	if err == nil {
		var im *imagecache.Image
		if im, err = imagecache.NewImage(published); err == nil {
			return im, nil
		}
	}
	return nil, fmt.Errorf("image %s: %w", *i.File, err)
}

// readImage reads a file that may hold an image; it never reads more than the
// largest one there can be.
func readImage(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, inputfile.Reason(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, imagecache.MaxUpload+1))
	if err == nil && len(b) > imagecache.MaxUpload {
		err = fmt.Errorf("the file is too large, want at most %d bytes", imagecache.MaxUpload)
	}
	return b, inputfile.Reason(err)
}

// buildImage makes an image file of the size asked for. Its bytes depend on the
// description alone, never on a run's seed, so that all runs share it.
func buildImage(i *homefile.Image, replaces bool) ([]byte, error) {
	spec := imagebuild.DefaultSpec(uint32(i.Version))
	spec.Sequence, spec.ForceReplace = uint32(i.Version>>24), replaces
	spec.HardwareMin, spec.HardwareMax = uint16(i.Hardware), uint16(i.Hardware)
	manufacturer := signer("manufacturer")
	if i.SignedBy == homefile.SignedByStranger {
		manufacturer = signer("stranger")
	}
	return imagebuild.ExactFile(spec, bootloader.Program(i.Program), 1, int(*i.Size), manufacturer, signer("supplier"))
}

// factorySize is the size of the image that a meter leaves the factory with.
const factorySize = 4096

// meter returns what is the same of a meter in all runs.
func (s *Stage) meter(d *homefile.Device, p *Images) (home.Meter, error) {
	policy := bootloader.Policy{
		Trust: bootloader.Trust(d.Trust), Manufacturer: &signer("manufacturer").PublicKey,
		Vendor: imagebuild.DefaultVendor, Class: imagebuild.DefaultClass, Hardware: uint16(d.Hardware),
	}
	if im := s.home.Image; im != nil && im.File != nil {
		h := s.images[im].Header
		policy.Vendor, policy.Class, policy.Hardware = h.Manufacturer, h.ImageType, h.HardwareMin
	}
	spec := imagebuild.DefaultSpec(uint32(d.Version))
	spec.ID.Manufacturer, spec.ID.ImageType = policy.Vendor, policy.Class
	spec.HardwareMin, spec.HardwareMax = policy.Hardware, policy.Hardware
	spec.Sequence = uint32(d.Version >> 24)
	factory, err := p.factory(spec)
	if err != nil {
		return home.Meter{}, err
	}
	m := home.NewMeter(d.Address(), store.Kind(d.Kind), policy, factory)
	m.SupplierKey = &signer("supplier").PublicKey
	m.SlotCapacity, m.DriftPPM, m.Battery = int(d.Slot), int64(d.Drift), d.ParameterSet(s.home)
	m.OTA.MaxDataSize = uint8(max(uint64(m.OTA.MaxDataSize), uint64(s.home.BlockSize)))
	m.OTA.PageSize = uint16(s.home.PageSize)
	m.Period, m.Jitter, m.Awake = duration(d.Heartbeat.Period), duration(d.Heartbeat.Jitter), duration(d.Heartbeat.Awake)
	m.Budget.Reserve = d.Battery.Reserve.Of(&m.Battery)
	if d.Budget != nil {
		m.Budget.RadioOn = duration(*d.Budget)
	}
	return m, nil
}

// device returns the description of a meter.
func (s *Stage) device(eui han.EUI64) *homefile.Device {
	for i := range s.home.Devices {
		if s.home.Devices[i].Address() == eui {
			return &s.home.Devices[i]
		}
	}
	panic(fmt.Sprintf("play: %s is not in the home", eui))
}

// signer returns the P-256 key that belongs to a name. It protects nothing: the images
// of a simulation never leave it.
func signer(name string) *ecdsa.PrivateKey {
	seed := sha256.Sum256([]byte("commshub simulation key " + name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		panic(err)
	}
	return k
}
