package utrn

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
)

// Codes that SmartDCC publishes with gbcs-parser, and the one in CS01b of RTDS 4.5.0.
func TestThePublishedCodesAreRead(t *testing.T) {
	for digits, want := range map[string]Token{
		"73943333457189043313": {Counter: 1, Class: Pounds, Value: 100},
		"73947252416745201637": {Counter: 4, Class: Pence, Value: 1234},
		"73950067887105178605": {Counter: 6, Class: Pence, Value: 1250},
	} {
		got, err := Parse(digits)
		if err != nil {
			t.Errorf("%s: %v", digits, err)
			continue
		}
		if got.String() != digits {
			t.Errorf("%s is written %s", digits, got)
		}
		if want.MAC = got.MAC; got != want {
			t.Errorf("%s: %+v, want %+v", digits, got, want)
		}
	}
	for _, digits := range []string{"74301825837596672005", "73946144332040217315"} {
		if got := checkDigit(digits[:Digits-1]); got != digits[Digits-1] {
			t.Errorf("check digit of %s: %c", digits, got)
		}
	}
}

func someToken(t *rapid.T) Token {
	return Token{
		Counter: rapid.Uint16Range(0, 1023).Draw(t, "counter"),
		Class:   Class(rapid.Uint8Range(0, 1).Draw(t, "class")),
		Value:   rapid.Uint16Range(0, MaxValue).Draw(t, "value"),
		MAC:     rapid.Uint32().Draw(t, "MAC"),
	}
}

func TestATokenIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := someToken(t)
		digits := want.String()
		got, err := Parse(digits)
		if err != nil || got != want || len(digits) != Digits {
			t.Fatalf("%s: %+v, %v; want %+v", digits, got, err, want)
		}
	})
}

// What people do when they type: one digit wrong, or two neighbours in each other's place.
func TestOneErrorOfTypingIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := []byte(someToken(t).String())
		at := rapid.IntRange(0, Digits-2).Draw(t, "at")
		if rapid.Bool().Draw(t, "swapped") {
			digits[at], digits[at+1] = digits[at+1], digits[at]
			if digits[at] == digits[at+1] {
				return
			}
		} else {
			digits[at] = '0' + (digits[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		}
		if _, err := Parse(string(digits)); !errors.Is(err, ErrCheckDigit) {
			t.Fatalf("%s is read: %v", digits, err)
		}
	})
}

// withCheckDigit returns 19 digits with theirs.
func withCheckDigit(pptd string) string { return pptd + string(checkDigit(pptd)) }

func TestWhatIsNoUTRNIsRefused(t *testing.T) {
	for digits, want := range map[string]string{
		"":                                               "0 digits, want 20",
		"7394333345718904331":                            "19 digits, want 20",
		"739433334571890433133":                          "21 digits, want 20",
		"7394333345718904331x":                           "want digits alone",
		"73943333457189043314":                           "check digit does not match",
		withCheckDigit("0000000000000000000"):            "a number of another kind",
		withCheckDigit("7394156990786306047"):            "a number of another kind",
		withCheckDigit("9999999999999999999"):            "a number of another kind",
		withCheckDigit("7538272178862161920"):            "a number of another kind", // 2^57 above the base
		Token{Class: 2, Value: 1}.String():               "class 2",
		Token{Class: 3, Value: 1}.String():               "class 3",
		strings.Repeat("٣", 10):                          "want digits alone",
		" 3943333457189043313":                           "want digits alone",
		"+3943333457189043313":                           "want digits alone",
		"７３９":                                            "9 digits",
		"7394 3333 4571 8904 3313":                       "24 digits, want 20",
		withCheckDigit("7394156990786306047")[:19] + "?": "want digits alone",
	} {
		if _, err := Parse(digits); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", digits, err, want)
		}
	}
}

const (
	supplier han.EUI64 = 0x90B3D51F30010000
	meter    han.EUI64 = 0x00DB1234567890A2
)

func common(t testing.TB, seed uint64) seal.Secret {
	t.Helper()
	s, err := seal.Agree(seal.Derive(seed, supplier).KA, seal.Derive(seed, meter).KA.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestATokenIsForOneMeterSupplierKeyAndCounter(t *testing.T) {
	secret, other := common(t, 1), common(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		c := Context{Originator: supplier, Meter: meter, TopUp: rapid.Uint32().Draw(t, "top-up")}
		token, err := Issue(secret, c, Class(rapid.IntRange(0, 1).Draw(t, "class")), rapid.Uint16Range(0, MaxValue).Draw(t, "value"))
		if err != nil || !token.Check(secret, c) {
			t.Fatalf("%+v does not hold: %v", token, err)
		}
		changed := c
		switch rapid.IntRange(0, 4).Draw(t, "change") {
		case 0:
			changed.Meter++
		case 1:
			changed.Originator++
		case 2:
			changed.TopUp += 1024
		case 3:
			token.Value ^= 1
		case 4:
			if token.Check(other, c) {
				t.Fatal("it holds with another key")
			}
			return
		}
		if token.Check(secret, changed) {
			t.Fatalf("%+v holds for %+v", token, changed)
		}
	})
}

func TestWhatDoesNotFitATokenIsRefused(t *testing.T) {
	for _, bad := range []struct {
		class Class
		value uint16
	}{{Pence, MaxValue + 1}, {Pounds, math.MaxUint16}, {2, 1}} {
		if token, err := Issue(common(t, 1), Context{}, bad.class, bad.value); err == nil {
			t.Errorf("%d %s: %s", bad.value, bad.class, token)
		}
	}
	if _, err := TopUpOf(6<<32 + 1); err == nil {
		t.Error("a counter with something in its lower half is one of a top-up")
	}
	if n, err := TopUpOf(6 << 32); err != nil || n != 6 {
		t.Errorf("counter 6·2^32: %d, %v", n, err)
	}
}

func TestAmounts(t *testing.T) {
	for _, pence := range []uint32{1, 100, MaxValue, 8200, 819100} {
		class, value, err := Amount(pence)
		if token := (Token{Class: class, Value: value}); err != nil || token.Pence() != pence {
			t.Errorf("%d pence: %d %s, %v", pence, value, class, err)
		}
	}
	for _, pence := range []uint32{0, MaxValue + 1, 819200, math.MaxUint32} {
		if class, value, err := Amount(pence); err == nil {
			t.Errorf("%d pence: %d %s", pence, value, class)
		}
	}
}

// The meter completes the ten bits of a counter that is near the highest it knows, however far
// the supplier has counted.
func TestACounterNearTheHighestIsCompleted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		highest := rapid.Uint32().Draw(t, "highest")
		topUp := int64(highest) + int64(rapid.IntRange(-511, 512).Draw(t, "ahead"))
		if topUp < 0 || topUp > math.MaxUint32 {
			return
		}
		candidates := Token{Counter: uint16(topUp & 1023)}.Counters(highest)
		if candidates[0] != uint32(topUp) {
			t.Fatalf("highest %d: %d, want %d", highest, candidates, topUp)
		}
		for _, c := range candidates {
			if c&1023 != uint32(topUp)&1023 {
				t.Fatalf("%d does not have the ten bits of %d", c, topUp)
			}
		}
	})
}

func TestCountersOutOfReach(t *testing.T) {
	for _, row := range []struct {
		highest, topUp uint32
		first          bool // it is the first that a meter tries
		found          bool // it is one of them
	}{
		{0, 1, true, true},
		{0, 1023, true, true}, // there is none below
		{0, 1024, false, false},
		{5000, 5512, true, true},
		{5000, 5513, false, false}, // 513 top-ups that the meter never saw
		{5000, 4489, true, true},
		{5000, 4488, false, true}, // old
		{5000, 3465, false, true},
		{5000, 3464, false, false},
		{5000, 405, false, false}, // the hour, in milliseconds since 1970 and halved: far behind
	} {
		got := Token{Counter: uint16(row.topUp & 1023)}.Counters(row.highest)
		found := got[0] == row.topUp || len(got) > 1 && got[1] == row.topUp
		if first := got[0] == row.topUp; first != row.first || found != row.found {
			t.Errorf("highest %d, top-up %d: tried %d", row.highest, row.topUp, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("73943333457189043313")
	f.Add("73950067887105178605")
	f.Add(withCheckDigit("7538272178862161919"))
	f.Add("")
	f.Fuzz(func(t *testing.T, digits string) {
		token, err := Parse(digits)
		if err == nil && token.String() != digits {
			t.Fatalf("%q is read as %+v, which is %s", digits, token, token)
		}
	})
}
