package home

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/commshub/commshub/transport/fault"
)

// Loss is the share of a device's radio frames that are lost, as a person gives it.
type Loss fault.Share

// ParseLoss reads a share in percent, such as "10%" or "0.5".
func ParseLoss(text string) (Loss, error) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(percent >= 0 && percent <= 100) { // so written, NaN is refused too
		return 0, fmt.Errorf("want a share from 0%% to 100%%, such as 10%%")
	}
	return Loss(fault.Percent(percent)), nil
}

// String returns the share in percent.
func (l Loss) String() string { return fmt.Sprintf("%g%%", fault.Share(l).Percent()) }

// Link returns a link on which so much is lost, and nothing else goes wrong.
func (l Loss) Link() fault.Link { return fault.Link{Loss: fault.Share(l)} }
