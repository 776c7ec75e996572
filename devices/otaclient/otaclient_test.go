package otaclient

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
)

const capacity = 512

var (
	geometry = flash.Geometry{SectorSize: 256, PageSize: 64, Sectors: 4 + 2*4}
	start    = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	factory  = testimage.VendorFile(1, 60)
	next     = testimage.VendorFile(2, 300)
	other    = testimage.VendorFile(3, 200)
)

func imageID(version uint32) ota.ImageID {
	return ota.ImageID{Manufacturer: testimage.Vendor, ImageType: testimage.Class, FileVersion: version}
}

func openBoot(chip *flash.Chip) *bootloader.Bootloader {
	n := bootloader.SlotSectors(capacity, geometry.SectorSize)
	return must(bootloader.Open(testimage.Policy(bootloader.TrustAny), chip.Region(0, 4),
		bootloader.OpenSlot(chip.Region(4, n), capacity), bootloader.OpenSlot(chip.Region(4+n, n), capacity)))
}

// device is the owner of a client in a test: it writes down what the client asks
// and tells, and verifies as it was told to.
type device struct {
	chip    *flash.Chip
	boot    *bootloader.Bootloader
	client  *Client
	station zcl.Station
	now     time.Time
	out     han.Outbox

	said     []string
	broke    bool       // MayRequestBlock says no
	verdict  zcl.Status // of the verification
	postpone bool       // the verification does not end by itself
}

func newDevice(cfg Config) *device {
	d := &device{chip: flash.New(geometry), station: zcl.Station{Node: 1, Endpoint: 1}, now: start}
	d.boot = openBoot(d.chip)
	if err := d.boot.Factory(factory); err != nil {
		panic(err)
	}
	d.client = New(cfg, d.link(), d.boot, imageID(1), d)
	return d
}

// server is the other end of the tests' link.
var server = zcl.Peer{Node: 2, Endpoint: 9, Cluster: ota.ClusterID}

func (d *device) link() Link { return Link{Station: &d.station, Server: server, Limit: d} }

// restart makes client and bootloader anew from flash.
func (d *device) restart() {
	d.boot = openBoot(d.chip)
	d.client = New(d.client.cfg, d.link(), d.boot, imageID(1), d)
}

func (d *device) MayRequestBlock(time.Time) (bool, string) { return !d.broke, "broke" }
func (d *device) MayAsk(time.Time) bool                    { return !d.broke }

func (d *device) ImageBegun(time.Time, *han.Outbox) {
	d.listen()
	d.say("begun")
}

func (d *device) ImageComplete(now time.Time, out *han.Outbox) {
	d.listen()
	d.say("complete")
	if !d.postpone {
		d.finish(now, out)
	}
}

func (d *device) finish(now time.Time, out *han.Outbox) {
	if d.verdict == zcl.StatusSuccess {
		d.boot.Candidate().MarkVerified(sha256.Sum256(d.boot.Candidate().File()))
	}
	d.client.Finish(now, out, d.verdict)
}

func (d *device) ImageHeld(time.Time, *han.Outbox) {
	d.listen()
	d.say("held")
}

// listen writes down the requests that lie in the outbox.
func (d *device) listen() {
	for _, f := range d.out.Frames {
		h, payload, err := zcl.ParseHeader(f.Payload)
		if err != nil || f.Dst != server.Node || f.DstEndpoint != server.Endpoint || f.Cluster != server.Cluster {
			panic(fmt.Sprintf("sent %s: %v", f, err))
		}
		switch h.Command {
		case ota.CommandQueryNextImageRequest:
			c := must(ota.ParseQueryNextImageRequest(payload))
			d.say("query after %d, hardware %04X", c.Current.FileVersion, c.HardwareVersion)
		case ota.CommandImageBlockRequest:
			c := must(ota.ParseImageBlockRequest(payload))
			d.say("block %d of %d", c.Offset, c.Image.FileVersion)
		case ota.CommandImagePageRequest:
			c := must(ota.ParseImagePageRequest(payload))
			d.say("page of %d at %d of %d", c.PageSize, c.Offset, c.Image.FileVersion)
		case ota.CommandUpgradeEndRequest:
			c := must(ota.ParseUpgradeEndRequest(payload))
			d.say("end of %d %s", c.Image.FileVersion, c.Status)
		default:
			panic(fmt.Sprintf("sent command %02X", h.Command))
		}
	}
	d.out.Frames = d.out.Frames[:0]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (d *device) say(format string, args ...any) {
	d.said = append(d.said, fmt.Sprintf(format, args...))
}

// hear returns what was said since the last time.
func (d *device) hear() string {
	d.listen()
	s := strings.Join(d.said, ", ")
	d.said = d.said[:0]
	return s
}

func (d *device) offer()  { d.client.Offer(d.now, &d.out) }
func (d *device) resume() { d.client.Resume(d.now, &d.out) }

// overdue lets the earliest deadline come.
func (d *device) overdue() {
	if next, ok := d.client.NextTimer(); ok {
		d.now = next.At
		d.client.HandleTimer(d.now, &d.out)
	}
}

func (d *device) answerQuery(version uint32, size int) zcl.Status {
	return d.client.handleQueryNextImageResponse(d.now, &d.out, ota.QueryNextImageResponse{Image: imageID(version), Size: uint32(size)})
}

// block serves n bytes of a file at an offset.
func (d *device) block(version uint32, file []byte, offset, n int) zcl.Status {
	return d.client.handleImageBlockResponse(d.now, &d.out, ota.ImageBlockResponse{
		Image: imageID(version), Offset: uint32(offset), Data: file[offset:min(offset+n, len(file))],
	})
}

func (d *device) status(s zcl.Status) zcl.Status {
	return d.client.handleImageBlockResponse(d.now, &d.out, ota.ImageBlockResponse{Status: s})
}

func (d *device) offset() int { return int(d.boot.Candidate().Offset()) }

// download serves a file until it is complete.
func (d *device) download(version uint32, file []byte) {
	d.offer()
	d.answerQuery(version, len(file))
	for d.client.State() == StateDownloading {
		d.block(version, file, d.offset(), 48)
	}
}

// enter brings a new device into a state, the download at offset 48.
func enter(cfg Config, s State) *device {
	d := newDevice(cfg)
	switch s {
	case StateIdle:
	case StateQuerying:
		d.offer()
	case StateDownloading, StatePaused:
		d.offer()
		d.answerQuery(2, len(next))
		d.block(2, next, 0, 48)
		if s == StatePaused {
			d.client.Pause()
		}
	case StateComplete:
		d.postpone = true
		d.download(2, next)
	case StateEnding:
		d.download(2, next)
	case StateWaiting:
		d.download(2, next)
		d.client.handleUpgradeEndResponse(ota.UpgradeEndResponse{Image: imageID(2), UpgradeTime: zcl.UTCTimeInvalid})
	}
	d.hear()
	if d.client.State() != s {
		panic(fmt.Sprintf("in state %s, want %s", d.client.State(), s))
	}
	return d
}

// inputs are all that can happen to a client.
var inputs = []struct {
	name string
	do   func(d *device)
}{
	{"offer", (*device).offer},
	{"resume", (*device).resume},
	{"pause", func(d *device) { d.client.Pause() }},
	{"spurious timer", func(d *device) { d.client.HandleTimer(d.now, &d.out) }},
	{"overdue", (*device).overdue},
	{"image offered", func(d *device) { d.answerQuery(3, len(other)) }},
	{"no image", func(d *device) {
		d.client.handleQueryNextImageResponse(d.now, &d.out, ota.QueryNextImageResponse{Status: zcl.StatusNoImageAvailable})
	}},
	{"next block", func(d *device) { d.block(2, next, 48, 48) }},
	{"abort", func(d *device) { d.status(zcl.StatusAbort) }},
	{"wait", func(d *device) {
		d.client.handleImageBlockResponse(d.now, &d.out, ota.ImageBlockResponse{Status: zcl.StatusWaitForData, RequestTime: 60})
	}},
	{"end response", func(d *device) {
		d.client.handleUpgradeEndResponse(ota.UpgradeEndResponse{Image: imageID(2), UpgradeTime: zcl.UTCTimeInvalid})
	}},
	{"query refused", func(d *device) { d.refuse(ota.CommandQueryNextImageRequest) }},
	{"block refused", func(d *device) { d.refuse(ota.CommandImageBlockRequest) }},
	{"end refused", func(d *device) { d.refuse(ota.CommandUpgradeEndRequest) }},
}

func (d *device) refuse(command uint8) {
	d.client.handleDefaultResponse(d.now, &d.out, zcl.DefaultResponse{Command: command, Status: zcl.StatusFailure})
}

// grid says what each input leads to in each state: the next state and what the
// client says. Inputs that are not listed do nothing.
var grid = map[State]map[string]string{
	StateIdle: {"offer": "querying: query after 1, hardware 0000"},
	StateQuerying: {
		"pause":         "idle: ",
		"overdue":       "querying: query after 1, hardware 0000",
		"image offered": "downloading: begun, block 0 of 3",
		"no image":      "idle: ",
		"query refused": "idle: ",
	},
	StateDownloading: {
		"pause":         "paused: ",
		"overdue":       "downloading: block 48 of 2",
		"next block":    "downloading: block 96 of 2",
		"abort":         "idle: ",
		"wait":          "paused: ",
		"block refused": "paused: ",
	},
	StatePaused:   {"resume": "downloading: block 48 of 2"},
	StateComplete: {"resume": "complete: complete"},
	StateEnding: {
		"resume":       "ending: end of 2 SUCCESS",
		"overdue":      "ending: end of 2 SUCCESS",
		"end response": "waiting: ",
		"end refused":  "waiting: ",
	},
	StateWaiting: {"offer": "querying: query after 1, hardware 0000"},
}

func TestEveryInputInEveryState(t *testing.T) {
	for s := StateIdle; s <= StateWaiting; s++ {
		for _, input := range inputs {
			t.Run(s.String()+"/"+input.name, func(t *testing.T) {
				d := enter(DefaultConfig(), s)
				want, listed := grid[s][input.name]
				if !listed {
					want = s.String() + ": "
				}
				waited, waiting := d.client.NextTimer()
				input.do(d)
				if got := d.client.State().String() + ": " + d.hear(); got != want {
					t.Errorf("led to %q, want %q", got, want)
				}
				if after, still := d.client.NextTimer(); !listed && input.name != "pause" && (after != waited || still != waiting) {
					t.Errorf("moved the deadline from %v to %v", waited, after)
				}
				if d.client.Awaiting() && d.client.State() != StateQuerying && d.client.State() != StateDownloading && d.client.State() != StateEnding {
					t.Errorf("waits for an answer in state %s", d.client.State())
				}
			})
		}
	}
}

func TestAnImageIsDownloadedByteForByte(t *testing.T) {
	for _, size := range []int{1, 16, 47, 48, 63} {
		t.Run(fmt.Sprintf("in blocks of %d", size), func(t *testing.T) {
			d := newDevice(DefaultConfig())
			d.offer()
			d.answerQuery(2, len(next))
			blocks := 0
			for d.client.State() == StateDownloading {
				at := d.offset()
				d.block(2, next, at, size)
				blocks++
				if at > 0 {
					d.block(2, next, at-1, 1) // late answers change nothing
				}
			}
			if !bytes.Equal(d.boot.Candidate().File(), next) {
				t.Error("the slot holds other bytes")
			}
			if got := d.client.Stats(); got.Blocks != uint32(blocks) || got.Retries != 0 || d.client.BlocksEver() != uint32(blocks) {
				t.Errorf("counted %+v and %d ever, want %d blocks", got, d.client.BlocksEver(), blocks)
			}
			d.client.handleUpgradeEndResponse(ota.UpgradeEndResponse{Image: imageID(2), UpgradeTime: zcl.UTCTimeInvalid})
			d.hear()
			d.offer()
			if d.answerQuery(2, len(next)) != zcl.StatusSuccess || d.client.State() != StateEnding || d.hear() != "query after 1, hardware 0000, held, end of 2 SUCCESS" {
				t.Errorf("an image that is held is not told: %s", d.client.State())
			}
		})
	}
}

func TestAfterARestartTheSlotSaysHowToGoOn(t *testing.T) {
	tests := []struct {
		state State
		want  string // state and what Resume makes it say
	}{
		{StateIdle, "idle: "},
		{StateQuerying, "idle: "},
		{StateDownloading, "paused: block 48 of 2"},
		{StatePaused, "paused: block 48 of 2"},
		{StateComplete, "complete: complete, end of 2 SUCCESS"},
		{StateEnding, "waiting: "},
		{StateWaiting, "waiting: "},
	}
	for _, tt := range tests {
		t.Run(tt.state.String(), func(t *testing.T) {
			d := enter(DefaultConfig(), tt.state)
			d.postpone = false
			d.restart()
			d.client.SetStats(Stats{Blocks: 1, Retries: 2})
			s := d.client.State()
			d.resume()
			if got := s.String() + ": " + d.hear(); got != tt.want {
				t.Errorf("after a restart %q, want %q", got, tt.want)
			}
			if got := d.client.Stats(); got != (Stats{Blocks: 1, Retries: 2}) {
				t.Errorf("counts %+v", got)
			}
		})
	}
}

func TestStatesAndTheirUpgradeStatus(t *testing.T) {
	want := map[State]ota.UpgradeStatus{
		StateIdle: ota.UpgradeNormal, StateQuerying: ota.UpgradeNormal,
		StateDownloading: ota.UpgradeDownloading, StatePaused: ota.UpgradeDownloading,
		StateComplete: ota.UpgradeDownloaded, StateEnding: ota.UpgradeDownloaded,
		StateWaiting: ota.UpgradeWaitingExternal,
	}
	got := map[State]ota.UpgradeStatus{}
	for s := StateIdle; s <= StateWaiting; s++ {
		got[s] = s.UpgradeStatus()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	defer func() {
		if recover() == nil {
			t.Error("a state that does not exist has an upgrade status")
		}
	}()
	State(99).UpgradeStatus()
}

func TestFinishingWhatIsNotCompletePanics(t *testing.T) {
	for s := StateIdle; s <= StateWaiting; s++ {
		if s == StateComplete {
			continue
		}
		d := enter(DefaultConfig(), s)
		func() {
			defer func() {
				if v := recover(); v != "otaclient: finish in state "+s.String() {
					t.Errorf("panic %v", v)
				}
			}()
			d.client.Finish(d.now, &d.out, zcl.StatusSuccess)
		}()
	}
}

// kinds returns what was recorded.
func (d *device) kinds() []trace.Kind {
	var all []trace.Kind
	for _, r := range d.out.Records {
		all = append(all, r.Kind)
	}
	return all
}

// TestAnImpossibleTransitionPanics, naming both states; the possible ones are those
// of the package comment.
func TestAnImpossibleTransitionPanics(t *testing.T) {
	var possible []string
	for from := StateIdle; from <= StateWaiting; from++ {
		for to := StateIdle; to <= StateWaiting; to++ {
			func() {
				defer func() {
					switch v := recover(); v {
					case nil:
						possible = append(possible, from.String()+" "+to.String())
					case fmt.Sprintf("otaclient: no way from %s to %s", from, to):
					default:
						t.Errorf("from %s to %s: panic %v", from, to, v)
					}
				}()
				(&Client{state: from}).enter(to)
			}()
		}
	}
	want := []string{
		"idle querying", "querying idle", "querying downloading", "querying ending", "querying waiting",
		"downloading idle", "downloading downloading", "downloading paused", "downloading complete", "downloading ending",
		"paused downloading", "complete ending", "ending idle", "ending waiting", "waiting querying",
	}
	if diff := cmp.Diff(want, possible); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
