package api

import (
	"fmt"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

func TestTwoOperationsOfOneNamePanic(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "api: two operations are named read-hub"; got != want {
			t.Errorf("panicked with %q, want %q", got, want)
		}
	}()
	a := &API{failures: map[string][]int{"read-hub": nil}}
	register[struct{}, struct{}](a, huma.Operation{OperationID: "read-hub"}, nil, nil)
}
