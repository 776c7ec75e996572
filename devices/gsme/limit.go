package gsme

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/tunnel"
)

// What bounds a window: its end, its share of radio-on time, and the band's duty
// cycle. Whatever is asked is held against what the window has left, before it is
// asked, so that no window ends above its budget.

// account ends the accounting of a call. From what was sent in it on, a meter that
// listens for the answer may do so until its share is spent.
func (m *Meter) account(now time.Time, out *han.Outbox) {
	m.settle(now, out)
	budget := m.cfg.Budget.RadioOn
	if !m.Ledger.Set().Radio.Listening || budget == 0 || m.Asleep() || !m.asked.Equal(now) {
		return
	}
	end := m.end
	if spent := now.Add(budget - m.spending.RadioOn(m.Ledger) - m.lastWord().RadioOn()); spent.Before(end) {
		end = spent
	}
	m.deadlines.Await(timerEnd, end)
}

// settle accounts what the call in hand did so far.
func (m *Meter) settle(now time.Time, out *han.Outbox) {
	if m.Account(now, out, m.mark) {
		m.asked = now
	}
	m.mark = m.Mark(out)
}

// scheduleEnd sets when the window is over: after the time that the meter stays
// awake, and before the next heartbeat.
func (m *Meter) scheduleEnd() {
	m.end = m.opened.Add(m.cfg.Awake)
	if before := m.NextHeartbeat().Add(-2 * beatTolerance); before.Before(m.end) {
		m.end = before
	}
	m.deadlines.Await(timerEnd, m.end)
}

// cutShort ends the window at its end. The answer that the meter waits for counts
// as missed.
func (m *Meter) cutShort(now time.Time, out *han.Outbox) {
	if m.deadlines.IsSet(timerAnswer) || m.Agent.Client().Awaiting() {
		m.Spend(now, m.Ledger.Set().Radio.Miss(now.Sub(m.asked)))
	}
	m.sleep(now, out)
}

// Sizes of exchanges other than of blocks, in bytes of ZCL, the longest that there can be.
const (
	stepSize    = 32 // of requests and answers of a step but reports and messages
	reportSize  = 64
	endSize     = 32  // Upgrade End Request, and its response
	receiptSize = 200 // the alert that tells what became of an image
	confirmSize = 5   // Default Response
	// consumptionSize is what fills a radio frame with APS security; a consumption of ten
	// years fits.
	consumptionSize = 73
	messageSize     = tunnel.MaxTransfer
)

// affords reports whether the window has room for the step in hand: asking once, and
// whatever its answer may be. What comes first after the report and the clock always has,
// so that no budget keeps a message waiting for ever.
func (m *Meter) affords(now time.Time, out *han.Outbox) bool {
	if !m.worked {
		return true
	}
	m.settle(now, out)
	radio := &m.Ledger.Set().Radio
	cost := radio.Exchange(stepSize, stepSize)
	switch m.state {
	case stateReporting:
		cost = radio.Exchange(reportSize, stepSize)
	case stateGetting:
		cost = radio.Exchange(stepSize, messageSize).Add(radio.Send(confirmSize))
	case statePutting:
		message, _ := m.Remote.Outgoing()
		cost = radio.Exchange(stepSize+len(m.outgoing.Next(message)), confirmSize)
	case stateOff, stateAsleep, stateRequestingMirror, stateConfiguringMirror, stateRequestingTunnel, stateReadingTime, stateReportingAccount, stateUpdating:
	}
	ok, _ := m.allows(cost)
	return ok
}

// lastWord is what telling the hub of the consumption costs, which ends a window with work.
func (m *Meter) lastWord() phy.Cost { return m.Ledger.Set().Radio.Send(consumptionSize) }

// allows reports whether the window has room for an operation and for its last word.
func (m *Meter) allows(cost phy.Cost) (ok bool, reason string) {
	return m.spending.Allows(m.Ledger, cost.Add(m.lastWord()))
}

// MayAsk implements otaclient.Limit.
func (m *Meter) MayAsk(time.Time) bool {
	ok, _ := m.allows(m.Ledger.Set().Radio.Exchange(stepSize, stepSize))
	return ok
}

// exchangeCost remembers what fetching a block costs, which is asked for at each one.
type exchangeCost struct {
	data int
	cost phy.Cost
}

// MayRequestBlock implements otaclient.Limit: the client-side limit on a window. The
// last block leaves room for what follows it in the same window.
func (m *Meter) MayRequestBlock(now time.Time) (ok bool, reason string) {
	radio := &m.Ledger.Set().Radio
	data := m.data
	if data <= 0 {
		data = int(m.cfg.OTA.MaxDataSize)
	}
	if m.exchange.data != data {
		m.exchange = exchangeCost{data, radio.Exchange(ota.BlockRequestSize, ota.BlockOverhead+data)}
	}
	cost := m.exchange.cost
	if ok, reason := m.DutyAllows(now, cost); !ok {
		return false, reason
	}
	if left := m.Agent.Client().Left(); left > 0 && left <= uint32(data) {
		cost = cost.Add(radio.Exchange(endSize, endSize)).Add(radio.Exchange(receiptSize, confirmSize))
	}
	return m.allows(cost)
}
