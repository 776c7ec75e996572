// Package capturetest shows captures to programs of others: Debian's tshark dissects one
// of a whole update, and zigbee-herdsman reads each of its ZCL frames and writes it again.
//
// The tests need programs that `go test ./...` does without, so they have the build tag
// capture, with which a program that is missing fails; `.ci/run capture` installs them and
// runs the tests.
package capturetest
