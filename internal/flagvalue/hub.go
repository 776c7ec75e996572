package flagvalue

import (
	"fmt"

	"github.com/commshub/commshub/hub"
)

// CheckHub tells which flag of a hub says what no hub can be, nil if none does.
func CheckHub(config hub.Config) error {
	switch {
	case config.BlockSize < 1 || config.BlockSize > 255:
		return fmt.Errorf("--block-size %d: want 1 to 255", config.BlockSize)
	case config.MailboxTime <= 0:
		return fmt.Errorf("--mailbox-time %v: want more than 0", config.MailboxTime)
	case config.MirrorEndpoint < 1 || config.MirrorEndpoint > maxEndpoint-hub.DeviceLogSize:
		return fmt.Errorf("--mirror-endpoint %d: want 1 to %d", config.MirrorEndpoint, maxEndpoint-hub.DeviceLogSize)
	case config.Endpoint < 1 || config.Endpoint > maxEndpoint || mirrors(config, config.Endpoint):
		return fmt.Errorf("--hub-endpoint %d: want 1 to %d, and none of the %d from --mirror-endpoint %d on",
			config.Endpoint, maxEndpoint, hub.DeviceLogSize, config.MirrorEndpoint)
	}
	if err := config.Gas.Check(); err != nil {
		return fmt.Errorf("--gas-supply: %w", err)
	}
	if err := config.Electricity.Check(); err != nil {
		return fmt.Errorf("--electricity-supply: %w", err)
	}
	return nil
}

// maxEndpoint is the highest endpoint that an application may use (Zigbee §2.2.4.1.3).
const maxEndpoint = 240

// mirrors reports whether an endpoint may become that of a mirror.
func mirrors(c hub.Config, endpoint uint8) bool {
	return endpoint >= c.MirrorEndpoint && endpoint < c.MirrorEndpoint+hub.DeviceLogSize
}

// The slowest clock is what the hub's records can tell from one that stands still, the
// fastest has a heartbeat every 18 ms.
const (
	MinSpeed = 0.001
	MaxSpeed = 100_000
)

// CheckSpeed refuses a speed that no clock can have.
func CheckSpeed(speed float64) error {
	if speed >= MinSpeed && speed <= MaxSpeed { // NaN is neither
		return nil
	}
	return fmt.Errorf("--speed %g: want %g to %d", speed, MinSpeed, MaxSpeed)
}
