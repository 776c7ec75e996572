package store

import "github.com/commshub/commshub/han"

// Device is one entry of the device log: a device that may join the SMHAN, and
// what the hub knows about it.
type Device struct {
	EUI64           han.EUI64 `cbor:"1,keyasint"`
	Kind            Kind      `cbor:"2,keyasint,omitempty"`
	HasInstallCode  bool      `cbor:"3,keyasint,omitempty"`
	InstallCode     [16]byte  `cbor:"4,keyasint"` // only with HasInstallCode
	AddedAt         int64     `cbor:"5,keyasint,omitempty"`
	Endpoint        uint8     `cbor:"6,keyasint,omitempty"`
	MirrorEndpoint  uint8     `cbor:"7,keyasint,omitempty"`
	TunnelID        uint16    `cbor:"8,keyasint,omitempty"`
	LastHeard       int64     `cbor:"9,keyasint,omitempty"` // by a bridge; see Store.LastHeard
	FirmwareVersion uint32    `cbor:"10,keyasint,omitempty"`
	HardwareVersion uint16    `cbor:"11,keyasint,omitempty"` // only with HasHardware
	Manufacturer    uint16    `cbor:"12,keyasint,omitempty"`
	ImageType       uint16    `cbor:"13,keyasint,omitempty"`
	Period          int64     `cbor:"14,keyasint,omitempty"` // of heartbeats, microseconds
	HasHardware     bool      `cbor:"15,keyasint,omitempty"`
}

func (Device) table() Table                { return TableDevices }
func (d Device) appendKey(b []byte) []byte { return d.EUI64.AppendPrint(b) }
func (Device) check() error                { return nil }
func (d Device) detached() Record          { return d }

// Device returns the device log entry of a device.
func (s *Store) Device(eui han.EUI64) (Device, bool) {
	return first[Device](s, TableDevices, eui.AppendPrint(nil))
}

// LastHeard returns when a device was heard last, 0 if it never was: a meter's readings
// say it, without another record at each heartbeat.
func (s *Store) LastHeard(d Device) int64 {
	m, _ := s.Mirror(d.EUI64)
	return max(d.LastHeard, m.UpdatedAt)
}

// Devices returns the device log, sorted by EUI64.
func (s *Store) Devices() []Device { return whole[Device](s, TableDevices) }
