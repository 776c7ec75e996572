package gbcs

import "github.com/commshub/commshub/han/gbcs/dlms"

func init() {
	for _, code := range []MessageCode{CodeAddDevice, CodeRemoveDevice, CodeRestoreDeviceLog} {
		reads(code, Response, ParseDeviceLogResponse)
	}
}

// DeviceLogResponse answers a command that changes the CHF's device log (message codes
// 0x0001 to 0x0003; CCS01, CCS02, CCS03). It is MACed, not signed. On the wire it is a DLMS
// access response without values, and with a result for each part of the command: of CCS01
// those of an action and two sets, of the others that of an action.
type DeviceLogResponse struct {
	InvokeID uint32 // of the command
	// Results are three of CCS01, else one.
	Results []ActionResult
}

// Append appends the payload.
func (c DeviceLogResponse) Append(b []byte) []byte {
	a := dlms.AccessResponse{Head: accessHead(c.InvokeID), Data: make([]dlms.Data, len(c.Results))}
	choice := dlms.Action
	for _, r := range c.Results {
		a.Results = append(a.Results, dlms.Result{Choice: choice, Code: byte(r)})
		choice = dlms.Set
	}
	return a.Append(b)
}

// ParseDeviceLogResponse reads the payload.
func ParseDeviceLogResponse(payload []byte) (DeviceLogResponse, error) {
	return parseCOSEM("device log response", payload, func(*cosemReader) (c DeviceLogResponse, err error) {
		a, err := dlms.ParseAccessResponse(payload, 0)
		c.InvokeID = invokeIDIn(a.Head)
		for _, r := range a.Results {
			c.Results = append(c.Results, ActionResult(r.Code))
		}
		return c, err
	})
}

// Outcome returns the first result that is no success, or success.
func (c DeviceLogResponse) Outcome() ActionResult {
	for _, r := range c.Results {
		if r != ActionSuccess {
			return r
		}
	}
	return ActionSuccess
}

// Fields implements [Payload].
func (c DeviceLogResponse) Fields() []Field {
	fields := []Field{field("invoke identifier", c.InvokeID)}
	for _, r := range c.Results {
		fields = append(fields, field("result", r))
	}
	return fields
}
