package meter_test

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
)

// bench is a chassis without a meter around it, and a hub that serves one image.
type bench struct {
	meter.Chassis
	t     *testing.T
	chip  *flash.Chip
	cfg   meter.Config
	role  gbcs.Roles // RoleGSME if not set
	now   time.Time
	out   han.Outbox
	hub   zcl.Station
	image []byte
	kinds []trace.Kind
	texts []string // of records, where they have one
}

// MayRequestBlock and MayAsk complete otaclient.Limit: nothing is limited.
func (*bench) MayRequestBlock(time.Time) (ok bool, reason string) { return true, "" }
func (*bench) MayAsk(time.Time) bool                              { return true }

func newBench(t *testing.T, change func(*meter.Config)) *bench {
	t.Helper()
	b := &bench{t: t, chip: devicetest.Chip(), now: devicetest.Start, cfg: devicetest.GSMEConfig().Config}
	if change != nil {
		change(&b.cfg)
	}
	b.hub = zcl.Station{Node: b.cfg.Hub, Endpoint: b.cfg.HubEndpoint}
	b.powerUp()
	return b
}

// powerUp gives the part a new chassis, as after a power cut, and lets it boot.
func (b *bench) powerUp() {
	b.Chassis = meter.Chassis{}
	b.Init(b.cfg, cmp.Or(b.role, gbcs.RoleGSME), b.chip, b, b.now)
	b.tick()
}

// tick fires what is due now, as the meter around the chassis does.
func (b *bench) tick() {
	b.Tick(b.now, &b.out)
	if b.On() && b.Agent.WantsReboot() {
		b.Restart(b.now)
	}
	b.settle()
}

// pass lets time pass.
func (b *bench) pass(d time.Duration) {
	for end := b.now.Add(d); ; b.tick() {
		next, ok := b.NextTimer()
		if !ok || next.At.After(end) {
			b.now = end
			return
		}
		b.now = next.At
	}
}

// settle answers the chassis' requests until it has no more.
func (b *bench) settle() {
	for _, r := range b.out.Records {
		b.kinds = append(b.kinds, r.Kind)
		if r.Text != "" {
			b.texts = append(b.texts, r.Text)
		}
	}
	var asked []han.Frame
	for _, f := range b.out.Frames {
		f.Payload = slices.Clone(f.Payload)
		asked = append(asked, f)
	}
	b.out.Reset()
	for _, f := range asked {
		h, payload, err := zcl.ParseHeader(f.Payload)
		if err != nil {
			b.t.Fatal(err)
		}
		b.answer(h, payload)
	}
}

func (b *bench) answer(h zcl.Header, payload []byte) {
	if !h.ClusterSpecific {
		return
	}
	im := must(ota.ParseImageHeader(b.image))
	switch h.Command {
	case ota.CommandQueryNextImageRequest:
		b.say(ota.CommandQueryNextImageResponse, h.TSN, ota.QueryNextImageResponse{Image: im.ImageID, Size: uint32(len(b.image))})
	case ota.CommandImageBlockRequest:
		q := must(ota.ParseImageBlockRequest(payload))
		data := b.image[q.Offset:min(int(q.Offset)+int(q.MaxDataSize), len(b.image))]
		b.say(ota.CommandImageBlockResponse, h.TSN, ota.ImageBlockResponse{Image: q.Image, Offset: q.Offset, Data: data})
	case ota.CommandUpgradeEndRequest:
		b.say(ota.CommandUpgradeEndResponse, h.TSN, ota.UpgradeEndResponse{Image: im.ImageID, UpgradeTime: zcl.UTCTimeInvalid})
	}
}

// say hands the chassis an OTA command and returns how it answered, which is left out
// if it did not.
func (b *bench) say(command, tsn uint8, c zcl.Command) []zcl.Status {
	var out han.Outbox
	zcl.Answer(&b.hub, &out, zcl.Peer{Node: b.cfg.EUI64, Endpoint: b.cfg.Endpoint, Cluster: ota.ClusterID},
		zcl.Header{ClusterSpecific: true, ToClient: true, TSN: tsn, Command: command}, c)
	f := out.Frames[0]
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Agent.Client().HandleFrame(b.now, &b.out, f, h, payload)
	var answers []zcl.Status
	for _, f := range b.out.Frames {
		h, payload, err := zcl.ParseHeader(f.Payload)
		if err == nil && !h.ClusterSpecific {
			answers = append(answers, must(zcl.ParseDefaultResponse(payload)).Status)
		}
	}
	b.settle()
	return answers
}

// take has the chassis download an image, and let it be verified.
func (b *bench) take(file []byte) {
	b.t.Helper()
	b.image = file
	b.say(ota.CommandImageNotify, 1, ota.ImageNotify{})
	b.pass(time.Minute)
	if got := b.candidate(); got.State != bootloader.SlotVerified || got.Hash != sha256.Sum256(file) {
		b.t.Fatalf("after the download it holds %+v, client %v", got, b.Status(b.now).Client)
	}
}

// candidate returns the slot that does not run.
func (b *bench) candidate() meter.Slot {
	i := slices.IndexFunc(b.Slots(), func(s meter.Slot) bool { return !s.Running })
	return b.Slots()[i]
}

// activate orders it to switch to the image that it holds.
func (b *bench) activate() {
	b.t.Helper()
	counter := uint64(b.now.UnixMilli())
	c := gbcs.ActivateFirmwareCommand{ImageHash: must(ota.ParseImage(b.image)).Hash(), OriginatorCounter: counter, Execution: gbcs.ExecuteNow}
	m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: b.cfg.Supplier, Recipient: b.cfg.EUI64,
		Code: gbcs.CodeActivateFirmware, Payload: c.Append(nil)}
	if !b.HandleMessage(b.now, &b.out, devicetest.Protected(m)) {
		b.t.Fatal("the command was refused")
	}
	b.tick()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func version(v uint32, program bootloader.Program) []byte {
	return testimage.GB(testimage.Options{Version: v, Sequence: v, PayloadSize: 700, Program: program})
}

func TestABlankPartRunsTheFactoryFirmware(t *testing.T) {
	b := newBench(t, nil)
	s := b.Status(b.now)
	want := must(ota.ParseImageHeader(b.cfg.Factory)).FileVersion
	if !b.On() || s.Version != want || s.SlotHash != sha256.Sum256(b.cfg.Factory) || s.Trial || s.Bricked || s.Battery < 99 {
		t.Errorf("on %v, status %+v", b.On(), s)
	}
	if got := b.candidate(); got.State != bootloader.SlotEmpty || s.Client != otaclient.StateIdle {
		t.Errorf("it holds %+v, client %v", got, s.Client)
	}
}

func TestAMeterBeforeItsFirstBootIsOff(t *testing.T) {
	b := &bench{chip: devicetest.Chip(), now: devicetest.Start, cfg: devicetest.GSMEConfig().Config}
	b.Init(b.cfg, gbcs.RoleGSME, b.chip, b, b.now)
	if next, ok := b.NextTimer(); !ok || !next.At.Equal(b.now) || b.On() {
		t.Errorf("boots at %v (%v), on %v", next.At, ok, b.On())
	}
	if s := b.Status(b.now); s != (meter.Status{EUI64: b.cfg.EUI64}) {
		t.Errorf("status %+v", s)
	}
	if got := b.Slots(); got != nil {
		t.Errorf("it has slots: %+v", got)
	}
}

func TestAMeterWithoutAnImageToRunStaysOff(t *testing.T) {
	for name, change := range map[string]func(*meter.Config){
		"no factory firmware": func(c *meter.Config) { c.Factory = nil },
		"factory firmware too long": func(c *meter.Config) {
			c.Factory = testimage.GB(testimage.Options{Version: 1, PayloadSize: 2 * c.SlotCapacity})
		},
		"somebody else's firmware": func(c *meter.Config) {
			c.Factory = testimage.GB(testimage.Options{Version: 1, Sequence: 1, Manufacturer: testimage.Key("stranger")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, change)
			b.pass(24 * time.Hour)
			_, waits := b.NextTimer()
			if b.On() || !b.Bricked() || !b.Status(b.now).Bricked || waits || !slices.Contains(b.kinds, trace.Rebooted) {
				t.Errorf("on %v, bricked %v, waits %v, records %v", b.On(), b.Bricked(), waits, b.kinds)
			}
		})
	}
}

func TestOnlyAnOrderSwitches(t *testing.T) {
	b := newBench(t, nil)
	before := b.Status(b.now).Version
	b.take(version(2, bootloader.ProgramWorks))
	b.Restart(b.now)
	b.pass(time.Hour)
	b.powerUp()
	b.pass(24 * time.Hour)
	if s := b.Status(b.now); s.Version != before || s.Client != otaclient.StateWaiting {
		t.Fatalf("without an order it runs version %d, client %v", s.Version, s.Client)
	}
	b.activate()
	if b.On() {
		t.Error("it runs on although it must reboot")
	}
	b.pass(b.cfg.Battery.Reboot - time.Nanosecond)
	if b.On() {
		t.Error("it left reset early")
	}
	b.pass(time.Nanosecond)
	if s := b.Status(b.now); s.Version != 2 || s.Trial || s.SlotHash != sha256.Sum256(b.image) || s.Slot != "B" {
		t.Errorf("after the order: %+v", s)
	}
}

// TestAMeterAboutToRestartTakesNoMessage: a command that came between an activation
// and the restart would be carried out on top of it, and one of the two never answered.
func TestAMeterAboutToRestartTakesNoMessage(t *testing.T) {
	b := newBench(t, nil)
	b.take(version(2, bootloader.ProgramWorks))
	message := func(counter uint64) []byte {
		return devicetest.Protected(gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: b.cfg.Supplier, Recipient: b.cfg.EUI64,
			Code: gbcs.CodeReadGSMEFirmwareVersion, Payload: gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil)})
	}
	hash := must(ota.ParseImage(b.image)).Hash()
	b.HandleMessage(b.now, &b.out, devicetest.Protected(gbcs.Message{CRA: gbcs.Command, OriginatorCounter: 1, Originator: b.cfg.Supplier, Recipient: b.cfg.EUI64,
		Code: gbcs.CodeActivateFirmware, Payload: gbcs.ActivateFirmwareCommand{ImageHash: hash, OriginatorCounter: 1}.Append(nil)}))
	if b.HandleMessage(b.now, &b.out, message(2)) {
		t.Error("a command was taken")
	}
	b.tick()
	b.pass(time.Minute)
	if !b.HandleMessage(b.now, &b.out, message(2)) {
		t.Error("after the restart it takes no command either")
	}
}

func TestFirmwareThatDoesNotComeUpIsRolledBack(t *testing.T) {
	for _, program := range []bootloader.Program{bootloader.ProgramHangs, bootloader.ProgramFailsSelfTest} {
		t.Run(program.String(), func(t *testing.T) {
			b := newBench(t, nil)
			b.take(version(2, program))
			b.activate()
			b.pass(time.Hour) // the watchdog needs a minute for each trial
			if s := b.Status(b.now); !b.On() || s.Version != 1 || s.Slot != "A" || s.Trial {
				t.Errorf("on %v, %+v", b.On(), s)
			}
			if message, ok := b.Remote.Outgoing(); !ok || len(message) == 0 {
				t.Error("the supplier is told nothing")
			}
		})
	}
}

// TestALedgerOutlivesAReset but after a power cut it is as it was kept last.
func TestALedgerOutlivesAReset(t *testing.T) {
	b := newBench(t, nil)
	b.Ledger.Drain(1_000_000_000)
	b.KeepLedger()
	kept := b.Ledger.Spent(battery.CauseBase)
	b.Ledger.Drain(500_000_000)
	spent := b.Ledger.Spent(battery.CauseBase)
	boots := b.Ledger.Spent(battery.CauseReboot)
	b.Restart(b.now)
	b.pass(time.Minute)
	if got := b.Ledger.Spent(battery.CauseBase); got != spent {
		t.Errorf("after a reset %d nC were spent, want %d", got, spent)
	}
	if b.Ledger.Spent(battery.CauseReboot) <= boots {
		t.Error("the reset cost nothing")
	}
	b.powerUp()
	if got := b.Ledger.Spent(battery.CauseBase); got != kept {
		t.Errorf("after a power cut %d nC were spent, want %d", got, kept)
	}
}

// TestACallIsChargedForWhatItDid: frames and flash operations since the mark.
func TestACallIsChargedForWhatItDid(t *testing.T) {
	b := newBench(t, nil)
	zcl.Send(&b.Station, &b.out, b.HubPeer(ota.ClusterID), zcl.Header{}, zcl.Empty{}) // of a call before
	mark := b.Mark(&b.out)
	radioOn, spent := b.Ledger.RadioOn(), b.Ledger.Spent(battery.CauseFlash)
	b.Account(b.now, &b.out, mark)
	if b.Ledger.RadioOn() != radioOn || b.Ledger.Spent(battery.CauseFlash) != spent {
		t.Error("a call that did nothing was charged")
	}
	zcl.Send(&b.Station, &b.out, b.HubPeer(ota.ClusterID), zcl.Header{}, ota.ImageBlockRequest{})
	zcl.Send(&b.Station, &b.out, b.HubPeer(ota.ClusterID), zcl.Header{}, ota.UpgradeEndRequest{})
	b.KeepLedger()
	b.Account(b.now, &b.out, mark)
	want := time.Duration(0)
	for _, f := range b.out.Frames[1:] {
		want += b.Ledger.Set().Radio.Send(len(f.Payload)).RadioOn()
	}
	if got := b.Ledger.RadioOn() - radioOn; got != want {
		t.Errorf("radio on %v, want %v", got, want)
	}
	if b.Ledger.Spent(battery.CauseFlash) <= spent {
		t.Error("writing to flash cost nothing")
	}
	for _, f := range b.out.Frames {
		if f.Src != b.cfg.EUI64 || f.Dst != b.cfg.Hub || f.DstEndpoint != b.cfg.HubEndpoint || f.Cluster != ota.ClusterID {
			t.Errorf("sent %s", f)
		}
	}
}

func TestOTAFramesThatAreNone(t *testing.T) {
	b := newBench(t, nil)
	for _, command := range []uint8{ota.CommandImageNotify, ota.CommandQueryNextImageResponse, ota.CommandImageBlockResponse, ota.CommandUpgradeEndResponse} {
		b.kinds = nil
		if got := b.say(command, 9, zcl.Empty{}); !slices.Equal(got, []zcl.Status{zcl.StatusMalformedCommand}) {
			t.Errorf("command %02X without content: answered %v", command, got)
		}
		if !slices.Equal(b.kinds, []trace.Kind{trace.FrameRefused}) {
			t.Errorf("command %02X without content: records %v", command, b.kinds)
		}
	}
	for _, command := range []uint8{ota.CommandImageBlockRequest, 0x42} {
		if got := b.say(command, 9, zcl.Empty{}); !slices.Equal(got, []zcl.Status{zcl.StatusUnsupCommand}) {
			t.Errorf("command %02X: answered %v", command, got)
		}
	}
	if s := b.Status(b.now); s.Client != otaclient.StateIdle || s.Offset != 0 {
		t.Errorf("client %v at %d", s.Client, s.Offset)
	}
}

// TestTheCertifiedPartCountsOn whatever the application does.
func TestTheCertifiedPartCountsOn(t *testing.T) {
	b := newBench(t, nil)
	first := b.Status(b.now).Register
	b.take(version(2, bootloader.ProgramHangs))
	b.activate()
	b.pass(10*time.Hour - b.now.Sub(devicetest.Start))
	b.powerUp()
	if got, want := b.Status(b.now).Register-first, 10*b.Metrology.Load(); got != want || want == 0 {
		t.Errorf("counted %d in 10 hours, want %d", got, want)
	}
}

// TestSpoiledMetrologyFirmwareIsTold at the next boot.
func TestSpoiledMetrologyFirmwareIsTold(t *testing.T) {
	b := newBench(t, nil)
	if _, ok := b.Remote.Outgoing(); ok {
		t.Fatal("a new meter has something to tell")
	}
	firmware := board.Cut(b.chip, bootloader.SlotSectors(b.cfg.SlotCapacity, board.SectorSize)).MetrologyFirmware
	firmware.Program(0, []byte{0})
	b.Restart(b.now)
	b.pass(time.Minute)
	message, ok := b.Remote.Outgoing()
	if !ok || !b.On() {
		t.Fatalf("nothing is told (on %v)", b.On())
	}
	m := must(gbcs.ParseMessage(message))
	if a := must(gbcs.ParseGenericAlert(m.Payload)); a.Code != gbcs.AlertMetrologyFirmwareVerificationFailure {
		t.Errorf("alert %s", a.Code)
	}
}
