package ota

import (
	"testing"

	"github.com/commshub/commshub/han/zcl"
)

func TestSizesOfFramesAreThoseOnTheAir(t *testing.T) {
	size := func(c zcl.Command) int { return len(zcl.AppendFrame(nil, zcl.Header{ClusterSpecific: true}, c)) }
	for _, tt := range []struct {
		name      string
		got, want int
	}{
		{"block request", BlockRequestSize, size(ImageBlockRequest{})},
		{"block response", BlockOverhead + 48, size(ImageBlockResponse{Data: make([]byte, 48)})},
		{"wait", WaitSize, size(ImageBlockResponse{Status: zcl.StatusWaitForData, HasMinPeriod: true})},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d bytes reckoned, %d on the air", tt.name, tt.got, tt.want)
		}
	}
}
