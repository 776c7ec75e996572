package han

// PowerFailure is what a node panics with when its power fails in the middle of
// an operation on its storage. A driver recovers it, drops the struct, keeps the
// bytes and rebuilds the node. devices/flash throws it; nothing else may.
type PowerFailure interface {
	error
	// PowerFailed returns the number of the operation at which power failed.
	PowerFailed() int64
}
