package homefile

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/hub/store"
)

// Device is a device of the home.
type Device struct {
	Name     Name         `key:"-"`
	Kind     Kind         `key:"kind" doc:"What it is." need:"yes"`
	EUI64    EUI64        `key:"eui64" doc:"Its HAN address; without it the next free one of the published test set."`
	Install  *InstallCode `key:"install_code" doc:"Install code with which it stands in the hub's device log. Nothing is checked by it: virtual time has no DTLS."`
	Drift    Drift        `key:"drift" doc:"What its clock gains; negative loses." def:"0ppm"`
	Slot     Size         `key:"slot" doc:"Room for an image." def:"1MiB"`
	Version  Version      `key:"version" doc:"Firmware that it leaves the factory with." def:"01000000"`
	Hardware Code         `key:"hardware" doc:"Its hardware version." def:"0100"`
	Trust    Trust        `key:"trust" doc:"What it demands of an image: signed, or any (laboratories only)." def:"signed"`
	First    *Duration    `key:"first_heartbeat" doc:"When a gas meter wakes first, after the start; without it at random within a period."`
	Budget   *Duration    `key:"budget" doc:"What a gas meter allows itself of radio-on time per window."`

	Heartbeat *Heartbeat `key:"heartbeat" doc:"Heartbeats of this gas meter."`
	Battery   *Battery   `key:"battery" doc:"Battery of this meter."`
	Expect    *Expect    `key:"expect" doc:"What must hold at the end of this meter, besides what must hold of all."`
}

// Devices are the devices in the order of the file.
type Devices []Device

// Heartbeat says when a gas meter wakes.
type Heartbeat struct {
	Period Duration `key:"period" doc:"From one heartbeat to the next." def:"30m"`
	Jitter Duration `key:"jitter" doc:"How much later, at random, each heartbeat may come." def:"0s"`
	Awake  Duration `key:"awake" doc:"How long a window lasts at most; never more than half of the period." def:"5m"`
}

// Supply is the most that the meters' supplies deliver.
type Supply struct {
	Gas         Number `key:"gas" doc:"Litres an hour." def:"7500"`
	Electricity Number `key:"electricity" doc:"Watt-hours an hour." def:"25300"`
}

// Battery is a meter's battery.
type Battery struct {
	Set     *BatterySet `key:"set" doc:"Battery set of the meter, if it is not that of radio; of the same band."`
	Charge  Share       `key:"charge" doc:"What is left of a new cell at the start." def:"100%"`
	Reserve Share       `key:"reserve" doc:"Share of a new cell that downloads never touch." def:"0%"`
}

// Address returns the device's HAN address.
func (d *Device) Address() han.EUI64 { return han.EUI64(d.EUI64) }

// Entry returns what the supplier enters of the device into the hub's device log.
func (d *Device) Entry() store.Device {
	entry := store.Device{EUI64: d.Address(), Kind: store.Kind(d.Kind)}
	if d.Install != nil {
		entry.HasInstallCode = true
		entry.InstallCode = [installcode.SecretSize]byte(d.Install[:installcode.SecretSize])
	}
	return entry
}

// IsMeter reports whether the device takes firmware.
func (d *Device) IsMeter() bool { return store.Kind(d.Kind).IsMeter() }

// IsGas reports whether the device is a gas meter.
func (d *Device) IsGas() bool { return store.Kind(d.Kind) == store.KindGSME }

// ParameterSet returns the meter's battery set, its own or the home's.
func (d *Device) ParameterSet(h *Home) battery.Set {
	if d.Battery.Set != nil {
		return d.Battery.Set.Set
	}
	return h.Radio.Set
}

// Link is the quality of the HAN. Each frame is treated by itself.
type Link struct {
	Loss        Share    `key:"loss" doc:"Share of frames that do not arrive." def:"0%"`
	Duplication Share    `key:"duplication" doc:"Share of frames that arrive twice." def:"0%"`
	Reordering  Share    `key:"reordering" doc:"Share of frames that later ones overtake." def:"0%"`
	ReorderBy   Duration `key:"reorder_by" doc:"How much later, at most, such a frame comes." def:"0s"`
	Corruption  Share    `key:"corruption" doc:"Share of frames with one bit flipped that no check of the radio notices. On a real HAN hardly any; damage that is noticed is loss." def:"0%"`
	Delay       Duration `key:"delay" doc:"Delay of every frame besides its air time." def:"0s"`
	Bursts      *Bursts  `key:"bursts" doc:"Bursts of loss, after Gilbert and Elliott."`
}

// Bursts are the bad times of a link in the model of Gilbert and Elliott.
type Bursts struct {
	Begin Share `key:"begin" doc:"Share of frames in good times with which a burst begins." need:"yes"`
	End   Share `key:"end" doc:"Share of frames in a burst with which it ends; 10% makes bursts of 10 frames on average." need:"yes"`
	Loss  Share `key:"loss" doc:"Share of frames lost in a burst." def:"100%"`
}

// Image is an image that the supplier distributes.
type Image struct {
	Size     *Size   `key:"size" doc:"Size of the whole file, for an image that is made."`
	File     *Text   `key:"file" doc:"An image file, from the scenario's folder. Meters take manufacturer code, image type and hardware version from it, and need trust: any."`
	Version  Version `key:"version" doc:"Its version, if it is made." def:"02000000"`
	Program  Program `key:"program" doc:"How it behaves once it runs, if it is made." def:"works"`
	SignedBy Signer  `key:"signed_by" doc:"Who signed it, if it is made." def:"manufacturer"`
	Hardware Code    `key:"hardware" doc:"The hardware version that it is for, if it is made." def:"0100"`
}

// Limits of images and slots in bytes.
const (
	minImage = 2048
	maxImage = 10_240_000
	maxSlot  = 16 << 20
)

// Fault is one thing that goes wrong.
type Fault struct {
	At     Duration   `key:"at" doc:"When, counted from the start." need:"yes"`
	Every  *Duration  `key:"every" doc:"Again and again, in this interval."`
	Times  Number     `key:"times" doc:"With every: how often altogether."`
	Cut    *PowerCut  `key:"power_cut" doc:"A device loses power."`
	Hub    *Outage    `key:"hub_restart" doc:"The hub loses power."`
	Apart  *Partition `key:"partition" doc:"The HAN carries nothing for a while."`
	Bad    *BadLink   `key:"bad_link" doc:"The link is of another quality for a while."`
	Clock  *ClockStep `key:"clock_step" doc:"The clock of a meter jumps, until the meter sets it from the hub's."`
	Flip   *BitFlip   `key:"bit_flip" doc:"A bit of a meter's memory turns over, in what the meter must not forget and has twice."`
	Newer  *Image     `key:"image_superseded" doc:"The supplier distributes another image to the same meters. One that is made has the force-replace flag: it also takes the place of one that is ordered to be activated."`
	Low    *Drain     `key:"battery_low" doc:"A meter's battery loses charge."`
	Cancel *Target    `key:"update_cancelled" doc:"The supplier cancels the update of a meter."`
	Undate *Target    `key:"activation_cancelled" doc:"The supplier orders a meter to drop its dated activation."`
	Again  *Target    `key:"image_offered_again" doc:"The supplier offers a meter the image distributed last once more, if its update has ended."`
	Remove *Removal   `key:"device_removed" doc:"A device leaves the hub's device log, with what waits for it, and is added again."`
}

// PowerCut is a device's loss of power.
type PowerCut struct {
	Device    Name     `key:"device" doc:"Which." need:"yes"`
	Off       Duration `key:"off" doc:"For how long." def:"5s"`
	Operation *Number  `key:"flash_operation" doc:"In the middle of this flash operation of a meter, counted from that time on, instead of at that time."`
}

// Outage is the hub's loss of power.
type Outage struct {
	Off    Duration `key:"off" doc:"For how long; with commit 5s." def:"5s"`
	Commit *Number  `key:"commit" doc:"In this commit of its store, counted from that time on, instead of at that time."`
	Moment Moment   `key:"moment" doc:"With commit: before the store has it, or after, so that only what depends on it is lost." def:"before"`
}

// Partition is a time in which the HAN carries nothing.
type Partition struct {
	For    Duration `key:"for" doc:"For how long." need:"yes"`
	Device *Name    `key:"device" doc:"Only this device is cut off."`
}

// BadLink is a time in which a link is of another quality.
type BadLink struct {
	For    Duration `key:"for" doc:"For how long." need:"yes"`
	Device *Name    `key:"device" doc:"Only frames that this device sends; without it those of all nodes, the hub's too."`
	Link   Link     `key:"link" doc:"How the link is in that time." need:"yes"`
}

// ClockStep is a jump of a clock.
type ClockStep struct {
	Device Name `key:"device" doc:"Which meter." need:"yes"`
	By     Step `key:"by" doc:"By how much; a clock that goes back has a negative one." need:"yes"`
}

// BitFlip is a bit of memory that turns over.
type BitFlip struct {
	Device Name   `key:"device" doc:"Which meter." need:"yes"`
	Region Memory `key:"region" doc:"Which part of its flash." need:"yes"`
	Bit    Number `key:"bit" doc:"Which bit, counted from the region's start; counting begins anew at its end."`
}

// Removal is the absence of a device from the device log.
type Removal struct {
	Device Name     `key:"device" doc:"Which." need:"yes"`
	For    Duration `key:"for" doc:"For how long." need:"yes"`
}

// Drain is a loss of charge.
type Drain struct {
	Device Name  `key:"device" doc:"Which meter." need:"yes"`
	Charge Share `key:"charge" doc:"What is left of a new cell." need:"yes"`
}

// Target is a device that something is done to.
type Target struct {
	Device Name `key:"device" doc:"Which." need:"yes"`
}

// Defaults of devices, images and faults.
const (
	defaultSlot     Size    = 1 << 20
	defaultVersion  Version = 0x02000000
	factoryVersion  Version = 0x01000000
	defaultHardware Code    = 0x0100
	defaultOff              = Duration(5 * time.Second)
)

func (d *Device) setDefaults() {
	d.Slot, d.Version, d.Hardware = defaultSlot, factoryVersion, defaultHardware
}
func (i *Image) setDefaults()    { i.Version, i.Hardware = defaultVersion, defaultHardware }
func (b *Battery) setDefaults()  { b.Charge = fullCharge }
func (b *Bursts) setDefaults()   { b.Loss = fullCharge }
func (p *PowerCut) setDefaults() { p.Off = defaultOff }
func (o *Outage) setDefaults()   { o.Off = defaultOff }
func (h *Heartbeat) setDefaults() {
	h.Period, h.Awake = Duration(gasproxy.DefaultPeriod), Duration(gasproxy.DefaultAwake)
}
