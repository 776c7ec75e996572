package filestreams

// descriptionMessage says what is in a stream.
type descriptionMessage struct {
	Token       *string      `json:"c,omitempty"`
	Version     int64        `json:"s"`
	Description string       `json:"d"`
	Files       []streamFile `json:"r"`
}

type streamFile struct {
	ID   int64 `json:"f"`
	Size int64 `json:"z"` // in bytes
}
