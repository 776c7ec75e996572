package dtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	pion "github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
	"github.com/commshub/commshub/han/installcode"
)

// Key is the link key derived from an install code.
type Key = [installcode.KeySize]byte

// commonOptions are the same on both sides. The retransmission interval does not
// grow: over a broker there is no congestion to back off from, and pion's growth
// makes one handshake in two hundred fail at 20 % loss.
func commonOptions(flightInterval time.Duration) []pion.Option {
	return []pion.Option{
		pion.WithEllipticCurves(elliptic.P256),
		pion.WithExtendedMasterSecret(pion.RequireExtendedMasterSecret),
		pion.WithFlightInterval(flightInterval),
		pion.WithDisableRetransmitBackoff(true),
		pion.WithLoggerFactory(silence{}),
	}
}

// open completes the server's side of an association with peer.
func (s *Server) open(a *association, peer han.EUI64) (err error) {
	o := &s.opts
	var options []pion.ServerOption
	for _, option := range commonOptions(o.FlightInterval) {
		options = append(options, option)
	}
	var suites []pion.CipherSuiteID
	if o.Certificate != nil {
		suites = append(suites, pion.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8)
		options = append(options,
			pion.WithCertificates(*o.Certificate),
			pion.WithClientAuth(pion.RequireAndVerifyClientCert),
			pion.WithClientCAs(o.Roots))
	}
	if o.InstallKey != nil {
		suites = append(suites, pion.TLS_PSK_WITH_AES_128_CCM_8)
		options = append(options, pion.WithPSK(func(identity []byte) ([]byte, error) {
			if string(identity) != peer.String() {
				return nil, identityErrorf("the install code of %q was used by %s", identity, peer)
			}
			return s.installKey(a, peer)
		}))
	}
	options = append(options, pion.WithCipherSuites(suites...),
		pion.WithVerifyConnection(func(state *pion.State) error {
			if err := verifyIdentity(state, peer); err != nil {
				return err
			}
			return o.authorise(peer)
		}))
	a.conn, err = pion.ServerWithOptions(a.carrier, address(peer), options...)
	return err
}

// installKey returns the key of a device's install code for a try to prove it.
func (s *Server) installKey(a *association, peer han.EUI64) ([]byte, error) {
	key, known := s.opts.InstallKey(peer)
	if !known {
		return nil, identityErrorf("no install code is known for %s", peer)
	}
	inARow, wait := s.tries.begin(peer)
	if wait > 0 {
		return nil, identityErrorf("the install code was not proved %d times in a row: the next try counts in %s", inARow, wait.Round(time.Second))
	}
	a.usesKey.Store(true)
	a.try = inARow
	return key[:], nil
}

// open completes the client's side of an association with the hub. The server
// name stays empty, so that pion verifies the chain only; the identity is
// checked here.
func (o *ClientOptions) open(a *association) (err error) {
	var options []pion.ClientOption
	for _, option := range commonOptions(o.FlightInterval) {
		options = append(options, option)
	}
	if o.InstallKey != nil {
		a.usesKey.Store(true)
		options = append(options,
			pion.WithCipherSuites(pion.TLS_PSK_WITH_AES_128_CCM_8),
			pion.WithPSKIdentityHint([]byte(o.Device.String())),
			pion.WithPSK(func([]byte) ([]byte, error) { return o.InstallKey[:], nil }))
	} else {
		options = append(options,
			pion.WithCipherSuites(pion.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8),
			// Given through the callback, the certificate is presented even when
			// the hub names other roots: the hub then says what is wrong with it.
			pion.WithGetClientCertificate(func(*pion.CertificateRequestInfo) (*tls.Certificate, error) { return o.Certificate, nil }),
			pion.WithRootCAs(o.Roots),
			pion.WithVerifyConnection(func(state *pion.State) error { return verifyIdentity(state, o.Hub) }))
	}
	a.conn, err = pion.ClientWithOptions(a.carrier, address(o.Hub), options...)
	return err
}

// verifyIdentity demands that whoever proved to have a certificate or an install
// code is the one whose topic the datagrams came on.
func verifyIdentity(state *pion.State, want han.EUI64) error {
	if state.CipherSuiteID == pion.TLS_PSK_WITH_AES_128_CCM_8 {
		if string(state.IdentityHint) != want.String() {
			return identityErrorf("the install code of %q was used by %s", state.IdentityHint, want)
		}
		return nil
	}
	if len(state.PeerCertificates) == 0 {
		return identityErrorf("no certificate was presented by %s", want)
	}
	cert, err := x509.ParseCertificate(state.PeerCertificates[0])
	if err != nil {
		return identityErrorf("certificate of %s: %v", want, err)
	}
	got, err := certid.FromCertificate(cert)
	if err != nil {
		return identityErrorf("certificate of %s: %v", want, err)
	}
	if got != want {
		return identityErrorf("the certificate of %s was used by %s", got, want)
	}
	return nil
}

// checkCredential demands one complete way to prove the own identity.
func checkCredential(certificate *tls.Certificate, roots *x509.CertPool, otherwise bool) error {
	switch {
	case certificate == nil && !otherwise:
		return errors.New("neither a certificate nor an install code is given")
	case certificate != nil && roots == nil:
		return errors.New("a certificate is given, but no roots to verify the other side's")
	case certificate != nil && len(certificate.Certificate) == 0:
		return errors.New("the certificate is empty")
	}
	return nil
}
