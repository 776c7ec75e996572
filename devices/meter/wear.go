package meter

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/journal"
)

// RegionWear is how often the sectors of a region were erased since the meter was made.
type RegionWear struct {
	Region  string
	Sectors int
	Least   uint32 // erases of the sector that was erased least
	Most    uint32 // and most
}

// Wear returns the wear of each region, nil before the first boot. What was erased after the
// last window of a process that was killed is not counted.
func (c *Chassis) Wear() []RegionWear {
	if c.boot == nil {
		return nil
	}
	var all []RegionWear
	for _, r := range c.regions.Regions() {
		erases := r.Erases()
		all = append(all, RegionWear{r.Name, len(erases), slices.Min(erases), slices.Max(erases)})
	}
	return all
}

const wearLayout = 1

// maxRuns bounds the record of wear. Neighbours with different counts are then kept with the
// larger one.
const maxRuns = 96

// stageWear has the erases kept with the next commit, if there were any since the last time.
func (c *Chassis) stageWear() {
	if n := c.chip.Stats().Erases; n != c.wornAt {
		c.wornAt = n
		c.wear = appendWear(c.wear[:0], c.chip.Region(0, c.chip.Geometry().Sectors).Erases())
		c.Journal.Stage(journal.Entry{Key: board.KeyWear, Data: c.wear})
	}
}

// appendWear appends layout(1), and for each run of sectors with the same count the number
// of sectors and the count, in LEB128.
func appendWear(b []byte, erases []uint32) []byte {
	b = append(b, wearLayout)
	for runs := 1; len(erases) > 0; runs++ {
		n, most := 1, erases[0]
		for ; n < len(erases) && (erases[n] == most || runs == maxRuns); n++ {
			most = max(most, erases[n])
		}
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(n)), uint64(most))
		erases = erases[n:]
	}
	return b
}

// restoreWear takes over what stageWear kept.
func (c *Chassis) restoreWear() error {
	b, ok := c.Journal.Get(board.KeyWear)
	if !ok {
		return nil
	}
	erases, err := parseWear(b, c.chip.Geometry().Sectors)
	if err != nil {
		return err
	}
	c.chip.RestoreErases(erases)
	return nil
}

func parseWear(b []byte, sectors int) ([]uint32, error) {
	if len(b) == 0 || b[0] != wearLayout {
		return nil, fmt.Errorf("wear of the sectors: %d bytes, want layout %d", len(b), wearLayout)
	}
	var erases []uint32
	for b = b[1:]; len(b) > 0; {
		n, used := binary.Uvarint(b)
		count, also := binary.Uvarint(b[max(0, used):])
		if used <= 0 || also <= 0 || n > uint64(sectors-len(erases)) || count > 1<<32-1 {
			return nil, fmt.Errorf("wear of the sectors: not that of %d", sectors)
		}
		erases = append(erases, slices.Repeat([]uint32{uint32(count)}, int(n))...)
		b = b[used+also:]
	}
	if len(erases) != sectors {
		return nil, fmt.Errorf("wear of the sectors: of %d, want %d", len(erases), sectors)
	}
	return erases, nil
}
