package messageview

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/der"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/gbcs/tree"
	"github.com/commshub/commshub/han/rawsig"
)

// Sealed is a message signed and MACed as its use case has it.
type Sealed struct {
	MessageCode string `json:"message_code"` // four hex digits
	UseCase     string `json:"use_case"`
	CRA         string `json:"cra"`
	Originator  string `json:"originator"`
	Recipient   string `json:"recipient"`
	Counter     uint64 `json:"originator_counter"`
	Signed      bool   `json:"signed"`
	MACBy       string `json:"authentication_code_by,omitempty"` // whose key made it; empty if it has no MAC
	Hex         string `json:"message_hex"`
}

// Sign returns a message signed and MACed as its use case has it, in place of whatever
// signature and MAC it came with: signed with the key of its originator, and MACed, if it is
// an organisation's command, as the access control broker does. All else is left byte for
// byte, but for the originator counter if it is to be another, which is 0 if not.
//
// The error names the key or certificate that is not there.
func (c *Certificates) Sign(message []byte, counter uint64) (Sealed, error) {
	t := tree.Decode(message)
	if t.Broken {
		last := t.Problems[len(t.Problems)-1]
		return Sealed{}, fmt.Errorf("byte %d: %s", last.Start, last.Text)
	}
	form, err := formOf(t)
	if err != nil {
		return Sealed{}, err
	}
	signed := t.Signed
	if counter != 0 && counter != t.Counter {
		if signed, err = renumbered(t, counter); err != nil {
			return Sealed{}, err
		}
		t.Counter = counter
	}
	s := Sealed{
		MessageCode: fmt.Sprintf("%04X", uint16(t.Code)), UseCase: t.Code.String(), CRA: t.CRA.String(),
		Originator: t.Originator.String(), Recipient: t.Recipient.String(), Counter: t.Counter, Signed: form.Signed,
	}
	var signature []byte
	if form.Signed {
		key, err := c.signingKey(t.Originator)
		if err != nil {
			return s, err
		}
		if signature, err = rawsig.Sign(key, signed); err != nil {
			return s, err
		}
	}
	covered := append(append(append([]byte{generalSigning}, signed...), byte(len(signature))), signature...)
	if !form.MACed {
		s.Hex = digits(covered)
		return s, nil
	}
	by, secret, err := c.makesMAC(t)
	if err != nil {
		return s, err
	}
	s.MACBy = by.String()
	mac := secret.MAC(contextOf(t), covered)
	s.Hex = digits(gbcs.AppendWithMAC(nil, covered, mac))
	return s, nil
}

// ReadAndSign reads keys and a message, and signs it; see [ReadWith] and [Certificates.Sign].
func ReadAndSign(ctx context.Context, folder string, in io.Reader, args []string, counter uint64) (Sealed, error) {
	if folder == "" {
		return Sealed{}, errors.New("--keys: want a folder with private keys and certificates")
	}
	certs, messages, single, err := ReadWith(ctx, folder, in, args)
	if err != nil {
		return Sealed{}, err
	}
	if !single {
		return Sealed{}, fmt.Errorf("folder %s: want one message", args[0])
	}
	s, err := certs.Sign(messages[0].Bytes, counter)
	if err != nil {
		err = fmt.Errorf("%s: not signed with the keys in %s: %w", name(messages[0].File), folder, err)
	}
	return s, err
}

// formOf returns how a message is to be protected: where its use case has alternatives,
// the one that it is protected by already, else the first.
func formOf(t tree.Tree) (gbcs.Form, error) {
	u, _ := gbcs.UseCaseOf(t.Code)
	for _, f := range u.Forms {
		if f.CRA == t.CRA && f.Signed == (len(t.Signature) > 0) && f.MACed == (len(t.MAC) > 0) {
			return f, nil
		}
	}
	f, ok := u.Form(t.CRA)
	if !ok {
		return f, fmt.Errorf("no use case has a %s with message code %04X: nothing says how it is signed", t.CRA, uint16(t.Code))
	}
	return f, nil
}

// counterAt is where the originator counter is in what is signed: behind its length and the
// CRA flag.
const counterAt = 2

// renumbered returns what is signed of a message with another originator counter: in the
// grouping header, and in the payload where that repeats it, as CS06 and CS02b do, and DLMS in
// the invoke identifier.
func renumbered(t tree.Tree, counter uint64) ([]byte, error) {
	if len(t.Encrypted) > 0 && t.SupplementaryCounter == 0 {
		return nil, fmt.Errorf("its encrypted values are encrypted for the originator counter %d: it cannot be given another", t.Counter)
	}
	if place, ok := counterInDER[t.Code]; ok && t.CRA == gbcs.Command {
		return renumberedDER(t, place, counter)
	}
	signed := bytes.Clone(t.Signed)
	binary.BigEndian.PutUint64(signed[counterAt:], counter)
	if id := signed[len(signed)-len(t.Payload):]; len(id) > 4 && slices.Contains(dlmsTags, id[0]) {
		if id = id[2:5]; bytes.Equal(id, invokeID(t.Counter)) {
			copy(id, invokeID(counter))
		}
	}
	return signed, nil
}

// dlmsTags are what payloads in DLMS start with: access request and response, and data
// notification. An invoke identifier and its priority follow.
var dlmsTags = []byte{0xD9, 0xDA, 0x0F}

// invokeID returns the invoke identifier of a message with an originator counter.
func invokeID(counter uint64) []byte {
	return binary.BigEndian.AppendUint32(nil, gbcs.InvokeIDOf(counter))[1:]
}

// derPlace says which element of a payload in DER repeats the originator counter.
type derPlace struct {
	inside int // which child of the payload has it among its own; -1 if the payload itself has
	tag    byte
}

// counterInDER are the commands that repeat it: Activate Firmware, and those that replace
// security credentials (CS02b), as the sequence number of who authorises that.
var counterInDER = func() map[gbcs.MessageCode]derPlace {
	const authorisingRemotePartySeqNumber = 0x83
	places := map[gbcs.MessageCode]derPlace{gbcs.CodeActivateFirmware: {-1, der.Integer}}
	for code := gbcs.MessageCode(0x0100); code <= 0x0109; code++ {
		places[code] = derPlace{0, authorisingRemotePartySeqNumber}
	}
	return places
}()

// renumberedDER does the same where the counter in the payload may become longer.
func renumberedDER(t tree.Tree, place derPlace, counter uint64) ([]byte, error) {
	payload, err := der.Parse(t.Payload, 0)
	if err != nil {
		return nil, err
	}
	among := payload.Children
	if place.inside >= 0 && place.inside < len(among) {
		among = among[place.inside].Children
	}
	for i := range among {
		if is, ok := among[i].Unsigned(); ok && among[i].Tag == place.tag && is == t.Counter {
			among[i].Content = binary.BigEndian.AppendUint64([]byte{0}, counter)
			for len(among[i].Content) > 1 && among[i].Content[0] == 0 && among[i].Content[1] < 0x80 {
				among[i].Content = among[i].Content[1:]
			}
			break
		}
	}
	i := slices.IndexFunc(t.Fields, func(f tree.Field) bool { return f.Name == tree.PayloadLength })
	content := der.Element{LengthSize: len(t.Fields[i].Raw), Content: payload.Append(nil)}.Append(nil)[1:] // behind a tag
	signed := bytes.Clone(t.Signed[:len(t.Signed)-len(t.Payload)-len(t.Fields[i].Raw)])
	binary.BigEndian.PutUint64(signed[counterAt:], counter)
	return append(signed, content...), nil
}

// signingKey returns the private key of a party for signing.
func (c *Certificates) signingKey(party han.EUI64) (*ecdsa.PrivateKey, error) {
	certs := c.of[party]
	if len(certs) == 0 {
		return nil, fmt.Errorf("no certificate for signing of the originator %s", party)
	}
	for _, cert := range certs {
		for _, key := range c.private {
			if key.PublicKey.Equal(cert.PublicKey) {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("no private key for signing of the originator %s: want it in a .key file", party)
}

// makesMAC returns who makes the MAC of a message, and what it has in common with the other
// side.
func (c *Certificates) makesMAC(t tree.Tree) (by han.EUI64, s seal.Secret, err error) {
	one, other := t.Originator, t.Recipient
	if by = one; c.throughBroker(t) {
		if by, err = c.broker(); err != nil {
			return 0, s, err
		}
		one, other = t.Recipient, by
	}
	for _, party := range []han.EUI64{one, other} {
		if !slices.ContainsFunc(c.agreements, func(a agreement) bool { return a.party == party }) {
			return 0, s, fmt.Errorf("no certificate for key agreement of %s, to make the MAC with", party)
		}
	}
	c.agreed(one, other, func(_ han.EUI64, agreed seal.Secret) bool {
		s = agreed
		return true
	})
	if s == (seal.Secret{}) {
		return 0, s, fmt.Errorf("no private key for key agreement of %s or %s, to make the MAC with: want one in a .key file", one, other)
	}
	return by, s, nil
}

// broker returns who is the access control broker.
func (c *Certificates) broker() (broker han.EUI64, err error) {
	for _, a := range c.agreements {
		switch {
		case !a.broker || a.party == broker:
		case broker != 0:
			return 0, fmt.Errorf("%s and %s are both the access control broker, which makes the MAC: want the certificate of one", broker, a.party)
		default:
			broker = a.party
		}
	}
	if broker == 0 {
		return 0, errors.New("no certificate for key agreement of the access control broker, which makes the MAC")
	}
	return broker, nil
}
