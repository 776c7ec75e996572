package seal

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
)

// Policy says whether messages must be protected as their use cases have it.
type Policy uint8

// The policies. What has keys protects what it sends under both.
const (
	Signed Policy = iota // what is not authentic is refused
	Any                  // all is taken: for laboratories
)

var policyNames = [...]string{"signed", "any"}

// String returns the policy's name.
func (p Policy) String() string { return policyNames[p] }

// Set implements pflag.Value.
func (p *Policy) Set(name string) error {
	for i, n := range policyNames {
		if n == name {
			*p = Policy(i)
			return nil
		}
	}
	return fmt.Errorf("%q: want signed or any", name)
}

// Type implements pflag.Value.
func (*Policy) Type() string { return "POLICY" }

// Keys are a party's own keys: for digital signing, and for key agreement.
type Keys struct {
	DS *ecdsa.PrivateKey
	KA *ecdh.PrivateKey
}

// Party is what others know of a party.
type Party struct {
	EUI64 han.EUI64
	DS    *ecdsa.PublicKey
	KA    *ecdh.PublicKey
}

// PartyOf returns what others know of who has the keys.
func PartyOf(eui han.EUI64, k Keys) Party {
	return Party{EUI64: eui, DS: &k.DS.PublicKey, KA: k.KA.PublicKey()}
}

// Derive returns the keys of a party in a simulation, always the same for the same seed.
// They protect nothing from anybody who can count.
func Derive(seed uint64, eui han.EUI64) Keys {
	key := func(use string) *ecdsa.PrivateKey {
		b := binary.BigEndian.AppendUint64([]byte("commshub simulation "+use), seed)
		digest := sha256.Sum256(eui.AppendPrint(b))
		digest[0] &= 0x7F // below the order of the curve
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), digest[:])
		if err != nil {
			panic(fmt.Sprintf("seal: derive a key: %v", err))
		}
		return k
	}
	ka, err := key("key agreement").ECDH()
	if err != nil {
		panic(fmt.Sprintf("seal: derive a key: %v", err))
	}
	return Keys{DS: key("digital signing"), KA: ka}
}

// Protect returns the message signed and MACed as its use case has it: signed with its
// originator's key, and MACed with what its maker has in common with the recipient, which
// is asked for if it is needed.
func Protect(m gbcs.Message, ds *ecdsa.PrivateKey, common func() (Secret, error)) (gbcs.Message, error) {
	f, err := formOf(m)
	if err != nil {
		return m, err
	}
	if f.Signed {
		if m, err = Sign(ds, m); err != nil {
			return m, err
		}
	}
	if f.MACed {
		s, err := common()
		if err != nil {
			return m, err
		}
		m = s.WithMAC(m)
	}
	return m, nil
}

// The ways in which a message is not authentic.
var (
	ErrMAC       = errors.New("MAC does not match")
	ErrSignature = errors.New("signature does not match")
)

// Check tells why a message is not authentic, nil if it is: signature and MAC are as its
// use case has them, and hold. It is an [ErrMAC] or an [ErrSignature].
func Check(m gbcs.Message, ds *ecdsa.PublicKey, common func() (Secret, error)) error {
	f, err := formOf(m)
	if err != nil {
		return err
	}
	if f.MACed {
		if !m.HasMAC {
			return fmt.Errorf("%w: there is none", ErrMAC)
		}
		s, err := common()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMAC, err)
		}
		if err := s.CheckMACOf(m); err != nil {
			return err
		}
	}
	switch {
	case !f.Signed:
		return nil
	case len(m.Signature) == 0:
		return fmt.Errorf("%w: there is none", ErrSignature)
	case CheckSignature(ds, m) != nil:
		return ErrSignature
	default:
		return nil
	}
}

// formOf returns how a message is protected.
func formOf(m gbcs.Message) (gbcs.Form, error) {
	u, _ := gbcs.UseCaseOf(m.Code)
	f, ok := u.Form(m.CRA)
	if !ok {
		return f, fmt.Errorf("no use case has a %s with message code %04X", m.CRA, uint16(m.Code))
	}
	return f, nil
}
