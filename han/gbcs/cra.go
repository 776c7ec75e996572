package gbcs

import "fmt"

// CRA tells commands, responses and alerts apart (the "CRA flag" of the
// grouping header).
type CRA uint8

// The three kinds of message.
const (
	Command CRA = iota + 1
	Response
	Alert
)

// String returns the kind in lower case.
func (c CRA) String() string {
	switch c {
	case Command:
		return "command"
	case Response:
		return "response"
	case Alert:
		return "alert"
	default:
		return fmt.Sprintf("CRA %d", uint8(c))
	}
}
