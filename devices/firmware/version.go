package firmware

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/remote"
)

// ReadGSMEVersion answers Read Firmware Version of a gas meter (GCS38).
func (a *Agent) ReadGSMEVersion(time.Time, *han.Outbox, remote.Command) (gbcs.Payload, error) {
	return gbcs.ReadGSMEFirmwareVersionResponse{FirmwareVersion: a.boot.Info.ID.FileVersion}, nil
}

// ReadESMEVersion answers Read Firmware Version of an electricity meter (ECS52).
func (a *Agent) ReadESMEVersion(_ time.Time, _ *han.Outbox, c remote.Command) (gbcs.Payload, error) {
	command := c.Payload.(gbcs.ReadESMEFirmwareVersionCommand)
	return gbcs.ReadESMEFirmwareVersionResponse{InvokeID: command.InvokeID, FirmwareVersion: a.boot.Info.ID.FileVersion}, nil
}
