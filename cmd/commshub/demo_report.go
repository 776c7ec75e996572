package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/hub"
)

// Outcomes of a demo.
const (
	outcomeUpdated     = "updated"     // both meters run the new firmware
	outcomeRefused     = "refused"     // a meter found the image bad
	outcomeFailed      = "failed"      // the update of a meter ended otherwise
	outcomeTimeout     = "timeout"     // it took too long
	outcomeInterrupted = "interrupted" // somebody stopped it
)

// demoReport is the outcome of a demo, as --json prints it.
type demoReport struct {
	Outcome string        `json:"outcome"`
	Reason  string        `json:"reason,omitempty"`
	Meters  []meterReport `json:"meters"`
}

// meterReport is what one meter's update came to. Hashes and versions are in hex.
type meterReport struct {
	EUI              string  `json:"eui"`
	Kind             string  `json:"kind"`
	State            string  `json:"state"`
	Reason           string  `json:"reason,omitempty"`
	VersionBefore    string  `json:"version_before"`
	VersionAfter     string  `json:"version_after"`
	ImageSHA256      string  `json:"image_sha256"`
	SlotSHA256       string  `json:"slot_sha256"` // of the slot that runs
	Windows          uint32  `json:"windows"`
	Blocks           uint32  `json:"blocks"`
	Retries          uint32  `json:"retries"`
	RadioOnMS        int64   `json:"radio_on_ms"`
	ChargeMicroampHr float64 `json:"charge_uAh"`
	EmulatedSeconds  float64 `json:"emulated_seconds"` // from the first block to the new firmware
	Handshakes       uint64  `json:"dtls_handshakes"`
}

func meterReportOf(kind hub.Kind, s meter.Status, fileHash [32]byte) meterReport {
	u := s.Update
	end := max(u.CompletedAt, u.ActivatedAt)
	return meterReport{
		EUI: s.EUI64.String(), Kind: kind.String(), VersionAfter: fmt.Sprintf("%08X", s.Version),
		ImageSHA256: fmt.Sprintf("%x", fileHash), SlotSHA256: fmt.Sprintf("%x", s.SlotHash),
		Windows: u.Windows, Blocks: u.Blocks, Retries: u.Retries,
		RadioOnMS:        u.RadioOn.Milliseconds(),
		ChargeMicroampHr: math.Round(u.Charge.MicroampHours()*1000) / 1000,
		EmulatedSeconds:  (time.Duration(max(0, end-u.StartedAt)) * time.Microsecond).Round(time.Millisecond).Seconds(),
	}
}

// print writes the report for a person.
func (r demoReport) print(w io.Writer) error {
	if len(r.Meters) > 0 {
		t := newTable(w, "METER\tEUI64\tVERSION\tSTATE\tWINDOWS\tBLOCKS\tRETRIES\tRADIO ON\tCHARGE\tEMULATED TIME")
		for _, m := range r.Meters {
			t.row("%s\t%s\t%s → %s\t%s\t%d\t%d\t%d\t%v\t%.1f µAh\t%v", m.Kind, m.EUI, m.VersionBefore, m.VersionAfter, m.State,
				m.Windows, m.Blocks, m.Retries, time.Duration(m.RadioOnMS)*time.Millisecond, m.ChargeMicroampHr,
				time.Duration(m.EmulatedSeconds*float64(time.Second)).Round(time.Second))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "outcome: %s\n", r.Outcome)
	return err
}
