package gbcs

// The codes of the receipt that a meter gives for an image.
const (
	CodeDistributionReceiptESME MessageCode = 0x00CE
	CodeDistributionReceiptGSME MessageCode = 0x00CF
)

func init() {
	reads(CodeDistributionReceiptESME, Alert, ParseDistributionReceiptAlert)
	reads(CodeDistributionReceiptGSME, Alert, ParseDistributionReceiptAlert)
}

// DistributionReceiptAlert is the Firmware Distribution Receipt Alert (message
// codes 0x00CE with LayoutDLMS and 0x00CF with LayoutGBZ, GBCS 11.2.6): a meter
// tells its supplier whether the image it received is good. The meter signs it
// and adds no MAC.
type DistributionReceiptAlert struct {
	AlertHead // Code: AlertFirmwareVerificationSuccessful or …Failed
	// ImageHash is the hash that the meter calculated, not the one it was told.
	ImageHash [HashSize]byte
}

// Append appends the payload: the head and an octet string with the hash.
func (c DistributionReceiptAlert) Append(b []byte) []byte {
	b = append(c.append(b, 1), dlmsOctetString, HashSize)
	return append(b, c.ImageHash[:]...)
}

// ParseDistributionReceiptAlert reads the payload in either layout.
func ParseDistributionReceiptAlert(payload []byte) (DistributionReceiptAlert, error) {
	r := newReader("distribution receipt alert", payload)
	c := DistributionReceiptAlert{AlertHead: r.alertHead(1)}
	r.expect("manufacturer image hash", dlmsOctetString, HashSize)
	copy(c.ImageHash[:], r.take(HashSize))
	r.oneOf(c.Code, AlertFirmwareVerificationSuccessful, AlertFirmwareVerificationFailed)
	if err := r.done(); err != nil {
		return DistributionReceiptAlert{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c DistributionReceiptAlert) Fields() []Field {
	return append(c.fields(), bytesField("manufacturer image hash", c.ImageHash[:]))
}
