package dtls

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/commshub/commshub/han"
)

func TestDeviceWaitsForItsCarrierAndItsHub(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		client := h.startDevice(gasMeter, func(o *ClientOptions) { o.Certificate = h.certificate(gasMeter) })
		client.CarrierUp(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		h.read()
		started := client.Counters().HandshakesStarted
		time.Sleep(time.Hour)
		if now := client.Counters().HandshakesStarted; now != started {
			t.Errorf("%d handshakes without a carrier", now-started)
		}
		client.CarrierUp(true)
		time.Sleep(time.Hour)
		h.expect("00DB1234567890A1 failed: no answer within 10s") // once
		h.startHub(nil)
		time.Sleep(defaultRetryMax)
		h.expectEstablished(gasMeter)
	})
}

func TestResetMakesANewAssociationBesideTheOld(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server, client := h.startHub(nil), h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		h.setFilter(func(_ han.EUI64, _ bool, datagram []byte) bool {
			what, _ := classify(datagram)
			return what == protected
		})
		client.Reset()
		h.mustTalk(server, gasMeter, client) // on the old one
		h.setFilter(nil)
		time.Sleep(defaultFlightInterval)
		h.expectEstablished(gasMeter)
		h.mustTalk(server, gasMeter, client)
	})
}

func TestAnswersKeepTheAssociation(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server, client := h.startHub(nil), h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		for range 10 {
			for range defaultUnanswered {
				if err := client.Send([]byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(defaultPatience / 2)
			if err := server.Send(gasMeter, []byte("y")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if c := client.Counters(); c.HandshakesStarted != 1 {
			t.Errorf("%d handshakes", c.HandshakesStarted)
		}
	})
}

func TestSilentHubIsAskedLessAndLess(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.startHub(nil)
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		for range 3600 { // one record a second, never an answer
			if err := client.Send([]byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		// 2, 4, 8 … 60 s of patience, and 3 s until three records went unanswered.
		if c := client.Counters(); c.HandshakesStarted < 50 || c.HandshakesStarted > 70 {
			t.Errorf("%d handshakes in an hour", c.HandshakesStarted)
		}
	})
}
