package systemtest

import (
	"cmp"
	"crypto/sha256"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/eventlog"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

var everyCut = flag.Bool("cuts.all", false, "cut power at every flash operation of every row, in every way, on every part: an hour of both cores")

// TestAPowerCutAtAnyFlashOperationOfAMeterLosesNothing plays the rows of the table on
// parts of several geometries, by both kinds of meter, with a power cut in one flash
// operation, in all the ways in which power can fail there. At no instant may a register or
// a counter of alerts go back, or a version run that nobody ordered. In the end the
// meter runs the newest image, and the supplier was told of all that has to be told.
func TestAPowerCutAtAnyFlashOperationOfAMeterLosesNothing(t *testing.T) {
	for r, row := range cutRows {
		for g, part := range cutParts {
			for k, kind := range []store.Kind{store.KindGSME, store.KindESME} {
				s := sweep{row: row, part: part, kind: kind}
				t.Run(fmt.Sprintf("%s/%s/%s", row.name, part.name, kind), func(t *testing.T) {
					t.Parallel()
					s.run(t, (r*len(cutParts)+g)*2+k)
				})
			}
		}
	}
}

// part is a flash part. Its meter has slots of cutSlot bytes.
type part struct {
	name string
	flash.Geometry
}

const cutSlot = 8 << 10

var cutParts = []part{
	{"SPI NOR", flash.Geometry{SectorSize: board.SectorSize, PageSize: board.PageSize}},
	{"small sectors", flash.Geometry{SectorSize: 2048, PageSize: 64}},
	{"large sectors", flash.Geometry{SectorSize: 16384, PageSize: 512}},
	{"words", flash.Geometry{SectorSize: 2048, PageSize: 8}},
	{"erased to zeros", flash.Geometry{SectorSize: board.SectorSize, PageSize: 128, ErasedZero: true}},
}

// blank returns a part as it comes, with as many sectors as the board needs.
func (p part) blank() *flash.Chip {
	p.Sectors = board.Geometry(bootloader.SlotSectors(cutSlot, p.SectorSize)).Sectors
	return flash.New(p.Geometry)
}

// cutRow is what a meter goes through.
type cutRow struct {
	name string
	// before brings the meter into the state that it starts from; nil on a blank part.
	before func(h *cutHome) error
	// images are distributed one after the other; all but the last are rolled back.
	images []*imagecache.Image
	// worn is a region in whose first sector a cell does not hold a one, wornAt its byte.
	worn   func(board.Map) flash.Region
	wornAt int
	// refused: no image can be stored, and the supplier is told that.
	refused bool
}

var (
	cutFactory = testimage.GB(testimage.Options{Version: 1, Sequence: 1, PayloadSize: 400})
	cutFile    = testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 3000})
	cutImage   = must(imagecache.NewImage(cutFile))
	olderImage = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 7, Sequence: 1, PayloadSize: 3000})))
	failsImage = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 3, Sequence: 2, PayloadSize: 1000, Program: bootloader.ProgramFailsSelfTest})))
	hangsImage = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 4, Sequence: 2, PayloadSize: 1000, Program: bootloader.ProgramHangs})))
	fullImages = []*imagecache.Image{fillsSlot(5), fillsSlot(6)}
)

var cutRows = []cutRow{
	{name: "update", images: []*imagecache.Image{cutImage}},
	{name: "half an old image in the slot", before: halfAnOldImage, images: []*imagecache.Image{cutImage}},
	{name: "the same version in the slot", before: theSameVersion, images: []*imagecache.Image{cutImage}},
	{name: "both slots full", before: bothSlotsFull, images: fullImages[1:]},
	{name: "application worn", before: leftFactory, images: []*imagecache.Image{cutImage}, worn: func(m board.Map) flash.Region { return m.Application }, wornAt: 40},
	{name: "outbox worn", before: leftFactory, images: []*imagecache.Image{cutImage}, worn: func(m board.Map) flash.Region { return m.Outbox }, wornAt: 40},
	{name: "self-test fails", images: []*imagecache.Image{failsImage, cutImage}},
	{name: "hangs, bootloader worn", before: leftFactory, images: []*imagecache.Image{hangsImage, cutImage}, worn: func(m board.Map) flash.Region { return m.Control }, wornAt: 40},
	{name: "slot worn", before: leftFactory, images: []*imagecache.Image{cutImage}, worn: func(m board.Map) flash.Region { return m.SlotB }, wornAt: oddByte(cutFile, 1000), refused: true},
}

// oddByte returns which is the first odd byte of a file from one on.
func oddByte(file []byte, from int) int {
	for at, b := range file[from:] {
		if b&1 != 0 {
			return from + at
		}
	}
	panic("no byte is odd")
}

// fillsSlot returns an image that fills a slot to the last byte.
func fillsSlot(version uint32) *imagecache.Image {
	o := testimage.Options{Version: version, Sequence: version, PayloadSize: cutSlot / 2}
	for {
		file := testimage.GB(o)
		if len(file) == cutSlot {
			return must(imagecache.NewImage(file))
		}
		o.PayloadSize += cutSlot - len(file)
	}
}

func leftFactory(h *cutHome) error {
	return h.await(func() bool { return h.MeterStatus(cutMeter).Version == 1 && h.AtRest(cutMeter) })
}

func halfAnOldImage(h *cutHome) error {
	if err := h.distribute(olderImage); err != nil {
		return err
	}
	return h.await(func() bool { return h.MeterStatus(cutMeter).Offset > uint32(olderImage.Header.TotalSize)/2 })
}

func theSameVersion(h *cutHome) error {
	if err := h.distribute(cutImage); err != nil {
		return err
	}
	return h.update.awaitTransfer()
}

func bothSlotsFull(h *cutHome) error {
	if err := h.distribute(fullImages[0]); err != nil {
		return err
	}
	return h.activated()
}

// sweep is a row on a part, by a kind of meter.
type sweep struct {
	row  cutRow
	part part
	kind store.Kind
}

// cutShare is which of the points are tried if not all are: they lie so far apart, and
// begin elsewhere in each sweep.
const cutShare = 37

func (s *sweep) run(t *testing.T, number int) {
	start := s.part.blank()
	if s.row.before != nil {
		h := s.newHome(storyStart, start)
		if err := s.row.before(h); err != nil {
			t.Fatal(err)
		}
	}
	whole := s.begin(start)
	if err := whole.play(s.row); err != nil {
		t.Fatal(err)
	}
	operations := whole.Chip(cutMeter).Stats().Operations
	t.Logf("%d flash operations", operations)
	const ways = int64(flash.CutAfter) + 1
	first, step := int64(0), int64(1)
	if !*everyCut {
		first, step = int64(number)*7%cutShare, cutShare
	}
	if testing.Short() {
		step *= 5
	}
	for point := first; point < operations*ways; point += step {
		n, cut := 1+point/ways, flash.Cut(point%ways)
		h := s.begin(start)
		h.Chip(cutMeter).CutAt(n, cut)
		if err := h.play(s.row); err != nil {
			t.Fatalf("cut %s operation %d: %v", cut, n, err)
		}
	}
}

const cutMeter = theGSME

// cutHome is a home in which a meter loses power.
type cutHome struct {
	inVirtualTime
	update   update
	worn     int             // offset of a byte of which a cell holds no one; -1 if there is none
	may      map[uint32]bool // versions that the meter may run
	register uint64
	broken   error
	also     func() // what looks on as well; nil if nothing does
}

func (s *sweep) newHome(at time.Time, chip *flash.Chip) *cutHome {
	cfg := hub.DefaultConfig()
	cfg.Policy = gasproxy.Blocks(40)
	h := &cutHome{
		inVirtualTime: inVirtualTime{
			Home:  virtual.New(sim.Config{Start: at, Seed: 1, Link: radio.Link{Params: phy.Band2G4()}}, cfg),
			limit: at.Add(48 * time.Hour),
		},
		worn: -1, may: map[uint32]bool{},
	}
	m := newMeter(cutMeter, s.kind, cutFactory)
	m.SlotCapacity = cutSlot
	if err := h.AddMeterOn(m, chip); err != nil {
		panic(err)
	}
	return h
}

// begin returns the home in which the row is played, from a state on. Its supplier is
// later than the one who brought the meter there: commands have higher counters.
func (s *sweep) begin(from *flash.Chip) *cutHome {
	h := s.newHome(storyStart.Add(7*24*time.Hour), from.Clone())
	if s.row.worn != nil {
		regions := board.Cut(h.Chip(cutMeter), bootloader.SlotSectors(cutSlot, s.part.SectorSize))
		h.worn = s.row.worn(regions).Offset() + s.row.wornAt
	}
	return h
}

func (h *cutHome) distribute(im *imagecache.Image) error {
	h.update = updateOf(h, im, cutMeter)
	return h.update.distribute()
}

// await looks at the meter after each event.
func (h *cutHome) await(done func() bool) error {
	err := h.inVirtualTime.await(func() bool {
		h.look()
		return h.broken != nil || done()
	})
	if h.broken != nil {
		return h.broken
	}
	return err
}

func (h *cutHome) look() {
	chip := h.Chip(cutMeter)
	if h.worn >= 0 && chip.Region(0, chip.Geometry().Sectors).View(h.worn, 1)[0]&1 != 0 {
		chip.Flip(h.worn, 0)
	}
	v := h.Vitals(cutMeter)
	switch {
	case v.Bricked:
		h.broken = fmt.Errorf("bricked")
	case !v.On:
	case v.Register < h.register:
		h.broken = fmt.Errorf("the register went back from %d to %d", h.register, v.Register)
	case len(h.may) == 0:
		h.may[v.Version] = true
	case !h.may[v.Version]:
		h.broken = fmt.Errorf("runs version %d, which nobody ordered", v.Version)
	}
	h.register = max(h.register, v.Register)
	if h.also != nil {
		h.also()
	}
}

// play runs the home to its end, as a supplier who activates what was verified.
func (h *cutHome) play(row cutRow) error {
	for i, im := range row.images {
		if err := h.distribute(im); err != nil {
			return err
		}
		end := h.activated
		switch {
		case row.refused:
			end = h.refused
		case i < len(row.images)-1:
			end = h.rolledBack
		}
		if err := end(); err != nil {
			return fmt.Errorf("version %d: %w", im.Header.FileVersion, err)
		}
	}
	if err := h.rising(); err != nil {
		return err
	}
	return h.entered()
}

func (h *cutHome) ordered() error {
	if err := h.update.awaitTransfer(); err != nil {
		return err
	}
	h.may[h.update.image.Header.FileVersion] = true
	return h.update.activate()
}

// activated plays an update to its good end.
func (h *cutHome) activated() error {
	if err := h.ordered(); err != nil {
		return err
	}
	if err := h.await(func() bool { return h.told(gbcs.AlertFirmwareVersionChanged) && h.AtRest(cutMeter) }); err != nil {
		return fmt.Errorf("the change of version was not told; the update is %s: %w", h.state(), err)
	}
	status := h.MeterStatus(cutMeter)
	switch im := h.update.image; {
	case status.Version != im.Header.FileVersion || status.Trial:
		return fmt.Errorf("ended on version %d, trial %v", status.Version, status.Trial)
	case status.SlotHash != im.FileHash:
		return fmt.Errorf("the running slot does not hold the image")
	case h.state() != store.UpdateActivated:
		return fmt.Errorf("the update ended %s", h.state())
	case !h.told(gbcs.AlertFirmwareVerificationSuccessful):
		return fmt.Errorf("the supplier was not told of the verification")
	case h.told(gbcs.AlertFirmwareVerificationFailed):
		return fmt.Errorf("the supplier was told of a failed verification")
	default:
		return nil
	}
}

// rolledBack plays an update to its end with the firmware of before.
func (h *cutHome) rolledBack() error {
	if err := h.update.awaitTransfer(); err != nil {
		return err
	}
	before := h.MeterStatus(cutMeter).Version
	if err := h.ordered(); err != nil {
		return err
	}
	if err := h.await(func() bool { return h.state() == store.UpdateFailed && h.AtRest(cutMeter) }); err != nil {
		return fmt.Errorf("the roll-back was not told; the update is %s: %w", h.state(), err)
	}
	if status := h.MeterStatus(cutMeter); status.Version != before || status.Trial {
		return fmt.Errorf("rolled back to version %d, trial %v, from %d", status.Version, status.Trial, before)
	}
	delete(h.may, h.update.image.Header.FileVersion)
	return nil
}

// refused plays an update to its end with an image that the meter cannot store: it runs
// what it left the factory with.
func (h *cutHome) refused() error {
	if err := h.await(func() bool { return h.state() == store.UpdateFailed && h.AtRest(cutMeter) }); err != nil {
		return fmt.Errorf("the meter does not give up; the update is %s: %w", h.state(), err)
	}
	switch status := h.MeterStatus(cutMeter); {
	case status.Version != 1 || status.Trial || status.SlotHash != sha256.Sum256(cutFactory):
		return fmt.Errorf("refused on version %d, trial %v", status.Version, status.Trial)
	case !h.told(gbcs.AlertFirmwareTransferFail):
		return fmt.Errorf("the supplier was not told")
	default:
		return nil
	}
}

// rising holds the counters of the meter's alerts against the order in which they came.
func (h *cutHome) rising() error {
	last := uint64(0)
	for _, e := range h.Store().Inbox(0, 1000) {
		m, err := gbcs.ParseMessage(e.Bytes)
		if err != nil || m.CRA != gbcs.Alert || m.Originator != cutMeter {
			continue // the hub's own, or a response
		}
		if m.OriginatorCounter <= last {
			return fmt.Errorf("alert %04X has counter %d after %d", e.Code, m.OriginatorCounter, last)
		}
		last = m.OriginatorCounter
	}
	return nil
}

// entered holds the meter's logs against what it told: each alert stands in its log, with
// its time, unless a hundred events came after it.
func (h *cutHome) entered() error {
	if !h.Vitals(cutMeter).On {
		return nil // it is off again
	}
	var logs [2][]gbcs.LogEntry
	if err := h.Do(cutMeter, func(_ time.Time, n han.Node, _ *han.Outbox) { logs = logsOf(n) }); err != nil {
		return err
	}
	for i, log := range logs {
		if !slices.IsSortedFunc(log, func(a, b gbcs.LogEntry) int { return cmp.Compare(a.Time, b.Time) }) {
			return fmt.Errorf("the %s is out of order: %v", gbcs.Log(i), log)
		}
	}
	for _, e := range h.Store().Inbox(0, 1000) {
		m, err := gbcs.ParseMessage(e.Bytes)
		if err != nil || m.CRA != gbcs.Alert {
			continue // the hub's own, or a response
		}
		var head gbcs.AlertHead
		switch p := must(m.ParsePayload()).(type) {
		case gbcs.GenericAlert:
			head = p.AlertHead
		case gbcs.DistributionReceiptAlert:
			head = p.AlertHead
		default:
			continue
		}
		log := logs[gbcs.LogOf(head.Code)]
		gone := len(log) == eventlog.Capacity && head.Time <= log[0].Time
		if !gone && !slices.ContainsFunc(log, func(e gbcs.LogEntry) bool { return e.Code == head.Code && e.Time == head.Time }) {
			return fmt.Errorf("alert %04X of %s does not stand in the %s", uint16(head.Code), head.Time.Time(), gbcs.LogOf(head.Code))
		}
	}
	return nil
}

// logsOf returns the entries of a meter's logs.
func logsOf(n han.Node) (entries [2][]gbcs.LogEntry) {
	var logs [2]*eventlog.Log
	switch m := n.(type) {
	case *gsme.Meter:
		logs = m.Logs
	case *esme.Meter:
		logs = m.Logs
	}
	for i, l := range logs {
		entries[i] = l.Entries()
	}
	return entries
}

func (h *cutHome) state() store.UpdateState { return h.update.state(cutMeter) }

func (h *cutHome) told(code gbcs.AlertCode) bool {
	for _, a := range h.Store().Inbox(0, 1000) {
		if gbcs.AlertCode(a.Code) == code {
			return true
		}
	}
	return false
}
