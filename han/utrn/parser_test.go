package utrn

import (
	"bytes"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
)

// parserBundle names SmartDCC's gbcs-parser, bundled for node; .ci/gbcs-parser makes it.
const parserBundle = "COMMSHUB_GBCS_PARSER"

// issuing prints the codes that the parser makes of what is asked, in JSON on standard input.
const issuing = `
const { utrn } = require(process.argv[2]), { createPrivateKey, createPublicKey } = require('crypto')
async function main() {
  for (const a of JSON.parse(require('fs').readFileSync(0))) {
    const lookupKey = async (eui, use, { privateKey, prePayment }) => {
      if (use !== 'KA' || !!privateKey !== !!prePayment) throw new Error('not the key for prepayment')
      return privateKey ? createPrivateKey(a.own) : createPublicKey(a.other)
    }
    console.log(await utrn({ counter: BigInt(a.counter), originator: a.originator, target: a.meter, value: a.value,
      valueClass: a.class === 'pence' ? 'pennies' : a.class, lookupKey }))
  }
}
main()
`

type asked struct {
	Counter    string `json:"counter"`
	Originator string `json:"originator"`
	Meter      string `json:"meter"`
	Value      uint16 `json:"value"`
	Class      string `json:"class"`
	Own        string `json:"own"`   // the supplier's private key
	Other      string `json:"other"` // the meter's public key
}

// SmartDCC's gbcs-parser issues the same codes. It is no part of this repository.
func TestAThousandCodesAreTheParsers(t *testing.T) {
	bundle := os.Getenv(parserBundle)
	if bundle == "" {
		t.Skipf("no parser to compare with: run .ci/gbcs-parser CHECKOUT, which sets %s", parserBundle)
	}
	dice := rand.New(rand.NewPCG(1, 2))
	var orders []asked
	var want []string
	for n := range 1000 {
		c := Context{Originator: han.EUI64(dice.Uint64()), Meter: han.EUI64(dice.Uint64()), TopUp: dice.Uint32()}
		if n < 100 {
			c.TopUp = uint32(n)
		}
		own, other := seal.Derive(dice.Uint64(), c.Originator).KA, seal.Derive(dice.Uint64(), c.Meter).KA
		secret, err := seal.Agree(own, other.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		token, err := Issue(secret, c, Class(dice.IntN(2)), uint16(dice.IntN(MaxValue+1)))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, token.String())
		orders = append(orders, asked{
			Counter: strconv.FormatUint(OriginatorCounter(c.TopUp), 10), Originator: c.Originator.String(), Meter: c.Meter.String(),
			Value: token.Value, Class: token.Class.String(), Own: privatePEM(t, own), Other: publicPEM(t, other.PublicKey()),
		})
	}
	got := ask(t, bundle, orders)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%+v: %s, the parser says %s", orders[i], want[i], got[i])
		}
	}
	t.Logf("%d codes are the same", len(want))
}

func ask(t *testing.T, bundle string, orders []asked) []string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "issue.js")
	if err := os.WriteFile(script, []byte(issuing), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(orders)
	if err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	node := exec.CommandContext(t.Context(), "node", script, bundle)
	node.Stdin, node.Stderr = bytes.NewReader(in), &problems
	out, err := node.Output()
	got := strings.Fields(string(out))
	if err != nil || len(got) != len(orders) {
		t.Fatalf("%d codes of %d: %v: %s", len(got), len(orders), err, &problems)
	}
	return got
}

func privatePEM(t *testing.T, key *ecdh.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func publicPEM(t *testing.T, key *ecdh.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
