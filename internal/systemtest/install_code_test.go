package systemtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/transport/link"
)

// TestAMeterJoinsByItsInstallCode over a real broker and DTLS, with no certificate, if the
// device log has the code. Whoever has another code does not: the supplier is told once, and
// nothing that the hub writes or keeps for others has the code in it.
func TestAMeterJoinsByItsInstallCode(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	h := startLiveHome(t, ctx, gasproxy.Blocks(100))
	defer h.close()
	var log lockedBuffer
	h.start(live.HubOptions{Speed: 1200, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	secret := [installcode.SecretSize]byte{0xC0, 0xFF, 0xEE, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	code := installcode.New(secret)
	for eui, kind := range map[han.EUI64]store.Kind{theGSME: store.KindGSME, theIHD: store.KindIHD} {
		must(0, h.hub.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
			return hb.AddDevice(now, out, store.Device{EUI64: eui, Kind: kind, HasInstallCode: true, InstallCode: secret})
		}))
	}

	o := h.deviceOptions(theGSME)
	o.Credential, o.InstallCode = nil, &code
	meter := must(live.StartMeter(ctx, sameMeter(store.KindGSME), filepath.Join(h.dir, "meters"), o))
	h.devices = append(h.devices, meter)
	h.until(func() bool { _, ok := h.Store().Mirror(theGSME); return ok })

	var wrong link.Key
	impostor := must(link.DialDevice(ctx, link.DeviceOptions{
		Broker: link.Broker{URL: h.broker.URL(), Username: theIHD.String(), Password: "d"},
		Device: theIHD, Hub: h.config.EUI64, InstallKey: &wrong, Receive: link.Receivers{Frame: func(han.Frame, *han.Stamp) {}},
		HandshakeTimeout: time.Second, RetryMax: time.Second,
	}))
	h.closers = append(h.closers, impostor.Close)
	told := func() (n int) {
		for _, e := range h.Store().Inbox(0, 100) {
			if gbcs.AlertCode(e.Code) == gbcs.AlertDeviceJoiningFailed && e.Device == theIHD {
				n++
			}
		}
		return n
	}
	h.until(func() bool { return told() > 0 })
	if h.hub.Connected(theIHD) || !h.hub.Connected(theGSME) || h.hub.Counters().DTLS.Unproven < 3 {
		t.Errorf("connected: the impostor %v, the meter %v; %+v", h.hub.Connected(theIHD), h.hub.Connected(theGSME), h.hub.Counters().DTLS)
	}
	for _, form := range []string{hex.EncodeToString(secret[:]), hex.EncodeToString(code[:4]), "192 255 238"} {
		if strings.Contains(strings.ToLower(log.String()), form) {
			t.Errorf("the hub's log has the code as %s:\n%s", form, log.String())
		}
	}
	records := must(os.Stat(filepath.Join(h.dir, "hub", "records.db")))
	if mode := records.Mode().Perm(); mode != 0o600 {
		t.Errorf("the file with the codes has mode %04o", mode)
	}
}

// lockedBuffer collects what several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
