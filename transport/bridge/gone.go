package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// clearGone takes back what bridges left that were killed and whose homes do not come
// again. Each has its folder; what cannot be used of them is left alone.
func (r *runner) clearGone() {
	for _, dir := range r.opts.Gone {
		n, err := r.takeBack(dir)
		switch {
		case err != nil:
			r.log.to.Info("what a killed bridge left is still there", "folder", dir, "reason", err)
		case n > 0:
			r.log.to.Info("took back what a killed bridge left", "folder", dir, "topics", n)
		}
	}
}

// takeBack takes back what the bridge of a folder left of its home on this broker, and
// returns how many topics that were.
func (r *runner) takeBack(dir string) (int, error) {
	if err := ownFolder(dir); err != nil {
		return 0, err
	}
	s, err := openState(dir)
	if err != nil {
		return 0, err // it runs
	}
	left, err := openLeftovers(s)
	if err != nil {
		return 0, errors.Join(err, s.close())
	}
	n, err := r.takeBackOf(s, left)
	return n, errors.Join(err, s.close())
}

func (r *runner) takeBackOf(s *state, left *leftovers) (int, error) {
	var home string
	if text, err := s.load(homeName); err != nil || text == nil {
		return 0, err
	} else if err := json.Unmarshal(text, &home); err != nil {
		return 0, fmt.Errorf("%s: %w", s.path(homeName), err)
	}
	var topics []string
	for _, name := range slices.Sorted(maps.Keys(left.topics)) {
		for _, topic := range left.topics[name] {
			if CheckTopic(topic) == nil && home != "" && home != r.id && r.owners.owner(topic) == home {
				topics = append(topics, topic)
			}
		}
	}
	// Who owns them is said until nothing else is left, so that what is interrupted can be
	// done again.
	slices.SortStableFunc(topics, func(a, b string) int {
		return strings.Count(a, ownerRoot) - strings.Count(b, ownerRoot)
	})
	for _, topic := range topics {
		r.session.publish(Message{Topic: topic, Retained: true})
	}
	if len(topics) == 0 || !r.session.flush() {
		return 0, nil
	}
	left.topics = map[string][]string{}
	return len(topics), left.keep()
}

// ownFolder refuses a folder that is not there, or is another user's: what stands in it
// would be believed.
func ownFolder(dir string) error {
	for _, path := range []string{dir, filepath.Dir(dir)} {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || ok && int(owner.Uid) != os.Getuid() {
			return fmt.Errorf("%s is no folder of this user", path)
		}
	}
	return nil
}
