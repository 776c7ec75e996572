package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/foreign"
)

var poundsForm = regexp.MustCompile(`^£?([0-9]{1,4})(\.[0-9]{2})?$`)

// ParsePounds reads an amount such as 10 or 12.50, in pence.
func ParsePounds(s string) (uint32, error) {
	m := poundsForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("amount %q: want pounds, such as 10 or 12.50", s)
	}
	pence := m[1] + strings.TrimPrefix(m[2], ".")
	if m[2] == "" {
		pence += "00"
	}
	n, err := strconv.ParseUint(pence, 10, 32)
	return uint32(n), err
}

// TopUp has a gas meter credit so many pence, and tells the digits that do the same.
func TopUp(ctx context.Context, c *client.Client, w io.Writer, eui han.EUI64, pence uint32) error {
	var t api.TopUp
	if err := c.Call(ctx, http.MethodPost, "/v1/devices/"+eui.String()+"/top-up", map[string]uint32{"pence": pence}, &t); err != nil {
		return err
	}
	foreign.Fprintf(w, "the top-up waits for %s; typed at the meter, these digits do the same: %s\n", eui, t.UTRN)
	return nil
}

// Type has digits typed at a gas meter in the hub's process, and tells what its screen says. What
// was not credited is an error.
func Type(ctx context.Context, c *client.Client, w io.Writer, eui han.EUI64, digits string) error {
	var k api.Keyed
	if err := c.Call(ctx, http.MethodPost, "/lab/devices/"+eui.String()+"/keypad", map[string]string{"digits": digits}, &k); err != nil {
		return err
	}
	foreign.Fprintf(w, "%s, balance %s\n", k.Screen, k.Balance)
	if !k.Credited {
		return errors.New("the top-up was not credited")
	}
	return nil
}
