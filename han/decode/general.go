package decode

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
)

// profileWide are the commands that every cluster has (ZCL §2.5).
var profileWide = map[uint8]command{
	zcl.CommandReadAttributes: row("Read Attributes", zcl.ParseReadAttributes, readText,
		func(c *cutter, r zcl.ReadAttributes) {
			for _, id := range r.IDs {
				c.attributeID(id, !c.header.ToClient)
			}
		}),
	zcl.CommandReadAttributesResponse: row("Read Attributes Response", zcl.ParseReadAttributesResponse,
		func(r zcl.ReadAttributesResponse) string { return fmt.Sprintf("%d attributes", len(r.Attributes)) },
		func(c *cutter, r zcl.ReadAttributesResponse) {
			for _, a := range r.Attributes {
				c.group("attribute", "", func() {
					c.attributeID(a.ID, c.header.ToClient)
					c.take("status", 1, a.Status)
					if a.Status == zcl.StatusSuccess {
						c.value(a.Value)
					}
				})
			}
		}),
	zcl.CommandReportAttributes: row("Report Attributes", zcl.ParseReportAttributes, reportText,
		func(c *cutter, r zcl.ReportAttributes) {
			for _, a := range r.Attributes {
				c.group("attribute", "", func() {
					c.attributeID(a.ID, c.header.ToClient)
					c.value(a.Value)
				})
			}
		}),
	zcl.CommandDefaultResponse: row("Default Response", zcl.ParseDefaultResponse,
		func(d zcl.DefaultResponse) string { return fmt.Sprintf("command %02X: %s", d.Command, d.Status) },
		func(c *cutter, d zcl.DefaultResponse) {
			c.take("command", 1, hex8(d.Command))
			c.take("status", 1, d.Status)
		}),
}

func readText(r zcl.ReadAttributes) string {
	var ids []string
	for _, id := range r.IDs {
		ids = append(ids, hex16(id))
	}
	return "attributes " + strings.Join(ids, ", ")
}

func reportText(r zcl.ReportAttributes) string {
	text := fmt.Sprintf("%d attributes", len(r.Attributes))
	for _, a := range r.Attributes {
		if a.ID == metering.AttributeReportingStatus && metering.ReportingStatus(a.Value.Number) == metering.ReportingComplete {
			text += ", complete"
		}
	}
	return text
}

// attributeID takes an attribute's identifier; it is the server's or the client's.
func (c *cutter) attributeID(id uint16, server bool) {
	text := hex16(id)
	if name := AttributeName(c.cluster, server, id); name != "" && !c.header.ManufacturerSpecific {
		text += " " + name
	}
	c.take("identifier", 2, text)
}

// value takes an attribute's type and value.
func (c *cutter) value(v zcl.Value) {
	c.take("type", 1, hex8(v.Type))
	c.take("value", len(v.Append(nil)), valueText(v))
}

func valueText(v zcl.Value) string {
	switch t := v.Type; {
	case t == zcl.TypeOctetString:
		return octets(v.Bytes)
	case t == zcl.TypeCharString:
		return strconv.QuoteToASCII(string(v.Bytes))
	case t == zcl.TypeUTCTime:
		return utc(zcl.UTCTime(v.Number))
	case t == zcl.TypeEUI64:
		return han.EUI64(v.Number).String()
	case t >= zcl.TypeBitmap8 && t <= zcl.TypeBitmap64:
		return fmt.Sprintf("%0*X", 2*(int(t-zcl.TypeBitmap8)+1), v.Number)
	case t >= zcl.TypeInt8 && t <= zcl.TypeInt64:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return strconv.FormatUint(v.Number, 10)
	}
}
