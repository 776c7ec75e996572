package decode

import (
	"fmt"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
)

// otaCommands are the commands of the OTA Upgrade cluster.
var otaCommands = map[key]command{
	{ota.ClusterID, true, ota.CommandImageNotify}: row("Image Notify", ota.ParseImageNotify,
		func(n ota.ImageNotify) string { return "version " + hex32(n.FileVersion) }, (*cutter).imageNotify),
	{ota.ClusterID, false, ota.CommandQueryNextImageRequest}: row("Query Next Image Request", ota.ParseQueryNextImageRequest,
		func(q ota.QueryNextImageRequest) string { return "runs " + q.Current.String() },
		func(c *cutter, q ota.QueryNextImageRequest) {
			c.fieldControl()
			c.image(q.Current)
			if q.HasHardware {
				c.take("hardware version", 2, hex16(q.HardwareVersion))
			}
		}),
	{ota.ClusterID, true, ota.CommandQueryNextImageResponse}: row("Query Next Image Response", ota.ParseQueryNextImageResponse,
		func(q ota.QueryNextImageResponse) string { return offerText(q.Status, q.Image, q.Size) },
		func(c *cutter, q ota.QueryNextImageResponse) { c.offer(q.Status, q.Image, q.Size) }),
	{ota.ClusterID, false, ota.CommandImageBlockRequest}: row("Image Block Request", ota.ParseImageBlockRequest,
		func(b ota.ImageBlockRequest) string {
			return fmt.Sprintf("offset %d, at most %d bytes", b.Offset, b.MaxDataSize)
		}, (*cutter).imageBlockRequest),
	{ota.ClusterID, false, ota.CommandImagePageRequest}: row("Image Page Request", ota.ParseImagePageRequest,
		func(p ota.ImagePageRequest) string { return fmt.Sprintf("offset %d", p.Offset) }, (*cutter).imagePageRequest),
	{ota.ClusterID, true, ota.CommandImageBlockResponse}: row("Image Block Response", ota.ParseImageBlockResponse,
		blockText, (*cutter).imageBlockResponse),
	{ota.ClusterID, false, ota.CommandUpgradeEndRequest}: row("Upgrade End Request", ota.ParseUpgradeEndRequest,
		func(u ota.UpgradeEndRequest) string { return fmt.Sprintf("%s: %s", u.Image, u.Status) },
		func(c *cutter, u ota.UpgradeEndRequest) {
			c.take("status", 1, u.Status)
			c.image(u.Image)
		}),
	{ota.ClusterID, true, ota.CommandUpgradeEndResponse}: row("Upgrade End Response", ota.ParseUpgradeEndResponse,
		upgradeText, func(c *cutter, u ota.UpgradeEndResponse) {
			c.image(u.Image)
			c.take("current time", 4, utc(u.CurrentTime))
			c.take("upgrade time", 4, instant(u.CurrentTime, u.UpgradeTime))
		}),
	{ota.ClusterID, false, ota.CommandQueryDeviceSpecificFileRequest}: row("Query Device Specific File Request",
		ota.ParseQueryDeviceSpecificFileRequest,
		func(q ota.QueryDeviceSpecificFileRequest) string { return q.Image.String() },
		func(c *cutter, q ota.QueryDeviceSpecificFileRequest) {
			c.take("node", 8, q.Node)
			c.image(q.Image)
			c.take("stack version", 2, q.StackVersion)
		}),
	{ota.ClusterID, true, ota.CommandQueryDeviceSpecificFileResponse}: row("Query Device Specific File Response",
		ota.ParseQueryDeviceSpecificFileResponse,
		func(q ota.QueryDeviceSpecificFileResponse) string { return offerText(q.Status, q.Image, q.Size) },
		func(c *cutter, q ota.QueryDeviceSpecificFileResponse) { c.offer(q.Status, q.Image, q.Size) }),
}

func offerText(status zcl.Status, image ota.ImageID, size uint32) string {
	if status != zcl.StatusSuccess {
		return status.String()
	}
	return fmt.Sprintf("%s, %d bytes", image, size)
}

func blockText(b ota.ImageBlockResponse) string {
	switch b.Status {
	case zcl.StatusSuccess:
		return fmt.Sprintf("offset %d, %d bytes", b.Offset, len(b.Data))
	case zcl.StatusWaitForData:
		return fmt.Sprintf("WAIT_FOR_DATA, %d s", uint32(b.RequestTime)-uint32(b.CurrentTime))
	default:
		return b.Status.String()
	}
}

func upgradeText(u ota.UpgradeEndResponse) string {
	if u.UpgradeTime == zcl.UTCTimeInvalid {
		return "wait for the order to activate"
	}
	return "upgrade at " + u.UpgradeTime.Time().Format("2006-01-02 15:04:05")
}

// fieldControl takes the octet that says which optional fields follow.
func (c *cutter) fieldControl() { c.fixed("field control", 1) }

func (c *cutter) image(id ota.ImageID) {
	c.group("image", id.String(), func() {
		c.take("manufacturer", 2, hex16(id.Manufacturer))
		c.take("image type", 2, hex16(id.ImageType))
		c.take("file version", 4, hex32(id.FileVersion))
	})
}

func (c *cutter) offer(status zcl.Status, image ota.ImageID, size uint32) {
	c.take("status", 1, status)
	if status == zcl.StatusSuccess {
		c.image(image)
		c.take("image size", 4, byteCount(size))
	}
}

func (c *cutter) imageNotify(n ota.ImageNotify) {
	c.take("payload type", 1, uint8(n.Type))
	c.take("query jitter", 1, n.QueryJitter)
	if n.Type >= ota.NotifyManufacturer {
		c.take("manufacturer", 2, hex16(n.Manufacturer))
	}
	if n.Type >= ota.NotifyImageType {
		c.take("image type", 2, hex16(n.ImageType))
	}
	if n.Type >= ota.NotifyFileVersion {
		c.take("file version", 4, hex32(n.FileVersion))
	}
}

func (c *cutter) imageBlockRequest(b ota.ImageBlockRequest) {
	c.fieldControl()
	c.image(b.Image)
	c.take("offset", 4, b.Offset)
	c.take("maximum data size", 1, byteCount(b.MaxDataSize))
	if b.HasNodeAddress {
		c.take("node", 8, b.NodeAddress)
	}
	if b.HasMinPeriod {
		c.take("minimum block period", 2, milliseconds(b.MinPeriod))
	}
}

func (c *cutter) imagePageRequest(p ota.ImagePageRequest) {
	c.fieldControl()
	c.image(p.Image)
	c.take("offset", 4, p.Offset)
	c.take("maximum data size", 1, byteCount(p.MaxDataSize))
	c.take("page size", 2, byteCount(p.PageSize))
	c.take("response spacing", 2, milliseconds(p.ResponseSpacing))
	if p.HasNodeAddress {
		c.take("node", 8, p.NodeAddress)
	}
}

func (c *cutter) imageBlockResponse(b ota.ImageBlockResponse) {
	c.take("status", 1, b.Status)
	switch b.Status {
	case zcl.StatusSuccess:
		c.image(b.Image)
		c.take("offset", 4, b.Offset)
		c.take("data size", 1, byteCount(len(b.Data)))
		c.take("data", len(b.Data), octets(b.Data))
	case zcl.StatusWaitForData:
		c.take("current time", 4, utc(b.CurrentTime))
		c.take("request time", 4, instant(b.CurrentTime, b.RequestTime))
		if b.HasMinPeriod {
			c.take("minimum block period", 2, milliseconds(b.MinPeriod))
		}
	default: // the status is all
	}
}

// instant returns a time that is an offset if the server, whose time current is,
// has no clock (ZCL §11.13.8.4).
func instant(current, u zcl.UTCTime) string {
	if current == 0 && u != zcl.UTCTimeInvalid {
		return fmt.Sprintf("in %d s", uint32(u))
	}
	return utc(u)
}

func byteCount[N uint8 | uint16 | uint32 | int](n N) string { return fmt.Sprintf("%d bytes", n) }
func milliseconds(n uint16) string                          { return fmt.Sprintf("%d ms", n) }
