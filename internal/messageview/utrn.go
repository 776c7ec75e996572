package messageview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/utrn"
	"github.com/commshub/commshub/internal/foreign"
)

// UTRN is what a top-up code says.
type UTRN struct {
	Digits           string  `json:"utrn"`
	Pence            uint32  `json:"pence"`
	Class            string  `json:"class"`
	TruncatedCounter uint16  `json:"truncated_counter"`
	MAC              Result  `json:"authentication_code"`
	TopUp            *uint32 `json:"top_up,omitempty"` // only if its MAC holds
	Supplier         string  `json:"supplier,omitempty"`
	Meter            string  `json:"meter,omitempty"`
}

// AskedUTRN is what is wanted of a top-up code.
type AskedUTRN struct {
	Keys  string // folder; empty: the MAC is not checked
	Meter string // EUI64 of the meter that it is for
	// TopUp is the number of the top-up; when one is read, the highest that its meter knows.
	TopUp uint32
	Pence uint32 // to issue one by so much; 0: the digits are read
	JSON  bool
}

// Show reads a top-up code, or issues one, and writes what it says. wrong says in a line that
// it does not hold.
func (a AskedUTRN) Show(ctx context.Context, w io.Writer, digits []string) (wrong string, err error) {
	if (a.Pence == 0) == (len(digits) == 0) {
		return "", errors.New("want the digits of a UTRN, or --pence to issue one")
	}
	var certs *Certificates
	var meter han.EUI64
	if a.Keys != "" || a.Pence > 0 {
		if a.Keys == "" || a.Meter == "" {
			return "", errors.New("want --keys, a folder with keys and certificates, and --meter, whom the code is for")
		}
		if meter, err = han.ParseEUI64(a.Meter); err != nil {
			return "", err
		}
		if certs, err = ReadCertificates(ctx, a.Keys); err != nil {
			return "", err
		}
	}
	var u UTRN
	if a.Pence > 0 {
		u, err = certs.IssueUTRN(meter, a.TopUp, a.Pence)
	} else {
		u, err = certs.ReadUTRN(strings.Join(digits, ""), meter, a.TopUp)
	}
	if err != nil {
		return "", err
	}
	if u.MAC == DoesNotMatch {
		wrong = fmt.Sprintf("UTRN %s is of no supplier whose certificate is there, for another meter than %s, or its counter is not near %d", u.Digits, meter, a.TopUp)
	}
	if a.JSON {
		return wrong, printJSON(w, u)
	}
	u.print(w)
	return wrong, nil
}

func (u UTRN) print(w io.Writer) {
	foreign.Fprintf(w, "UTRN     %s\n", u.Digits)
	foreign.Fprintf(w, "value    %d pence, counted in %s\n", u.Pence, u.Class)
	foreign.Fprintf(w, "counter  %d (the lowest ten bits)\n", u.TruncatedCounter)
	foreign.Fprintf(w, "MAC      %s\n", u.MAC)
	if u.TopUp != nil {
		foreign.Fprintf(w, "top-up   %d, originator counter %d\nof       %s\nfor      %s\n",
			*u.TopUp, utrn.OriginatorCounter(*u.TopUp), u.Supplier, u.Meter)
	}
}

// ReadUTRN reads the digits of a top-up code, grouped by spaces or hyphens or not. With the
// keys of a meter it looks for the supplier who made it, given the highest top-up that the
// meter knows; without certificates the MAC is not checked.
func (c *Certificates) ReadUTRN(digits string, meter han.EUI64, highest uint32) (UTRN, error) {
	token, err := utrn.Parse(strings.NewReplacer(" ", "", "-", "").Replace(digits))
	if err != nil {
		return UTRN{}, err
	}
	u := viewOf(token)
	if c == nil {
		return u, nil
	}
	tried := c.agreed(meter, 0, func(supplier han.EUI64, s seal.Secret) bool {
		for _, topUp := range token.Counters(highest) {
			if token.Check(s, utrn.Context{Originator: supplier, Meter: meter, TopUp: topUp}) {
				u = u.of(supplier, meter, topUp)
				return true
			}
		}
		return false
	})
	if tried && u.MAC == NoKey {
		u.MAC = DoesNotMatch
	}
	return u, nil
}

// IssueUTRN makes the code of a top-up for a meter, with the key of the one supplier who is
// there. Its number must be above all that the meter knows.
func (c *Certificates) IssueUTRN(meter han.EUI64, topUp, pence uint32) (UTRN, error) {
	class, value, err := utrn.Amount(pence)
	if err != nil {
		return UTRN{}, err
	}
	if topUp == 0 {
		return UTRN{}, errors.New("top-up 0: want a number from 1 on")
	}
	var u UTRN
	suppliers := 0
	var issued error
	c.agreed(meter, 0, func(other han.EUI64, s seal.Secret) bool {
		if c.isBroker(other) || c.isDevice(other) {
			return false
		}
		suppliers++
		var token utrn.Token
		if token, issued = utrn.Issue(s, utrn.Context{Originator: other, Meter: meter, TopUp: topUp}, class, value); issued == nil {
			u = viewOf(token).of(other, meter, topUp)
		}
		return false
	})
	if issued == nil && suppliers != 1 {
		issued = fmt.Errorf("%d suppliers with a key to agree on with %s: want one, in a .key file with its certificate, and the certificate of the meter", suppliers, meter)
	}
	return u, issued
}

func viewOf(t utrn.Token) UTRN {
	return UTRN{Digits: t.String(), Pence: t.Pence(), Class: t.Class.String(), TruncatedCounter: t.Counter, MAC: NoKey}
}

func (u UTRN) of(supplier, meter han.EUI64, topUp uint32) UTRN {
	u.MAC, u.Supplier, u.Meter, u.TopUp = Holds, supplier.String(), meter.String(), &topUp
	return u
}

func (c *Certificates) isBroker(party han.EUI64) bool {
	return c.anyOf(party, func(a agreement) bool { return a.broker })
}

func (c *Certificates) isDevice(party han.EUI64) bool {
	return c.anyOf(party, func(a agreement) bool { return a.device })
}

func (c *Certificates) anyOf(party han.EUI64, is func(agreement) bool) bool {
	for _, a := range c.agreements {
		if a.party == party && is(a) {
			return true
		}
	}
	return false
}
