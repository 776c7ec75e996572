package broker

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/commshub/commshub/han"
)

// Grant lists the topics that a client may use, as MQTT topic filters. What is
// not listed is refused.
type Grant struct {
	Publish, Subscribe []string
}

// HubGrant is what the hub of a home may do: talk to every device of that home.
func HubGrant(hub han.EUI64) Grant {
	home := "han/" + hub.String()
	return Grant{
		Publish:   []string{home + "/+/down", home + "/clock"},
		Subscribe: []string{home + "/+/up"},
	}
}

// DeviceGrant is what one device may do: talk to its hub, and read the clock.
func DeviceGrant(hub, device han.EUI64) Grant {
	home := "han/" + hub.String()
	return Grant{
		Publish:   []string{home + "/" + device.String() + "/up"},
		Subscribe: []string{home + "/" + device.String() + "/down", home + "/clock"},
	}
}

// permissions translates the grant to NATS subjects.
func (g Grant) permissions() (*server.Permissions, error) {
	publish, err := subjects(g.Publish)
	if err != nil {
		return nil, err
	}
	subscribe, err := subjects(g.Subscribe)
	if err != nil {
		return nil, err
	}
	permissions := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
	// nats-server takes an empty list for "nothing" when a client publishes, but
	// for "everything" when it subscribes.
	if len(subscribe) == 0 {
		permissions.Subscribe.Deny = []string{">"}
	}
	return permissions, nil
}

// subjects never returns nil, which would mean "everything".
func subjects(filters []string) ([]string, error) {
	out := []string{}
	for _, filter := range filters {
		subject, err := subject(filter)
		if err != nil {
			return nil, err
		}
		out = append(out, subject)
		if parent, all := strings.CutSuffix(subject, ".>"); all {
			out = append(out, parent) // MQTT's # matches the level above it too
		}
	}
	return out, nil
}

// subject translates one topic filter. nats-server writes the level separator
// as a dot, and + and # as * and >; what it would have to escape is refused.
func subject(filter string) (string, error) {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case level == "+":
			levels[i] = "*"
		case level == "#" && i == len(levels)-1:
			levels[i] = ">"
		case level == "" || strings.ContainsAny(level, ".*>+# \t\r\n\f\x00\x7f"):
			return "", fmt.Errorf("grant: topic filter %q is not supported", filter)
		}
	}
	return strings.Join(levels, "."), nil
}
