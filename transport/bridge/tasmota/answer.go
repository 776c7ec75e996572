package tasmota

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxAnswer is the longest message taken from a device, in bytes; its own buffer
// for messages is shorter.
const maxAnswer = 4096

// answer is what a device says that matters here. What it does not say is empty.
type answer struct {
	upload  string // FileUpload: Started, Aborted, Done, Error 1, MD5 mismatch, …
	id      int    // of the upload; with it the device asks for the next piece
	maxSize int
	upgrade string // Upgrade: "Version 13.1.0 from http://…", "Successful. Restarting", "Failed …"
	otaURL  *string
	version string // of the firmware that runs
	unknown bool   // the device has no such command
}

// parseAnswer reads a message of a device. Members of other names are ignored:
// devices answer other people's commands on the same topics.
func parseAnswer(payload []byte) (answer, error) {
	if len(payload) > maxAnswer {
		return answer{}, fmt.Errorf("%d bytes, at most %d are taken", len(payload), maxAnswer)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil || members == nil {
		return answer{}, fmt.Errorf("want a JSON object")
	}
	a := answer{
		upload: text(members["FileUpload"]), upgrade: text(members["Upgrade"]),
		id: number(members["Id"]), maxSize: number(members["MaxSize"]),
		unknown: text(members["Command"]) == "Unknown",
	}
	if raw, ok := members["OtaUrl"]; ok {
		url := text(raw)
		a.otaURL = &url
	}
	var firmware struct{ Version string }
	if raw, ok := members["StatusFWR"]; ok && json.Unmarshal(raw, &firmware) == nil {
		a.version = firmware.Version
	}
	return a, nil
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// number reads a whole number, also one in a string, as some versions write it.
func number(raw json.RawMessage) int {
	n, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

var versionDigits = regexp.MustCompile(`^(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?:\D|$)`)

// minimalBuild reports whether a version such as 13.1.0(tasmota-minimal) is that of the
// minimal build.
func minimalBuild(version string) bool {
	_, build, _ := strings.Cut(version, "(")
	return strings.Contains(build, "minimal")
}

// parseVersion reads a version such as 13.1.0(tasmota) or 9.5.0.2 as a file
// version, one byte for each number.
func parseVersion(s string) (uint32, bool) {
	m := versionDigits.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	var version uint32
	for _, digits := range m[1:] {
		if digits == "" {
			digits = "0"
		}
		n, err := strconv.ParseUint(digits, 10, 8)
		if err != nil {
			return 0, false
		}
		version = version<<8 | uint32(n)
	}
	return version, true
}
