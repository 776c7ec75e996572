package gasproxy

import "github.com/commshub/commshub/devices/battery"

const million = 1_000_000

// leastCharge returns the size of block, up to most bytes, that costs the least
// charge per byte on a channel that loses so many answers, parts per million. Only
// sizes that fill their radio frames come into question: a fragmented answer saves
// requests, but it is lost with any of its fragments.
func leastCharge(set *battery.Set, most, loss int) int {
	best, bestCost := most, chargePerByte(set, most, loss)
	room := set.Radio.MaxUnfragmented()
	for n := 1; ; n++ {
		size := set.Radio.Room(n) - blockResponseHeader
		if size >= most || room <= blockResponseHeader {
			return best
		}
		if cost := chargePerByte(set, size, loss); cost < bestCost {
			best, bestCost = size, cost
		}
	}
}

// maxLoss is the loss above which sizes are not told apart any more, parts per
// million.
const maxLoss = 900_000

// chargePerByte returns what a byte costs in blocks of the given size, in
// nanocoulombs times a thousand. loss is that of answers in one radio frame.
func chargePerByte(set *battery.Set, size, loss int) int64 {
	loss = min(loss, maxLoss)
	request := int64(million - loss) // arrives, parts per million
	answer := int64(million)
	for range set.Radio.Fragments(blockResponseHeader + size) {
		answer = max(1, answer*int64(million-loss)/million)
	}
	both := max(1, request*answer/million)
	send := int64(set.RadioCharge(set.Radio.Send(blockRequestSize)))
	fetch := int64(set.RadioCharge(set.Radio.Fetch(blockResponseHeader + size)))
	miss := int64(set.RadioCharge(set.Radio.Poll()))
	perBlock := send*million/both + fetch + miss*(million-both)/both
	return perBlock * 1000 / int64(size)
}
