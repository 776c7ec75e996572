package store

import "errors"

// Errors of operations on what the records tell of, which callers tell apart.
var (
	ErrUnknownDevice = errors.New("not in the device log")
	ErrUnknownImage  = errors.New("not in the image cache")
	ErrConflict      = errors.New("not possible now")
)
