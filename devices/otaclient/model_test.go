package otaclient

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// model is the dumb client: what a download may do, whatever comes.
type model struct {
	*device
	version uint32 // of the image that the slot is for, 0 = none
	file    []byte // what is being served under that name
	stored  int    // bytes in the slot before the action in hand
	records int    // seen before the action in hand
}

// served are the images that the server may offer. One of them is too large, one
// of them has the same name as another, and one is what runs already.
var served = []struct {
	version uint32
	file    []byte
}{
	{2, next}, {3, other}, {2, bytes.Repeat([]byte{0xFF}, 260)}, {4, make([]byte, capacity+1)}, {1, factory},
}

// TestAnythingTheServerSays plays random answers, time-outs, windows and restarts
// against a client. Nothing panics; bytes are stored one after the other and are
// those served; the offset never goes back unless the record says that the
// download was given up or begun anew.
func TestAnythingTheServerSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.MaxRetries = 2
		if rapid.Bool().Draw(t, "sleepy") {
			cfg.HeartbeatPeriod, cfg.RetryPause = 30*time.Minute, 0
		}
		cfg.PageSize = rapid.SampledFrom([]uint16{0, 0, 48, 128}).Draw(t, "page")
		m := &model{device: enter(cfg, StateDownloading), version: 2, file: next, stored: 48}
		m.records = len(m.out.Records)
		for range 150 {
			rapid.SampledFrom(actions).Draw(t, "action").do(m, t)
			m.check(t)
		}
	})
}

// actions are what may happen; those that move a download on stand there twice.
var actions = []action{
	{"offer", func(m *model, _ *rapid.T) { m.offer() }},
	{"resume", func(m *model, _ *rapid.T) { m.resume() }},
	{"resume", func(m *model, _ *rapid.T) { m.resume() }},
	{"pause", func(m *model, _ *rapid.T) { m.client.Pause() }},
	{"overdue", func(m *model, _ *rapid.T) { m.overdue() }},
	{"restart", func(m *model, _ *rapid.T) { m.restart() }},
	{"verify", (*model).verify},
	{"offer image", (*model).offerImage},
	{"offer image", (*model).offerImage},
	{"right block", (*model).rightBlock},
	{"right block", (*model).rightBlock},
	{"right block", (*model).rightBlock},
	{"any block", (*model).anyBlock},
	{"any block", (*model).anyBlock},
	{"any status", (*model).anyStatus},
	{"end response", (*model).endResponse},
	{"refusal", (*model).refusal},
	{"budget", func(m *model, _ *rapid.T) { m.broke = !m.broke && m.client.State() == StateDownloading }},
}

type action struct {
	name string
	do   func(*model, *rapid.T)
}

// String is what a failing run is told by.
func (a action) String() string { return a.name }

func (m *model) offerImage(t *rapid.T) {
	s := rapid.SampledFrom(served).Draw(t, "image")
	querying := m.client.State() == StateQuerying
	held := m.boot.HoldsImage() && m.boot.Candidate().ID() == imageID(s.version) && m.boot.Candidate().Size() == uint32(len(s.file))
	m.answerQuery(s.version, len(s.file))
	if querying && s.version != 1 && len(s.file) <= capacity && !held {
		m.version, m.file = s.version, s.file
	}
}

func (m *model) rightBlock(t *rapid.T) {
	if m.version == 0 {
		return
	}
	at := min(m.offset(), len(m.file))
	m.block(m.version, m.file, at, rapid.SampledFrom([]int{1, 15, 16, 47, 48, 63}).Draw(t, "size"))
}

// anyBlock serves bytes under a name, at an offset and of a length that may be
// wrong in every way.
func (m *model) anyBlock(t *rapid.T) {
	s := rapid.SampledFrom(served).Draw(t, "image")
	at := rapid.OneOf(rapid.IntRange(0, len(s.file)), rapid.Just(min(m.offset(), len(s.file)))).Draw(t, "offset")
	n := rapid.IntRange(0, 255).Draw(t, "size")
	wrong := m.version != s.version || !bytes.Equal(m.file, s.file)
	if wrong && s.version == m.version {
		return // another image under the same name cannot be told from the right one
	}
	beyond := append(bytes.Clone(s.file), make([]byte, 255)...)
	m.block(s.version, beyond, at, n)
}

func (m *model) anyStatus(t *rapid.T) {
	m.client.handleImageBlockResponse(m.now, &m.out, ota.ImageBlockResponse{
		Status: rapid.SampledFrom([]zcl.Status{
			zcl.StatusAbort, zcl.StatusWaitForData, zcl.StatusWaitForData, zcl.StatusNoImageAvailable, zcl.StatusFailure,
		}).Draw(t, "status"),
		CurrentTime:  zcl.UTCTime(rapid.Uint32().Draw(t, "current")),
		RequestTime:  zcl.UTCTime(rapid.Uint32().Draw(t, "request")),
		HasMinPeriod: rapid.Bool().Draw(t, "has period"),
		MinPeriod:    rapid.Uint16().Draw(t, "period"),
	})
}

func (m *model) endResponse(t *rapid.T) {
	m.client.handleUpgradeEndResponse(ota.UpgradeEndResponse{
		Image:       imageID(rapid.SampledFrom([]uint32{1, 2, 3, ota.WildcardFileVersion}).Draw(t, "version")),
		UpgradeTime: zcl.UTCTime(rapid.Uint32().Draw(t, "at")),
	})
}

func (m *model) refusal(t *rapid.T) {
	m.client.handleDefaultResponse(m.now, &m.out, zcl.DefaultResponse{
		Command: rapid.Uint8Range(0, 9).Draw(t, "command"),
		Status:  rapid.SampledFrom([]zcl.Status{zcl.StatusSuccess, zcl.StatusFailure, zcl.StatusMalformedCommand, zcl.StatusUnsupCommand}).Draw(t, "status"),
	})
}

// verify ends or postpones verifications with one result or the other.
func (m *model) verify(t *rapid.T) {
	m.postpone = rapid.Bool().Draw(t, "postpone")
	m.verdict = rapid.SampledFrom([]zcl.Status{zcl.StatusSuccess, zcl.StatusInvalidImage}).Draw(t, "verdict")
	if !m.postpone && m.client.State() == StateComplete && m.boot.Candidate().State() == bootloader.SlotComplete {
		m.finish(m.now, &m.out)
	}
}

// check is what must hold after each action.
func (m *model) check(t *rapid.T) {
	slot := m.boot.Candidate()
	offset := m.offset()
	if offset < m.stored && !m.mayGoBack() {
		t.Fatalf("the offset went from %d back to %d", m.stored, offset)
	}
	if offset > 0 && !bytes.Equal(slot.File(), m.file[:offset]) {
		t.Fatalf("the slot does not hold the first %d bytes served", offset)
	}
	m.checkRecords(t)
	if next, ok := m.client.NextTimer(); ok && next.At.Before(m.now) {
		t.Fatalf("a deadline lies %v in the past", m.now.Sub(next.At))
	}
	if m.client.Awaiting() && m.client.State() == StatePaused {
		t.Fatal("a paused client keeps its device awake")
	}
	if s := m.client.State(); (s == StateDownloading || s == StatePaused) != (slot.State() == bootloader.SlotPartial) {
		t.Fatalf("state %s with a slot that is %s", s, slot.State())
	}
	if m.boot.Running().ID() != imageID(1) {
		t.Fatal("the running image changed")
	}
	m.stored = offset
}

// mayGoBack reports whether the action in hand gave a download up, began one, or
// restarted the device: then up to a mark's worth of bytes is fetched again.
func (m *model) mayGoBack() bool {
	for _, r := range m.out.Records[m.records:] {
		if r.Kind == trace.DownloadAborted || r.Kind == trace.DownloadStarted {
			return true
		}
	}
	s := m.boot.Candidate().State()
	return s == bootloader.SlotEmpty && m.verdict != zcl.StatusSuccess || m.offset() >= m.stored-15
}

// checkRecords demands that the blocks recorded follow one another without a gap.
func (m *model) checkRecords(t *rapid.T) {
	at := m.stored
	for _, r := range m.out.Records[m.records:] {
		switch r.Kind {
		case trace.DownloadStarted:
			at = 0
		case trace.DownloadResumed:
			at = int(r.Offset)
		case trace.BlockReceived:
			if int(r.Offset) != at {
				t.Fatalf("a block at %d after %d bytes", r.Offset, at)
			}
			at += int(r.Size)
		default: // says nothing about where the download stands
		}
	}
	m.records = len(m.out.Records)
	m.listen()
	for _, said := range m.said {
		var offset, version int
		if n, _ := fmt.Sscanf(said, "block %d of %d", &offset, &version); n == 2 && offset > m.offset() {
			t.Fatalf("asked for %d with %d bytes stored", offset, m.offset())
		}
	}
	m.said = m.said[:0]
}
