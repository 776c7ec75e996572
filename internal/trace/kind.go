package trace

import (
	"fmt"
	"strings"
)

// Kind says what happened. The zero Kind is not a kind.
type Kind uint8

// The kinds of record, in the order in which an update meets them.
const (
	_ Kind = iota

	// NodeStarted: a node was built and has its state from storage.
	NodeStarted
	// DeviceAdded: the device log took a device.
	DeviceAdded
	// DeviceRemoved: the device log dropped a device.
	DeviceRemoved
	// FrameRefused: a frame was dropped before any machine acted on it.
	FrameRefused
	// TimeSet: a device set its clock from the hub's Time cluster.
	TimeSet

	// ImageCached: the hub stored an image.
	ImageCached
	// ImageRemoved: the hub dropped an image.
	ImageRemoved
	// DistributionStarted: the hub will offer an image to a device.
	DistributionStarted
	// DistributionCancelled: the hub will not offer that image to that device any more.
	DistributionCancelled
	// TransferDone: the hub learned that a device holds the whole image and found it good.
	TransferDone
	// TransferFailed: the hub learned that a transfer ended without a good image.
	TransferFailed

	// HeartbeatStarted: a sleeping meter woke.
	HeartbeatStarted
	// HeartbeatEnded: a sleeping meter sleeps again.
	HeartbeatEnded
	// MirrorUpdated: the gas proxy took a meter's readings.
	MirrorUpdated
	// ReadingAccepted: somebody decided that a reading in quarantine is true.
	ReadingAccepted
	// DutyCycle: a transmitter came nearer to, or went away from, the limit of its band.
	DutyCycle
	// MirrorRead: a display read the mirror.
	MirrorRead
	// MessageQueued: a GBCS message for a device waits in its mailbox.
	MessageQueued
	// MessageDelivered: a device fetched, or was sent, a GBCS message.
	MessageDelivered
	// MessageExpired: a GBCS message was not fetched in time and was dropped.
	MessageExpired
	// MessageReceived: the supplier's side got a GBCS response or alert.
	MessageReceived

	// MessageDropped: a device had no room for a message to a remote party.
	MessageDropped
	// QuerySent: a device asked for its next image.
	QuerySent
	// DownloadStarted: a device began an image at offset 0.
	DownloadStarted
	// DownloadResumed: a device went on with an image at its stored offset.
	DownloadResumed
	// BlockReceived: a device stored a block.
	BlockReceived
	// RequestRetried: a device asked again because no answer came in time.
	RequestRetried
	// WaitForData: a device was told to wait.
	WaitForData
	// BudgetSpent: a device stopped by itself because its window allowance is used up.
	BudgetSpent
	// DownloadComplete: a device has all bytes.
	DownloadComplete
	// DownloadAborted: a device gave an image up.
	DownloadAborted
	// ImageVerified: a device found an image good.
	ImageVerified
	// ImageRejected: a device found an image bad and erased it.
	ImageRejected

	// ActivationReceived: a device took an Activate Firmware command (CS06).
	ActivationReceived
	// ActivationDated: a device will activate at a time.
	ActivationDated
	// ActivationCancelled: a device dropped a dated activation.
	ActivationCancelled
	// ActivationDone: a device knows the outcome of an Activate Firmware command.
	ActivationDone
	// CommandRefused: a device discarded a GBCS command.
	CommandRefused
	// TopUpCredited: a meter credited a top-up.
	TopUpCredited
	// TopUpRefused: a meter did not credit a top-up.
	TopUpRefused
	// Rebooted: a device starts, and its bootloader chose an image.
	Rebooted
	// FirmwareConfirmed: new firmware passed its self-test and will stay.
	FirmwareConfirmed
	// FirmwareRolledBack: the bootloader put the previous image back.
	FirmwareRolledBack
	// AlertRaised: a device or the hub raised a numbered GBCS alert.
	AlertRaised
	// MemoryDamaged: a check found what a device must not forget damaged.
	MemoryDamaged
	// BatteryLow: a device's charge fell under the limit at which the supplier is told.
	BatteryLow

	// PowerCut: a node lost its power, in the middle of the flash operation that Count
	// names, or at the socket with a Count of 0.
	PowerCut
	// PartitionStarted: a node was cut off from the HAN.
	PartitionStarted
	// PartitionEnded: a node is joined to the HAN again.
	PartitionEnded
	// BatteryDrained: charge was taken out of a meter's battery, and Charge is left.
	BatteryDrained
	// BitFlipped: a bit of a meter's flash turned over, in the byte at Offset.
	BitFlipped
	// FrameLost: a frame did not arrive, by a fault of the link.
	FrameLost
	// FrameDuplicated: a frame arrived twice.
	FrameDuplicated
	// FrameReordered: a frame was overtaken by later ones.
	FrameReordered
	// FrameCorrupted: a frame arrived with one bit turned.
	FrameCorrupted
	// FrameDelayed: a frame came late.
	FrameDelayed

	kindEnd
)

// Kinds is the number of kinds, the zero one included, for tables indexed by kind.
const Kinds = int(kindEnd)

// field names one of Record's optional fields.
type field uint8

const (
	fieldPeer field = iota
	fieldVersion
	fieldOffset
	fieldSize
	fieldCount
	fieldCode
	fieldTook
	fieldCharge
	fieldHash
	fieldText
)

var fieldNames = [...]string{"peer", "version", "offset", "size", "count", "code", "took", "charge", "hash", "text"}

func (f field) String() string { return fieldNames[f] }

type kindInfo struct {
	name   string
	fields []field
}

var kinds = [kindEnd]kindInfo{
	NodeStarted:           {"node-started", []field{fieldText}},
	DeviceAdded:           {"device-added", []field{fieldPeer, fieldText}},
	DeviceRemoved:         {"device-removed", []field{fieldPeer}},
	FrameRefused:          {"frame-refused", []field{fieldPeer, fieldText}},
	TimeSet:               {"time-set", []field{fieldTook}},
	ImageCached:           {"image-cached", []field{fieldVersion, fieldSize, fieldHash}},
	ImageRemoved:          {"image-removed", []field{fieldVersion, fieldSize, fieldHash}},
	DistributionStarted:   {"distribution-started", []field{fieldPeer, fieldVersion, fieldSize, fieldHash}},
	DistributionCancelled: {"distribution-cancelled", []field{fieldPeer, fieldVersion, fieldText}},
	TransferDone:          {"transfer-done", []field{fieldPeer, fieldVersion}},
	TransferFailed:        {"transfer-failed", []field{fieldPeer, fieldVersion, fieldCode, fieldText}},
	HeartbeatStarted:      {"heartbeat-started", []field{fieldCount}},
	HeartbeatEnded:        {"heartbeat-ended", []field{fieldCount, fieldTook, fieldCharge}},
	MirrorUpdated:         {"mirror-updated", []field{fieldPeer, fieldCount}},
	ReadingAccepted:       {"reading-accepted", []field{fieldPeer, fieldText}},
	DutyCycle:             {"duty-cycle", []field{fieldTook, fieldText}},
	MirrorRead:            {"mirror-read", []field{fieldPeer, fieldTook, fieldText}},
	MessageQueued:         {"message-queued", []field{fieldPeer, fieldCode, fieldCount}},
	MessageDelivered:      {"message-delivered", []field{fieldPeer, fieldCode}},
	MessageExpired:        {"message-expired", []field{fieldPeer, fieldCode}},
	MessageReceived:       {"message-received", []field{fieldPeer, fieldCode, fieldText}},
	MessageDropped:        {"message-dropped", []field{fieldCode, fieldText}},
	QuerySent:             {"query-sent", []field{fieldVersion}},
	DownloadStarted:       {"download-started", []field{fieldVersion, fieldSize}},
	DownloadResumed:       {"download-resumed", []field{fieldVersion, fieldOffset, fieldSize}},
	BlockReceived:         {"block-received", []field{fieldOffset, fieldSize}},
	RequestRetried:        {"request-retried", []field{fieldOffset, fieldCount}},
	WaitForData:           {"wait-for-data", []field{fieldOffset, fieldTook}},
	BudgetSpent:           {"budget-spent", []field{fieldOffset, fieldText}},
	DownloadComplete:      {"download-complete", []field{fieldVersion, fieldSize}},
	DownloadAborted:       {"download-aborted", []field{fieldVersion, fieldOffset, fieldCode, fieldText}},
	ImageVerified:         {"image-verified", []field{fieldVersion, fieldHash}},
	ImageRejected:         {"image-rejected", []field{fieldVersion, fieldHash, fieldText}},
	ActivationReceived:    {"activation-received", []field{fieldHash}},
	ActivationDated:       {"activation-dated", []field{fieldTook, fieldHash}},
	ActivationCancelled:   {"activation-cancelled", []field{fieldHash}},
	ActivationDone:        {"activation-done", []field{fieldCode, fieldVersion, fieldText}},
	CommandRefused:        {"command-refused", []field{fieldCode, fieldText}},
	TopUpCredited:         {"top-up-credited", []field{fieldCode, fieldText}},
	TopUpRefused:          {"top-up-refused", []field{fieldCode, fieldText}},
	Rebooted:              {"rebooted", []field{fieldVersion, fieldText}},
	FirmwareConfirmed:     {"firmware-confirmed", []field{fieldVersion}},
	FirmwareRolledBack:    {"firmware-rolled-back", []field{fieldVersion, fieldText}},
	AlertRaised:           {"alert-raised", []field{fieldCode, fieldText}},
	MemoryDamaged:         {"memory-damaged", []field{fieldText}},
	BatteryLow:            {"battery-low", []field{fieldCharge}},
	PowerCut:              {"power-cut", []field{fieldCount}},
	PartitionStarted:      {"partition-started", nil},
	PartitionEnded:        {"partition-ended", nil},
	BatteryDrained:        {"battery-drained", []field{fieldCharge}},
	BitFlipped:            {"bit-flipped", []field{fieldOffset}},
	FrameLost:             {"frame-lost", []field{fieldPeer, fieldSize}},
	FrameDuplicated:       {"frame-duplicated", []field{fieldPeer, fieldSize}},
	FrameReordered:        {"frame-reordered", []field{fieldPeer, fieldSize}},
	FrameCorrupted:        {"frame-corrupted", []field{fieldPeer, fieldSize}},
	FrameDelayed:          {"frame-delayed", []field{fieldPeer, fieldSize}},
}

// String returns the kind's name as it stands in the text form, such as "block-received".
func (k Kind) String() string {
	if k == 0 || k >= kindEnd {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kinds[k].name
}

func (k Kind) fields() []field {
	if k == 0 || k >= kindEnd {
		return nil
	}
	return kinds[k].fields
}

// ParseKind returns the kind with the given name, as scenario files write it.
func ParseKind(name string) (Kind, error) {
	for k := range kinds {
		if k > 0 && kinds[k].name == name {
			return Kind(k), nil
		}
	}
	return 0, fmt.Errorf("parse record kind: unknown kind %q (want one of %s)", name, strings.Join(KindNames(), ", "))
}

// KindNames returns the names of all kinds in table order.
func KindNames() []string {
	names := make([]string, 0, int(kindEnd)-1)
	for k := range kinds {
		if k > 0 {
			names = append(names, kinds[k].name)
		}
	}
	return names
}
