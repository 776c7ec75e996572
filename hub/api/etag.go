package api

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// An ETag here names the revision of an entry: what somebody decided about it, not
// the figures that run on meanwhile. So that an order that was right when a person
// gave it is not refused because another block went by.

// etag returns the tag of what parts say.
func etag(parts ...any) string {
	sum := sha256.Sum256(fmt.Appendln(nil, parts...))
	return fmt.Sprintf(`"%x"`, sum[:8])
}

// Precondition is the precondition that an operation takes.
type Precondition struct {
	Match string `header:"If-Match" maxLength:"1024" doc:"ETag of the entry as it was read; 412 if it is another by now"`
}

// check refuses an operation whose precondition does not hold.
func (i Precondition) check(tag string) error {
	if i.Match == "" || matches(i.Match, tag) {
		return nil
	}
	return statusProblem(http.StatusPreconditionFailed, fmt.Sprintf("If-Match %s: the entry changed, it is %s now", i.Match, tag))
}

// matches reports whether a list of tags has the tag, or is *.
func matches(list, tag string) bool {
	for _, t := range strings.Split(list, ",") {
		if t = strings.TrimSpace(t); t == "*" || t == tag {
			return true
		}
	}
	return false
}

func statusProblem(status int, detail string) error { return huma.NewError(status, detail) }
