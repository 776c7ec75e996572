package tree

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/commshub/commshub/han/gbcs"
)

//go:embed orders.txt
var orderTable string

// dlmsOrders reads the table once: what the DLMS command of a use case names, in its
// order. One that cannot be read is a programmer's error and panics.
var dlmsOrders = sync.OnceValue(func() map[gbcs.MessageCode][]cosemMember {
	orders, err := readOrders(orderTable)
	if err != nil {
		panic("tree: orders.txt: " + err.Error())
	}
	return orders
})

func readOrders(table string) (map[gbcs.MessageCode][]cosemMember, error) {
	orders := map[gbcs.MessageCode][]cosemMember{}
	var code gbcs.MessageCode
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case len(words) == 1:
			n, err := strconv.ParseUint(words[0], 16, 16)
			if err != nil {
				return nil, err
			}
			code = gbcs.MessageCode(n)
			if _, twice := orders[code]; twice {
				return nil, fmt.Errorf("message code %04X is there twice", n)
			}
			orders[code] = nil
		case len(words) == 3:
			class, err := parseClass(words[0])
			if err != nil {
				return nil, err
			}
			orders[code] = append(orders[code], cosemMember{class, words[1], words[2]})
		default:
			return nil, fmt.Errorf("line %q, want a message code, or class, object and member", strings.TrimSpace(line))
		}
	}
	return orders, nil
}
