package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/utrn"
	"github.com/commshub/commshub/hub/store"
)

// TopUp has a gas meter credit so many pence (CS01b, SRV 2.2), and returns the 20 digits that do
// the same when they are typed at the meter. Top-ups are counted apart from other orders, those
// to all meters together; what came of one is its order's, and in the inbox.
func (s *HeadEnd) TopUp(now time.Time, out *han.Outbox, eui han.EUI64, pence uint32) (digits string, err error) {
	if digits, err = s.topUp(now, out, eui, pence); err != nil {
		return "", fmt.Errorf("top up %s: %w", eui, err)
	}
	return digits, nil
}

func (s *HeadEnd) topUp(now time.Time, out *han.Outbox, eui han.EUI64, pence uint32) (string, error) {
	d, ok := s.hub.Device(eui)
	switch {
	case !ok:
		return "", store.ErrUnknownDevice
	case d.Kind != store.KindGSME:
		return "", fmt.Errorf("%w: %s devices are not topped up here, only gas meters", store.ErrConflict, d.Kind)
	}
	class, value, err := utrn.Amount(pence)
	if err != nil {
		return "", fmt.Errorf("%w: %w", store.ErrConflict, err)
	}
	device, ok := s.party(eui)
	if !ok {
		return "", fmt.Errorf("%w: there are no certificates of the device, and a top-up is made with its key", store.ErrConflict)
	}
	secret, err := seal.Agree(s.cfg.Security.Own.KA, device.KA)
	if err != nil {
		return "", err
	}
	number, taken := s.store.NextNumber(store.SeriesTopUp)
	token, err := utrn.Issue(secret, utrn.Context{Originator: s.cfg.Supplier, Meter: eui, TopUp: uint32(number)}, class, value)
	if err != nil {
		return "", err
	}
	o := store.Order{
		Device: eui, Counter: utrn.OriginatorCounter(uint32(number)), Code: uint16(gbcs.CodeTopUpGSME),
		GivenAt: now.UnixMicro(), ChangedAt: now.UnixMicro(),
	}
	return token.String(), s.sendCounted(now, out, o, gbcs.TopUpGSMECommand{UTRN: token.String()}.Append(nil), taken)
}

// topUpAnswered says what a meter answered to a top-up.
func topUpAnswered(r gbcs.TopUpGSMEResponse) (text string, state store.OrderState) {
	if !r.Result.Accepted() {
		return "not credited: " + r.Result.String(), store.OrderFailed
	}
	return fmt.Sprintf("%s: %s, balance %s", r.Result, pounds(r.Value), pounds(r.Balance)), store.OrderDone
}

// pounds writes an amount in thousandths of a penny.
func pounds(millipence int32) string {
	if millipence < 0 {
		return "not told"
	}
	pence := millipence / 1000
	return fmt.Sprintf("£%d.%02d", pence/100, pence%100)
}
