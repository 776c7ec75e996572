package broker

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
)

// authenticator decides who a client is and what it may do. nats-server calls
// Check from the connection's goroutine.
type authenticator struct {
	accounts    map[string]account
	password    func(username, password string) (Grant, error)
	certificate func(id han.EUI64) (Grant, error)
	lines       *logLines
}

type account struct {
	passwordSum [sha256.Size]byte
	permissions *server.Permissions
}

func newAuthenticator(o *Options, lines *logLines) (*authenticator, error) {
	switch {
	case !o.hasPasswords() && o.ClientRoots == nil:
		return nil, errors.New("nobody could connect: no accounts and no client certificates")
	case o.ClientRoots != nil && o.TLS == nil:
		return nil, errors.New("client certificates need a server certificate")
	case o.ClientRoots != nil && o.Certificate == nil:
		return nil, errors.New("client certificates need a function that says what their holders may do")
	}
	a := &authenticator{
		accounts:    make(map[string]account),
		password:    o.Password,
		certificate: o.Certificate,
		lines:       lines,
	}
	for name, given := range o.Accounts {
		permissions, err := given.Grant.permissions()
		if err != nil {
			return nil, fmt.Errorf("account %q: %w", name, err)
		}
		if given.Password == "" {
			return nil, fmt.Errorf("account %q: no password", name)
		}
		a.accounts[name] = account{sha256.Sum256([]byte(given.Password)), permissions}
	}
	return a, nil
}

// Check implements server.Authentication.
func (a *authenticator) Check(client server.ClientAuthentication) bool {
	username, permissions, err := a.identify(client)
	if err != nil {
		a.lines.Warnf("client at %s refused: %v", client.RemoteAddress(), err)
		return false
	}
	client.RegisterUser(&server.User{Username: username, Permissions: permissions})
	return true
}

// identify takes the certificate if the client gave one, the password otherwise.
func (a *authenticator) identify(client server.ClientAuthentication) (string, *server.Permissions, error) {
	if state := client.GetTLSConnectionState(); state != nil && len(state.PeerCertificates) > 0 {
		return a.byCertificate(state)
	}
	given := client.GetOpts()
	if known, ok := a.accounts[given.Username]; ok {
		// Sums are compared, so that the time taken says nothing about the password.
		sum := sha256.Sum256([]byte(given.Password))
		if subtle.ConstantTimeCompare(sum[:], known.passwordSum[:]) != 1 {
			return "", nil, errors.New("wrong password")
		}
		return given.Username, known.permissions, nil
	}
	if a.password == nil {
		return "", nil, errors.New("unknown user")
	}
	grant, err := a.password(given.Username, given.Password)
	if err != nil {
		return "", nil, err
	}
	permissions, err := grant.permissions()
	return given.Username, permissions, err
}

// byCertificate derives the identity from a certificate. The TLS handshake has
// verified its chain.
func (a *authenticator) byCertificate(state *tls.ConnectionState) (string, *server.Permissions, error) {
	if a.certificate == nil || len(state.VerifiedChains) == 0 {
		return "", nil, errors.New("client certificates are not accepted")
	}
	id, err := certid.FromCertificate(state.PeerCertificates[0])
	if err != nil {
		return "", nil, err
	}
	grant, err := a.certificate(id)
	if err != nil {
		return "", nil, err
	}
	permissions, err := grant.permissions()
	return id.String(), permissions, err
}
