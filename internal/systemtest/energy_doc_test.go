package systemtest

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/hub/imagecache"
)

// TestTheFiguresOfTheManual holds the tables of docs/energy.md to what the simulation
// gives, within 1 % or one of the last digit, and prints the rows as they are now.
func TestTheFiguresOfTheManual(t *testing.T) {
	needsTime(t)
	text, err := os.ReadFile("../../docs/energy.md")
	if err != nil {
		t.Fatal(err)
	}
	manual := strings.Join(strings.Fields(string(text)), " ")
	rows := append(publishedRows(t), windowRows(t)...)
	rows = append(rows, blockSizeRows(t)...)
	rows = append(rows, lossyRows(t)...)
	for _, row := range rows {
		t.Log(row)
		if !has(manual, row) {
			t.Errorf("docs/energy.md lacks\n%s", row)
		}
	}
}

var number = regexp.MustCompile(`[0-9]+(\\?\.[0-9]+)?`)

// has reports whether a text has a row whose words are the same, and whose numbers are
// within 1 % or one of the last digit.
func has(text, row string) bool {
	numbers := number.FindAllString(row, -1)
	pattern := regexp.MustCompile(number.ReplaceAllLiteralString(regexp.QuoteMeta(row), `([0-9]+(?:\.[0-9]+)?)`))
	for _, found := range pattern.FindAllStringSubmatch(text, -1) {
		if slices.EqualFunc(found[1:], numbers, near) {
			return true
		}
	}
	return false
}

func near(written, given string) bool {
	_, decimals, _ := strings.Cut(given, ".")
	a, b := must(strconv.ParseFloat(written, 64)), must(strconv.ParseFloat(given, 64))
	return math.Abs(a-b) <= max(0.01*b, 1.001*math.Pow10(-len(decimals)))
}

// row writes a row of a table in Markdown.
func row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |" }

// publishedRows compare the charge of 750 kB in blocks of 48 bytes with what was
// published.
func publishedRows(t *testing.T) []string {
	im := exactImage(t, publishedSizes[2])
	var rows []string
	for i := range publishedTables {
		p := &publishedTables[i]
		if p.block != 48 {
			continue
		}
		got := p.download(t, im, 10*time.Second)
		rows = append(rows, row("`"+p.set+"`", fmt.Sprintf("%.2f mAh", p.images[2].mAh),
			shown(got.charge-got.around-got.records-got.supplier+got.reboot), shown(got.charge+got.reboot)))
	}
	return rows
}

// windowRows are the windows that 750 kB take, as published and under radio=.
func windowRows(t *testing.T) []string {
	im := exactImage(t, publishedSizes[2])
	var rows []string
	for i := range publishedTables {
		p := &publishedTables[i]
		if p.block != 48 || p.set == "2.4ghz-old" { // its radio is on as long as that of 2.4ghz-new
			continue
		}
		published, paced48 := []string{"`" + p.set + "`, published"}, []string{"`" + p.set + "`, `radio=`"}
		for j, budget := range publishedBudgets {
			got := paced{set: must(battery.Named(p.set)), policy: gasproxy.Radio(budget), image: im, seed: 1, blockSize: 48}.run(t)
			published, paced48 = append(published, fmt.Sprint(p.images[2].windows[j])), append(paced48, fmt.Sprint(got.windows))
		}
		rows = append(rows, row(published...), row(paced48...))
	}
	return rows
}

// blockSizeRows are charge and windows of 256 kB in blocks of several sizes, asked for
// one by one and in pages of 16.
func blockSizeRows(t *testing.T) []string {
	im := exactImage(t, 256<<10)
	sets := []battery.Set{must(battery.Named("2.4ghz-new")), must(battery.Named("868-gb"))}
	var rows []string
	for _, size := range []int{48, 56, 125, 255} {
		cells := []string{fmt.Sprint(size), fmt.Sprint(sets[0].Block(size).Fragments)}
		for _, set := range sets {
			for _, page := range []int{0, 16 * size} {
				cells = append(cells, downloadText(t, set, im, size, page))
			}
		}
		rows = append(rows, row(cells...))
	}
	return rows
}

func downloadText(t *testing.T, set battery.Set, im *imagecache.Image, size, page int) string {
	got := paced{set: set, policy: gasproxy.DefaultPolicy, image: im, seed: 1, blockSize: size, pageSize: uint16(page)}.run(t)
	return fmt.Sprintf("%.3f mAh, %d", mAh(got.charge), got.windows)
}

// lossyRows are the means of 256 kB at 868 MHz where a fifth of all frames is lost.
func lossyRows(t *testing.T) []string {
	const seeds = 5
	im := exactImage(t, 256<<10)
	var rows []string
	for _, c := range []struct {
		name       string
		size, page int
	}{{"48", 48, 0}, {"255", 255, 0}, {"255, in pages of 16", 255, 16 * 255}} {
		var charge, hours []float64
		for seed := range uint64(seeds) {
			got := paced{
				set: must(battery.Named("868-gb")), policy: gasproxy.DefaultPolicy, image: im, seed: seed + 1,
				loss: share(0.2), blockSize: c.size, pageSize: uint16(c.page),
			}.run(t)
			charge, hours = append(charge, mAh(got.charge)), append(hours, got.after.Hours())
		}
		rows = append(rows, row(c.name, fmt.Sprintf("%.2f mAh", mean(charge)), fmt.Sprintf("%.0f h", mean(hours))))
	}
	return rows
}

// shown writes a charge with three digits that count.
func shown(c battery.Charge) string {
	if mAh(c) < 1 {
		return fmt.Sprintf("%.3f mAh", mAh(c))
	}
	return fmt.Sprintf("%.2f mAh", mAh(c))
}
