// Package z2mtest runs the bridge against the real zigbee2mqtt, with Mosquitto as
// broker. The radio alone is simulated: npm/radio.cjs takes the place of
// zigbee-herdsman's adapter and plays one sleepy device.
//
// The test needs programs that `go test ./...` does without, so it has the build
// tag z2m; `.ci/run bridge` installs them and runs it.
package z2mtest
