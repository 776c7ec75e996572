package flagvalue

import "github.com/commshub/commshub/han"

// EUI64s returns the devices that arguments name by their identifiers.
func EUI64s(args []string) ([]han.EUI64, error) {
	var devices []han.EUI64
	for _, a := range args {
		eui, err := han.ParseEUI64(a)
		if err != nil {
			return nil, err
		}
		devices = append(devices, eui)
	}
	return devices, nil
}
