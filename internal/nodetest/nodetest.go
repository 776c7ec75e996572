// Package nodetest records a short life of a home for tests of single nodes, and
// puts a hub with its supplier under test as devicetest does with devices. Only
// tests import it.
package nodetest

import (
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
)

// SuppliedHub is a hub with its supplier.
type SuppliedHub struct {
	*hub.Hub
	HeadEnd *headend.HeadEnd
}
