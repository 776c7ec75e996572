package api

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"the most entries in one answer"`
	Cursor string `query:"cursor" maxLength:"256" doc:"next of the answer before this one"`
}

// cut returns one page of a list in ascending order of key, and the cursor of the
// next page, if there is one.
func cut[T any](p Paging, all []T, key func(T) string) (items []T, next string, err error) {
	after, err := p.after()
	if err != nil {
		return nil, "", err
	}
	items = []T{}
	for _, item := range all {
		if p.Cursor != "" && key(item) <= after {
			continue
		}
		if len(items) == p.Limit {
			return items, cursorOf(key(items[len(items)-1])), nil
		}
		items = append(items, item)
	}
	return items, "", nil
}

// after returns the key that a cursor stands for.
func (p Paging) after() (string, error) {
	key, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil {
		return "", invalid("query.cursor", p.Cursor, fmt.Errorf("cursor %q: %w", p.Cursor, errCursor))
	}
	return string(key), nil
}

var errCursor = errors.New("want the next of an earlier answer")

func cursorOf(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
