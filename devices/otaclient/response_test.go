package otaclient

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

func TestWaitForDataIsObeyed(t *testing.T) {
	const noon zcl.UTCTime = 800_000_000
	wait := func(current, request zcl.UTCTime) ota.ImageBlockResponse {
		return ota.ImageBlockResponse{Status: zcl.StatusWaitForData, CurrentTime: current, RequestTime: request}
	}
	with := func(r ota.ImageBlockResponse, ms uint16) ota.ImageBlockResponse {
		r.HasMinPeriod, r.MinPeriod = true, ms
		return r
	}
	tests := []struct {
		name    string
		give    ota.ImageBlockResponse
		delay   time.Duration // of a mains-powered client
		windows int           // that a client with heartbeats of 30 minutes lets pass
	}{
		{"a minute by the server's clock", wait(noon, noon+60), time.Minute, 0},
		{"no time at all", wait(noon, noon), 0, 0},
		{"an offset from a server without a clock", wait(0, 90), 90 * time.Second, 0},
		{"no offset", wait(0, 0), 0, 0},
		{"the longest offset", wait(0, zcl.UTCTimeInvalid), time.Hour, 1},
		{"a time before the server's", wait(noon, noon-1), 5 * time.Minute, 0},
		{"a time long before the server's", wait(zcl.UTCTimeInvalid, 1), 5 * time.Minute, 0},
		{"the next heartbeat", wait(noon, noon+30*60), 30 * time.Minute, 0},
		{"just short of the middle between two", wait(noon, noon+45*60-1), 45*time.Minute - time.Second, 0},
		{"the middle between two heartbeats", wait(noon, noon+45*60), 45 * time.Minute, 1},
		{"the one after the next", wait(noon, noon+60*60), time.Hour, 1},
		{"a day, which real clients cut to an hour", wait(noon, noon+24*60*60), time.Hour, 1},
		{"a minimum period on top", with(wait(noon, noon+60), 500), time.Minute + 500*time.Millisecond, 0},
		{"a minimum period beyond an hour", with(wait(noon, noon+60*60), 65_535), time.Hour, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mains := enter(DefaultConfig(), StateDownloading)
			mains.client.handleImageBlockResponse(mains.now, &mains.out, tt.give)
			due, ok := mains.client.NextTimer()
			if got := due.At.Sub(mains.now); !ok || got != tt.delay || due.Patience {
				t.Errorf("waits %v (%v), want %v", got, ok, tt.delay)
			}
			if r := mains.out.Records[len(mains.out.Records)-1]; r.Kind != trace.WaitForData || r.Took != tt.delay || r.Offset != 48 {
				t.Errorf("recorded %v", r)
			}
			mains.overdue()
			if got := mains.hear(); got != "block 48 of 2" {
				t.Errorf("then %q", got)
			}

			cfg := DefaultConfig()
			cfg.HeartbeatPeriod, cfg.RetryPause = 30*time.Minute, 0
			sleepy := enter(cfg, StateDownloading)
			sleepy.client.handleImageBlockResponse(sleepy.now, &sleepy.out, tt.give)
			if due, ok := sleepy.client.NextTimer(); ok {
				t.Errorf("a sleeping client has a deadline: %v", due)
			}
			for range tt.windows {
				sleepy.resume()
				if got := sleepy.hear(); got != "" {
					t.Errorf("told to wait past this window: %q", got)
				}
			}
			sleepy.resume()
			if got := sleepy.hear(); got != "block 48 of 2" {
				t.Errorf("then %q", got)
			}
		})
	}
}

// TestTheMinimumPeriodSpacesRequests: it holds until the server names another.
func TestTheMinimumPeriodSpacesRequests(t *testing.T) {
	d := enter(DefaultConfig(), StateDownloading)
	pace := func(ms uint16, has bool) {
		d.client.handleImageBlockResponse(d.now, &d.out, ota.ImageBlockResponse{
			Status: zcl.StatusWaitForData, HasMinPeriod: has, MinPeriod: ms})
		d.overdue()
		d.hear()
	}
	pace(250, true)
	for range 2 {
		d.block(2, next, d.offset(), 48)
		if got := d.hear(); got != "" || !d.client.Awaiting() {
			t.Fatalf("%q at once, awaiting %v", got, d.client.Awaiting())
		}
		before := d.now
		d.overdue()
		if got := d.now.Sub(before); got != 250*time.Millisecond || d.hear() != fmt.Sprintf("block %d of 2", d.offset()) {
			t.Fatalf("asked after %v", got)
		}
		pace(0, false) // an older server does not know the field
	}
	pace(0, true)
	d.block(2, next, d.offset(), 48)
	if got := d.hear(); got != fmt.Sprintf("block %d of 2", d.offset()) {
		t.Errorf("without a period %q", got)
	}
}

func TestBlocksThatAreNotTheOneAskedFor(t *testing.T) {
	data := func(n int) []byte { return make([]byte, n) }
	tests := []struct {
		name string
		give ota.ImageBlockResponse
		want zcl.Status
	}{
		{"of another image", ota.ImageBlockResponse{Image: imageID(3), Offset: 48, Data: data(48)}, zcl.StatusInvalidValue},
		{"of another manufacturer", ota.ImageBlockResponse{Image: ota.ImageID{ImageType: 1, FileVersion: 2}, Offset: 48, Data: data(48)}, zcl.StatusInvalidValue},
		{"already stored", ota.ImageBlockResponse{Image: imageID(2), Offset: 0, Data: data(48)}, zcl.StatusSuccess},
		{"ahead", ota.ImageBlockResponse{Image: imageID(2), Offset: 96, Data: data(48)}, zcl.StatusSuccess},
		{"far behind the end", ota.ImageBlockResponse{Image: imageID(2), Offset: 1 << 31, Data: data(48)}, zcl.StatusSuccess},
		{"empty", ota.ImageBlockResponse{Image: imageID(2), Offset: 48}, zcl.StatusInvalidValue},
		{"larger than asked for", ota.ImageBlockResponse{Image: imageID(2), Offset: 48, Data: data(64)}, zcl.StatusInvalidValue},
		{"of an unknown status", ota.ImageBlockResponse{Status: zcl.StatusTimeout}, zcl.StatusSuccess},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := enter(DefaultConfig(), StateDownloading)
			operations, due := d.chip.Stats().Operations, mustNext(d)
			if got := d.client.handleImageBlockResponse(d.now, &d.out, tt.give); got != tt.want {
				t.Errorf("answered %s, want %s", got, tt.want)
			}
			if d.client.State() != StateDownloading || d.offset() != 48 || d.chip.Stats().Operations != operations || mustNext(d) != due {
				t.Errorf("state %s, offset %d, deadline %v", d.client.State(), d.offset(), mustNext(d))
			}
		})
	}
	t.Run("beyond the end", func(t *testing.T) {
		d := enter(DefaultConfig(), StateDownloading)
		for len(next)-d.offset() > 48 {
			d.block(2, next, d.offset(), 48)
		}
		at := uint32(d.offset())
		r := ota.ImageBlockResponse{Image: imageID(2), Offset: at, Data: data(len(next) - int(at) + 1)}
		if got := d.client.handleImageBlockResponse(d.now, &d.out, r); got != zcl.StatusInvalidValue || d.offset() != int(at) {
			t.Errorf("answered %s, offset %d", got, d.offset())
		}
	})
}

func mustNext(d *device) time.Time {
	due, ok := d.client.NextTimer()
	if !ok {
		return time.Time{}
	}
	return due.At
}

// TestUnansweredRequestsAreRepeatedThenPaused: so often as configured, each after
// the time for an answer, in every state that waits for one.
func TestUnansweredRequestsAreRepeatedThenPaused(t *testing.T) {
	tests := []struct {
		state         State
		request, then string
		after         State // too many
	}{
		{StateQuerying, "query after 1, hardware 0000", "", StateIdle},
		{StateDownloading, "block 48 of 2", "block 48 of 2", StatePaused},
		{StateEnding, "end of 2 SUCCESS", "end of 2 SUCCESS", StateEnding},
	}
	for _, tt := range tests {
		t.Run(tt.state.String(), func(t *testing.T) {
			cfg := DefaultConfig()
			d := enter(cfg, tt.state)
			for i := range cfg.MaxRetries {
				before := d.now
				d.overdue()
				if got := d.hear(); got != tt.request || d.now.Sub(before) != cfg.AnswerTimeout {
					t.Fatalf("retry %d: %q after %v", i+1, got, d.now.Sub(before))
				}
			}
			d.overdue()
			if got := d.hear(); got != "" || d.client.State() != tt.after || d.client.Awaiting() {
				t.Errorf("gave up with %q in state %s", got, d.client.State())
			}
			if got := d.client.Stats().Retries; got != cfg.MaxRetries {
				t.Errorf("counted %d retries", got)
			}
			before := d.now
			d.overdue()
			if got := d.hear(); got != tt.then || d.now.Sub(before) != cfg.RetryPause {
				t.Errorf("after the pause %q, which lasted %v", got, d.now.Sub(before))
			}

			cfg.RetryPause = 0
			d = enter(cfg, tt.state)
			for range cfg.MaxRetries + 1 {
				d.overdue()
			}
			if _, ok := d.client.NextTimer(); ok {
				t.Error("a sleeping client sets itself a deadline")
			}
		})
	}
}

func TestABudgetThatIsSpentPausesTheDownload(t *testing.T) {
	d := enter(DefaultConfig(), StateDownloading)
	d.broke = true
	d.block(2, next, 48, 48)
	if d.hear() != "" || d.client.State() != StatePaused || d.offset() != 96 {
		t.Errorf("state %s at %d", d.client.State(), d.offset())
	}
	if k := d.kinds(); k[len(k)-1] != trace.BudgetSpent {
		t.Errorf("recorded %v", k)
	}
	d.broke = false
	d.resume()
	if got := d.hear(); got != "block 96 of 2" {
		t.Errorf("in the next window %q", got)
	}
}

// TestAnImageThatChangedUnderItsNameStartsOver: what is in flash is not what is
// being served, so the download begins anew and ends with the bytes served.
func TestAnImageThatChangedUnderItsNameStartsOver(t *testing.T) {
	d := enter(DefaultConfig(), StateDownloading)
	d.block(2, next, 48, 20) // 20 bytes are stored, marked are 16
	d.restart()
	if d.offset() != 64 {
		t.Fatalf("offset %d after a restart, want 64", d.offset())
	}
	d.resume()
	d.hear()
	changed := slices.Clone(next)
	for i := range changed {
		changed[i] = 0xFF
	}
	d.block(2, changed, 64, 48)
	if got := d.hear(); got != "begun, block 0 of 2" || d.offset() != 0 {
		t.Fatalf("said %q at offset %d", got, d.offset())
	}
	if got := d.client.Stats(); got != (Stats{}) {
		t.Errorf("counts %+v of a download that starts over", got)
	}
	for d.client.State() == StateDownloading {
		d.block(2, changed, d.offset(), 48)
	}
	if !slices.Equal(d.boot.Candidate().File(), changed) {
		t.Error("the slot holds other bytes than those served")
	}
}

func TestOffersThatAreNotTaken(t *testing.T) {
	tests := []struct {
		name string
		give ota.QueryNextImageResponse
		want zcl.Status
		says string
	}{
		{"what runs already", ota.QueryNextImageResponse{Image: imageID(1), Size: 100}, zcl.StatusSuccess, ""},
		{"another manufacturer's", ota.QueryNextImageResponse{Image: ota.ImageID{Manufacturer: 1, ImageType: 1, FileVersion: 2}, Size: 100}, zcl.StatusInvalidValue, ""},
		{"another type", ota.QueryNextImageResponse{Image: ota.ImageID{Manufacturer: 0x109A, ImageType: 9, FileVersion: 2}, Size: 100}, zcl.StatusInvalidValue, ""},
		{"larger than the slot", ota.QueryNextImageResponse{Image: imageID(2), Size: capacity + 1}, zcl.StatusSuccess, "end of 2 ABORT"},
		{"empty", ota.QueryNextImageResponse{Image: imageID(2)}, zcl.StatusSuccess, "end of 2 ABORT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := enter(DefaultConfig(), StateQuerying)
			if got := d.client.handleQueryNextImageResponse(d.now, &d.out, tt.give); got != tt.want {
				t.Errorf("answered %s, want %s", got, tt.want)
			}
			if got := d.hear(); got != tt.says {
				t.Errorf("said %q, want %q", got, tt.says)
			}
			d.refuse(ota.CommandUpgradeEndRequest)
			if d.client.State() != StateIdle || d.boot.Candidate().State() != bootloader.SlotEmpty {
				t.Errorf("state %s, slot %s", d.client.State(), d.boot.Candidate().State())
			}
		})
	}
}

func TestARejectedImageIsReportedAndDropped(t *testing.T) {
	d := newDevice(DefaultConfig())
	d.verdict = zcl.StatusInvalidImage
	d.download(2, next)
	d.hear()
	d.overdue()
	if got := d.hear(); got != "end of 2 INVALID_IMAGE" {
		t.Errorf("reports %q", got)
	}
	// ZCL §11.13.9.5: a Default Response of whatever status ends it.
	d.client.handleDefaultResponse(d.now, &d.out, zcl.DefaultResponse{Command: ota.CommandUpgradeEndRequest})
	if _, waits := d.client.NextTimer(); waits || d.client.State() != StateIdle || d.boot.Candidate().State() != bootloader.SlotEmpty {
		t.Errorf("state %s, slot %s", d.client.State(), d.boot.Candidate().State())
	}
}

func TestUpgradeEndResponses(t *testing.T) {
	wildcard := ota.ImageID{Manufacturer: ota.WildcardManufacturer, ImageType: ota.WildcardImageType, FileVersion: ota.WildcardFileVersion}
	tests := []struct {
		name string
		give ota.UpgradeEndResponse
		want zcl.Status
		then State
	}{
		{"wait, by name", ota.UpgradeEndResponse{Image: imageID(2), UpgradeTime: zcl.UTCTimeInvalid}, zcl.StatusSuccess, StateWaiting},
		{"wait, whatever the image", ota.UpgradeEndResponse{Image: wildcard, UpgradeTime: zcl.UTCTimeInvalid}, zcl.StatusSuccess, StateWaiting},
		{"wait, of another image", ota.UpgradeEndResponse{Image: imageID(3), UpgradeTime: zcl.UTCTimeInvalid}, zcl.StatusSuccess, StateEnding},
		{"switch now", ota.UpgradeEndResponse{Image: wildcard}, zcl.StatusNotAuthorized, StateWaiting},
		{"switch at a time", ota.UpgradeEndResponse{Image: imageID(2), CurrentTime: 1, UpgradeTime: 800_000_000}, zcl.StatusNotAuthorized, StateWaiting},
		{"switch another image now", ota.UpgradeEndResponse{Image: imageID(3)}, zcl.StatusSuccess, StateEnding},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := enter(DefaultConfig(), StateEnding)
			if got := d.client.handleUpgradeEndResponse(tt.give); got != tt.want || d.client.State() != tt.then {
				t.Errorf("answered %s in state %s, want %s in %s", got, d.client.State(), tt.want, tt.then)
			}
			if d.boot.Running().ID().FileVersion != 1 || !d.boot.HoldsImage() {
				t.Error("it moved the image")
			}
		})
	}
}

// TestAnAbortedDownloadIsForgotten: no Upgrade End Request, and the next offer is
// taken from the beginning.
func TestAnAbortedDownloadIsForgotten(t *testing.T) {
	for _, status := range []zcl.Status{zcl.StatusAbort, zcl.StatusNoImageAvailable} {
		d := enter(DefaultConfig(), StateDownloading)
		d.status(status)
		d.restart()
		d.offer()
		d.answerQuery(2, len(next))
		if diff := cmp.Diff("query after 1, hardware 0000, begun, block 0 of 2", d.hear()); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", status, diff)
		}
	}
}

// TestAnImageHeldUnderTheNameOfAnother: the server knows that it offers other bytes than
// those that the client holds, and says so; the client fetches them.
func TestAnImageHeldUnderTheNameOfAnother(t *testing.T) {
	t.Run("told", func(t *testing.T) {
		d := enter(DefaultConfig(), StateWaiting)
		d.offer()
		d.answerQuery(2, len(next))
		d.client.handleDefaultResponse(d.now, &d.out, zcl.DefaultResponse{Command: ota.CommandUpgradeEndRequest, Status: zcl.StatusAbort})
		if d.client.State() != StateIdle || d.boot.Candidate().State() != bootloader.SlotEmpty {
			t.Fatalf("%s, slot %s", d.client.State(), d.boot.Candidate().State())
		}
		d.hear()
		d.offer()
		d.answerQuery(2, len(next))
		if got := d.hear(); got != "query after 1, hardware 0000, begun, block 0 of 2" {
			t.Errorf("afterwards %s", got)
		}
	})
	t.Run("seen by its size", func(t *testing.T) {
		d := enter(DefaultConfig(), StateWaiting)
		d.offer()
		d.answerQuery(2, len(next)-1)
		if got := d.hear(); got != "query after 1, hardware 0000, begun, block 0 of 2" {
			t.Errorf("offered another size: %s", got)
		}
	})
	t.Run("a rejected image that the server wants gone", func(t *testing.T) {
		d := newDevice(DefaultConfig())
		d.verdict = zcl.StatusInvalidImage
		d.download(2, next)
		d.client.handleDefaultResponse(d.now, &d.out, zcl.DefaultResponse{Command: ota.CommandUpgradeEndRequest, Status: zcl.StatusAbort})
		if d.client.State() != StateIdle {
			t.Errorf("%s", d.client.State())
		}
	})
}

// TestARefusalThatGoesOnEndsTheDownload, whichever side refuses; a block in between
// begins the count anew.
func TestARefusalThatGoesOnEndsTheDownload(t *testing.T) {
	refusals := map[string]func(d *device){
		"the server's": func(d *device) { d.refuse(ota.CommandImageBlockRequest) },
		"a rest that is too long": func(d *device) {
			for d.client.State() == StateDownloading {
				long := make([]byte, 63)
				d.client.handleImageBlockResponse(d.now, &d.out, ota.ImageBlockResponse{Image: imageID(2), Offset: uint32(d.offset()), Data: long})
				d.overdue()
			}
		},
	}
	for name, refuse := range refusals {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.RetryPause = 0 // a sleeping device
			d := newDevice(cfg)
			d.offer()
			d.answerQuery(2, len(next))
			for len(next)-d.offset() > 48 {
				d.block(2, next, d.offset(), 48)
			}
			for range 2 {
				refuse(d)
				if d.client.State() != StatePaused {
					t.Fatalf("%s", d.client.State())
				}
				d.resume()
			}
			d.hear()
			refuse(d)
			if got := d.hear(); !strings.HasSuffix(got, "end of 2 ABORT") || d.boot.Candidate().State() != bootloader.SlotEmpty {
				t.Errorf("the third time it said %q, slot %s", got, d.boot.Candidate().State())
			}
		})
	}
	t.Run("not in a row", func(t *testing.T) {
		d := enter(DefaultConfig(), StateDownloading)
		for range 5 {
			d.refuse(ota.CommandImageBlockRequest)
			d.resume()
			d.block(2, next, d.offset(), 16)
		}
		if d.client.State() != StateDownloading {
			t.Errorf("%s", d.client.State())
		}
	})
}
