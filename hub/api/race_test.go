//go:build race

package api_test

// raceDetector slows everything down ten times and more, so that the big tests do
// less of the same.
const raceDetector = true
