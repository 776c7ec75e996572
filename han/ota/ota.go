// Package ota is the Zigbee OTA Upgrade cluster 0x0019 (ZCL chapter 11): its
// ten commands, one per file, and the OTA upgrade file ([Image]).
//
// The hub is the server and holds images; a meter is the client and pulls:
//
//	client                                   server
//	   ◄──────────────────────── ImageNotify (0x00)
//	   QueryNextImageRequest (0x01) ────────────►
//	   ◄────────── QueryNextImageResponse (0x02)
//	   ImageBlockRequest (0x03) ────────────────►
//	   or ImagePageRequest (0x04) ──────────────►
//	   ◄────────────── ImageBlockResponse (0x05)   … until all bytes are there
//	   UpgradeEndRequest (0x06) ────────────────►
//	   ◄────────────── UpgradeEndResponse (0x07)
//
// Integers are little-endian. Parse functions follow the rules of package zcl:
// too short is refused, bytes after the last known field are ignored, parsed
// slices alias the input.
package ota

import "fmt"

// ClusterID is the cluster's identifier.
const ClusterID uint16 = 0x0019

// Command identifiers (ZCL §11.13.1).
const (
	CommandImageNotify                     uint8 = 0x00
	CommandQueryNextImageRequest           uint8 = 0x01
	CommandQueryNextImageResponse          uint8 = 0x02
	CommandImageBlockRequest               uint8 = 0x03
	CommandImagePageRequest                uint8 = 0x04
	CommandImageBlockResponse              uint8 = 0x05
	CommandUpgradeEndRequest               uint8 = 0x06
	CommandUpgradeEndResponse              uint8 = 0x07
	CommandQueryDeviceSpecificFileRequest  uint8 = 0x08
	CommandQueryDeviceSpecificFileResponse uint8 = 0x09
)

// AttributeImageUpgradeStatus is the attribute that holds [UpgradeStatus] (ZCL §11.10.7).
const AttributeImageUpgradeStatus uint16 = 0x0006

// Wildcards in an Upgrade End Response (ZCL §11.13.9).
const (
	WildcardManufacturer uint16 = 0xFFFF
	WildcardImageType    uint16 = 0xFFFF
	WildcardFileVersion  uint32 = 0xFFFFFFFF
)

// ImageID names an image by the triple that the cluster uses everywhere.
type ImageID struct {
	Manufacturer uint16
	ImageType    uint16
	FileVersion  uint32
}

// String returns manufacturer, image type and file version in hex.
func (id ImageID) String() string {
	return fmt.Sprintf("%04X/%04X/%08X", id.Manufacturer, id.ImageType, id.FileVersion)
}

// UpgradeStatus is the value of a client's ImageUpgradeStatus attribute.
type UpgradeStatus uint8

// The upgrade statuses (ZCL §11.10.7; 6 as in Smart Energy 1.2b).
const (
	UpgradeNormal UpgradeStatus = iota
	UpgradeDownloading
	UpgradeDownloaded
	UpgradeWaiting
	UpgradeCountDown
	UpgradeWaitForMore
	UpgradeWaitingExternal
)

var upgradeStatusNames = [...]string{
	"normal", "download in progress", "download complete", "waiting to upgrade",
	"count down", "wait for more", "waiting to upgrade via external event",
}

// String returns the specification's words.
func (s UpgradeStatus) String() string {
	if int(s) < len(upgradeStatusNames) {
		return upgradeStatusNames[s]
	}
	return fmt.Sprintf("upgrade status %d", uint8(s))
}
