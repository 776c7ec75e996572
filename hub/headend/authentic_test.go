package headend_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/nodetest"
)

// TestAnOrderIsSignedByTheSupplierAndMACedByTheBroker, as the meter checks it.
func TestAnOrderIsSignedByTheSupplierAndMACedByTheBroker(t *testing.T) {
	l := newLine(t)
	l.activate(first.ImageHash, 0)
	m, err := gbcs.ParseMessage(l.sent[len(l.sent)-1].Data)
	if err != nil {
		t.Fatal(err)
	}
	err = seal.Check(m, devicetest.Party(supplier).DS, func() (seal.Secret, error) {
		return seal.Agree(devicetest.Keys(gsme).KA, devicetest.Party(devicetest.Broker).KA)
	})
	if err != nil || len(m.Signature) == 0 || !m.HasMAC {
		t.Errorf("%v: %+v", err, m)
	}
}

// TestWhatADeviceDidNotSayMovesNothing: it is kept as evidence, and confirmed.
func TestWhatADeviceDidNotSayMovesNothing(t *testing.T) {
	response := func(counter uint64) gbcs.Message {
		return gbcs.Message{CRA: gbcs.Response, OriginatorCounter: counter, Originator: gsme, Recipient: supplier,
			Code: gbcs.CodeActivateFirmware, Payload: outcome(gbcs.ActivationSuccess).Append(nil)}
	}
	for name, tt := range map[string]struct {
		forge func(counter uint64) []byte
		want  string
	}{
		"bare": {func(n uint64) []byte { return response(n).Append(nil) }, "signature does not match: there is none"},
		"signed by another meter": {func(n uint64) []byte {
			m, err := seal.Sign(devicetest.Keys(chf).DS, response(n))
			if err != nil {
				panic(err)
			}
			return m.Append(nil)
		}, "signature does not match"},
		"altered": {func(n uint64) []byte {
			b := devicetest.Protected(response(n))
			b[len(b)-1] ^= 1
			return b
		}, "signature does not match"},
		"to another supplier": {func(n uint64) []byte {
			m := response(n)
			m.Recipient++
			return devicetest.Protected(m)
		}, "it is for 90B3D51F30010001"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			counter := l.activate(first.ImageHash, 0)
			l.fetch(counter)
			l.must(l.headEnd.Received(l.now, new(han.Outbox), gsme, tt.forge(counter)))
			l.expectOrder(counter, store.OrderDelivered)
			l.expectUpdate(first, store.UpdateActivating, "")
			last := l.store.Inbox(l.store.LastInbox()-1, 1)
			if len(last) != 1 || last[0].Code != 0 || !last[0].Forged || !strings.Contains(last[0].Text, "not authentic: "+tt.want) {
				t.Errorf("inbox %+v, want %q", last, tt.want)
			}
			l.must(l.headEnd.Received(l.now, new(han.Outbox), gsme, devicetest.Protected(response(counter))))
			l.expectOrder(counter, store.OrderDone)
		})
	}
}

// TestADeviceWithoutCertificatesIsUnsigned: it is given no orders, and what comes in its name
// is not believed, unless any message is taken.
func TestADeviceWithoutCertificatesIsUnsigned(t *testing.T) {
	security := nodetest.SupplierSecurity()
	security.Party = func(han.EUI64) (seal.Party, bool) { return seal.Party{}, false }
	l := newLineWith(t, security)
	err := l.headEnd.Activate(l.now, new(han.Outbox), headend.Activation{Device: gsme, Hash: first.ImageHash})
	if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "unsigned") || len(l.sent) != 0 || l.headEnd.Signs(gsme) {
		t.Errorf("activated: %v, %d sent", err, len(l.sent))
	}
	if _, counted := l.store.OriginatorCounter(supplier); counted {
		t.Error("an order that was not given was counted")
	}
	security.Policy = seal.Any
	l = newLineWith(t, security)
	counter := l.activate(first.ImageHash, 0)
	l.must(l.headEnd.Received(l.now, new(han.Outbox), gsme, gbcs.Message{CRA: gbcs.Response, OriginatorCounter: counter, Originator: gsme,
		Recipient: supplier, Code: gbcs.CodeActivateFirmware, Payload: outcome(gbcs.ActivationSuccess).Append(nil)}.Append(nil)))
	l.expectOrder(counter, store.OrderDone)
}

// TestCountersGoOn: whatever becomes of the head end, no order has the counter of another. A
// restart finds the last one in the store; one that is put back from a copy, and has forgotten
// the latest, counts from the time, which goes on.
func TestCountersGoOn(t *testing.T) {
	l := newLine(t)
	order := func() uint64 {
		l.must(l.headEnd.ReadVersion(l.now, new(han.Outbox), gsme))
		return l.last()
	}
	restart := func(records *store.Store) {
		l.store = records
		l.headEnd = headend.New(headend.Config{Supplier: supplier, Security: nodetest.SupplierSecurity()}, records)
		l.headEnd.Connect(l.now, new(han.Outbox), l)
	}
	given := []uint64{order(), order()} // at one instant
	restart(l.store)
	given = append(given, order())
	copied, _ := l.store.OriginatorCounter(supplier)
	given = append(given, order(), order())
	old := store.NewMemory()
	l.must(old.Commit(store.Put(copied)))
	l.now = l.now.Add(time.Second) // a copy is not put back in less
	restart(old)
	given = append(given, order())
	for i := 1; i < len(given); i++ {
		if given[i] <= given[i-1] {
			t.Errorf("counters %d, each must be above the one before", given)
		}
	}
}
