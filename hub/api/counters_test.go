package api_test

import "testing"

func TestAnOrderHasTheCounterThatWasTheNext(t *testing.T) {
	s := newServer(t)
	s.json("POST", "/v1/devices", addGSME)
	counters := func() map[string]any {
		t.Helper()
		_, v := s.json("GET", "/v1/counters", "")
		list, _ := v["counters"].([]any)
		if len(list) != 2 {
			t.Fatalf("counters of %v, want those of the gas meter and, of the broker's order to add it, of the CHF", v)
		}
		c := list[0].(map[string]any)
		if c["device"] != gsme || c["supplier"] == nil {
			t.Errorf("%v, want the gas meter's and the supplier's", c)
		}
		return c
	}
	before := counters()
	if before["last_counter"] != nil || before["last_used_at"] != nil {
		t.Errorf("there was no order yet: %v", before)
	}
	if resp, body := s.send("POST", "/v1/devices/"+gsme+"/firmware-version", ""); resp.StatusCode != 202 {
		t.Fatal(body)
	}
	after := counters()
	next, _ := before["next_counter"].(float64)
	if after["last_counter"] != next || after["next_counter"] != next+1 || after["last_used_at"] == nil {
		t.Errorf("before the order %v, after it %v", before, after)
	}
}
