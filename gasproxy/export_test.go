package gasproxy

import "github.com/commshub/commshub/han"

// CurrentWindow returns the window of a meter that opened last.
func (p *Proxy) CurrentWindow(device han.EUI64) HeartbeatWindow {
	if c, ok := p.meters[device]; ok {
		return c.window
	}
	return HeartbeatWindow{}
}
