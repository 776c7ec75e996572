package battery

import "fmt"

// Upgrade returns a ledger as [Ledger.Restore] reads it, by that of flash layout 1, which
// had neither layout nor number of causes in front. The causes were these without the last
// two.
func Upgrade(b []byte) ([]byte, error) {
	const causes = CauseReboot + 1
	if len(b) != 8*(int(causes)+2) {
		return nil, fmt.Errorf("battery's ledger: %d bytes, want %d", len(b), 8*(int(causes)+2))
	}
	return append([]byte{ledgerLayout, byte(causes)}, b...), nil
}
