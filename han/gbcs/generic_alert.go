package gbcs

// The codes of alerts that say no more than their alert code and time.
const (
	CodeGenericCriticalAlert    MessageCode = 0x1000
	CodeGenericNonCriticalAlert MessageCode = 0x1001
)

func init() {
	reads(CodeGenericCriticalAlert, Alert, ParseGenericAlert)
	reads(CodeGenericNonCriticalAlert, Alert, ParseGenericAlert)
}

// GenericAlert is an alert that says no more than its code and time (message
// codes 0x1000 critical and 0x1001 non critical).
type GenericAlert struct{ AlertHead }

// Append appends the payload.
func (c GenericAlert) Append(b []byte) []byte { return c.append(b, 0) }

// ParseGenericAlert reads the payload in either layout.
func ParseGenericAlert(payload []byte) (GenericAlert, error) {
	r := newReader("generic alert", payload)
	c := GenericAlert{AlertHead: r.alertHead(0)}
	if err := r.done(); err != nil {
		return GenericAlert{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c GenericAlert) Fields() []Field { return c.fields() }
