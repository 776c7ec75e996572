package messageview

import (
	"cmp"
	"crypto/ecdh"
	"fmt"
	"slices"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/gbcs/tree"
	"github.com/commshub/commshub/internal/pki"
)

// agreement is a key that a party agrees on others with.
type agreement struct {
	party   han.EUI64
	device  bool // not an organisation
	broker  bool // the access control broker
	public  *ecdh.PublicKey
	private *ecdh.PrivateKey // nil if it is not there
}

// AddKey takes a private key in PEM (PKCS #8 or SEC 1); see Pair.
func (c *Certificates) AddKey(file []byte) error {
	key, err := pki.ParsePrivateKey(file)
	if err != nil {
		return fmt.Errorf("parse private key: %w", err)
	}
	if _, err := key.ECDH(); err != nil {
		return fmt.Errorf("parse private key: %w", err)
	}
	c.private = append(c.private, key)
	return nil
}

// Pair gives private keys to the key agreement certificates that they belong to. Keys
// without one, such as those for signing, are left alone.
func (c *Certificates) Pair() {
	for _, key := range c.private {
		private, err := key.ECDH()
		if err != nil {
			continue // AddKey has refused it
		}
		for i := range c.agreements {
			if a := &c.agreements[i]; a.public.Equal(private.PublicKey()) {
				a.private = private
			}
		}
	}
	slices.SortStableFunc(c.agreements, func(a, b agreement) int { return cmp.Compare(a.party, b.party) })
}

// agreed calls try with what parties have in common of which one is the first given and
// the other any but it, or the second given if that is not 0, until it returns true.
func (c *Certificates) agreed(one, other han.EUI64, try func(other han.EUI64, s seal.Secret) bool) (tried bool) {
	for _, a := range c.agreements {
		for _, b := range c.agreements {
			if a.party != one || b.party == one || other != 0 && b.party != other {
				continue
			}
			private, public := a.private, b.public
			if private == nil {
				private, public = b.private, a.public
			}
			if private == nil {
				continue
			}
			s, err := seal.Agree(private, public)
			if err != nil {
				continue
			}
			tried = true
			if try(b.party, s) {
				return true
			}
		}
	}
	return tried
}

// checkMAC says how it is with the MAC of a message. That of an organisation's command is
// not the originator's, but the access control broker's, whom the message does not name: it
// is whoever's key fits.
func (c *Certificates) checkMAC(t tree.Tree, v *Verdict) {
	if len(t.MAC) == 0 {
		v.MAC = withoutMAC(t)
		return
	}
	one, other := t.Originator, t.Recipient
	if t.InvocationCounter != 0 { // it is no part of what the MAC covers, but of its IV
		v.MAC = DoesNotMatch
		return
	}
	byBroker := c.throughBroker(t)
	if byBroker {
		one, other = t.Recipient, 0
	}
	context := contextOf(t)
	v.MAC = NoKey
	holds := false
	tried := c.agreed(one, other, func(other han.EUI64, s seal.Secret) bool {
		if holds = s.CheckMAC(context, t.MACed, t.MAC) == nil; holds {
			v.MACBy = other.String()
		}
		return holds
	})
	switch {
	case holds && !byBroker:
		v.MAC, v.MACBy = Holds, v.Originator
	case holds:
		v.MAC = Holds
	case tried:
		v.MAC = DoesNotMatch
	}
}

// contextOf returns the context of a message's MAC.
func contextOf(t tree.Tree) seal.Context {
	return seal.Context{Originator: t.Originator, Recipient: t.Recipient, Counter: t.Counter, Purpose: seal.Purpose(t.CRA)}
}

// throughBroker tells a command of an organisation from one of a device.
func (c *Certificates) throughBroker(t tree.Tree) bool {
	return t.CRA == gbcs.Command && !slices.ContainsFunc(c.agreements, func(a agreement) bool { return a.party == t.Originator && a.device })
}

// withoutMAC says whether a message without a MAC should have one.
func withoutMAC(t tree.Tree) Result {
	u, _ := gbcs.UseCaseOf(t.Code)
	maced := false
	for _, f := range u.Forms {
		if f.CRA == t.CRA {
			if !f.MACed {
				return NotMACed
			}
			maced = true
		}
	}
	switch {
	case t.PreCommand:
		return PreCommand
	case maced:
		return Missing
	default:
		return NotMACed
	}
}

// Open decrypts the encrypted values of a message for which there is a key, and returns
// what they hold by the offset of the ciphertext.
func (c *Certificates) Open(t tree.Tree) map[int][]byte {
	if len(t.Encrypted) == 0 {
		return nil
	}
	context := seal.Context{Originator: t.Originator, Recipient: t.Recipient, Counter: t.Counter, Purpose: seal.Encryption}
	if t.Supplementary != 0 {
		context.Recipient = t.Supplementary
	}
	if t.SupplementaryCounter != 0 {
		context.Counter = t.SupplementaryCounter
	}
	opened := map[int][]byte{}
	c.agreed(context.Originator, context.Recipient, func(_ han.EUI64, s seal.Secret) bool {
		for _, e := range t.Encrypted {
			if value, err := s.Open(context, e.Sealed); err == nil {
				opened[e.Start] = value
			}
		}
		return len(opened) == len(t.Encrypted)
	})
	return opened
}
