package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/commshub/commshub/internal/pki"
)

// Asked is which home somebody asks for: a number, or one of its own for a new home,
// which is what happens without asking. It is a flag's value.
type Asked struct {
	number Number
	set    bool // a number was asked for
	own    bool // it was asked that a new home has its own
}

// Published is a boolean flag's value that asks for the published identities.
type Published struct{ *Asked }

// Type returns what the flag takes.
func (a *Asked) Type() string { return "number" }

// String returns what was asked for.
func (a *Asked) String() string {
	switch {
	case a.own:
		return "own"
	case a.set:
		return fmt.Sprint(a.number)
	default:
		return ""
	}
}

// Set asks for a home: by its number, or own.
func (a *Asked) Set(s string) error {
	if s == "own" {
		*a = Asked{own: true}
		return nil
	}
	n, err := pki.ParseHome(s)
	if err != nil {
		return fmt.Errorf("%w, or own", err)
	}
	*a = Asked{number: Number(n), set: true}
	return nil
}

// Type returns what the flag takes.
func (p Published) Type() string { return "bool" }

// String returns whether the published identities were asked for.
func (p Published) String() string {
	return fmt.Sprint(p.Asked != nil && p.set && p.number == 0)
}

// Set asks for the published identities, or takes that back.
func (p Published) Set(s string) error {
	switch s {
	case "true":
		*p.Asked = Asked{set: true}
	case "false":
		*p.Asked = Asked{}
	default:
		return errors.New("want true or false")
	}
	return nil
}

// NumberOf returns the number of the home whose certificates are in a folder, and whose
// state is in another. A new home gets the number asked for, or one of its own, which is
// kept with its certificates; an old one keeps what it has. Homes of releases before
// there were numbers have the published identities.
func NumberOf(certificates, state string, asked Asked) (Number, error) {
	if !pki.HasRoot(certificates) {
		if err := checkNew(certificates, state); err != nil {
			return 0, err
		}
	}
	held, used, err := heldNumber(certificates, state)
	switch {
	case err != nil:
		return 0, err
	case used && asked.set && asked.number != held:
		return 0, fmt.Errorf("home %d is asked for, but %s is of home %d; ask for none, or name another --state", asked.number, certificates, held)
	case used:
		return held, nil
	}
	if asked.set {
		return asked.number, pki.KeepHome(certificates, uint32(asked.number))
	}
	if _, err := pki.Init(certificates, time.Now()); err != nil {
		return 0, err
	}
	n, err := pki.Home(certificates)
	return Number(n), err
}

// heldNumber returns the number of a home that there is; used tells that there is one.
func heldNumber(certificates, state string) (n Number, used bool, err error) {
	for _, dir := range []string{certificates, state} { // earlier releases kept it in the state
		n, err := pki.Home(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return Number(n), err == nil, err
		}
	}
	return 0, pki.HasRoot(certificates), nil
}

// checkNew refuses a folder in which a home has been whose certificates are gone: with new
// ones it would be another home, and its meters would trust nobody.
func checkNew(certificates, state string) error {
	for _, part := range []string{"hub", "meters"} {
		if _, err := os.Stat(filepath.Join(state, part)); err == nil {
			return fmt.Errorf("%s is missing, but a home has been here: its %s is there; put the certificates back from a copy, or remove %s to begin with a new home",
				certificates, filepath.Join(state, part), state)
		}
	}
	return nil
}
