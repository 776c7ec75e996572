package foreign

import (
	"fmt"
	"io"
)

// Fprintf is fmt.Fprintf for people: texts among the arguments can have any origin, and
// each becomes one harmless line.
func Fprintf(w io.Writer, format string, args ...any) {
	for i, a := range args {
		switch a.(type) {
		case string, error, fmt.Stringer:
			text := fmt.Sprint(a)
			if line := Line(text); line != text {
				args[i] = line
			}
		}
	}
	fmt.Fprintf(w, format, args...)
}
