package foreign

import "strings"

// Address returns an address as messages show it: without the user and the password that
// may stand before its host.
func Address(text string) string {
	at := strings.LastIndexByte(text, '@')
	scheme, _, whole := strings.Cut(text, "://")
	switch {
	case at < 0:
		return text
	case !whole || len(scheme) > at:
		return text[at+1:]
	}
	return scheme + "://" + text[at+1:]
}
