package headend_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/trace"
)

const (
	supplier han.EUI64 = 0x90B3D51F30010000
	gsme     han.EUI64 = 0x00DB1234567890A1
	chf      han.EUI64 = 0x00DB1234567890A2
)

var (
	start  = time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)
	first  = store.Image{FileHash: [32]byte{1}, ImageHash: ota.ImageHash{0x11}, FileVersion: 1}
	second = store.Image{FileHash: [32]byte{2}, ImageHash: ota.ImageHash{0x22}, FileVersion: 2}
	forced = store.Image{FileHash: [32]byte{3}, ImageHash: ota.ImageHash{0x33}, FileVersion: 3, ForceReplace: true}
)

// line is a head end on a line to a hub that the test plays.
type line struct {
	t       *testing.T
	now     time.Time
	store   *store.Store
	headEnd *headend.HeadEnd
	sent    []gasproxy.Message
	full    bool // the hub takes no message

	registered []store.Image
	removed    []bool // of each image that was: nothing stays on record
}

// newLine returns a head end whose gas meter holds the first image.
func newLine(t *testing.T) *line { return newLineWith(t, nodetest.SupplierSecurity()) }

func newLineWith(t *testing.T, security headend.Security) *line {
	l := &line{t: t, now: start, store: store.NewMemory()}
	l.headEnd = headend.New(headend.Config{Supplier: supplier, Security: security}, l.store)
	l.headEnd.Connect(l.now, new(han.Outbox), l)
	l.transfer(first)
	return l
}

func (l *line) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// transfer brings the meter to hold an image.
func (l *line) transfer(im store.Image) {
	l.t.Helper()
	l.must(l.headEnd.Distribute(l.now, new(han.Outbox), headend.Distribution{Image: im.FileHash, Devices: []han.EUI64{gsme}}))
	l.must(l.headEnd.TransferChanged(l.now, new(han.Outbox), gsme, otaserver.Result{News: otaserver.NewsDone}))
}

// activate orders the meter to switch, some time from now if in is not 0, and returns
// the order's counter.
func (l *line) activate(hash ota.ImageHash, in time.Duration) uint64 {
	l.t.Helper()
	a := headend.Activation{Device: gsme, Hash: hash}
	if in != 0 {
		a.At = l.now.Add(in)
	}
	l.must(l.headEnd.Activate(l.now, new(han.Outbox), a))
	return l.last()
}

// cancel orders the meter to drop its dated activation.
func (l *line) cancel() uint64 {
	l.t.Helper()
	l.must(l.headEnd.CancelActivation(l.now, new(han.Outbox), gsme))
	return l.last()
}

func (l *line) last() uint64 { return l.sent[len(l.sent)-1].Sequence }

// fetch has the meter fetch the command of an order, expire does not.
func (l *line) fetch(counter uint64) {
	l.must(l.store.Commit(l.headEnd.Delivered(l.now, gsme, gasproxy.Message{Sequence: counter})...))
}

func (l *line) expire(counter uint64) {
	l.must(l.store.Commit(l.headEnd.Expired(l.now, gsme, gasproxy.Message{Sequence: counter})...))
}

// answer has the meter answer an order, alert tell the outcome of a dated one.
func (l *line) answer(counter uint64, r gbcs.ActivateFirmwareResponse) {
	l.t.Helper()
	l.receive(gbcs.Message{CRA: gbcs.Response, OriginatorCounter: counter, Code: gbcs.CodeActivateFirmware, Payload: r.Append(nil)})
}

func (l *line) alert(counter uint64, code gbcs.ActivationCode) {
	l.t.Helper()
	alert := gbcs.AlertFutureDatedCommandActioned
	if code != gbcs.ActivationSuccess {
		alert = gbcs.AlertFutureDatedCommandNotActioned
	}
	l.receive(gbcs.Message{CRA: gbcs.Alert, OriginatorCounter: 1, Code: gbcs.CodeActivateFirmwareAlert, Payload: gbcs.ActivateFirmwareAlert{
		Code: alert, OriginatorCounter: counter, Outcome: gbcs.ActivationOutcome{Code: code, FirmwareVersion: 1},
	}.Append(nil)})
}

func (l *line) receive(m gbcs.Message) {
	l.t.Helper()
	m.Originator, m.Recipient = gsme, supplier
	l.must(l.headEnd.Received(l.now, new(han.Outbox), gsme, devicetest.Protected(m)))
}

var accepted = gbcs.ActivateFirmwareResponse{Accepted: true}

func outcome(code gbcs.ActivationCode) gbcs.ActivateFirmwareResponse {
	return gbcs.ActivateFirmwareResponse{Outcome: gbcs.ActivationOutcome{Code: code, FirmwareVersion: 1}}
}

func (l *line) expectUpdate(im store.Image, state store.UpdateState, outcome string) {
	l.t.Helper()
	u, ok := l.store.Update(gsme, im.FileHash)
	if !ok || u.State != state || u.Outcome != outcome {
		l.t.Errorf("the update is %s (%q), want %s (%q)", u.State, u.Outcome, state, outcome)
	}
}

func (l *line) expectOrder(counter uint64, want store.OrderState) {
	l.t.Helper()
	if o, ok := l.store.Order(gsme, counter); !ok || o.State != want {
		l.t.Errorf("order %d is %s (%s), want %s", counter, o.State, o.Outcome, want)
	}
}

// expectBound demands that the update cannot be cancelled.
func (l *line) expectBound(why string) {
	l.t.Helper()
	err := l.headEnd.CancelUpdate(l.now, new(han.Outbox), gsme)
	if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), why) {
		l.t.Errorf("cancelled: %v, want it refused because %s", err, why)
	}
}

// TestACancellationOnItsWayLeavesTheUpdateDated: the meter holds the activation until it
// has the command, and may switch before.
func TestACancellationOnItsWayLeavesTheUpdateDated(t *testing.T) {
	l := newLine(t)
	dated := l.activate(first.ImageHash, time.Hour)
	l.fetch(dated)
	l.answer(dated, accepted)
	l.expectUpdate(first, store.UpdateDated, "accepted, at 2030-01-15T10:00:00Z")
	l.expectBound("cancel that first")
	cancelling := l.cancel()
	l.expectUpdate(first, store.UpdateDated, "at 2030-01-15T10:00:00Z; the order to cancel is on its way")
	l.expectBound("the order to cancel the dated activation is on its way")
	l.fetch(cancelling)
	l.expectBound("the order to cancel the dated activation is on its way")
	l.answer(cancelling, accepted)
	l.expectUpdate(first, store.UpdateTransferred, "activation cancelled")
	l.expectOrder(dated, store.OrderDropped)
	l.expectOrder(cancelling, store.OrderDone)
	l.must(l.headEnd.CancelUpdate(l.now, new(han.Outbox), gsme))
}

func TestAMeterThatSwitchesBeforeItHasTheCancellationRunsTheImage(t *testing.T) {
	l := newLine(t)
	dated := l.activate(first.ImageHash, time.Hour)
	l.answer(dated, accepted)
	cancelling := l.cancel()
	l.alert(dated, gbcs.ActivationSuccess)
	l.expectUpdate(first, store.UpdateActivated, "activation: success, runs version 00000001")
	l.answer(cancelling, accepted) // there was nothing left to cancel
	l.expectUpdate(first, store.UpdateActivated, "activation: success, runs version 00000001")
	l.expectOrder(dated, store.OrderDone)
}

func TestACancellationThatExpiresLeavesTheUpdateDated(t *testing.T) {
	l := newLine(t)
	dated := l.activate(first.ImageHash, 48*time.Hour)
	l.fetch(dated)
	l.answer(dated, accepted)
	cancelling := l.cancel()
	l.expire(cancelling)
	l.expectUpdate(first, store.UpdateDated, "at 2030-01-17T09:00:00Z; the device did not fetch the order to cancel")
	l.expectBound("cancel that first")
	l.expectOrder(cancelling, store.OrderExpired)
	l.expectOrder(dated, store.OrderAccepted)
}

func TestACancellationThatIsRefusedLeavesTheUpdateDated(t *testing.T) {
	l := newLine(t)
	l.answer(l.activate(first.ImageHash, time.Hour), accepted)
	l.answer(l.cancel(), outcome(gbcs.ActivationNoImageHeld))
	l.expectUpdate(first, store.UpdateDated, "at 2030-01-15T10:00:00Z; the device did not cancel: no image held")
}

// TestAnOrderThatExpiresLeavesWhatWasBefore: another order, or none.
func TestAnOrderThatExpiresLeavesWhatWasBefore(t *testing.T) {
	l := newLine(t)
	once := l.activate(first.ImageHash, 0)
	l.expire(once)
	l.expectUpdate(first, store.UpdateTransferred, "the device did not fetch the Activate Firmware command")
	dated := l.activate(first.ImageHash, time.Hour)
	l.answer(dated, accepted)
	again := l.activate(first.ImageHash, 2*time.Hour)
	l.expire(again)
	l.expectUpdate(first, store.UpdateDated, "at 2030-01-15T10:00:00Z")
	l.alert(dated, gbcs.ActivationSuccess)
	l.expectUpdate(first, store.UpdateActivated, "activation: success, runs version 00000001")
}

// TestAnOrderForAnotherImageDoesNotMoveTheUpdate, whatever becomes of it.
func TestAnOrderForAnotherImageDoesNotMoveTheUpdate(t *testing.T) {
	l := newLine(t)
	expired, refused := l.activate(second.ImageHash, 0), l.activate(second.ImageHash, 0)
	l.expectUpdate(first, store.UpdateTransferred, "")
	l.expire(expired)
	l.answer(refused, outcome(gbcs.ActivationHashMismatch))
	l.expectUpdate(first, store.UpdateTransferred, "")
	l.expectOrder(refused, store.OrderFailed)
}

// TestALateAnswerBelongsToItsOrder: another image took the place of the one it is about.
func TestALateAnswerBelongsToItsOrder(t *testing.T) {
	l := newLine(t)
	late := l.activate(first.ImageHash, 0)
	l.transfer(forced)
	l.activate(forced.ImageHash, 0)
	l.answer(late, outcome(gbcs.ActivationFailure))
	l.expectUpdate(forced, store.UpdateActivating, "")
	l.expectOrder(late, store.OrderFailed)
}

// TestADeviceThatRunsAnotherVersionDidNotActivate, whatever it says: the outcome of an
// activation is held against the version that it names.
func TestADeviceThatRunsAnotherVersionDidNotActivate(t *testing.T) {
	l := newLine(t)
	l.transfer(second)
	order := l.activate(second.ImageHash, 0)
	l.answer(order, outcome(gbcs.ActivationSuccess))
	l.expectUpdate(second, store.UpdateTransferred, "activation: success, runs version 00000001")
}

// TestAnImageThatADeviceLostIsOfferedAgain, as often as any attempt that ended.
func TestAnImageThatADeviceLostIsOfferedAgain(t *testing.T) {
	l := newLine(t)
	l.transfer(second)
	for attempt, at := range []string{"2030-01-15T10:00:00Z", "2030-01-15T15:00:00Z", "2030-01-16T09:00:00Z"} {
		order := l.activate(second.ImageHash, 0)
		l.answer(order, outcome(gbcs.ActivationNoImageHeld))
		l.expectUpdate(second, store.UpdatePending, fmt.Sprintf("attempt %d of 4: activation: no image held, runs version 00000001; offered again from %s", attempt+1, at))
		l.expectOrder(order, store.OrderFailed)
		l.must(l.headEnd.TransferChanged(l.now, new(han.Outbox), gsme, otaserver.Result{News: otaserver.NewsDone}))
	}
	l.answer(l.activate(second.ImageHash, 0), outcome(gbcs.ActivationNoImageHeld))
	l.expectUpdate(second, store.UpdateFailed, "given up after 4 attempts: activation: no image held, runs version 00000001")
}

// TestWhatNamesNoOrderMovesNothing: another counter, another use case, an order that
// has ended. It is in the inbox all the same.
func TestWhatNamesNoOrderMovesNothing(t *testing.T) {
	l := newLine(t)
	ended := l.activate(first.ImageHash, 0)
	l.answer(ended, outcome(gbcs.ActivationHashMismatch))
	dated := l.activate(first.ImageHash, time.Hour)
	before := l.store.LastInbox()
	l.alert(dated+7, gbcs.ActivationSuccess)
	l.answer(ended, outcome(gbcs.ActivationSuccess))
	l.receive(gbcs.Message{CRA: gbcs.Response, OriginatorCounter: dated, Code: gbcs.CodeReadGSMEFirmwareVersion,
		Payload: gbcs.ReadGSMEFirmwareVersionResponse{FirmwareVersion: 1}.Append(nil)})
	l.expectUpdate(first, store.UpdateDated, "at 2030-01-15T10:00:00Z")
	l.expectOrder(dated, store.OrderQueued)
	l.expectOrder(ended, store.OrderFailed)
	if n := l.store.LastInbox() - before; n != 3 {
		t.Errorf("%d entries in the inbox, want 3", n)
	}
}

// TestALaterOrderDropsTheDatedOne: a meter holds one dated activation.
func TestALaterOrderDropsTheDatedOne(t *testing.T) {
	for name, in := range map[string]time.Duration{"at once": 0, "dated": 2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			dated := l.activate(first.ImageHash, time.Hour)
			l.answer(dated, accepted)
			later, response := l.activate(second.ImageHash, in), accepted
			if in == 0 {
				response = outcome(gbcs.ActivationHashMismatch)
			}
			l.answer(later, response)
			l.expectOrder(dated, store.OrderDropped)
			l.expectUpdate(first, store.UpdateTransferred, "a later order took its place")
		})
	}
}

// TestAReceiptBeforeTheEndOfTheDownloadKeepsTheOrder given in between.
func TestAReceiptBeforeTheEndOfTheDownloadKeepsTheOrder(t *testing.T) {
	l := newLine(t)
	l.activate(first.ImageHash, time.Hour)
	l.must(l.headEnd.TransferChanged(l.now, new(han.Outbox), gsme, otaserver.Result{News: otaserver.NewsDone}))
	l.expectUpdate(first, store.UpdateDated, "at 2030-01-15T10:00:00Z")
}

// TestAnImageThatDoesNotFitIsAFailedTransfer, and the supplier is told why.
func TestAnImageThatDoesNotFitIsAFailedTransfer(t *testing.T) {
	l := newLine(t)
	l.must(l.headEnd.Distribute(l.now, new(han.Outbox), headend.Distribution{Image: second.FileHash, Devices: []han.EUI64{gsme}}))
	const reason = "the device's hardware version is 00FF, the image is for 0100 to 01FF"
	var out han.Outbox
	l.must(l.headEnd.TransferChanged(l.now, &out, gsme, otaserver.Result{News: otaserver.NewsUnfit, Reason: reason}))
	l.expectUpdate(second, store.UpdateFailed, reason)
	a := l.store.Inbox(l.store.LastInbox()-1, 1)[0]
	if a.Device != gsme || gbcs.AlertCode(a.Code) != gbcs.AlertFirmwareTransferFail || !strings.Contains(a.Text, reason) {
		t.Errorf("the inbox has %v", a)
	}
	if n := len(out.Records); n < 2 || out.Records[n-1].Kind != trace.AlertRaised {
		t.Errorf("recorded %v", out.Records)
	}
}

func TestADowngradeIsToldInTheUpdate(t *testing.T) {
	l := newLine(t)
	l.must(l.headEnd.Distribute(l.now, new(han.Outbox), headend.Distribution{Image: second.FileHash, Devices: []han.EUI64{gsme}}))
	const reason = "a downgrade: the device runs version 00000003"
	l.must(l.headEnd.TransferChanged(l.now, new(han.Outbox), gsme, otaserver.Result{News: otaserver.NewsStarted, Reason: reason}))
	l.expectUpdate(second, store.UpdateDownloading, reason)
}

// TestAnOrderThatIsNeverAnsweredEnds when a later one of its kind does: a meter that
// refuses a message does not answer it. One that was not delivered, or is of another kind, goes on.
func TestAnOrderThatIsNeverAnsweredEnds(t *testing.T) {
	l := newLine(t)
	deliver := func(counter uint64) {
		l.must(l.store.Commit(l.headEnd.Delivered(l.now, gsme, gasproxy.Message{Sequence: counter})...))
	}
	refused := l.activate(first.ImageHash, 0)
	deliver(refused)
	dated := l.activate(first.ImageHash, time.Hour)
	deliver(dated)
	queued := l.activate(first.ImageHash, 0)
	l.must(l.headEnd.ReadVersion(l.now, new(han.Outbox), gsme))
	other := l.last()
	deliver(other)
	last := l.activate(first.ImageHash, 0)
	deliver(last)
	l.answer(last, outcome(gbcs.ActivationSuccess))
	l.expectOrder(last, store.OrderDone)
	l.expectOrder(refused, store.OrderFailed)
	l.expectOrder(dated, store.OrderDropped) // by the one after it
	l.expectOrder(queued, store.OrderQueued)
	l.expectOrder(other, store.OrderDelivered)
}

// TestOrdersAreBounded: those that ended go first, and a counter never comes twice.
func TestOrdersAreBounded(t *testing.T) {
	l := newLine(t)
	open := l.activate(first.ImageHash, time.Hour)
	for range 100 {
		last := l.last()
		if err := l.headEnd.ReadVersion(l.now, new(han.Outbox), gsme); err != nil {
			t.Fatal(err)
		}
		if l.last() <= last {
			t.Fatalf("counter %d after %d", l.last(), last)
		}
		l.expire(l.last())
	}
	if n := len(l.store.OrdersOf(gsme)); n != 64 {
		t.Errorf("%d orders are kept, want 64", n)
	}
	l.expectOrder(open, store.OrderQueued)
}

func TestAnOrderThatTheHubDoesNotTakeWasNotGiven(t *testing.T) {
	l := newLine(t)
	l.full = true
	if err := l.headEnd.Activate(l.now, new(han.Outbox), headend.Activation{Device: gsme, Hash: first.ImageHash}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("given: %v", err)
	}
	l.expectUpdate(first, store.UpdateTransferred, "")
	if n := len(l.store.Orders()); n != 0 {
		t.Errorf("%d orders", n)
	}
}

// What follows is the hub of the line.

var _ headend.Hub = (*line)(nil)

func (l *line) EUI64() han.EUI64 { return 0x00DB1234567890A3 }

func (l *line) Device(device han.EUI64) (store.Device, bool) {
	return store.Device{EUI64: device, Kind: store.KindGSME}, device == gsme
}

func (l *line) Function(eui han.EUI64) (gbcs.Roles, bool) {
	roles := map[han.EUI64]gbcs.Roles{chf: gbcs.RoleCHF, l.EUI64(): gbcs.RoleGPF}
	return roles[eui], roles[eui] != 0
}

func (l *line) RegisterImage(_ time.Time, _ *han.Outbox, e imagecache.Entry, verified bool) error {
	l.registered = append(l.registered, store.Image{FileHash: e.FileHash, SupplierVerified: verified})
	return nil
}

func (l *line) Image(fileHash imagecache.Hash) (store.Image, bool) {
	im, ok := map[imagecache.Hash]store.Image{first.FileHash: first, second.FileHash: second, forced.FileHash: forced}[fileHash]
	return im, ok
}

func (l *line) Send(_ time.Time, _ *han.Outbox, _ han.EUI64, m gasproxy.Message, along ...store.Change) error {
	if l.full {
		return store.ErrConflict
	}
	l.sent = append(l.sent, m)
	return l.store.Commit(along...)
}

func (l *line) RemoveImage(_ time.Time, _ *han.Outbox, _ imagecache.Hash, forget bool) error {
	l.removed = append(l.removed, forget)
	return nil
}

func (l *line) Raise(now time.Time, device han.EUI64, code gbcs.AlertCode, text string) []store.Change {
	return l.alerted(now, device, code, text, gbcs.CodeGenericNonCriticalAlert, gbcs.GenericAlert{AlertHead: gbcs.AlertHead{Code: code}})
}

func (l *line) TransferEnded(now time.Time, device han.EUI64, version uint32, outcome gbcs.TransferOutcome, text string) []store.Change {
	return l.alerted(now, device, outcome.Alert(), text, gbcs.CodeFirmwareTransferAlert, gbcs.FirmwareTransferAlert{
		Code: outcome.Alert(), Device: device, FirmwareVersion: version, Outcome: outcome})
}

func (l *line) alerted(now time.Time, device han.EUI64, code gbcs.AlertCode, text string, useCase gbcs.MessageCode, p gbcs.Payload) []store.Change {
	m := gbcs.Message{CRA: gbcs.Alert, Originator: chf, Recipient: devicetest.Broker, Code: useCase, Payload: p.Append(nil)}
	return l.headEnd.Alerted(now, device, code, text, devicetest.Protected(m))
}

func (l *line) CHF() han.EUI64                                          { return chf }
func (l *line) CheckDevice(store.Device) error                          { return nil }
func (l *line) Restorable([]han.EUI64) ([]store.Device, error)          { return nil, nil }
func (l *line) AddDevice(time.Time, *han.Outbox, store.Device) error    { return nil }
func (l *line) RemoveDevice(time.Time, *han.Outbox, han.EUI64) error    { return nil }
func (l *line) Serve(time.Time, *han.Outbox, han.EUI64) error           { return nil }
func (l *line) Quarantine(imagecache.Hash) ([]store.Change, error)      { return nil, nil }
func (l *line) Holds(imagecache.Hash) error                             { return nil }
func (l *line) Foresee(_ time.Time, u store.Update) store.Update        { return u }
func (l *line) Offer(han.EUI64, imagecache.Hash, otaserver.Terms) error { return nil }
func (l *line) Notify(time.Time, *han.Outbox, han.EUI64)                {}
func (l *line) Withdraw(time.Time, *han.Outbox, han.EUI64)              {}
func (l *line) Finish(han.EUI64)                                        {}
func (l *line) Served(han.EUI64) otaserver.Served                       { return otaserver.Served{} }
func (l *line) TakeServed(han.EUI64) otaserver.Served                   { return otaserver.Served{} }
func (l *line) HeardBridged(_ time.Time, _ han.EUI64, _ bool, _ *uint32, along ...store.Change) error {
	return l.store.Commit(along...)
}

// TestADeviceThatRunsTheImageEndsItsUpdate, whether it answers an order or not. The
// answer to its order has the last word.
func TestADeviceThatRunsTheImageEndsItsUpdate(t *testing.T) {
	const runs = "the device says that it runs this version"
	told := func(l *line, version uint32) { l.must(l.headEnd.Runs(l.now, gsme, version)) }
	t.Run("without an order", func(t *testing.T) {
		l := newLine(t)
		told(l, 7)
		l.expectUpdate(first, store.UpdateTransferred, "")
		told(l, 1)
		l.expectUpdate(first, store.UpdateActivated, runs)
	})
	t.Run("before it answers", func(t *testing.T) {
		l := newLine(t)
		order := l.activate(first.ImageHash, 0)
		told(l, 1)
		l.expectUpdate(first, store.UpdateActivated, runs)
		l.answer(order, outcome(gbcs.ActivationSuccess))
		l.expectUpdate(first, store.UpdateActivated, "activation: success, runs version 00000001")
		l.expectOrder(order, store.OrderDone)
	})
	t.Run("after an order that was given up", func(t *testing.T) {
		l := newLine(t)
		l.expire(l.activate(first.ImageHash, 0))
		order := l.activate(first.ImageHash, 0)
		told(l, 1)
		l.answer(order, outcome(gbcs.ActivationNoImageHeld)) // it runs it
		l.expectUpdate(first, store.UpdateActivated, "activation: no image held, runs version 00000001")
		l.expectOrder(order, store.OrderFailed)
	})
	t.Run("and was put back", func(t *testing.T) {
		l := newLine(t)
		order := l.activate(first.ImageHash, 0)
		told(l, 1)
		l.answer(order, outcome(gbcs.ActivationFailure))
		l.expectUpdate(first, store.UpdateFailed, "activation: activation failure, runs version 00000001")
	})
}
