// Package metering is the Metering cluster 0x0702 of Zigbee Smart Energy (ZSE
// annex D.3): the commands around the mirror that the gas proxy keeps of a
// sleeping gas meter, one per file, and the attributes of a meter.
//
// The meter is the server of the cluster, the gas proxy its client; so the
// meter's frames have the ZCL direction bit set although the proxy is the hub:
//
//	meter (server)                            gas proxy (client)
//	   RequestMirror (0x01) ────────────────────►
//	   ◄────────────── RequestMirrorResponse (0x01)   endpoint of the mirror
//	   ConfigureMirror (0x08) ──────────────────►     reporting, scheme B
//	 every wake-up
//	   Report Attributes (ZCL), the last one with
//	   AttributeReportingStatus complete ───────►     mirror updated
//	   ◄────── MirrorReportAttributeResponse (0x09)   notification flags
//	   GetNotifiedMessage (0x0B) ───────────────►     for some of the flags
//
// Integers are little-endian. Parse functions follow the rules of package zcl:
// too short is refused, bytes after the last known field are ignored, parsed
// slices alias the input. Of a boolean, any value but 0 is true.
//
// ZSE itself was not at hand; identifiers, layouts and types are those on which
// Wireshark, zigbee-herdsman and an implementation of ZSE 1.4a agree.
package metering

// ClusterID is the cluster's identifier.
const ClusterID uint16 = 0x0702

// Identifiers of the commands from the server, the meter. The direction bit
// tells them from those of the client.
const (
	CommandGetProfileResponse          uint8 = 0x00
	CommandRequestMirror               uint8 = 0x01
	CommandRemoveMirror                uint8 = 0x02 // without payload
	CommandRequestFastPollModeResponse uint8 = 0x03
	CommandConfigureMirror             uint8 = 0x08
	CommandGetNotifiedMessage          uint8 = 0x0B
)

// Identifiers of the commands from the client, the gas proxy or a display.
const (
	CommandGetProfile                    uint8 = 0x00
	CommandRequestMirrorResponse         uint8 = 0x01
	CommandMirrorRemoved                 uint8 = 0x02
	CommandRequestFastPollMode           uint8 = 0x03
	CommandMirrorReportAttributeResponse uint8 = 0x09
)
