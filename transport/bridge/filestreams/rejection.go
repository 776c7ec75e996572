package filestreams

import (
	"fmt"
	"time"
)

// code is why a request is rejected, as the service names it.
type code string

const (
	invalidJSON              code = "InvalidJson"
	invalidCBOR              code = "InvalidCbor"
	invalidRequest           code = "InvalidRequest"
	blockSizeOutOfBounds     code = "BlockSizeOutOfBounds"
	offsetOutOfBounds        code = "OffsetOutOfBounds"
	blockCountLimitExceeded  code = "BlockCountLimitExceeded"
	blockBitmapLimitExceeded code = "BlockBitmapLimitExceeded"
	resourceNotFound         code = "ResourceNotFound"
	versionMismatch          code = "VersionMismatch"
	internalError            code = "InternalError"
	// tryLater is ours: the service has no windows.
	tryLater code = "TryLater"
)

// rejection is why a request is not served.
type rejection struct {
	code    code
	message string
	// wait is how long until the next window; only with tryLater.
	wait time.Duration
}

// Error implements error.
func (r *rejection) Error() string { return fmt.Sprintf("%s: %s", r.code, r.message) }

func rejectf(c code, format string, args ...any) *rejection {
	return &rejection{code: c, message: fmt.Sprintf(format, args...)}
}

// rejectedMessage is what a device is told.
type rejectedMessage struct {
	Code    code   `json:"o"`
	Message string `json:"m"`
	// Wait is ours: seconds until it is worth asking again.
	Wait  int64   `json:"w,omitempty"`
	Token *string `json:"c,omitempty"`
}

func (r *rejection) encode(f format, token *string) ([]byte, error) {
	// Rounded up: a device that asks after exactly so long is not told once more.
	wait := int64((r.wait + time.Second - 1) / time.Second)
	return f.encode(rejectedMessage{Code: r.code, Message: r.message, Wait: wait, Token: token})
}
