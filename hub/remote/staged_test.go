package remote

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/hub/store"
)

// TestWhatACommandChangesIsKeptWithItsCounter, in one commit: a power cut leaves both, or
// neither.
func TestWhatACommandChangesIsKeptWithItsCounter(t *testing.T) {
	const member han.EUI64 = 0x00DB1234567890A1
	records := store.NewMemory()
	commits := 0
	records.Watched(func() func(error) { return func(error) { commits++ } })
	var e *Endpoint
	e = New(Config{Function: chf, Role: gbcs.RoleCHF, Layout: gbcs.LayoutDLMS, Parties: []han.EUI64{supplier}, Security: core.Security{Policy: seal.Any}},
		records, map[gbcs.MessageCode]core.Handler{
			gbcs.CodeReadESMEFirmwareVersion: func(now time.Time, _ *han.Outbox, _ core.Command) (gbcs.Payload, error) {
				message, changes := e.Alert(now, gbcs.CodeGenericNonCriticalAlert, gbcs.AlertGSMECommandNotRetrieved,
					func(h gbcs.AlertHead) gbcs.Payload { return gbcs.GenericAlert{AlertHead: h} })
				if m, err := gbcs.ParseMessage(message); err != nil || m.OriginatorCounter != 1 {
					t.Errorf("alert %+v, %v", m, err)
				}
				e.Stage(append(changes, store.Put(store.Device{EUI64: member}))...)
				return gbcs.ReadESMEFirmwareVersionResponse{}, nil
			},
		})
	said, err := e.HandleMessage(start, new(han.Outbox), command(5))
	if err != nil || len(said) != 1 || commits != 1 {
		t.Fatalf("said %x, %v, in %d commits; want the response in one", said, err, commits)
	}
	p, _ := records.RemoteParty(chf, supplier)
	if _, there := records.Device(member); !there || p.Counter != 5 || p.Alerts != 1 || len(p.Response) == 0 {
		t.Errorf("device there: %v, remembered %+v", there, p)
	}
}

// TestAnAlertCountsOnceItIsCommitted: one whose change was not kept was never told.
func TestAnAlertCountsOnceItIsCommitted(t *testing.T) {
	records := store.NewMemory()
	e := endpoint(records)
	counter := func() uint64 {
		message, changes := e.Alert(start, gbcs.CodeGenericCriticalAlert, gbcs.AlertCriticalDutyCycle,
			func(h gbcs.AlertHead) gbcs.Payload { return gbcs.GenericAlert{AlertHead: h} })
		m, err := gbcs.ParseMessage(message)
		if err != nil {
			t.Fatal(err)
		}
		if m.OriginatorCounter == 1 {
			return 1 // and is forgotten
		}
		if err := records.Commit(changes...); err != nil {
			t.Fatal(err)
		}
		return m.OriginatorCounter
	}
	if a, b := counter(), counter(); a != 1 || b != 1 {
		t.Errorf("counters %d and %d, want 1 twice", a, b)
	}
	_, changes := e.Alert(start, gbcs.CodeGenericCriticalAlert, gbcs.AlertCriticalDutyCycle,
		func(h gbcs.AlertHead) gbcs.Payload { return gbcs.GenericAlert{AlertHead: h} })
	if err := records.Commit(changes...); err != nil {
		t.Fatal(err)
	}
	if got := counter(); got != 2 {
		t.Errorf("counter %d, want 2", got)
	}
}
