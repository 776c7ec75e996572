package bootloader

import "bytes"

// Program is how an application image behaves once it runs. Divergence: payloads are
// not executed. A payload that begins with the marker below says what to
// emulate; every other payload works.
type Program uint8

const (
	// ProgramWorks passes its self-test.
	ProgramWorks Program = iota
	// ProgramFailsSelfTest boots, fails its self-test and asks for the old image.
	ProgramFailsSelfTest
	// ProgramHangs boots and does nothing until the watchdog resets the meter.
	ProgramHangs
)

var programNames = [...]string{"works", "fails-self-test", "hangs"}

// String returns the name used on the command line.
func (p Program) String() string { return programNames[p] }

// ParseProgramName reads the name used on the command line.
func ParseProgramName(name string) (Program, bool) {
	for p, n := range programNames {
		if n == name {
			return Program(p), true
		}
	}
	return 0, false
}

var programMarker = []byte("commshub application\n")

// Append appends the marker and the program to a payload under construction.
func (p Program) Append(payload []byte) []byte {
	return append(append(payload, programMarker...), byte(p))
}

// ParseProgram reads what Append wrote.
func ParseProgram(payload []byte) Program {
	rest, ok := bytes.CutPrefix(payload, programMarker)
	if ok && len(rest) > 0 && int(rest[0]) < len(programNames) {
		return Program(rest[0])
	}
	return ProgramWorks
}
