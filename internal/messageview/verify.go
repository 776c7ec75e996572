package messageview

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/pem"
	"fmt"
	"io"
	"strings"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/tree"
	"github.com/commshub/commshub/han/rawsig"
	"github.com/commshub/commshub/han/smki"
	"github.com/commshub/commshub/internal/foreign"
)

// Result says how it is with the signature, or the MAC, of a message.
type Result string

// The results.
const (
	Holds         Result = "holds"
	DoesNotMatch  Result = "does not match"
	NoCertificate Result = "no certificate of the originator"
	NotSigned     Result = "not signed, as its use case has it"
	PreCommand    Result = "not there yet: a pre-command"
	NotMACed      Result = "not MACed, as its use case has it"
	NoKey         Result = "no key to check it with"
	Missing       Result = "missing"
	NotRead       Result = "message could not be read"
)

// Wanted reports whether nothing is wrong.
func (r Result) Wanted() bool { return r == Holds || r == NotSigned || r == PreCommand }

// Wanted reports whether nothing is wrong with a message. A MAC that nobody here has a key
// for is left alone.
func (v Verdict) Wanted() bool {
	return v.Result.Wanted() && v.MAC != DoesNotMatch && v.MAC != Missing
}

// Verdict is what is known of the signature and of the MAC of a message.
type Verdict struct {
	File        string `json:"file,omitempty"`
	MessageCode string `json:"message_code,omitempty"`
	UseCase     string `json:"use_case,omitempty"`
	CRA         string `json:"cra,omitempty"`
	Originator  string `json:"originator,omitempty"`
	Name        string `json:"name,omitempty"` // of the originator in its certificate
	Result      Result `json:"signature"`
	Reason      string `json:"reason,omitempty"`
	MAC         Result `json:"authentication_code,omitempty"`
	MACBy       string `json:"authentication_code_by,omitempty"` // whose key made it
	// Of the certificate whose key was tried.
	SubjectKey string `json:"subject_key_identifier,omitempty"`
	Issuer     string `json:"issuer,omitempty"` // verified, or its key and that it is not there
}

// Certificates are those that signatures are held against, and with private keys MACs
// and encrypted values as well.
type Certificates struct {
	of         map[han.EUI64][]smki.Certificate // for digital signature
	issuers    []smki.Certificate
	agreements []agreement
	private    []*ecdsa.PrivateKey
}

// Add takes a certificate, in PEM or DER.
func (c *Certificates) Add(file []byte) error {
	data := file
	if block, _ := pem.Decode(file); block != nil {
		data = block.Bytes
	}
	cert, err := smki.Parse(data)
	if err != nil {
		return err
	}
	switch {
	case cert.KeyCertSign:
		c.issuers = append(c.issuers, cert)
	case cert.EUI64 == 0:
		// Whoever has it, such as an MQTT broker, signs no messages.
	case cert.DigitalSignature:
		if c.of == nil {
			c.of = map[han.EUI64][]smki.Certificate{}
		}
		c.of[cert.EUI64] = append(c.of[cert.EUI64], cert)
	case cert.KeyAgreement:
		public, err := cert.PublicKey.ECDH()
		if err != nil {
			return fmt.Errorf("parse certificate: %w", err)
		}
		c.agreements = append(c.agreements, agreement{party: cert.EUI64, device: !cert.Organisation, broker: isBroker(cert), public: public})
	}
	return nil
}

// isBroker tells the access control broker's certificates by the role in their subject; those
// of a home here have its name instead.
func isBroker(c smki.Certificate) bool {
	return c.Unit == "04" || c.CommonName == "ACCESS CONTROL BROKER"
}

// Check refuses certificates that the issuer they name did not sign.
func (c *Certificates) Check() error {
	for id, certs := range c.of {
		for _, cert := range certs {
			if _, err := c.issuer(cert); err != nil {
				return fmt.Errorf("certificate of %v with the key %X: %w", id, cert.SubjectKeyID, err)
			}
		}
	}
	return nil
}

// issuer says who signed a certificate.
func (c *Certificates) issuer(cert smki.Certificate) (string, error) {
	for _, issuer := range c.issuers {
		if bytes.Equal(issuer.SubjectKeyID, cert.AuthorityKeyID) {
			return fmt.Sprintf("%s, verified", issuer.CommonName), cert.SignedBy(issuer)
		}
	}
	return fmt.Sprintf("key %X, whose certificate is not there", cert.AuthorityKeyID), nil
}

// Verify says who signed a message, whether that holds, and why not.
func (c *Certificates) Verify(message []byte) Verdict {
	t := tree.Decode(message)
	v := Verdict{Result: NotRead}
	if t.Broken {
		last := t.Problems[len(t.Problems)-1]
		v.Reason = fmt.Sprintf("byte %d: %s", last.Start, last.Text)
		return v
	}
	v.MessageCode, v.UseCase = fmt.Sprintf("%04X", uint16(t.Code)), t.Code.String()
	v.CRA, v.Originator = t.CRA.String(), t.Originator.String()
	c.checkMAC(t, &v)
	if len(t.Signature) == 0 {
		v.Result = unsigned(t)
		return v
	}
	certs := c.of[t.Originator]
	if len(certs) == 0 {
		v.Result = NoCertificate
		return v
	}
	for _, cert := range certs {
		v.Name, v.SubjectKey = cert.CommonName, fmt.Sprintf("%X", cert.SubjectKeyID)
		v.Issuer, _ = c.issuer(cert) // Check has refused what does not hold
		err := rawsig.Verify(cert.PublicKey, t.Signed, t.Signature)
		if err == nil {
			v.Result, v.Reason = Holds, ""
			return v
		}
		v.Result, v.Reason = DoesNotMatch, err.Error()
	}
	return v
}

// VerifyAll verifies messages.
func (c *Certificates) VerifyAll(messages []Message) []Verdict {
	verdicts := make([]Verdict, len(messages))
	for i, m := range messages {
		verdicts[i] = c.Verify(m.Bytes)
		verdicts[i].File = m.File
	}
	return verdicts
}

// unsigned says whether a message without a signature should have one.
func unsigned(t tree.Tree) Result {
	u, _ := gbcs.UseCaseOf(t.Code)
	signed := false
	for _, f := range u.Forms {
		if f.CRA != t.CRA {
			continue
		}
		if !f.Signed {
			return NotSigned
		}
		signed = true
	}
	switch {
	case signed && t.PreCommand:
		return PreCommand
	case signed || len(u.Forms) == 0:
		return Missing
	default:
		return NotSigned
	}
}

// Print writes the verdict as people read it.
func (v Verdict) Print(w io.Writer) {
	row := func(name string, parts ...string) {
		if text := strings.TrimSpace(strings.Join(parts, " ")); text != "" {
			foreign.Fprintf(w, "%-12s %s\n", name, text)
		}
	}
	row("message", v.UseCase, v.CRA)
	row("originator", v.Originator, v.Name)
	reason := ""
	if v.Reason != "" {
		reason = "(" + v.Reason + ")"
	}
	row("signature", string(v.Result), reason)
	row("key", v.SubjectKey)
	row("issuer", v.Issuer)
	by := ""
	if v.MACBy != "" {
		by = "by " + v.MACBy
	}
	row("MAC", string(v.MAC), by)
}

// VerdictCounts are what many verdicts come to.
type VerdictCounts struct {
	Messages      int `json:"messages"`
	Holds         int `json:"hold"`
	DoesNotMatch  int `json:"do_not_match"`
	NoCertificate int `json:"without_certificate"`
	PreCommands   int `json:"pre_commands"`
	Missing       int `json:"missing"`
	NotSigned     int `json:"not_signed"`
	NotRead       int `json:"not_read"`
	// Of those that could be read.
	MACsHold       int `json:"authentication_codes_hold"`
	MACsNoMatch    int `json:"authentication_codes_do_not_match"`
	MACsMissing    int `json:"authentication_codes_missing"`
	MACsNotChecked int `json:"authentication_codes_not_checked"` // for want of a key
	Wrong          int `json:"wrong"`                            // messages with which something is wrong
}

// CountVerdicts counts verdicts.
func CountVerdicts(verdicts []Verdict) VerdictCounts {
	c := VerdictCounts{Messages: len(verdicts)}
	counts := map[Result]*int{Holds: &c.Holds, DoesNotMatch: &c.DoesNotMatch, NoCertificate: &c.NoCertificate,
		PreCommand: &c.PreCommands, Missing: &c.Missing, NotSigned: &c.NotSigned, NotRead: &c.NotRead}
	macs := map[Result]*int{Holds: &c.MACsHold, DoesNotMatch: &c.MACsNoMatch, Missing: &c.MACsMissing, NoKey: &c.MACsNotChecked}
	for _, v := range verdicts {
		*counts[v.Result]++
		if n := macs[v.MAC]; n != nil {
			*n++
		}
		if !v.Wanted() {
			c.Wrong++
		}
	}
	return c
}

// Print writes the counts as people read them.
func (c VerdictCounts) Print(w io.Writer) {
	fmt.Fprintf(w, "%d messages: %d signatures hold, %d do not match, %d are of originators without a certificate, %d are missing; "+
		"%d pre-commands; %d messages are not signed, as their use cases have it; %d could not be read\n",
		c.Messages, c.Holds, c.DoesNotMatch, c.NoCertificate, c.Missing, c.PreCommands, c.NotSigned, c.NotRead)
	fmt.Fprintf(w, "%d MACs hold, %d do not match, %d are missing, %d are not checked, for want of a key\n",
		c.MACsHold, c.MACsNoMatch, c.MACsMissing, c.MACsNotChecked)
}

// Line is the verdict in one line.
func (v Verdict) Line() string {
	if v.Result == NotRead {
		return fmt.Sprintf("%s: %s: %s", name(v.File), v.Result, v.Reason)
	}
	if v.Result.Wanted() && !v.Wanted() {
		return fmt.Sprintf("%s: MAC: %s", name(v.File), v.MAC)
	}
	return fmt.Sprintf("%s: signature of %s: %s", name(v.File), v.Originator, v.Result)
}
