package metering

import (
	"testing"
	"time"

	"github.com/commshub/commshub/internal/codectest"
)

const configureMirrorGolden = `
	01 00 00 30 # issuer event
	08 07 00    # 1800 s
	01          # report notification flags
	02          # scheme B`

func TestConfigureMirror(t *testing.T) {
	golden := codectest.Hex(t, configureMirrorGolden)
	codectest.RoundTrip(t, golden, ConfigureMirror{
		IssuerEventID: 0x30000001, ReportingInterval: 1800, NotificationReporting: true, Scheme: SchemeB,
	}, ConfigureMirror.Append, ParseConfigureMirror)
	codectest.RefusesPrefixes(t, golden, ParseConfigureMirror)
}

func TestConfigureMirrorIntervalIsInSeconds(t *testing.T) {
	if got := (ConfigureMirror{ReportingInterval: 1800}).Interval(); got != 30*time.Minute {
		t.Errorf("Interval() = %v, want 30m", got)
	}
}

func FuzzParseConfigureMirror(f *testing.F) {
	f.Add(codectest.Hex(f, configureMirrorGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseConfigureMirror(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ConfigureMirror.Append, ParseConfigureMirror)
		}
	})
}
