package gasproxy

import (
	"strings"
	"testing"
)

func TestANameIsRegisteredOnce(t *testing.T) {
	defer func() {
		if v, ok := recover().(string); !ok || !strings.Contains(v, "blocks=50") || !strings.Contains(v, "blocks=no") {
			t.Errorf("panicked with %q, want both policies named", v)
		}
	}()
	register("blocks", "blocks=no", nil)
}
