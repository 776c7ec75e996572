package gsme

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/prepayment"
	"github.com/commshub/commshub/han/zcl"
)

// accountDue reports whether the mirror has to be told of the account: after each top-up, and
// once after a restart.
func (m *Meter) accountDue() bool {
	last, ok := m.Prepay.Last()
	return ok && last.Number != m.accountTold
}

// reportAccount pushes the account to the mirror, which confirms that it has it.
func (m *Meter) reportAccount(out *han.Outbox) {
	last, _ := m.Prepay.Last()
	source := prepayment.SourceESI
	if last.Typed {
		source = prepayment.SourceMeter
	}
	number := func(t zcl.DataType, n uint64) zcl.Value { return zcl.Value{Type: t, Number: n} }
	to := m.HubPeer(prepayment.ClusterID)
	to.Endpoint = m.join.Mirror
	m.tsn = zcl.Send(&m.Station, out, to, zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes}, zcl.ReportAttributes{
		Attributes: []zcl.Attribute{
			{ID: prepayment.AttributeCreditRemaining, Value: number(zcl.TypeInt32, uint64(m.Prepay.Balance()))},
			{ID: prepayment.AttributeTopUpTime, Value: number(zcl.TypeUTCTime, uint64(last.At))},
			{ID: prepayment.AttributeTopUpAmount, Value: number(zcl.TypeInt48, uint64(last.Amount()))},
			{ID: prepayment.AttributeTopUpSource, Value: number(zcl.TypeEnum8, uint64(source))},
			{ID: prepayment.AttributeTopUpCode, Value: zcl.Value{Type: zcl.TypeOctetString, Bytes: []byte(last.Token.String())}},
		},
	})
}

// handlePrepayment takes the mirror's confirmation.
func (m *Meter) handlePrepayment(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) error {
	if h.ClusterSpecific || h.Command != zcl.CommandDefaultResponse || m.state != stateReportingAccount {
		return nil
	}
	confirms, err := m.confirms(h, payload, zcl.CommandReportAttributes)
	if err == nil && confirms {
		last, _ := m.Prepay.Last()
		m.accountTold = last.Number
		m.next(now, out)
	}
	return err
}
