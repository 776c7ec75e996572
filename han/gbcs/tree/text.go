package tree

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
)

func octets(b []byte) string  { return strings.ToUpper(hex.EncodeToString(b)) }
func nothing([]byte) string   { return "" }
func decimal(b []byte) string { return fmt.Sprint(number(b)) }

// number reads a big-endian number of at most 8 bytes.
func number(b []byte) uint64 {
	var v uint64
	for _, octet := range b {
		v = v<<8 | uint64(octet)
	}
	return v
}

// eui returns an identifier of 8 bytes; bytes of another length as they are.
func eui(b []byte) string {
	if len(b) != han.EUI64Size {
		return octets(b)
	}
	return han.EUI64(binary.BigEndian.Uint64(b)).String()
}

func messageCode(b []byte) string {
	u, _ := gbcs.UseCaseOf(gbcs.MessageCode(number(b)))
	return strings.TrimRight(fmt.Sprintf("%04X %s", number(b), u), " ")
}

// alertCode returns an alert code with its text; without a text it stands alone.
func alertCode(v uint64) string {
	name := gbcs.AlertCode(v).String()
	if v > math.MaxUint16 || strings.HasPrefix(name, "alert code") {
		return fmt.Sprintf("%04X", v)
	}
	return fmt.Sprintf("%04X %s", v, name)
}

func named(names map[uint64]string, v uint64) string {
	if name, ok := names[v]; ok {
		return fmt.Sprintf("%d %s", v, name)
	}
	return fmt.Sprint(v)
}

// seconds returns an instant in seconds since 2000, or one of the two that are none.
func seconds(v uint32) string {
	switch v {
	case 0:
		return "0"
	case uint32(zcl.UTCTimeInvalid):
		return "FFFFFFFF"
	default:
		return zcl.UTCTime(v).Time().Format(time.DateTime)
	}
}

// words returns bytes as the text they are, in quotes; as hex if they are no text.
func words(b []byte) string {
	if len(b) == 0 {
		return `""`
	}
	for _, c := range b {
		if c < 0x20 || c > 0x7E {
			return octets(b)
		}
	}
	return fmt.Sprintf("%q", b)
}

// obis returns an OBIS code as it is printed.
func obis(b []byte) string {
	return fmt.Sprintf("%d-%d:%d.%d.%d.%d", b[0], b[1], b[2], b[3], b[4], b[5])
}

// The octets of DLMS that stand for no certain date or time (Green Book, date_time).
const (
	anyOctet       = 0xFF
	lastWeekday    = 0xFE // of a day: the last of its month; of a month: daylight saving begins
	beforeLast     = 0xFD // the one before; daylight saving ends
	anyYear        = 0xFFFF
	anyDeviation   = 0x8000
	dateSize       = 5
	timeSize       = 4
	dateTimeSize   = 12
	obisSize       = 6
	deviationStart = dateSize + timeSize
)

// dateTime returns a DLMS date-time of 12 bytes; false if it is not one.
func dateTime(b []byte) (string, bool) {
	if len(b) != dateTimeSize {
		return "", false
	}
	switch start := b[:deviationStart]; {
	case allAre(start, 0):
		return "now", true // an activation date-time
	case allAre(start, anyOctet):
		return "never", true
	}
	day, ok := date(b[:dateSize])
	clock, ok2 := clockTime(b[dateSize:deviationStart])
	if !ok || !ok2 {
		return "", false
	}
	text := day + " " + clock
	if deviation := int16(binary.BigEndian.Uint16(b[deviationStart:])); uint16(deviation) != anyDeviation && deviation != 0 {
		text += fmt.Sprintf(" deviation %d minutes", deviation)
	}
	if status := b[dateTimeSize-1]; status != anyOctet && status != 0 {
		text += fmt.Sprintf(" status %02X", status)
	}
	return text, true
}

func allAre(b []byte, want byte) bool {
	for _, octet := range b {
		if octet != want {
			return false
		}
	}
	return true
}

// date returns a DLMS date of 5 bytes; false if it is not one.
func date(b []byte) (string, bool) {
	if len(b) != dateSize {
		return "", false
	}
	year, month, day, weekday := binary.BigEndian.Uint16(b), b[2], b[3], b[4]
	text := fmt.Sprintf("%04d", year)
	if year == anyYear {
		text = "every year"
	}
	switch {
	case month >= 1 && month <= 12:
		text += fmt.Sprintf("-%02d", month)
	case month == anyOctet:
		text += ", every month"
	case month == lastWeekday:
		text += ", month when daylight saving begins"
	case month == beforeLast:
		text += ", month when daylight saving ends"
	default:
		return "", false
	}
	switch {
	case day >= 1 && day <= 31:
		text += fmt.Sprintf("-%02d", day)
	case day == anyOctet:
		text += ", every day"
	case day == lastWeekday:
		text += ", last day"
	case day == beforeLast:
		text += ", second last day"
	default:
		return "", false
	}
	if weekday >= 1 && weekday <= 7 {
		text += " " + time.Weekday(weekday%7).String()
	} else if weekday != anyOctet {
		return "", false
	}
	return text, true
}

// clockTime returns a DLMS time of 4 bytes; false if it is not one.
func clockTime(b []byte) (string, bool) {
	if len(b) != timeSize {
		return "", false
	}
	parts := make([]string, timeSize)
	for i, limit := range [timeSize]byte{23, 59, 59, 99} {
		switch {
		case b[i] == anyOctet:
			parts[i] = "*"
		case b[i] <= limit:
			parts[i] = fmt.Sprintf("%02d", b[i])
		default:
			return "", false
		}
	}
	return strings.Join(parts[:3], ":") + "." + parts[3], true
}
