package dtls

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/commshub/commshub/han"
)

// twins starts two devices with the keys of the gas meter, the second after the first was
// established.
func (h *home) startTwins() (server *Server, older, newer *Client) {
	h.t.Helper()
	h.twins = true
	named := func(name string) func(*ClientOptions) {
		return func(o *ClientOptions) {
			o.Established = func() { h.note("%s established", name) }
			o.Lost = func(reason error) { h.note("%s lost: %v", name, reason) }
			o.Receive = func(record []byte) { h.note("%s got %q", name, record) }
		}
	}
	server = h.startHub(nil)
	older = h.startDevice(gasMeter, named("older"))
	h.expectBoth("hub established "+gasMeter.String(), "older established")
	newer = h.startDevice(gasMeter, named("newer"))
	h.expectBoth("hub established "+gasMeter.String(), "newer established")
	return server, older, newer
}

// TestTheNewerOfTwoDevicesWithTheSameKeysWorks: the older is told under its own keys, by
// which nobody else could, and stays away for a minute, whatever becomes of its carrier.
func TestTheNewerOfTwoDevicesWithTheSameKeysWorks(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server, older, newer := h.startTwins()
		h.read()
		if err := older.Send([]byte("nobody hears it")); err != nil {
			t.Fatal(err)
		}
		h.expect() // the newer may be this one, and not have got that far
		if err := newer.Send([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		h.expect(fmt.Sprintf("hub got %q from %s", "ping", gasMeter))
		if err := older.Send([]byte("I am here")); err != nil {
			t.Fatal(err)
		}
		h.expectBoth(fmt.Sprintf("hub refused %s: %v", gasMeter, errTwo), fmt.Sprintf("older lost: %v", errGaveWay(awayMin)))
		for range 5 {
			time.Sleep(10 * time.Second)
			older.CarrierUp(false)
			older.CarrierUp(true)
			older.Reset()
			if err := newer.Send([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			h.expect(fmt.Sprintf("hub got %q from %s", "ping", gasMeter))
			if err := server.Send(gasMeter, []byte("pong")); err != nil {
				t.Fatal(err)
			}
			h.expect(`newer got "pong"`)
		}
		if n := older.Counters().HandshakesStarted; n != 1 {
			t.Errorf("the older one tried %d times", n-1)
		}
		time.Sleep(11 * time.Second)
		h.expectBoth("hub established "+gasMeter.String(), "older established") // it may be alone by now
	})
}

// TestTwoDevicesWithTheSameKeysDoNotDisplaceEachOtherForEver, though both go on for ten
// days: they come to one change a day, and most of what they say gets through.
func TestTwoDevicesWithTheSameKeysDoNotDisplaceEachOtherForEver(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server, older, newer := h.startTwins()
		const minutes = 10 * 24 * 60
		lastDay := uint64(0)
		for i := range minutes {
			if i == minutes-24*60 {
				lastDay = server.Counters().HandshakesCompleted
			}
			_, _ = older.Send([]byte("older")), newer.Send([]byte("newer"))
			synctest.Wait()
			_ = server.Send(gasMeter, []byte("answer"))
			time.Sleep(time.Minute)
		}
		c := server.Counters()
		if c.HandshakesCompleted > 40 || c.HandshakesCompleted-lastDay > 2 {
			t.Errorf("%d handshakes in ten days, %d on the last", c.HandshakesCompleted, c.HandshakesCompleted-lastDay)
		}
		if c.RecordsReceived < minutes-100 {
			t.Errorf("the hub got %d records in %d minutes", c.RecordsReceived, minutes)
		}
		h.read()
	})
}

// TestADeviceDoesNotGiveWayToItself when it makes a new association while it speaks on the
// one it has, which the hub has replaced already: the hub's last flight is late.
func TestADeviceDoesNotGiveWayToItself(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server := h.startHub(nil)
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		for range 200 {
			h.setFilter(func(_ han.EUI64, up bool, datagram []byte) bool { return up || datagram[0] != typeChangeCipherSpec })
			client.Reset()
			synctest.Wait()
			for range 3 {
				_ = client.Send([]byte("x"))
				synctest.Wait()
			}
			h.setFilter(nil)
			time.Sleep(2 * defaultFlightInterval)
			synctest.Wait()
		}
		if page := h.read(); strings.Contains(page, "lost") || strings.Contains(page, "refused") {
			t.Errorf("diary:\n%s", page)
		}
		h.mustTalk(server, gasMeter, client)
		if n := server.Counters().HandshakesCompleted; n < 200 {
			t.Errorf("%d handshakes only", n)
		}
	})
}
