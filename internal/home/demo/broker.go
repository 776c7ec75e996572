package demo

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/broker"
)

// startBroker opens the authority and, unless somebody else's broker is used, starts
// the embedded one with a password for everybody.
func (h *Home) startBroker(context.Context) error {
	var err error
	if h.authority, err = pki.Init(PKI(h.opt.Dir), time.Now()); err != nil {
		return input(err)
	}
	if h.opt.Broker != nil {
		return nil
	}
	self := h.opt.Config.EUI64
	accounts := map[string]broker.Account{}
	add := func(eui han.EUI64, grant broker.Grant) {
		h.passwords[eui.String()] = rand.Text()
		accounts[eui.String()] = broker.Account{Password: h.passwords[eui.String()], Grant: grant}
	}
	add(self, broker.HubGrant(self))
	for _, d := range h.members {
		add(d.EUI64, broker.DeviceGrant(self, d.EUI64))
	}
	if h.broker, err = broker.Start(broker.Options{StoreDir: filepath.Join(h.opt.Dir, "broker"), Accounts: accounts}); err != nil {
		return input(err)
	}
	h.closers = append(h.closers, h.broker.Close)
	return nil
}

// credentials returns a node's certificate and how it reaches the broker.
func (h *Home) credentials(eui han.EUI64) (*pki.Credential, live.Broker, error) {
	c, err := h.authority.Issue(eui, pki.RoleDevice)
	if err != nil {
		return nil, live.Broker{}, input(err)
	}
	if h.broker == nil {
		b, err := h.opt.Broker(c)
		return c, b, input(err)
	}
	return c, live.Broker{URL: h.broker.URL(), Username: eui.String(), Password: h.passwords[eui.String()]}, nil
}
