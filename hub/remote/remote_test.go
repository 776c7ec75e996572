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

const (
	chf      han.EUI64 = 0x00DB1234567890A2
	supplier han.EUI64 = 0x90B3D51F30010000
)

var start = time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)

func endpoint(records *store.Store) *Endpoint {
	cfg := Config{Function: chf, Role: gbcs.RoleCHF, Layout: gbcs.LayoutDLMS, Parties: []han.EUI64{supplier},
		Security: core.Security{Policy: seal.Any}} // what is signed is none of its business
	return New(cfg, records, map[gbcs.MessageCode]core.Handler{
		gbcs.CodeReadESMEFirmwareVersion: func(time.Time, *han.Outbox, core.Command) (gbcs.Payload, error) {
			return gbcs.ReadESMEFirmwareVersionResponse{FirmwareVersion: 1}, nil
		},
	})
}

func command(counter uint64) []byte {
	return gbcs.Message{
		CRA: gbcs.Command, OriginatorCounter: counter, Originator: supplier, Recipient: chf,
		Code: gbcs.CodeReadESMEFirmwareVersion, Payload: gbcs.ReadESMEFirmwareVersionCommand{}.Append(nil),
	}.Append(nil)
}

// TestNothingIsSaidThatTheStoreDoesNotHold: what was not kept may come again.
func TestNothingIsSaidThatTheStoreDoesNotHold(t *testing.T) {
	records := store.NewMemory()
	e := endpoint(records)
	if said, err := e.HandleMessage(start, new(han.Outbox), command(5)); err != nil || len(said) != 1 {
		t.Fatalf("said %x, %v", said, err)
	}
	if err := records.Close(); err != nil {
		t.Fatal(err)
	}
	if said, err := e.HandleMessage(start, new(han.Outbox), command(6)); err == nil || len(said) != 0 {
		t.Errorf("with the store closed: said %x, %v", said, err)
	}
	if p, _ := records.RemoteParty(chf, supplier); p.Counter != 5 {
		t.Errorf("counter %d, want 5", p.Counter)
	}
}

// TestAlertsAreCounted on from the last, whichever endpoint sent it.
func TestAlertsAreCounted(t *testing.T) {
	records := store.NewMemory()
	for want := uint64(1); want < 4; want++ {
		said, err := endpoint(records).HandleMessage(start, new(han.Outbox), []byte("no message"))
		if err != nil || len(said) != 1 {
			t.Fatalf("said %x, %v", said, err)
		}
		m, err := gbcs.ParseMessage(said[0])
		if err != nil || m.CRA != gbcs.Alert || m.OriginatorCounter != want || m.Recipient != supplier {
			t.Errorf("said %+v, %v; want alert %d", m, err, want)
		}
	}
}
