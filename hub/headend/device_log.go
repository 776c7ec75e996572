package headend

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
)

// ErrRefused is wrapped by an order to the hub's own function that it answered, and did not
// carry out.
var ErrRefused = errors.New("the hub refuses it")

// AddDevice has the hub take a device into its device log: the access control broker orders
// it (CCS01), and the hub has answered when it returns. An outside device is in no device
// log, and is added without a message.
func (s *HeadEnd) AddDevice(now time.Time, out *han.Outbox, d store.Device) error {
	if d.Kind == store.KindBridged {
		return s.hub.AddDevice(now, out, d)
	}
	err := s.hub.CheckDevice(d)
	if err == nil {
		err = s.orderHub(now, out, gbcs.CodeAddDevice, func(invokeID uint32) gbcs.Payload {
			return gbcs.AddDeviceCommand{
				InvokeID: invokeID, Device: d.EUI64, DeviceType: uint8(d.Kind), HasInstallCode: d.HasInstallCode, InstallCode: d.InstallCode,
				JoinTimeout: gbcs.DefaultJoinTimeout,
			}
		})
	}
	if err != nil {
		return fmt.Errorf("add device %s: %w", d.EUI64, err)
	}
	return nil
}

// RemoveDevice has the hub drop a device from its device log (CCS02), likewise.
func (s *HeadEnd) RemoveDevice(now time.Time, out *han.Outbox, eui han.EUI64) error {
	d, ok := s.hub.Device(eui)
	if ok && d.Kind == store.KindBridged {
		return s.hub.RemoveDevice(now, out, eui)
	}
	err := store.ErrUnknownDevice
	if ok {
		err = s.orderHub(now, out, gbcs.CodeRemoveDevice, func(invokeID uint32) gbcs.Payload {
			return gbcs.RemoveDeviceCommand{InvokeID: invokeID, Device: eui}
		})
	}
	if err != nil {
		return fmt.Errorf("remove device %s: %w", eui, err)
	}
	return nil
}

// RestoreDeviceLog has the hub take devices into its device log again (CCS03), likewise.
func (s *HeadEnd) RestoreDeviceLog(now time.Time, out *han.Outbox, devices []han.EUI64) error {
	c := gbcs.RestoreDeviceLogCommand{ExtendedPAN: s.hub.EUI64()}
	for _, eui := range devices {
		c.Devices = append(c.Devices, gbcs.LoggedDevice{Device: eui})
	}
	_, err := s.hub.Restorable(devices)
	if err == nil {
		err = s.orderHub(now, out, gbcs.CodeRestoreDeviceLog, func(invokeID uint32) gbcs.Payload {
			c.InvokeID = invokeID
			return c
		})
	}
	if err != nil {
		return fmt.Errorf("restore the device log: %w", err)
	}
	return nil
}

// ReadDeviceLog has the hub tell its device log, and when it heard each device (CCS06). The
// answer comes into the inbox.
func (s *HeadEnd) ReadDeviceLog(now time.Time, out *han.Outbox) error {
	if err := s.orderHub(now, out, gbcs.CodeReadDeviceLogAndCheckHAN, func(invokeID uint32) gbcs.Payload {
		return gbcs.ReadDeviceLogCommand{InvokeID: invokeID}
	}); err != nil {
		return fmt.Errorf("read the device log: %w", err)
	}
	return nil
}

// orderHub gives the CHF an order and has it carried out at once. With an error it was not.
func (s *HeadEnd) orderHub(now time.Time, out *han.Outbox, code gbcs.MessageCode, command func(invokeID uint32) gbcs.Payload) error {
	chf := s.hub.CHF()
	o := s.newOrder(now, chf, code)
	if err := s.send(now, out, o, command(gbcs.InvokeIDOf(o.Counter)).Append(nil)); err != nil {
		return err
	}
	if err := s.hub.Serve(now, out, chf); err != nil {
		return err
	}
	o, _ = s.store.Order(chf, o.Counter)
	if o.State != store.OrderDone {
		return fmt.Errorf("%w: %w: order %d is %s %s", store.ErrConflict, ErrRefused, o.Counter, o.State, o.Outcome)
	}
	return nil
}

// deviceLogAnswer says what became of an order about the device log.
func deviceLogAnswer(r gbcs.DeviceLogResponse) (text string, state store.OrderState) {
	if outcome := r.Outcome(); outcome != gbcs.ActionSuccess {
		return fmt.Sprintf("not carried out: %s", outcome), store.OrderFailed
	}
	return "carried out", store.OrderDone
}

// heardText says which devices are in the device log, and when they were heard.
func heardText(r gbcs.ReadDeviceLogResponse) string {
	heard := make([]string, len(r.Devices))
	for i, d := range r.Devices {
		when := "never"
		if _, err := d.LastCommunication.UTCTime(); err == nil {
			when = d.LastCommunication.String()
		}
		heard[i] = fmt.Sprintf("%s heard %s", d.Device, when)
	}
	return fmt.Sprintf("devices in the device log: %d; %s", len(heard), strings.Join(heard, ", "))
}
