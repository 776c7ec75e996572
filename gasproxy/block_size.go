package gasproxy

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/ota"
)

const million = 1_000_000

// blockSizes calls f for each size of block, up to most bytes, that comes into
// question: those that fill their radio frames, and most. A fragmented answer saves
// requests, but it is lost with any of its fragments.
func blockSizes(set *battery.Set, most int, f func(size int)) {
	for n := 1; ; n++ {
		size := set.Radio.Room(n) - ota.BlockOverhead
		if size >= most || size <= 0 {
			f(most)
			return
		}
		f(size)
	}
}

// leastCharge returns the size of block that costs the least charge per byte on a
// channel that loses so many radio frames, parts per million, among those that
// fits accepts; if it accepts none, the smallest that fills a frame.
func leastCharge(set *battery.Set, most, loss int, fits func(size int) bool) int {
	best, bestCost := min(most, max(1, set.Radio.Room(1)-ota.BlockOverhead)), int64(-1)
	blockSizes(set, most, func(size int) {
		if !fits(size) {
			return
		}
		if cost := chargePerByte(set, size, loss); bestCost < 0 || cost < bestCost {
			best, bestCost = size, cost
		}
	})
	return best
}

// maxLoss is the loss above which sizes are not told apart any more, parts per
// million.
const maxLoss = 900_000

// arrival returns the chances that a block's request and its answer arrive, parts
// per million, if a radio frame gets lost with the given one.
func arrival(set *battery.Set, size, loss int) (request, both int64) {
	one := int64(million - min(loss, maxLoss))
	both = one
	for range set.Radio.Fragments(ota.BlockOverhead + size) {
		both = max(1, both*one/million)
	}
	return one, both
}

// chargePerByte returns what a byte costs in blocks of the given size, in
// thousandths of a nanocoulomb.
func chargePerByte(set *battery.Set, size, loss int) int64 {
	_, both := arrival(set, size, loss)
	send := int64(set.RadioCharge(set.Radio.Send(ota.BlockRequestSize)))
	fetch := int64(set.RadioCharge(set.Radio.Fetch(ota.BlockOverhead + size)))
	miss := int64(set.RadioCharge(set.Radio.Miss(assumedPatience)))
	perBlock := send*million/both + fetch + miss*(million-both)/both
	return perBlock * 1000 / int64(size)
}

// blocksPerPeriod returns how many blocks a period brings on average on such a
// channel: a meter waits for each answer that does not come, and after so many in a
// row it gives the window up.
func blocksPerPeriod(set *battery.Set, size, loss int, period time.Duration) int64 {
	_, both := arrival(set, size, loss)
	given := int64(million) // up, parts per million
	for range assumedTries {
		given = given * (million - both) / million
	}
	cycle := set.Radio.Delay(ota.BlockRequestSize) + set.Radio.Delay(ota.BlockOverhead+size) + 2*set.Radio.Host + set.Radio.Latency
	each := cycle + assumedPatience*time.Duration(million-both)/time.Duration(both)
	blocks := int64(awake(period) / each)
	if given > 0 {
		blocks = min(blocks, million/given)
	}
	return max(1, blocks)
}

// periodsNeeded returns how many heartbeat periods so many bytes take on such a
// channel at the most that meter and hub can do.
func periodsNeeded(set *battery.Set, bytes uint32, size, loss int, period time.Duration) int64 {
	blocks := (int64(bytes) + int64(size) - 1) / int64(size)
	need := 1 + blocks/blocksPerPeriod(set, size, loss, period)
	if set.Radio.Duty.Critical > 0 {
		need = max(need, 1+blocks/max(1, hourlyBlocks(set, size))*windowsPerHour(period))
	}
	return need
}
