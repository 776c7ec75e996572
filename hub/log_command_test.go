package hub_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
)

// order has the CHF take a command of the broker, and returns what it answered last.
func (h *home) order(counter uint64, code gbcs.MessageCode, payload gbcs.Payload) gbcs.Payload {
	h.t.Helper()
	h.must(h.operate(func(now time.Time, out *han.Outbox) error {
		m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: devicetest.Broker, Recipient: h.hub.CHF(), Code: code,
			Payload: payload.Append(nil)}
		message := gasproxy.Message{Sequence: counter, Code: uint16(code), Data: devicetest.Protected(m)}
		if err := h.hub.Send(now, out, h.hub.CHF(), message); err != nil {
			return err
		}
		return h.hub.Serve(now, out, h.hub.CHF())
	}))
	p, _ := h.store.RemoteParty(h.hub.CHF(), devicetest.Broker)
	m, err := gbcs.ParseMessage(p.Response)
	h.must(err)
	answer, err := m.ParsePayload()
	h.must(err)
	return answer
}

func outcome(p gbcs.Payload) gbcs.ActionResult { return p.(gbcs.DeviceLogResponse).Outcome() }

// TestTheBrokersCommandsAreCarriedOutOrChangeNothing.
func TestTheBrokersCommandsAreCarriedOutOrChangeNothing(t *testing.T) {
	const ppmid, stranger han.EUI64 = 0x00DB1234567890B4, 0x00DB1234567890B5
	h := newHome(t)
	h.must(h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.AddDevice(now, out, store.Device{EUI64: 0xB001, Kind: store.KindBridged})
	}))
	add := func(eui han.EUI64, kind uint8) gbcs.Payload {
		return gbcs.AddDeviceCommand{Device: eui, DeviceType: kind, HasInstallCode: true, InstallCode: [16]byte{7}, JoinTimeout: 90}
	}
	remove := func(eui han.EUI64) gbcs.Payload { return gbcs.RemoveDeviceCommand{Device: eui} }
	restore := func(devices ...han.EUI64) gbcs.Payload {
		var c gbcs.RestoreDeviceLogCommand
		for _, eui := range devices {
			c.Devices = append(c.Devices, gbcs.LoggedDevice{Device: eui})
		}
		return c
	}
	const good, bad = gbcs.ActionSuccess, gbcs.ActionOtherReason
	log := 4
	for i, tt := range []struct {
		name    string
		code    gbcs.MessageCode
		command gbcs.Payload
		want    gbcs.ActionResult
		change  int // of the number of devices
	}{
		{"a display", gbcs.CodeAddDevice, add(ppmid, uint8(store.KindPPMID)), good, 1},
		{"what is there", gbcs.CodeAddDevice, add(ppmid, uint8(store.KindPPMID)), bad, 0},
		{"the gas proxy", gbcs.CodeAddDevice, add(h.hub.EUI64(), 254), bad, 0},
		{"a kind that is none", gbcs.CodeAddDevice, add(stranger, 99), bad, 0},
		{"what is no member of the HAN", gbcs.CodeAddDevice, add(stranger, uint8(store.KindBridged)), bad, 0},
		{"a stranger", gbcs.CodeRemoveDevice, remove(stranger), bad, 0},
		{"an outside device", gbcs.CodeRemoveDevice, remove(0xB001), bad, 0},
		{"the display", gbcs.CodeRemoveDevice, remove(ppmid), good, -1},
		{"it and a stranger", gbcs.CodeRestoreDeviceLog, restore(ppmid, stranger), bad, 0},
		{"it, twice, and a meter that is there", gbcs.CodeRestoreDeviceLog, restore(ppmid, gsme, ppmid), good, 1},
		{"nothing", gbcs.CodeRestoreDeviceLog, restore(), good, 0},
	} {
		since := h.store.LastInbox()
		if got := outcome(h.order(uint64(10+i), tt.code, tt.command)); got != tt.want {
			t.Errorf("%s: %s of it: %v, want %v", tt.name, tt.code, got, tt.want)
		}
		log += tt.change
		if got := len(h.store.Devices()); got != log {
			t.Fatalf("%s: %s of it: %d devices, want %d", tt.name, tt.code, got, log)
		}
		told := 0
		for _, e := range h.store.Inbox(since, 10) {
			if gbcs.AlertCode(e.Code) == gbcs.AlertCHFDeviceLogChanged {
				told++
			}
		}
		if told != tt.change*tt.change {
			t.Errorf("%s: %s of it is told %d times", tt.name, tt.code, told)
		}
	}
	if d, _ := h.store.Device(ppmid); d.Kind != store.KindPPMID || d.HasInstallCode {
		t.Errorf("restored as %+v, want a PPMID without install code", d)
	}
	// What is in memory is what is in the store, also after a restart.
	if diff := cmp.Diff(h.logged(), h.store.Devices()); diff != "" {
		t.Errorf("memory and store:\n%s", diff)
	}
	h.restart()
	if diff := cmp.Diff(h.logged(), h.store.Devices()); diff != "" {
		t.Errorf("after a restart:\n%s", diff)
	}
}

func (h *home) logged() (all []store.Device) {
	for _, d := range h.store.Devices() {
		if in, ok := h.hub.Device(d.EUI64); ok {
			all = append(all, in)
		}
	}
	return all
}

// TestAFullDeviceLogTakesNoMore.
func TestAFullDeviceLogTakesNoMore(t *testing.T) {
	h := newHome(t)
	n := uint64(len(h.store.Devices()))
	for ; n < hub.DeviceLogSize; n++ {
		if got := outcome(h.order(n, gbcs.CodeAddDevice, gbcs.AddDeviceCommand{Device: han.EUI64(0x1000 + n), DeviceType: uint8(store.KindIHD)})); got != gbcs.ActionSuccess {
			t.Fatalf("device %d: %v", n, got)
		}
	}
	if got := outcome(h.order(n, gbcs.CodeAddDevice, gbcs.AddDeviceCommand{Device: 0x2000})); got != gbcs.ActionOtherReason {
		t.Errorf("one more: %v", got)
	}
	h.order(n+1, gbcs.CodeRemoveDevice, gbcs.RemoveDeviceCommand{Device: 0x1000 + han.EUI64(n) - 1})
	h.order(n+2, gbcs.CodeAddDevice, gbcs.AddDeviceCommand{Device: 0x2000})
	c := gbcs.RestoreDeviceLogCommand{Devices: []gbcs.LoggedDevice{{Device: 0x1000 + han.EUI64(n) - 1}}}
	if got := outcome(h.order(n+3, gbcs.CodeRestoreDeviceLog, c)); got != gbcs.ActionOtherReason {
		t.Errorf("one more restored: %v", got)
	}
}

// TestACommandThatComesTwiceIsCarriedOutOnce, and answered twice.
func TestACommandThatComesTwiceIsCarriedOutOnce(t *testing.T) {
	h := newHome(t)
	remove := gbcs.RemoveDeviceCommand{Device: ihd}
	first := h.order(10, gbcs.CodeRemoveDevice, remove)
	h.must(h.add(ihd, store.KindIHD))
	if again := h.order(10, gbcs.CodeRemoveDevice, remove); outcome(first) != gbcs.ActionSuccess || outcome(again) != gbcs.ActionSuccess {
		t.Errorf("answered %v, then %v", first, again)
	}
	if _, there := h.hub.Device(ihd); !there {
		t.Error("it was carried out again")
	}
}

// TestTheDeviceLogIsRead with when each device was heard.
func TestTheDeviceLogIsRead(t *testing.T) {
	h := newHome(t)
	heard := h.Now.Add(-time.Minute)
	h.must(h.store.Commit(store.Put(store.Mirror{Device: gsme, UpdatedAt: heard.UnixMicro()}),
		store.Put(store.Mirror{Device: esme, UpdatedAt: h.Now.Add(-3 * time.Hour).UnixMicro()})))
	h.restart()
	answer := h.order(10, gbcs.CodeReadDeviceLogAndCheckHAN, gbcs.ReadDeviceLogCommand{}).(gbcs.ReadDeviceLogResponse)
	if len(answer.Devices) != 3 {
		t.Fatalf("%d devices, want 3", len(answer.Devices))
	}
	for _, d := range answer.Devices {
		at, err := d.LastCommunication.UTCTime()
		switch d.Device {
		case gsme:
			if err != nil || !at.Time().Equal(heard.Truncate(time.Second)) || d.Status != gbcs.DeviceAuthorized|gbcs.DeviceReporting|gbcs.DeviceTransmitting {
				t.Errorf("gas meter %+v, %v", d, err)
			}
		case esme:
			if err != nil || d.Status != gbcs.DeviceAuthorized {
				t.Errorf("electricity meter %+v, %v", d, err)
			}
		default:
			if err == nil || d.Status != gbcs.DeviceAuthorized {
				t.Errorf("display, which was never heard: %+v", d)
			}
		}
	}
}
