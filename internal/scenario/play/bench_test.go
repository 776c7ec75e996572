package play

import (
	"syscall"
	"testing"
	"time"
)

// BenchmarkUpdate is one update of a gas meter, from the first boot to the new
// firmware: 750 kB in blocks of 48 bytes, 10 s of radio-on time per window.
func BenchmarkUpdate(b *testing.B) {
	benchmark(b, "devices: {gas: {kind: GSME}}\nimage: {size: 750kB}\nblock_size: 48\nexpect: {version: 02000000}\n")
}

// BenchmarkTenYears is ten years of heartbeats of a gas meter, one each half hour.
func BenchmarkTenYears(b *testing.B) {
	benchmark(b, "devices: {gas: {kind: GSME}}\nduration: 3653d\nstop: duration\n")
}

// BenchmarkHome is a gas meter for 14 days, in which it takes an image of 256 kB.
func BenchmarkHome(b *testing.B) {
	benchmark(b, "devices: {gas: {kind: GSME}}\nimage: {size: 256kB}\nduration: 14d\nstop: duration\nexpect: {version: 02000000}\n")
}

// BenchmarkWholeHome is the same with an electricity meter, which takes the image
// too, and a display.
func BenchmarkWholeHome(b *testing.B) {
	benchmark(b, "devices: {gas: {kind: GSME}, power: {kind: ESME}, display: {kind: IHD}}\nimage: {size: 256kB}\n"+
		"duration: 14d\nstop: duration\nexpect: {version: 02000000}\n")
}

func benchmark(b *testing.B, text string) {
	s := stage(b, "x.yaml", text)
	b.ReportAllocs()
	began := processorTime(b)
	for seed := uint64(1); b.Loop(); seed++ {
		if r, err := s.Play(seed, Options{}); err != nil || !r.Passed() {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(processorTime(b)-began)/float64(time.Millisecond)/float64(b.N), "cpu-ms/op")
}

// processorTime returns what this process has computed so far; on a busy machine
// the wall clock says little.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
