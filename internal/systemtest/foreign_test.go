package systemtest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/link"
)

// foreignBlocks is how many blocks a window of these tests may have.
const foreignBlocks = 12

// foreigner is a gas meter of somebody else's make on a real broker and a DTLS session
// of its own. It never reports, and reads as it likes.
type foreigner struct {
	*liveHome
	link    *link.Device
	station zcl.Station
	tsn     uint8
	answers chan han.Frame
	asked   uint32 // blocks that it was served
}

// join brings the stranger into the home.
func (h *liveHome) join() *foreigner {
	h.t.Helper()
	f := &foreigner{liveHome: h, station: zcl.Station{Node: theGSME, Endpoint: 1}, answers: make(chan han.Frame, 16)}
	own := must(h.authority.Issue(theGSME, pki.RoleDevice))
	up := make(chan struct{}, 16)
	f.link = must(link.DialDevice(h.ctx, link.DeviceOptions{
		Broker: link.Broker{URL: h.broker.URL(), Username: theGSME.String(), Password: "d"},
		Device: theGSME, Hub: h.config.EUI64, Certificate: tlsOf(own), Roots: own.Roots(),
		Receive: link.Receivers{Frame: func(frame han.Frame, _ *han.Stamp) { f.answers <- frame }},
		Notices: link.Notices{Association: func(_ han.EUI64, established bool, _ error) {
			if established {
				up <- struct{}{}
			}
		}},
	}))
	h.closers = append(h.closers, f.link.Close)
	select {
	case <-up:
	case <-h.ctx.Done():
		h.t.Fatal("the foreign device has no session")
	}
	return f
}

// ask sends a command and returns the payload of its answer.
func (f *foreigner) ask(command uint8, body zcl.Command) (zcl.Header, []byte) {
	f.t.Helper()
	f.tsn++
	var out han.Outbox
	to := zcl.Peer{Node: f.config.EUI64, Endpoint: f.config.Endpoint, Cluster: ota.ClusterID}
	zcl.Answer(&f.station, &out, to, zcl.Header{ClusterSpecific: true, Command: command, TSN: f.tsn}, body)
	if err := f.link.Send(out.Frames[0], nil); err != nil {
		f.t.Fatal(err)
	}
	for {
		select {
		case frame := <-f.answers:
			h, payload, err := zcl.ParseHeader(frame.Payload)
			if err != nil {
				f.t.Fatal(err)
			}
			if frame.Cluster == ota.ClusterID && h.TSN == f.tsn {
				return h, payload
			}
		case <-f.ctx.Done():
			f.t.Fatalf("no answer to command %02X", command)
		}
	}
}

// query says what it runs.
func (f *foreigner) query(running ota.ImageID) {
	f.t.Helper()
	f.ask(ota.CommandQueryNextImageRequest, ota.QueryNextImageRequest{Current: running, HasHardware: true, HardwareVersion: testimage.Hardware})
}

// read asks for blocks of 48 bytes at offsets, and waits when it is told to.
func (f *foreigner) read(offsets ...uint32) {
	f.t.Helper()
	for _, offset := range offsets {
		for {
			_, payload := f.ask(ota.CommandImageBlockRequest, ota.ImageBlockRequest{Image: nodetest.Image.Header.ImageID, Offset: offset, MaxDataSize: 48})
			r, err := ota.ParseImageBlockResponse(payload)
			if err != nil {
				f.t.Fatal(err)
			}
			if r.Status == zcl.StatusSuccess {
				f.asked++
				break
			}
			if r.Status != zcl.StatusWaitForData {
				f.t.Fatalf("block at %d: %s", offset, r.Status)
			}
			f.pause(time.Duration(int64(r.RequestTime)-int64(r.CurrentTime)) * time.Second)
		}
	}
}

// pause lets emulated time pass.
func (f *foreigner) pause(d time.Duration) {
	f.t.Helper()
	until := f.hub.Clock.Now().Add(d)
	f.until(func() bool { return !f.hub.Clock.Now().Before(until) })
}

func (f *foreigner) end(status zcl.Status) {
	f.t.Helper()
	f.ask(ota.CommandUpgradeEndRequest, ota.UpgradeEndRequest{Status: status, Image: nodetest.Image.Header.ImageID})
}

// TestForeignDevicesOverDTLS: whichever way a device reads, and whatever it says of
// itself, update, progress, forecast, figures and inbox are right.
func TestForeignDevicesOverDTLS(t *testing.T) {
	runs := ota.ImageID{Manufacturer: testimage.Vendor, ImageType: testimage.Class, FileVersion: 1}
	size := nodetest.Image.Header.TotalSize
	var all []uint32
	for offset := uint32(0); offset < size; offset += 48 {
		all = append(all, offset)
	}
	n := len(all)
	half := n / 2
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	tests := []struct {
		name    string
		do      func(f *foreigner)
		state   store.UpdateState
		outcome string
		bytes   uint32 // that the device has; of an update that goes on
		repeats int
		alerts  []gbcs.AlertCode
	}{
		{"front to back", func(f *foreigner) { f.read(all...); f.end(zcl.StatusSuccess) }, store.UpdateTransferred, "", 0, 0, nil},
		{"backwards", func(f *foreigner) { f.read(backwards...); f.end(zcl.StatusSuccess) }, store.UpdateTransferred, "", 0, 0, nil},
		{"twice", func(f *foreigner) { f.read(all...); f.read(all...); f.end(zcl.StatusSuccess) }, store.UpdateTransferred, "", 0, n, nil},
		{"backwards, half", func(f *foreigner) { f.read(backwards[:half]...) }, store.UpdateDownloading, "", size - 48*uint32(n-half), 0, nil},
		{"in pieces", func(f *foreigner) { f.read(all[half:]...); f.read(all[:3]...) }, store.UpdateDownloading, "", size - 48*uint32(half-3), 0, nil},
		{"half, and anew", func(f *foreigner) { f.read(all[:half]...); f.query(runs); f.read(all[0]) }, store.UpdateDownloading, "", 48, 1, nil},
		{"a pause of half a day", func(f *foreigner) { f.read(all[:half]...); f.pause(12 * time.Hour); f.read(all[half]) }, store.UpdateDownloading, "", 48 * uint32(half+1), 0, nil},
		{"an abort", func(f *foreigner) { f.read(all[:half]...); f.end(zcl.StatusAbort) }, store.UpdatePending, "attempt 1 of 4: the device gave up: ABORT", 0, 0, nil},
		{"a lie about its end", func(f *foreigner) { f.read(all[:half]...); f.end(zcl.StatusSuccess) }, store.UpdatePending, "attempt 1 of 4: the device says that it has the image", 0, 0, nil},
		{"a lie about its type", func(f *foreigner) { f.query(ota.ImageID{Manufacturer: 1}) }, store.UpdateFailed, "the device's manufacturer code", 0, 0, []gbcs.AlertCode{gbcs.AlertFirmwareTransferFail}},
		{"a lie about its version", func(f *foreigner) {
			f.query(ota.ImageID{Manufacturer: runs.Manufacturer, ImageType: runs.ImageType, FileVersion: 9})
		}, store.UpdateFailed, "a downgrade from 00000009", 0, 0, []gbcs.AlertCode{gbcs.AlertFirmwareTransferFail}},
		{"it runs the version after half", func(f *foreigner) {
			f.read(all[:half]...)
			f.query(nodetest.Image.Header.ImageID)
			f.query(nodetest.Image.Header.ImageID) // once is not enough for who fetches it
		}, store.UpdateActivated, "the device runs this version already", 0, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			h := startLiveHome(t, ctx, gasproxy.Blocks(foreignBlocks))
			defer h.close()
			h.start(live.HubOptions{Speed: 36000})
			h.addDevice(theGSME, store.KindGSME)
			f := h.join()
			must(0, h.Upload(nodetest.Image))
			must(0, h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
				return e.Distribute(now, out, headend.Distribution{Image: nodetest.Image.FileHash, Devices: []han.EUI64{theGSME}})
			}))
			before := h.Store().LastInbox()
			if tt.state != store.UpdateFailed {
				f.query(runs)
			}
			tt.do(f)
			f.expect(tt.state, tt.outcome, tt.bytes, tt.repeats)
			var got []gbcs.AlertCode
			for _, a := range h.Store().Inbox(before, 100) {
				got = append(got, gbcs.AlertCode(a.Code))
			}
			if !slices.Equal(got, tt.alerts) {
				t.Errorf("alerts %v, want %v", got, tt.alerts)
			}
		})
	}
}

// expect compares what the hub knows of the update with what the device did.
func (f *foreigner) expect(state store.UpdateState, outcome string, bytes uint32, repeats int) {
	f.t.Helper()
	size := nodetest.Image.Header.TotalSize
	must(0, f.hub.Operate(func(hb *hub.Hub, now time.Time, _ *han.Outbox) error {
		u, ok := f.Store().Update(theGSME, nodetest.Image.FileHash)
		if !ok || u.State != state || !strings.HasPrefix(u.Outcome, outcome) {
			f.t.Errorf("the update is %s, %q; want %s, %q", u.State, u.Outcome, state, outcome)
		}
		p := f.hub.HeadEnd.Progress(u)
		if p.Blocks+p.Repeats != f.asked || state != store.UpdateActivated && p.Repeats != uint32(repeats) {
			f.t.Errorf("%d blocks and %d again; it was served %d, of those %d again", p.Blocks, p.Repeats, f.asked, repeats)
		}
		if state == store.UpdateTransferred || state.Ended() {
			return nil
		}
		if p.Offset != bytes {
			f.t.Errorf("it has %d bytes, want %d", p.Offset, bytes)
		}
		l, ok := hb.Load(now, u)
		if !ok || l.Left != int64(size-bytes) || l.Next.Before(time.UnixMicro(u.NotBefore)) {
			f.t.Errorf("the forecast is for %d bytes from %v on (%v), want %d from %v", l.Left, l.Next, ok, size-bytes, time.UnixMicro(u.NotBefore))
		}
		return nil
	}))
}
