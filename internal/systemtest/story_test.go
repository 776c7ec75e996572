package systemtest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// TestStories plays the stories in testdata. A story is a text: prose, commands,
// and after each command what happened. `go test -rewrite` writes the latter anew;
// read the difference before committing it.
//
//	home [pacing=P] [trust=any] [period=D] [first-heartbeat=D] [prepayment] [loss=PPM] [budget=D] [seed=N]
//	upload version=N [size=N] [program=P] [sequence=N] [signer=stranger] [supplier=stranger] [hardware=N] [vendor-file] [force-replace]
//	distribute version=N to=(esme,gsme)
//	activate device=D [version=N | hash=HEX] [in=D]
//	forge device=D version=N what=(another-supplier|wrong-key|other-meter|stale|altered)
//	topup device=D pence=N / type device=D (code=N | digits=N)
//	cancel-activation device=D / cancel-update device=D / read-version device=D
//	run for=D [quiet]
//	until kind=K node=N limit=D
//	cut device=D [operation=N] / restart-hub / partition device=D [up]
//	remove device=D / add device=D [code=HEX] / restore devices=(D,D) / read-device-log
//	forge-add device=D what=(supplier|wrong-key|to-the-proxy|altered|replayed)
//	status device=D / alerts / updates / display
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{t: t, images: map[uint32]*imagecache.Image{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t = t
			return s.run(d)
		})
	})
}

var storyStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

var storyNodes = map[string]han.EUI64{"esme": theESME, "gsme": theGSME, "ihd": theIHD, "hub": hub.DefaultConfig().EUI64, "chf": hub.DefaultConfig().CHF}

// story is one story in progress.
type story struct {
	t      *testing.T
	home   *virtual.Home
	images map[uint32]*imagecache.Image
	lines  bytes.Buffer // what happened since the last command
	kinds  map[trace.Kind]uint64
	blocks map[uint64]int
	codes  []string // of top-ups, as they were ordered
}

func (s *story) run(d *datadriven.TestData) string {
	s.lines.Reset()
	s.kinds, s.blocks = map[trace.Kind]uint64{}, map[uint64]int{}
	command, ok := map[string]func(*datadriven.TestData) error{
		"home": s.makeHome, "upload": s.upload, "distribute": s.distribute, "activate": s.activate,
		"forge": s.forge, "cancel-activation": s.cancelActivation, "cancel-update": s.cancelUpdate, "read-version": s.readVersion, "topup": s.topUp, "type": s.typeDigits,
		"run": s.runFor, "until": s.until, "cut": s.cut, "restart-hub": s.restartHub, "partition": s.partition,
		"remove": s.remove, "add": s.add, "restore": s.restore, "read-device-log": s.readDeviceLog, "forge-add": s.forgeAdd,
		"status": s.status, "alerts": s.alerts, "updates": s.updates, "orders": s.orders, "display": s.display,
		"read-log": s.readLog, "log": s.showLog,
	}[d.Cmd]
	if !ok {
		d.Fatalf(s.t, "no such command")
	}
	if err := command(d); err != nil {
		s.flush()
		fmt.Fprintf(&s.lines, "error: %v\n", err)
	}
	s.flush()
	if s.lines.Len() == 0 {
		return "ok\n"
	}
	return s.lines.String()
}

// take collects what happened; runs of blocks become one line.
func (s *story) take(r *trace.Record) {
	s.kinds[r.Kind] = r.Node
	if fault.OfFrames(r.Kind) {
		return
	}
	switch r.Kind {
	case trace.BlockReceived:
		s.blocks[r.Node]++
		return
	case trace.MirrorUpdated, trace.MirrorRead, trace.TimeSet, trace.RequestRetried:
		return
	default:
	}
	s.flush()
	line := r.String()
	line = strings.Replace(line, r.At.Format("2006-01-02T15:04:05.000Z"), "+"+elapsed(r.At), 1)
	for name, eui := range storyNodes {
		line = strings.ReplaceAll(line, eui.String(), name)
	}
	s.lines.WriteString(shortenHashes(line) + "\n")
}

func (s *story) flush() {
	for _, name := range []string{"esme", "gsme"} {
		if n := s.blocks[uint64(storyNodes[name])]; n > 0 {
			fmt.Fprintf(&s.lines, "%22s … %d blocks\n", name, n)
			delete(s.blocks, uint64(storyNodes[name]))
		}
	}
}

func elapsed(at time.Time) string {
	d := at.Sub(storyStart)
	return fmt.Sprintf("%03d:%02d:%06.3f", int(d.Hours()), int(d.Minutes())%60, (d % time.Minute).Seconds())
}

// shortenHashes keeps the first 8 of 64 hex digits.
func shortenHashes(line string) string {
	words := strings.Split(line, " ")
	for i, w := range words {
		tail := strings.TrimRight(w, `"`)
		if n := len(tail); n >= 64 && strings.Trim(tail[n-64:], "0123456789abcdef") == "" {
			words[i] = tail[:n-64] + tail[n-64:n-56] + "…" + w[n:]
		}
	}
	return strings.Join(words, " ")
}

func (s *story) makeHome(d *datadriven.TestData) error {
	pacing, trust, period, budget := "radio=10s", "signed", "30m", "0s"
	loss, seed, factory, reserve := 0, 1, 1, 0
	d.MaybeScanArgs(s.t, "pacing", &pacing)
	d.MaybeScanArgs(s.t, "trust", &trust)
	d.MaybeScanArgs(s.t, "period", &period)
	d.MaybeScanArgs(s.t, "budget", &budget)
	d.MaybeScanArgs(s.t, "loss", &loss)
	d.MaybeScanArgs(s.t, "seed", &seed)
	d.MaybeScanArgs(s.t, "factory", &factory)
	d.MaybeScanArgs(s.t, "reserve-percent", &reserve)
	first := ""
	d.MaybeScanArgs(s.t, "first-heartbeat", &first)
	cfg := hub.DefaultConfig()
	cfg.Policy = must(gasproxy.ParsePolicy(strings.ReplaceAll(pacing, ":", "=")))
	s.home = virtual.New(sim.Config{
		Start: storyStart, Seed: uint64(seed), Link: radio.Link{Params: phy.Band2G4(), Faults: fault.Link{Loss: fault.Share(loss)}}, Observer: han.Observer{Record: s.take},
	}, cfg)
	policy := testimage.Policy(must(bootloader.ParseTrust(trust)))
	file := testimage.GB(testimage.Options{Version: uint32(factory), Sequence: uint32(factory), PayloadSize: 2000})
	for _, name := range []string{"esme", "gsme"} {
		kind := must(store.ParseKind(name))
		m := home.NewMeter(storyNodes[name], kind, policy, file)
		m.SupplierKey = &testimage.Supplier().PublicKey
		m.SlotCapacity = 64 << 10
		m.Period = must(time.ParseDuration(period))
		if first != "" {
			m.FirstHeartbeat = must(time.ParseDuration(first))
		}
		m.Budget.RadioOn = must(time.ParseDuration(budget))
		m.Budget.Reserve = m.Battery.Capacity() / 100 * battery.Charge(reserve)
		if err := s.home.AddMeter(m); err != nil {
			return err
		}
	}
	display := home.IHD(storyNodes["ihd"], cfg)
	display.Prepayment = d.HasArg("prepayment")
	return s.home.AddDisplayWith(display)
}

func (s *story) upload(d *datadriven.TestData) error {
	o := testimage.Options{PayloadSize: 9000}
	var version, sequence, size, hardware int
	var program, signer, supplier string
	d.ScanArgs(s.t, "version", &version)
	sequence = version
	d.MaybeScanArgs(s.t, "sequence", &sequence)
	if d.MaybeScanArgs(s.t, "size", &size) {
		o.PayloadSize = size
	}
	if d.MaybeScanArgs(s.t, "hardware", &hardware) {
		o.HardwareMin, o.HardwareMax = uint16(hardware), uint16(hardware)
	}
	if d.MaybeScanArgs(s.t, "program", &program) {
		o.Program, _ = bootloader.ParseProgramName(program)
	}
	if d.MaybeScanArgs(s.t, "signer", &signer) {
		o.Manufacturer = testimage.Key(signer)
	}
	if d.MaybeScanArgs(s.t, "supplier", &supplier) {
		o.Supplier = testimage.Key(supplier)
	}
	o.Version, o.Sequence, o.ForceReplace = uint32(version), uint32(sequence), d.HasArg("force-replace")
	file := testimage.GB(o)
	if d.HasArg("vendor-file") {
		file = testimage.VendorFile(o.Version, o.PayloadSize)
	}
	im, err := imagecache.NewImage(file)
	if err != nil {
		return err
	}
	s.images[o.Version] = im
	return s.home.Upload(im)
}

func (s *story) image(d *datadriven.TestData) *imagecache.Image {
	var version int
	d.ScanArgs(s.t, "version", &version)
	im, ok := s.images[uint32(version)]
	if !ok {
		d.Fatalf(s.t, "version %d was not uploaded", version)
	}
	return im
}

func (s *story) device(d *datadriven.TestData) han.EUI64 {
	var name string
	d.ScanArgs(s.t, "device", &name)
	eui, ok := storyNodes[name]
	if !ok {
		d.Fatalf(s.t, "no device %q", name)
	}
	return eui
}

func (s *story) distribute(d *datadriven.TestData) error {
	im := s.image(d)
	var names []string
	for _, arg := range d.CmdArgs {
		if arg.Key == "to" {
			names = arg.Vals
		}
	}
	var devices []han.EUI64
	for _, n := range names {
		devices = append(devices, storyNodes[n])
	}
	return s.home.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.Distribute(now, out, headend.Distribution{Image: im.FileHash, Devices: devices})
	})
}

func (s *story) activate(d *datadriven.TestData) error {
	a := headend.Activation{Device: s.device(d)}
	var in, hash string
	if d.MaybeScanArgs(s.t, "in", &in) {
		a.At = s.home.Now().Add(must(time.ParseDuration(in)))
	}
	switch {
	case d.MaybeScanArgs(s.t, "hash", &hash):
		a.Hash = ota.ImageHash(bytes.Repeat([]byte(hash), 32))
	case d.HasArg("version"):
		a.Hash = s.image(d).ImageHash
	default:
		held, err := s.home.HeadEnd().HeldImage(a.Device)
		if err != nil {
			return err
		}
		a.Hash = held
	}
	return s.home.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.Activate(now, out, a) })
}

// forge has a device given an order to activate that is good but for one thing.
func (s *story) forge(d *datadriven.TestData) error {
	var what string
	d.ScanArgs(s.t, "what", &what)
	if !slices.Contains(forgeries, what) {
		d.Fatalf(s.t, "no forgery %q", what)
	}
	f := forgery{what: what, device: s.device(d), hash: s.image(d).ImageHash, counter: uint64(s.home.Now().UnixMilli()), keys: home.SimulatedKeys(1)}
	return s.home.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return f.give(h, now, out) })
}

func (s *story) order(d *datadriven.TestData, f func(e *headend.HeadEnd, now time.Time, out *han.Outbox, eui han.EUI64) error) error {
	eui := s.device(d)
	return s.home.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return f(e, now, out, eui) })
}

func (s *story) cancelActivation(d *datadriven.TestData) error {
	return s.order(d, (*headend.HeadEnd).CancelActivation)
}
func (s *story) cancelUpdate(d *datadriven.TestData) error {
	return s.order(d, (*headend.HeadEnd).CancelUpdate)
}
func (s *story) readVersion(d *datadriven.TestData) error {
	return s.order(d, (*headend.HeadEnd).ReadVersion)
}

// topUp orders one; its digits are kept for type.
func (s *story) topUp(d *datadriven.TestData) error {
	var pence int
	d.ScanArgs(s.t, "pence", &pence)
	return s.order(d, func(e *headend.HeadEnd, now time.Time, out *han.Outbox, eui han.EUI64) error {
		digits, err := e.TopUp(now, out, eui, uint32(pence))
		s.codes = append(s.codes, digits)
		return err
	})
}

// typeDigits types the digits of a top-up that was ordered, counted from 1, or others.
func (s *story) typeDigits(d *datadriven.TestData) error {
	var code int
	var digits string
	if !d.MaybeScanArgs(s.t, "digits", &digits) {
		d.ScanArgs(s.t, "code", &code)
		digits = s.codes[code-1]
	}
	k, ok := s.home.Type(s.device(d), digits)
	if !ok {
		return errors.New("the meter does not run")
	}
	s.flush()
	fmt.Fprintf(&s.lines, "screen: %s, balance %s\n", k.Outcome, k.Balance)
	return nil
}

func logOf(d *datadriven.TestData) gbcs.Log {
	if d.HasArg("security") {
		return gbcs.SecurityLog
	}
	return gbcs.EventLog
}

func (s *story) readLog(d *datadriven.TestData) error {
	return s.order(d, func(e *headend.HeadEnd, now time.Time, out *han.Outbox, eui han.EUI64) error {
		return e.ReadLog(now, out, eui, logOf(d))
	})
}

// showLog shows what a meter said last of a log.
func (s *story) showLog(d *datadriven.TestData) error {
	read, ok, err := s.home.HeadEnd().Log(s.device(d), logOf(d))
	if err == nil && !ok {
		err = errors.New("it was not read")
	}
	for _, e := range read.Entries {
		fmt.Fprintln(&s.lines, e)
	}
	return err
}

func (s *story) remove(d *datadriven.TestData) error {
	return s.order(d, (*headend.HeadEnd).RemoveDevice)
}

func (s *story) add(d *datadriven.TestData) error {
	var name string
	d.ScanArgs(s.t, "device", &name)
	return s.order(d, func(e *headend.HeadEnd, now time.Time, out *han.Outbox, eui han.EUI64) error {
		entry := store.Device{EUI64: eui, Kind: must(store.ParseKind(name))}
		if d.HasArg("code") {
			var code string
			d.ScanArgs(s.t, "code", &code)
			entry.HasInstallCode, entry.InstallCode = true, [16]byte(must(hex.DecodeString(code)))
		}
		return e.AddDevice(now, out, entry)
	})
}

func (s *story) restore(d *datadriven.TestData) error {
	var names []string
	d.ScanArgs(s.t, "devices", &names)
	devices := make([]han.EUI64, len(names))
	for i, n := range names {
		devices[i] = storyNodes[n]
	}
	return s.home.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.RestoreDeviceLog(now, out, devices)
	})
}

func (s *story) readDeviceLog(*datadriven.TestData) error {
	return s.home.Order((*headend.HeadEnd).ReadDeviceLog)
}

func (s *story) forgeAdd(d *datadriven.TestData) error {
	var what string
	d.ScanArgs(s.t, "what", &what)
	if !slices.Contains(forgedAdditions, what) {
		d.Fatalf(s.t, "no forgery %q", what)
	}
	f := forgedAddition{what: what, device: s.device(d), counter: uint64(s.home.Now().UnixMilli()), keys: home.SimulatedKeys(1)}
	if what == "replayed" {
		f.counter = lastAddition(s.home.Store())
	}
	return s.home.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return f.give(h, now, out) })
}

func (s *story) duration(d *datadriven.TestData, key string) time.Duration {
	var text string
	d.ScanArgs(s.t, key, &text)
	return must(time.ParseDuration(text))
}

func (s *story) runFor(d *datadriven.TestData) error {
	s.home.Run(s.home.Now().Add(s.duration(d, "for")))
	if d.HasArg("quiet") {
		s.lines.Reset()
		clear(s.blocks)
	}
	return nil
}

// until runs until a node emits a record of a kind.
func (s *story) until(d *datadriven.TestData) error {
	var kindName, node string
	d.ScanArgs(s.t, "kind", &kindName)
	d.ScanArgs(s.t, "node", &node)
	kind := must(trace.ParseKind(kindName))
	limit := s.home.Now().Add(s.duration(d, "limit"))
	reached := s.home.RunUntil(limit, func() bool { return s.kinds[kind] == uint64(storyNodes[node]) })
	if d.HasArg("quiet") {
		s.lines.Reset()
		clear(s.blocks)
	}
	if !reached {
		return fmt.Errorf("%s emitted no %s within the limit", node, kindName)
	}
	return nil
}

// cut cuts a device's power: at the n-th flash operation from now, or at once.
func (s *story) cut(d *datadriven.TestData) error {
	eui := s.device(d)
	var operation int
	if d.MaybeScanArgs(s.t, "operation", &operation) {
		chip := s.home.Chip(eui)
		chip.CutAt(chip.Stats().Operations+int64(operation), flash.CutTorn)
		return nil
	}
	s.home.Cut(eui, sim.DefaultOff)
	return nil
}

func (s *story) restartHub(*datadriven.TestData) error {
	s.home.Cut(storyNodes["hub"], time.Second)
	return nil
}

func (s *story) partition(d *datadriven.TestData) error {
	s.home.Partition(s.device(d), !d.HasArg("up"))
	return nil
}

func (s *story) status(d *datadriven.TestData) error {
	m := s.home.MeterStatus(s.device(d))
	fmt.Fprintf(&s.lines, "version=%d slot=%s trial=%v client=%q stored=%d of %d windows=%d blocks=%d retries=%d\n",
		m.Version, m.Slot, m.Trial, m.Client, m.Offset, m.Size, m.Update.Windows, m.Update.Blocks, m.Update.Retries)
	return nil
}

func (s *story) alerts(*datadriven.TestData) error {
	for _, a := range s.home.Store().Inbox(0, 1000) {
		line := fmt.Sprintf("%04X %s", a.Code, a.Text)
		fmt.Fprintln(&s.lines, shortenHashes(line))
	}
	return nil
}

func (s *story) updates(*datadriven.TestData) error {
	for _, name := range []string{"esme", "gsme"} {
		for _, u := range s.home.Store().UpdatesOf(storyNodes[name]) {
			im, _ := s.home.Store().ImageByFileHash(u.FileHash)
			fmt.Fprintf(&s.lines, "%s version=%d %s %q windows=%d blocks=%d\n", name, im.FileVersion, u.State, u.Outcome, u.Windows, u.Blocks)
		}
	}
	return nil
}

func (s *story) orders(*datadriven.TestData) error {
	for _, name := range []string{"esme", "gsme"} {
		for _, o := range s.home.Store().OrdersOf(storyNodes[name]) {
			line := fmt.Sprintf("%s %04X", name, o.Code)
			if o.Hash != (ota.ImageHash{}) {
				line += " hash=" + o.Hash.String()
			}
			switch {
			case o.Cancels:
				line += " cancels"
			case o.ExecuteAt != 0:
				line += " at=+" + elapsed(time.UnixMicro(o.ExecuteAt))
			}
			fmt.Fprintln(&s.lines, shortenHashes(fmt.Sprintf("%s %s %q", line, o.State, o.Outcome)))
		}
	}
	return nil
}

func (s *story) display(*datadriven.TestData) error {
	fmt.Fprintln(&s.lines, s.home.Display(storyNodes["ihd"]).Reading())
	return nil
}
