package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
)

// Entry is one certificate in a folder.
type Entry struct {
	Name     string
	Role     Role
	ID       han.EUI64 // zero if the certificate names none
	Hosts    []string  // only of a broker
	NotAfter time.Time
	HasKey   bool
	Err      error // what is wrong with the files, if anything
}

// List returns what lies in dir, ordered by file name.
func List(dir string) ([]Entry, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	root, err := readCertificate(certFile(dir, rootName))
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	var entries []Entry
	for _, file := range files {
		name, isCert := strings.CutSuffix(file.Name(), ".pem")
		if !isCert {
			continue
		}
		if e, known := describeMessageKey(dir, name); known {
			entries = append(entries, e)
		} else if role, known := roleOfFile(name); known {
			entries = append(entries, describe(dir, name, role, root))
		}
	}
	return entries, nil
}

func describe(dir, name string, role Role, root *x509.Certificate) Entry {
	e := Entry{Name: name, Role: role}
	cert, err := readCertificate(certFile(dir, name))
	if err != nil {
		e.Err = err
		return e
	}
	e.NotAfter = cert.NotAfter
	e.Hosts = hostNames(cert)
	if id, err := certid.FromCertificate(cert); err == nil {
		e.ID = id
	}
	if cert.CheckSignatureFrom(root) != nil {
		e.Err = fmt.Errorf("%s is not signed by %s", certFile(dir, name), certFile(dir, rootName))
	}
	_, err = readKey(keyFile(dir, name))
	e.HasKey = err == nil
	if e.Err == nil && err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.Err = err
	}
	return e
}

// View is an entry for people and programs.
type View struct {
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	EUI64    string    `json:"eui64,omitempty"`
	Hosts    []string  `json:"hosts,omitempty"`
	NotAfter time.Time `json:"not_after"`
	HasKey   bool      `json:"has_key"`
	Problem  string    `json:"problem,omitempty"` // one line
}

// Views returns entries as they are shown.
func Views(entries []Entry) []View {
	views := []View{}
	for _, e := range entries {
		v := View{Name: e.Name, Role: e.Role.String(), Hosts: e.Hosts, NotAfter: e.NotAfter, HasKey: e.HasKey}
		if e.ID != 0 {
			v.EUI64 = e.ID.String()
		}
		if e.Err != nil {
			v.Problem = strings.Join(strings.Fields(e.Err.Error()), " ")
		}
		views = append(views, v)
	}
	return views
}
