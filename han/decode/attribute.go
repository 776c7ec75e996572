package decode

import (
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/prepayment"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
)

// attribute is what names an attribute: the two sides of a cluster number theirs
// apart.
type attribute struct {
	cluster uint16
	server  bool
	id      uint16
}

var attributeNames = map[attribute]string{
	{zcl.ClusterTime, true, zcl.AttributeTime}: "Time",

	{ota.ClusterID, false, ota.AttributeImageUpgradeStatus}: "ImageUpgradeStatus",

	{metering.ClusterID, true, metering.AttributeCurrentSummationDelivered}:  "CurrentSummationDelivered",
	{metering.ClusterID, true, metering.AttributeReadingSnapshotTime}:        "ReadingSnapshotTime",
	{metering.ClusterID, true, metering.AttributeSupplyStatus}:               "SupplyStatus",
	{metering.ClusterID, true, metering.AttributeStatus}:                     "Status",
	{metering.ClusterID, true, metering.AttributeRemainingBatteryLife}:       "RemainingBatteryLife",
	{metering.ClusterID, true, metering.AttributeRemainingBatteryLifeInDays}: "RemainingBatteryLifeInDays",
	{metering.ClusterID, true, metering.AttributeCurrentMeterID}:             "CurrentMeterID",
	{metering.ClusterID, true, metering.AttributeUnitOfMeasure}:              "UnitOfMeasure",
	{metering.ClusterID, true, metering.AttributeMultiplier}:                 "Multiplier",
	{metering.ClusterID, true, metering.AttributeDivisor}:                    "Divisor",
	{metering.ClusterID, true, metering.AttributeSummationFormatting}:        "SummationFormatting",
	{metering.ClusterID, true, metering.AttributeMeteringDeviceType}:         "MeteringDeviceType",
	{metering.ClusterID, true, metering.AttributeInstantaneousDemand}:        "InstantaneousDemand",
	{metering.ClusterID, true, metering.AttributeReportingStatus}:            "AttributeReportingStatus",

	{metering.ClusterID, false, metering.AttributeFunctionalNotificationFlags}: "FunctionalNotificationFlags",
	{metering.ClusterID, false, metering.AttributeNotificationFlags2}:          "NotificationFlags2",
	{metering.ClusterID, false, metering.AttributeNotificationFlags3}:          "NotificationFlags3",
	{metering.ClusterID, false, metering.AttributeNotificationFlags4}:          "NotificationFlags4",
	{metering.ClusterID, false, metering.AttributeNotificationFlags5}:          "NotificationFlags5",

	{prepayment.ClusterID, true, prepayment.AttributeCreditRemaining}: "CreditRemaining",
	{prepayment.ClusterID, true, prepayment.AttributeTopUpTime}:       "TopUpDateTime",
	{prepayment.ClusterID, true, prepayment.AttributeTopUpAmount}:     "TopUpAmount",
	{prepayment.ClusterID, true, prepayment.AttributeTopUpSource}:     "OriginatingDevice",
	{prepayment.ClusterID, true, prepayment.AttributeTopUpCode}:       "TopUpCode",

	{tunnel.ClusterID, true, tunnel.AttributeCloseTunnelTimeout}: "CloseTunnelTimeout",
}

// AttributeName returns the specification's name of an attribute of a cluster's
// server or client, empty if it is not known.
func AttributeName(cluster uint16, server bool, id uint16) string {
	return attributeNames[attribute{cluster, server, id}]
}
