package decode

import (
	"fmt"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/tunnel"
)

// tunnelCommands are the commands of the Tunnelling cluster.
var tunnelCommands = map[key]command{
	{tunnel.ClusterID, false, tunnel.CommandRequestTunnel}: row("Request Tunnel", tunnel.ParseRequestTunnel,
		func(r tunnel.RequestTunnel) string { return fmt.Sprintf("protocol %d", r.Protocol) },
		func(c *cutter, r tunnel.RequestTunnel) {
			c.take("protocol", 1, r.Protocol)
			c.take("manufacturer", 2, hex16(r.Manufacturer))
			c.take("flow control", 1, r.FlowControl)
			c.take("maximum incoming transfer size", 2, byteCount(r.MaxTransferSize))
		}),
	{tunnel.ClusterID, true, tunnel.CommandRequestTunnelResponse}: row("Request Tunnel Response", tunnel.ParseRequestTunnelResponse,
		func(r tunnel.RequestTunnelResponse) string { return fmt.Sprintf("tunnel %d: %s", r.TunnelID, r.Status) },
		func(c *cutter, r tunnel.RequestTunnelResponse) {
			c.take("tunnel ID", 2, r.TunnelID)
			c.take("status", 1, r.Status)
			c.take("maximum incoming transfer size", 2, byteCount(r.MaxTransferSize))
		}),
	{tunnel.ClusterID, false, tunnel.CommandCloseTunnel}:               closeTunnel("Close Tunnel"),
	{tunnel.ClusterID, true, tunnel.CommandTunnelClosure}:              closeTunnel("Tunnel Closure Notification"),
	{tunnel.ClusterID, false, tunnel.CommandTransferDataToServer}:      transferData,
	{tunnel.ClusterID, true, tunnel.CommandTransferDataToClient}:       transferData,
	{tunnel.ClusterID, false, tunnel.CommandTransferDataErrorToServer}: transferDataError,
	{tunnel.ClusterID, true, tunnel.CommandTransferDataErrorToClient}:  transferDataError,
}

func closeTunnel(name string) command {
	return row(name, tunnel.ParseCloseTunnel,
		func(t tunnel.CloseTunnel) string { return fmt.Sprintf("tunnel %d", t.TunnelID) },
		func(c *cutter, t tunnel.CloseTunnel) { c.take("tunnel ID", 2, t.TunnelID) })
}

var transferData = row("Transfer Data", tunnel.ParseTransferData, transferText,
	func(c *cutter, t tunnel.TransferData) {
		c.take("tunnel ID", 2, t.TunnelID)
		if len(t.Data) > 0 {
			c.group("data", "", func() { c.tunnelled(t.Data) })
		}
	})

var transferDataError = row("Transfer Data Error", tunnel.ParseTransferDataError,
	func(e tunnel.TransferDataError) string { return e.Status.String() },
	func(c *cutter, e tunnel.TransferDataError) {
		c.take("tunnel ID", 2, e.TunnelID)
		c.take("status", 1, e.Status)
	})

// content is what a tunnel carries: a message, bare or behind the prefix that a gas
// meter and the hub put in front of it.
type content struct {
	prefix    tunnel.Prefix // 0 if there is none
	remaining uint8         // of a GET-RESPONSE
	message   []byte        // empty if there is none
}

// contentOf looks into the data of a tunnel; false if it is neither.
func contentOf(data []byte) (content, bool) {
	if _, err := gbcs.ParseMessage(data); err == nil || block.Is(data) {
		return content{message: data}, true
	}
	prefix, err := tunnel.ParsePrefix(data)
	if err != nil {
		return content{}, false
	}
	c := content{prefix: prefix}
	switch prefix {
	case tunnel.PrefixGet:
		_, err = tunnel.ParseGet(data)
	case tunnel.PrefixGetResponse:
		var r tunnel.GetResponse
		r, err = tunnel.ParseGetResponse(data)
		c.remaining, c.message = r.Remaining, r.Message
	case tunnel.PrefixPut:
		var p tunnel.Put
		p, err = tunnel.ParsePut(data)
		c.message = p.Message
	}
	return c, err == nil
}

func transferText(t tunnel.TransferData) string {
	c, known := contentOf(t.Data)
	switch {
	case !known:
		return byteCount(len(t.Data))
	case c.prefix == 0:
		return messageText(c.message)
	case c.prefix == tunnel.PrefixGetResponse && len(c.message) == 0:
		return "GET-RESPONSE, nothing waits"
	case c.prefix == tunnel.PrefixGetResponse:
		return fmt.Sprintf("GET-RESPONSE, %d more: %s", c.remaining, messageText(c.message))
	case c.prefix == tunnel.PrefixPut:
		return "PUT: " + messageText(c.message)
	default:
		return c.prefix.String()
	}
}

// tunnelled takes the data of a tunnel.
func (c *cutter) tunnelled(data []byte) {
	t, known := contentOf(data)
	if !known {
		c.rest("unknown")
		return
	}
	if t.prefix != 0 {
		c.take("prefix", 1, t.prefix)
	}
	if t.prefix == tunnel.PrefixGetResponse {
		c.take("messages remaining", 1, t.remaining)
	}
	if len(t.message) == 0 {
		return
	}
	if k, err := block.Parse(t.message); err == nil {
		c.group("block", gbtText(k), func() { c.block(k) })
		return
	}
	m, err := gbcs.ParseMessage(t.message)
	if err != nil {
		c.rest("message")
		return
	}
	c.group("message", m.Code.String(), func() { c.message(m) })
}
