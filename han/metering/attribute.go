package metering

// Attributes of the server. Consumption is in UnitOfMeasure times Multiplier
// divided by Divisor.
const (
	AttributeCurrentSummationDelivered  uint16 = 0x0000 // uint48, consumption since the meter was made
	AttributeReadingSnapshotTime        uint16 = 0x0007 // UTCTime, when the readings were taken
	AttributeSupplyStatus               uint16 = 0x0014 // enum8, a SupplyStatus
	AttributeStatus                     uint16 = 0x0200 // bitmap8, Status… bits
	AttributeRemainingBatteryLife       uint16 = 0x0201 // uint8, percent
	AttributeRemainingBatteryLifeInDays uint16 = 0x0205 // uint16, days
	// AttributeCurrentMeterID is an octet string. In GB it holds the meter's
	// firmware version in 4 bytes, most significant first: GCS38 reads it here.
	AttributeCurrentMeterID      uint16 = 0x0206
	AttributeUnitOfMeasure       uint16 = 0x0300 // enum8, a UnitOfMeasure
	AttributeMultiplier          uint16 = 0x0301 // uint24
	AttributeDivisor             uint16 = 0x0302 // uint24
	AttributeSummationFormatting uint16 = 0x0303 // bitmap8: decimals in bits 0 to 2, digits before them in 3 to 6
	AttributeMeteringDeviceType  uint16 = 0x0306 // bitmap8, a DeviceType
	AttributeInstantaneousDemand uint16 = 0x0400 // int24, consumption per hour; kW of an electricity meter
	AttributeReportingStatus     uint16 = 0xFFFE // enum8, a ReportingStatus
)

// Attributes of the client, the notification attribute set: bitmap32 each.
// Notification flags 6 to 8 (0x0005 to 0x0007) are not used in GB.
const (
	AttributeFunctionalNotificationFlags uint16 = 0x0000
	AttributeNotificationFlags2          uint16 = 0x0001 // price
	AttributeNotificationFlags3          uint16 = 0x0002 // calendar
	AttributeNotificationFlags4          uint16 = 0x0003 // prepayment
	AttributeNotificationFlags5          uint16 = 0x0004 // device management
)

// Bits of AttributeStatus as a gas meter sets them; the other bits mean
// different things for other commodities.
const (
	StatusCheckMeter        uint8 = 1 << 0
	StatusLowBattery        uint8 = 1 << 1
	StatusTamperDetect      uint8 = 1 << 2
	StatusLowPressure       uint8 = 1 << 4
	StatusLeakDetect        uint8 = 1 << 5
	StatusServiceDisconnect uint8 = 1 << 6
	StatusReverseFlow       uint8 = 1 << 7
)

// SupplyStatus is the value of AttributeSupplyStatus.
type SupplyStatus uint8

// The supply statuses.
const (
	SupplyOff SupplyStatus = iota
	SupplyArmed
	SupplyOn
)

// UnitOfMeasure is the value of AttributeUnitOfMeasure.
type UnitOfMeasure uint8

// The units of the meters here, as binary numbers.
const (
	UnitKilowattHours UnitOfMeasure = 0x00 // and kW
	UnitCubicMetres   UnitOfMeasure = 0x01 // and m³/h
)

// DeviceType is the value of AttributeMeteringDeviceType.
type DeviceType uint8

// The device types of the meters here and of the proxy's mirror.
const (
	DeviceElectric  DeviceType = 0x00
	DeviceGas       DeviceType = 0x01
	DeviceMirrorGas DeviceType = 0x80
)

// ReportingStatus is the value of AttributeReportingStatus, the last attribute
// of each report: whether more reports follow.
type ReportingStatus uint8

// The reporting statuses.
const (
	ReportingPending ReportingStatus = iota
	ReportingComplete
)
