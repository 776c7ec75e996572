package headend_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/utrn"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/nodetest"
)

func (l *line) topUp(pence uint32) (digits string, counter uint64) {
	l.t.Helper()
	digits, err := l.headEnd.TopUp(l.now, new(han.Outbox), gsme, pence)
	l.must(err)
	return digits, l.last()
}

func (l *line) answerTopUp(counter uint64, r gbcs.TopUpGSMEResponse) {
	l.t.Helper()
	l.receive(gbcs.Message{CRA: gbcs.Response, OriginatorCounter: counter, Code: gbcs.CodeTopUpGSME,
		HasDateTime: true, Payload: r.Append(nil)})
}

// A top-up has a counter of its own series, whose digits the meter can check, and moves the
// counter of no other order.
func TestATopUpIsOrderedAndAnswered(t *testing.T) {
	l := newLine(t)
	before, _ := l.store.OriginatorCounter(supplier)
	digits, counter := l.topUp(1250)
	secret, err := seal.Agree(devicetest.Keys(gsme).KA, devicetest.Party(supplier).KA)
	l.must(err)
	token, err := utrn.Parse(digits)
	l.must(err)
	if counter != 1<<32 || token.Pence() != 1250 || !token.Check(secret, utrn.Context{Originator: supplier, Meter: gsme, TopUp: 1}) {
		t.Errorf("counter %d, %s says %+v", counter, digits, token)
	}
	m, err := gbcs.ParseMessage(l.sent[len(l.sent)-1].Data)
	l.must(err)
	if p, err := m.ParsePayload(); err != nil || p.(gbcs.TopUpGSMECommand).UTRN != digits || m.OriginatorCounter != counter {
		t.Errorf("sent %+v, %v", p, err)
	}
	l.fetch(counter)
	l.answerTopUp(counter, gbcs.TopUpGSMEResponse{Result: gbcs.TopUpAccepted, Value: 1_250_000, Balance: 3_000_000})
	l.expectOrder(counter, store.OrderDone)
	if o, _ := l.store.Order(gsme, counter); o.Outcome != "accepted: £12.50, balance £30.00" {
		t.Errorf("outcome %q", o.Outcome)
	}
	again, second := l.topUp(1250)
	if second != 2<<32 || again == digits {
		t.Errorf("counter %d, %s again", second, again)
	}
	l.fetch(second)
	l.answerTopUp(second, gbcs.TopUpGSMEResponse{Result: gbcs.TopUpMaxCreditReached, Value: gbcs.NoAmount, Balance: gbcs.NoAmount})
	if o, _ := l.store.Order(gsme, second); o.State != store.OrderFailed || o.Outcome != "not credited: the balance would be too high" {
		t.Errorf("%s, %q", o.State, o.Outcome)
	}
	if after, _ := l.store.OriginatorCounter(supplier); after != before {
		t.Errorf("the counter of other orders is %+v, want %+v", after, before)
	}
	for _, c := range l.headEnd.Counters(l.now) {
		if c.Last != before.Counter {
			t.Errorf("the last counter of an order to %s is %d, want %d", c.Device, c.Last, before.Counter)
		}
	}
}

func TestWhatCannotBeToppedUp(t *testing.T) {
	l := newLine(t)
	none := nodetest.SupplierSecurity()
	none.Party = func(han.EUI64) (seal.Party, bool) { return seal.Party{}, false }
	unsigned := newLineWith(t, none)
	for want, row := range map[string]struct {
		on     *line
		device han.EUI64
		pence  uint32
		err    error
	}{
		"top up 00DB1234567890FF":           {l, 0x00DB1234567890FF, 100, store.ErrUnknownDevice},
		"above 8191 pence want whole pound": {l, gsme, 8192, store.ErrConflict},
		"by nothing":                        {l, gsme, 0, store.ErrConflict},
		"no certificates of the device":     {unsigned, gsme, 100, store.ErrConflict},
	} {
		sent := len(row.on.sent)
		if _, err := row.on.headEnd.TopUp(l.now, new(han.Outbox), row.device, row.pence); !errors.Is(err, row.err) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		if len(row.on.sent) != sent {
			t.Errorf("%s: sent all the same", want)
		}
	}
}
