package meter

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/prepayment"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/utrn"
	"github.com/commshub/commshub/internal/trace"
)

// openAccount opens the account of a gas meter, and has top-ups credited that come as messages.
func (c *Chassis) openAccount() (err error) {
	c.Prepay, err = prepayment.Open(prepayment.Config{
		Meter: c.cfg.EUI64, Supplier: c.cfg.Supplier, Limits: prepayment.DefaultLimits(),
		Common: func() (seal.Secret, error) { return c.Remote.Common(c.cfg.Supplier) },
	}, c.Journal)
	c.Remote.RegisterApart(gbcs.CodeTopUpGSME, c.topUp)
	return err
}

// topUp carries CS01b out. Response, credit and alert are one commit, the endpoint's.
func (c *Chassis) topUp(now time.Time, out *han.Outbox, command core.Command) (gbcs.Payload, error) {
	number, err := utrn.TopUpOf(command.Counter)
	if err != nil {
		return nil, err
	}
	before := c.Prepay.Balance()
	outcome, alerts := c.Prepay.Message(c.Clock.Read(now), command.Payload.(gbcs.TopUpGSMECommand).UTRN, number)
	c.tellTopUp(now, out, outcome, before, "message", alerts)
	c.Remote.LogOutcome(now, gbcs.CodeTopUpGSME, outcome == prepayment.Accepted)
	response := gbcs.TopUpGSMEResponse{Result: outcome.Result(), Value: gbcs.NoAmount, Balance: gbcs.NoAmount}
	if outcome == prepayment.Accepted {
		response.Value = int32(c.Prepay.Balance() - before)
		response.Balance = int32(c.Prepay.Balance())
	}
	return response, nil
}

// TypeTopUp credits a top-up whose digits somebody typed.
func (c *Chassis) TypeTopUp(now time.Time, out *han.Outbox, digits string) prepayment.Outcome {
	before := c.Prepay.Balance()
	outcome, alerts := c.Prepay.Type(c.Clock.Read(now), digits)
	c.tellTopUp(now, out, outcome, before, "typed", alerts)
	c.Remote.Commit()
	return outcome
}

// tellTopUp records what became of a top-up and posts the alerts. The caller commits.
func (c *Chassis) tellTopUp(now time.Time, out *han.Outbox, outcome prepayment.Outcome, before prepayment.Millipence, way string, alerts []gbcs.AlertCode) {
	r := trace.Record{At: now, Node: uint64(c.cfg.EUI64), Kind: trace.TopUpRefused, Code: uint32(outcome.Result()), Text: fmt.Sprintf("%s: %s", way, outcome)}
	if outcome == prepayment.Accepted {
		after := c.Prepay.Balance()
		r.Kind, r.Text = trace.TopUpCredited, fmt.Sprintf("%s: %s, balance %s", way, after-before, after)
	}
	out.Record(r)
	for _, code := range alerts {
		c.Remote.Alert(now, out, code)
	}
}
