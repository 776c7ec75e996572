//go:build ignore

// Make writes what the release before keeps: the flash of a gas and an electricity meter, and
// the records of their hub, at some moments of an update, and what is in them. It is built in
// a tree of that release, see make.sh. All in its output is the same each time, but for the order of
// the pages in the hub's records.
package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/scenario"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

const slotCapacity = 8 << 10

var start = time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)

// meterFacts is what a test holds a converted part against.
type meterFacts struct {
	At          time.Time
	Register    uint64
	Version     uint32
	MinSequence uint32
	Offset      uint32
	Size        uint32
	Spent       int64
	RadioOn     int64
	Alerts      uint64
	Commands    uint64
	Waiting     [][]byte
}

type home struct {
	*sim.World
	cfg   hub.Config
	hub   *hub.Hub
	store *store.Store
	cache *imagecache.Cache
	chips map[hub.Kind]*flash.Chip
	gsme  *gsme.Meter
	esme  *esme.Meter
	image *imagecache.Image
	db    string
	out   *writer
	facts map[string]meterFacts
}

func main() {
	log.SetFlags(0)
	dir, err := os.MkdirTemp("", "previous")
	demand(err)
	defer os.RemoveAll(dir)
	h := &home{
		World: sim.New(sim.Config{Start: start, Seed: 1, Link: radio.Link{Params: phy.Band2G4()}}),
		cfg:   hub.DefaultConfig(), cache: imagecache.NewMemory(), chips: map[hub.Kind]*flash.Chip{},
		db: filepath.Join(dir, "records.db"), out: newWriter(os.Args[1]), facts: map[string]meterFacts{},
	}
	h.cfg.Policy = gasproxy.Blocks(10)
	h.store, err = store.Open(h.db)
	demand(err)
	buildHub := func(now time.Time) han.Node {
		var out han.Outbox
		h.hub = hub.New(h.cfg, h.store, h.cache, now, &out)
		return h.hub
	}
	h.Add(buildHub(start), buildHub)
	h.meters()
	h.image, err = imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 1200}))
	demand(err)
	h.update()
	demand(h.store.Close())
	demand(h.out.close())
	facts, err := json.MarshalIndent(h.facts, "", " ")
	demand(err)
	demand(os.WriteFile(filepath.Join(filepath.Dir(os.Args[1]), "facts.json"), append(facts, '\n'), 0o644))
}

// meters adds one of each kind, with the factory firmware of the tests.
func (h *home) meters() {
	factory := testimage.GB(testimage.Options{Version: 1, Sequence: 1, PayloadSize: 300})
	for _, kind := range []hub.Kind{hub.KindESME, hub.KindGSME} {
		eui := scenario.DefaultESME
		if kind == hub.KindGSME {
			eui = scenario.DefaultGSME
		}
		m := scenario.NewMeter(eui, kind, testimage.Policy(bootloader.TrustSigned), factory)
		m.SupplierKey, m.SlotCapacity = &testimage.Supplier().PublicKey, slotCapacity
		chip := flash.New(meter.Geometry(slotCapacity))
		h.chips[kind] = chip
		h.operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error { return hb.AddDevice(now, out, eui, kind) })
		build := func(now time.Time) han.Node {
			if kind == hub.KindGSME {
				h.gsme = gsme.New(m.GSME(h.cfg), chip, now)
				return h.gsme
			}
			h.esme = esme.New(m.ESME(h.cfg), chip, now)
			return h.esme
		}
		h.Add(build(h.Now()), build)
	}
}

// update plays an update of both, and keeps what they have at some moments of it.
func (h *home) update() {
	esmeID, gsmeID := scenario.DefaultESME, scenario.DefaultGSME
	h.Run(start.Add(2 * time.Hour))
	demand(h.cache.Add(h.image))
	h.operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		if err := hb.RegisterImage(now, out, h.image.Entry, true); err != nil {
			return err
		}
		return hb.Distribute(now, out, h.image.FileHash, []han.EUI64{esmeID, gsmeID})
	})
	partial := func(c *meter.Chassis) bool {
		s := c.Status(h.Now())
		return s.Offset > s.Size/3 && s.Offset < s.Size
	}
	waits := func(c *meter.Chassis) bool { _, ok := c.Agent.Outgoing(); return ok }
	h.until("electricity meter partial", func() bool { return partial(&h.esme.Chassis) })
	h.keepMeter("esme-partial", hub.KindESME, &h.esme.Chassis)
	h.until("electricity meter tells", func() bool { return waits(&h.esme.Chassis) })
	h.keepMeter("esme-waiting", hub.KindESME, &h.esme.Chassis)
	h.until("gas meter partial", func() bool { return partial(&h.gsme.Chassis) && h.gsme.Asleep() })
	h.keepMeter("gsme-partial", hub.KindGSME, &h.gsme.Chassis)
	h.keepRecords("hub-partial")
	h.until("gas meter tells", func() bool { return waits(&h.gsme.Chassis) })
	h.keepMeter("gsme-waiting", hub.KindGSME, &h.gsme.Chassis)
	h.Run(h.Now().Add(time.Hour))

	at := start.Add(3 * 24 * time.Hour)
	for _, eui := range []han.EUI64{esmeID, gsmeID} {
		h.order(hub.Activation{Device: eui, Hash: h.image.ImageHash, At: at})
	}
	h.Run(h.Now().Add(2 * time.Hour))
	h.operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error { return hb.ReadVersion(now, out, gsmeID) })
	h.keepMeter("esme-dated", hub.KindESME, &h.esme.Chassis)
	h.keepMeter("gsme-dated", hub.KindGSME, &h.gsme.Chassis)
	h.keepRecords("hub-dated")

	h.Run(h.Now().Add(2 * time.Hour))
	for _, eui := range []han.EUI64{esmeID, gsmeID} {
		h.order(hub.Activation{Device: eui, Hash: h.image.ImageHash})
	}
	h.until("electricity meter activates", func() bool { return !h.esme.On() })
	h.keepMeter("esme-activating", hub.KindESME, &h.esme.Chassis)
	h.keepRecords("hub-activating")
	h.until("gas meter activates", func() bool { return !h.gsme.On() })
	h.keepMeter("gsme-activating", hub.KindGSME, &h.gsme.Chassis)
	h.until("gas meter restarted", func() bool { return h.gsme.On() && h.gsme.Status(h.Now()).Version == 2 })
	h.keepMeter("gsme-restarted", hub.KindGSME, &h.gsme.Chassis)
	h.Run(h.Now().Add(time.Hour))
	h.gsme.Ledger.Drain(h.gsme.Ledger.Remaining() - h.gsme.Ledger.Set().Capacity()/20)
	h.until("gas meter's battery told", func() bool { return waits(&h.gsme.Chassis) })
	h.gsme.KeepLedger()
	h.keepMeter("gsme-updated", hub.KindGSME, &h.gsme.Chassis)
	h.keepMeter("esme-updated", hub.KindESME, &h.esme.Chassis)
	h.Run(h.Now().Add(time.Hour))
	h.keepRecords("hub-updated")
}

func (h *home) until(what string, done func() bool) {
	if !h.RunUntil(h.Now().Add(48*time.Hour), done) {
		log.Fatalf("%s: not within two days", what)
	}
}

func (h *home) operate(f func(hb *hub.Hub, now time.Time, out *han.Outbox) error) {
	var err error
	demand(h.Do(h.cfg.EUI64, func(now time.Time, n han.Node, out *han.Outbox) { err = f(n.(*hub.Hub), now, out) }))
	demand(err)
}

func (h *home) order(a hub.Activation) {
	h.operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error { return hb.Activate(now, out, a) })
}

// keepMeter writes a part as it is when the power goes, and what its meter says of itself.
func (h *home) keepMeter(name string, kind hub.Kind, c *meter.Chassis) {
	chip := h.chips[kind].Clone()
	part := chip.Region(0, chip.Geometry().Sectors)
	h.out.file(name, part.View(0, part.Size()), flash.Erased)
	s := c.Status(h.Now())
	f := meterFacts{At: h.Now(), Register: s.Register, Version: s.Version, Offset: s.Offset, Size: s.Size, Waiting: [][]byte{}}
	m := board.Cut(chip, bootloader.SlotSectors(slotCapacity, board.SectorSize))
	f.MinSequence = bootloader.Open(testimage.Policy(bootloader.TrustSigned), m.Control,
		bootloader.OpenSlot(m.SlotA, slotCapacity), bootloader.OpenSlot(m.SlotB, slotCapacity)).MinSequence()
	if data, ok := c.Journal.Get(0x80); ok {
		kept := battery.NewLedger(*c.Ledger.Set(), h.Now())
		kept.Restore(data)
		f.Spent, f.RadioOn = int64(kept.Total()), int64(kept.RadioOn())
	}
	if state, ok := c.Journal.Get(1); ok {
		f.Alerts, f.Commands = binary.LittleEndian.Uint64(state[1:]), binary.LittleEndian.Uint64(state[9:])
	}
	for key := range journal.Key(16) { // in order: none of these rings went round
		if message, ok := c.Journal.Get(0x10 + key); ok {
			f.Waiting = append(f.Waiting, bytes.Clone(message[1:]))
		}
	}
	h.facts[name] = f
}

func (h *home) keepRecords(name string) {
	db, err := os.ReadFile(h.db)
	demand(err)
	h.out.file(name, db, 0)
}

// writer writes files as text: of each its name, size and filling byte, and then its sectors
// that hold anything else: where, and deflated in base64, or which one before it is the same.
type writer struct {
	f       *os.File
	w       *bufio.Writer
	written map[string]int
}

func newWriter(path string) *writer {
	f, err := os.Create(path)
	demand(err)
	return &writer{f: f, w: bufio.NewWriter(f), written: map[string]int{}}
}

func (w *writer) file(name string, data []byte, fill byte) {
	fmt.Fprintf(w.w, "%s %d %02X\n", name, len(data), fill)
	for at := 0; at < len(data); at += board.SectorSize {
		sector := data[at : at+trimmed(data[at:min(at+board.SectorSize, len(data))], fill)]
		if len(sector) == 0 {
			continue
		}
		if n, ok := w.written[string(sector)]; ok {
			fmt.Fprintf(w.w, "%d =%d\n", at, n)
			continue
		}
		w.written[string(sector)] = len(w.written)
		var packed bytes.Buffer
		z, err := flate.NewWriter(&packed, flate.BestCompression)
		demand(err)
		_, err = z.Write(sector)
		demand(err)
		demand(z.Close())
		fmt.Fprintf(w.w, "%d %s\n", at, base64.StdEncoding.EncodeToString(packed.Bytes()))
	}
}

// trimmed returns how much of a sector stands before what only fills it.
func trimmed(sector []byte, fill byte) int {
	n := len(sector)
	for n > 0 && sector[n-1] == fill {
		n--
	}
	return n
}

func (w *writer) close() error {
	demand(w.w.Flush())
	return w.f.Close()
}

func demand(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
