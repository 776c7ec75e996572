package ota

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
)

// Published is an OTA file as its publisher handed it out.
type Published struct {
	*Image
	Wrapper  Wrapper
	Warnings []Warning // what is wrong with it and does not keep a device from loading it
}

// Warning is something wrong with a file, for a person and for a program.
type Warning struct {
	Code WarningCode
	Text string // one line
}

// WarningCode names a kind of warning.
type WarningCode string

// The warnings, at most one of each for a file.
const (
	WarningUnknownHeader   WarningCode = "unknown-header"    // fields, bits or a version that are not known here
	WarningContainer       WarningCode = "container"         // what is around the OTA file says something else than it
	WarningTotalSize       WarningCode = "total-size"        // the header's total image size and the sub-elements disagree
	WarningSecondImage     WarningCode = "second-image"      // another OTA file follows
	WarningBytesBehind     WarningCode = "bytes-behind"      // bytes behind the OTA file are left out
	WarningElementLength   WarningCode = "element-length"    // a sub-element is longer than the file
	WarningTrailingBytes   WarningCode = "trailing-bytes"    // bytes behind the last sub-element are none
	WarningEmptyImage      WarningCode = "empty-image"       // an upgrade image without a byte
	WarningIntegrityBad    WarningCode = "integrity-bad"     // the integrity code does not fit
	WarningIntegrityUnread WarningCode = "integrity-unread"  // an integrity code of another length than 16
	WarningTextMode        WarningCode = "line-ends-changed" // carriage returns were put before line feeds
)

// Open takes apart a file as it was published. What cannot be loaded is an error; what
// looks damaged and can be loaded comes with warnings, since makers publish such files.
func Open(published []byte) (*Published, error) {
	file, wrapper, err := Unwrap(published)
	if err != nil {
		return nil, textMode(published, err)
	}
	im, err := ParseImage(file)
	if err != nil {
		return nil, textMode(published, err)
	}
	p := &Published{Image: im, Wrapper: wrapper}
	p.look(published)
	return p, nil
}

func (p *Published) warn(code WarningCode, format string, args ...any) {
	p.Warnings = append(p.Warnings, Warning{code, fmt.Sprintf(format, args...)})
}

// look finds what is wrong with the file.
func (p *Published) look(published []byte) {
	p.lookAtHeader()
	damaged := len(p.Warnings)
	p.lookAround(published)
	if len(p.Warnings) == damaged || p.Warnings[len(p.Warnings)-1].Code != WarningTotalSize {
		p.lookAtElements() // a wrong total size cuts the last one off
	}
	p.lookAtIntegrity()
	if len(p.Warnings) > damaged && lineEndsChanged(published) {
		p.warn(WarningTextMode, "%s", textModeText)
	}
}

func (p *Published) lookAtHeader() {
	const shown = 16
	h, unknown := p.Header, ""
	add := func(format string, args ...any) { unknown += ", " + fmt.Sprintf(format, args...) }
	if h.MinorVersion != 0 {
		add("version %02X%02X", headerMajor, h.MinorVersion)
	}
	if h.ReservedFields != 0 {
		add("reserved bits %04X in the field control", h.ReservedFields)
	}
	if n := len(h.Extra); n > 0 {
		first, more := hex.EncodeToString([]byte(h.Extra[:min(n, shown)])), ""
		if n > shown {
			more = "…"
		}
		add("%d bytes behind the known fields (%s%s)", n, first, more)
	}
	if unknown != "" {
		p.warn(WarningUnknownHeader, "the header has what is not known here, kept and not read: %s", unknown[2:])
	}
}

// lookAround looks at what is around the OTA file.
func (p *Published) lookAround(published []byte) {
	if p.Wrapper.Fault != "" {
		p.warn(WarningContainer, "%s", p.Wrapper.Fault)
	}
	behind := published[p.Wrapper.Prefix+len(p.File):]
	if len(behind) == 0 {
		return
	}
	whole := published[p.Wrapper.Prefix:]
	if n, end := skipSubElements(whole, p.Header.Size()); n > 0 && end == len(whole) {
		p.warn(WarningTotalSize, "the header's total image size is %d, but the sub-elements end at %d, where the file ends: a device gets the first %d bytes alone",
			p.Header.TotalSize, end, p.Header.TotalSize)
		return
	}
	at := p.Wrapper.Prefix + len(p.File)
	if i, h, ok := findHeader(behind, len(behind)); ok {
		p.warn(WarningSecondImage, "another OTA file, %s, begins at byte %d: the first, %s, is the one taken; cut the file to take the other (tail -c +%d)",
			h.ImageID, at+i, p.Header.ImageID, at+i+1)
		return
	}
	if p.Wrapper.Name != ngisName {
		p.warn(WarningBytesBehind, "%s behind the OTA file, whose header says %d bytes, left out", count(len(behind)), p.Header.TotalSize)
	}
}

// lookAtElements looks for lengths that cannot be right. An image without sub-elements
// is legal: only one whose first bytes are a tag that there is has a length to be wrong.
func (p *Published) lookAtElements() {
	rest, at := p.Trailing, len(p.File)-len(p.Trailing)
	switch p.Layout {
	case LayoutElements:
		for e := range p.Elements() {
			if e.Tag == TagUpgradeImage && len(e.Data) == 0 {
				p.warn(WarningEmptyImage, "the upgrade image at byte %d is empty", e.Offset)
				break
			}
		}
	case LayoutOpaque:
		rest, at = p.ManufacturerImage, p.Header.Size()
	case LayoutGB:
		return
	}
	tag, length, ok := announced(rest)
	switch {
	case ok:
		p.warn(WarningElementLength, "sub-element %04X (%s) at byte %d says %d bytes, but %d follow: its length, or one before it, is wrong",
			uint16(tag), tag, at, length, len(rest)-subElementHeader)
	case p.Layout == LayoutElements && len(rest) > 0:
		p.warn(WarningTrailingBytes, "%s at the end, from byte %d on: no sub-element", count(len(rest)), at)
	}
}

// count writes a number of bytes.
func count(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// announced reads the tag and length in front of bytes that are no whole sub-element, if
// the tag is one that there is and the length one that a file can have.
func announced(rest []byte) (tag Tag, length uint32, ok bool) {
	if len(rest) < subElementHeader {
		return 0, 0, false
	}
	tag, length = subElementAt(rest)
	switch {
	case tag <= TagCertificateSuite2:
		return tag, length, true
	case tag >= TagManufacturerSpecific:
		return tag, length, length <= MaxFileSize
	default:
		return tag, length, false
	}
}

func (p *Published) lookAtIntegrity() {
	switch p.Integrity {
	case IntegrityBad:
		p.warn(WarningIntegrityBad, "the image integrity code does not fit the bytes before it: the file is damaged")
	case IntegrityAbsent:
		for e := range p.Elements() {
			if e.Tag == TagIntegrityCode {
				p.warn(WarningIntegrityUnread, "the image integrity code at byte %d has %d bytes, want 16: it is not checked", e.Offset, len(e.Data))
				return
			}
		}
	default:
	}
}

const textModeText = "every line feed in the file follows a carriage return: a transfer in text mode changed it; fetch it again in binary mode"

// lineEndsChanged reports whether a transfer in text mode put carriage returns before
// the line feeds. A binary of any length has line feeds without one.
func lineEndsChanged(published []byte) bool {
	const fewest = 4 // by chance once in 4,000 million files
	n := bytes.Count(published, []byte{'\n'})
	return n >= fewest && n == bytes.Count(published, []byte("\r\n"))
}

// lineEndsTaken reports whether a transfer in text mode took the carriage returns away:
// a binary in which every other value occurs has some of them.
func lineEndsTaken(published []byte) bool {
	const fewest = 16 << 10 // by chance once in 10²⁷ files
	var seen [256]bool
	for _, b := range published {
		seen[b] = true
	}
	return len(published) >= fewest && !seen['\r'] && !slices.Contains(slices.Delete(seen[:], '\r', '\r'+1), false)
}

// textMode adds to why a file is refused what may have happened to it.
func textMode(published []byte, err error) error {
	switch {
	case !bytes.Contains(published, magicBytes):
		return err
	case lineEndsChanged(published):
		return fmt.Errorf("%w; %s", err, textModeText)
	case lineEndsTaken(published):
		return fmt.Errorf("%w; no carriage return is among its bytes, and every other value is: a transfer in text mode took them; fetch it again in binary mode", err)
	}
	return err
}
