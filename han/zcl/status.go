package zcl

import "fmt"

// Status is a ZCL status code (ZCL §2.6.3).
type Status uint8

// The status codes spoken here.
const (
	StatusSuccess             Status = 0x00
	StatusFailure             Status = 0x01
	StatusNotAuthorized       Status = 0x7E
	StatusMalformedCommand    Status = 0x80
	StatusUnsupCommand        Status = 0x81
	StatusInvalidField        Status = 0x85
	StatusUnsupAttribute      Status = 0x86
	StatusInvalidValue        Status = 0x87
	StatusInsufficientSpace   Status = 0x89
	StatusNotFound            Status = 0x8B
	StatusTimeout             Status = 0x94
	StatusAbort               Status = 0x95
	StatusInvalidImage        Status = 0x96
	StatusWaitForData         Status = 0x97
	StatusNoImageAvailable    Status = 0x98
	StatusRequireMoreImage    Status = 0x99
	StatusNotificationPending Status = 0x9A
)

var statusNames = map[Status]string{
	StatusSuccess:             "SUCCESS",
	StatusFailure:             "FAILURE",
	StatusNotAuthorized:       "NOT_AUTHORIZED",
	StatusMalformedCommand:    "MALFORMED_COMMAND",
	StatusUnsupCommand:        "UNSUP_COMMAND",
	StatusInvalidField:        "INVALID_FIELD",
	StatusUnsupAttribute:      "UNSUPPORTED_ATTRIBUTE",
	StatusInvalidValue:        "INVALID_VALUE",
	StatusInsufficientSpace:   "INSUFFICIENT_SPACE",
	StatusNotFound:            "NOT_FOUND",
	StatusTimeout:             "TIMEOUT",
	StatusAbort:               "ABORT",
	StatusInvalidImage:        "INVALID_IMAGE",
	StatusWaitForData:         "WAIT_FOR_DATA",
	StatusNoImageAvailable:    "NO_IMAGE_AVAILABLE",
	StatusRequireMoreImage:    "REQUIRE_MORE_IMAGE",
	StatusNotificationPending: "NOTIFICATION_PENDING",
}

// String returns the specification's name, or the number of a code not known here.
func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("status %#02x", uint8(s))
}
