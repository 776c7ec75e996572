package battery

import (
	"math"
	"strconv"
)

// Percent writes a share of a cell, in percent, so that one update shows: with four
// decimals, a fiftieth of a milliampere-hour of 19 Ah, rounded down, so that 100 % are
// only said of a new cell.
func Percent(percent float64) string {
	return strconv.FormatFloat(math.Floor(percent*10_000)/10_000, 'f', 4, 64) + " %"
}

// Days writes how long a cell lasts so that one update shows: in hundredths of a day, and
// with many of them in years too.
func Days(days float64) string {
	const year = 365.25
	text := groups(strconv.FormatFloat(days, 'f', 2, 64)) + " days"
	if days >= 2*year {
		text += " (" + strconv.FormatFloat(days/year, 'f', 1, 64) + " years)"
	}
	return text
}

// groups puts commas between groups of three digits before the point.
func groups(number string) string {
	for i := len(number) - len(".00") - 3; i > 0; i -= 3 {
		number = number[:i] + "," + number[i:]
	}
	return number
}
