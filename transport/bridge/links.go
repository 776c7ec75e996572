package bridge

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/commshub/commshub/han"
)

// links are the addresses under which devices fetch images by HTTP. Each is good
// for one update of one device: its token cannot be guessed, and it is dead once
// the update ended. Tokens outlive a restart, for a device in the middle of it.
type links struct {
	state *state
	base  string // URL of the HTTP endpoint as devices reach it; empty: no links

	mu     sync.Mutex
	tokens map[linkKey]string
	files  map[string]servedFile // by token
}

// linkKey names an update.
type linkKey struct {
	Device han.EUI64
	Image  Hash
}

type servedFile struct {
	key   linkKey
	image Image
}

// keptLink is how a link is kept.
type keptLink struct {
	Device han.EUI64 `json:"device"`
	Image  Hash      `json:"image"`
	Token  string    `json:"token"`
}

const linksName = "links"

func openLinks(s *state, base string) (*links, error) {
	l := &links{state: s, base: strings.TrimRight(base, "/"), tokens: map[linkKey]string{}, files: map[string]servedFile{}}
	text, err := s.load(linksName)
	if err != nil || text == nil {
		return l, err
	}
	var kept []keptLink
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(linksName), err)
	}
	for _, k := range kept {
		l.tokens[linkKey{k.Device, k.Image}] = k.Token
	}
	return l, nil
}

// sync makes links for exactly the updates given and returns their URLs.
func (l *links) sync(active map[linkKey]Image) (map[linkKey]string, error) {
	if l.base == "" {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := false
	for key := range l.tokens {
		if _, still := active[key]; !still {
			delete(l.tokens, key)
			changed = true
		}
	}
	clear(l.files)
	urls := map[linkKey]string{}
	for key, im := range active {
		token, ok := l.tokens[key]
		if !ok {
			token = rand.Text()
			l.tokens[key] = token
			changed = true
		}
		l.files[token] = servedFile{key, im}
		urls[key] = l.url(token, im)
	}
	if !changed {
		return urls, nil
	}
	return urls, l.keep()
}

func (l *links) url(token string, im Image) string {
	return fmt.Sprintf("%s/%s/%08x.ota", l.base, token, im.FileVersion)
}

func (l *links) keep() error {
	kept := []keptLink{}
	for key, token := range l.tokens {
		kept = append(kept, keptLink{key.Device, key.Image, token})
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return l.state.keep(linksName, text)
}

// find returns the file behind a token.
func (l *links) find(token string) (servedFile, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.files[token]
	return f, ok
}
