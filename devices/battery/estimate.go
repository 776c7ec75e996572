package battery

import (
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
)

// BlockEstimate is what one block costs, request and answer.
type BlockEstimate struct {
	Fragments   int // radio frames of the answer
	Cost        phy.Cost
	Charge      Charge
	HubTransmit time.Duration
	LostAnswer  Charge // of asking in vain once
}

// Block reckons a block of so many bytes of data.
func (s *Set) Block(data int) BlockEstimate {
	request, answer := ota.BlockRequestSize, ota.BlockOverhead+data
	cost := s.Radio.Exchange(request, answer)
	return BlockEstimate{
		Fragments: s.Radio.Fragments(answer), Cost: cost, Charge: s.RadioCharge(cost),
		HubTransmit: s.Radio.ParentHear(request) + s.Radio.ParentSend(answer),
		LostAnswer:  s.RadioCharge(s.Radio.Send(request).Add(s.Radio.Poll())),
	}
}

// sectorSize is that of the parts whose erase time the sets give.
const sectorSize = 4096

// ImageEstimate is what a whole image costs by cause, without losses, and without
// the other work of the windows that it takes.
type ImageEstimate struct {
	Blocks  int64
	RadioOn time.Duration
	Spent   [NumCauses]Charge
}

// Total returns the charge altogether.
func (e *ImageEstimate) Total() Charge {
	var sum Charge
	for _, c := range e.Spent {
		sum += c
	}
	return sum
}

// Signatures on an image and passes of the hash over it: the manufacturer's, and
// the supplier's where its key is known.
const (
	imageSignatures = 2
	imageHashes     = 2
)

// Operations on the curve for the GBCS messages of an update, which are counted like
// signatures checked: the receipt is signed; of the order to activate the MAC's key is
// agreed on and the signature checked; response and alert after it are signed.
const (
	receiptOperations    = 1
	activationOperations = 4
)

// Image reckons an image of size bytes in blocks of so many bytes of data: its
// radio frames, writing it to flash, verifying it, the signatures of the messages about it,
// and one restart.
func (s *Set) Image(size int64, data int) ImageEstimate {
	e := ImageEstimate{Blocks: (size + int64(data) - 1) / int64(data)}
	l := Ledger{set: *s}
	b := s.Block(data)
	for cause, d := range map[Cause]time.Duration{CauseTransmit: b.Cost.Transmit, CauseListen: b.Cost.Listen, CauseReceive: b.Cost.Receive} {
		i := s.ReceiveMicroamps
		if cause == CauseTransmit {
			i = s.TransmitMicroamps
		}
		l.book(cause, over(i, d)*Charge(e.Blocks))
	}
	l.book(CauseProcessor, over(s.ProcessorMicroamps, s.processorTime(b.Cost))*Charge(e.Blocks))
	l.Flash(flash.Stats{}, flash.Stats{BytesWritten: size + e.Blocks, Erases: (size + sectorSize - 1) / sectorSize})
	l.Hash(int(size) * imageHashes)
	l.Verify(imageSignatures + receiptOperations + activationOperations)
	l.Reboot()
	e.Spent, e.RadioOn = l.spent, time.Duration(e.Blocks)*b.Cost.RadioOn()
	return e
}

// StoreCharge returns what writing so many bytes of an image to flash costs, its
// share of erasing included.
func (s *Set) StoreCharge(n int64) Charge {
	return over(s.FlashMicroamps, time.Duration(n)*(s.PageProgram/time.Duration(s.PageSize)+s.SectorErase/sectorSize))
}

// EraseCharge returns what erasing one sector costs.
func (s *Set) EraseCharge() Charge { return over(s.FlashMicroamps, s.SectorErase) }

// VerifyCharge returns what verifying an image of so many bytes, and signing the receipt,
// costs.
func (s *Set) VerifyCharge(n int64) Charge {
	return over(s.ProcessorMicroamps, s.cycleTime(n*imageHashes*s.HashCycles+(imageSignatures+receiptOperations)*s.VerifyCycles))
}

// BaseDay returns what a day costs if the meter does nothing, self-discharge
// included.
func (s *Set) BaseDay() Charge {
	const dayMS = 24 * 3600 * 1000
	return Charge((s.SleepNanoamps+s.BaseNanoamps)*dayMS/1000) + s.selfDischarge(dayMS)
}

// LifeDays returns how many days a new cell lasts if each costs so much besides
// the base load.
func (s *Set) LifeDays(perDay Charge) float64 {
	return float64(s.Capacity()) / float64(max(1, s.BaseDay()+perDay))
}

// PerPeriod returns what a new cell has for each period if it shall last so many
// days, everything but self-discharge included.
func (s *Set) PerPeriod(days float64, period time.Duration) Charge {
	const dayMS = 24 * 3600 * 1000
	perDay := float64(s.Capacity())/days - float64(s.selfDischarge(dayMS))
	return Charge(perDay * float64(period) / float64(24*time.Hour))
}
