package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// leftovers are the topics at which adapters of this bridge have retained messages on the
// broker, by the adapter's name. The bridge keeps them itself, so that it can take back
// what an adapter left that is not in the configuration any more.
type leftovers struct {
	state  *state
	topics map[string][]string // in order
}

const leftoversName = "retained"

func openLeftovers(s *state) (*leftovers, error) {
	l := &leftovers{state: s, topics: map[string][]string{}}
	text, err := s.load(leftoversName)
	if err != nil || text == nil {
		return l, err
	}
	if err := json.Unmarshal(text, &l.topics); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(leftoversName), err)
	}
	return l, nil
}

// note keeps what an adapter is about to leave, before it leaves, or to take back.
func (l *leftovers) note(adapter string, messages []Message) error {
	changed := false
	for _, m := range messages {
		if !m.Retained {
			continue
		}
		i, there := slices.BinarySearch(l.topics[adapter], m.Topic)
		switch {
		case len(m.Payload) > 0 && !there:
			l.topics[adapter] = slices.Insert(l.topics[adapter], i, m.Topic)
		case len(m.Payload) == 0 && there:
			l.topics[adapter] = slices.Delete(l.topics[adapter], i, i+1)
		default:
			continue
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return l.keep()
}

func (l *leftovers) keep() error {
	text, err := json.Marshal(l.topics)
	if err != nil {
		return err
	}
	return l.state.keep(leftoversName, text)
}

// clearLeftovers takes back what adapters left that were switched off while no bridge
// ran. Only what this bridge left itself is touched, unless it is another home's by now,
// and it is forgotten when the broker has taken it, so that a bridge that is killed
// meanwhile does it again.
func (r *runner) clearLeftovers() error {
	for _, name := range slices.Sorted(maps.Keys(r.left.topics)) {
		topics := r.left.topics[name]
		if len(topics) == 0 || slices.ContainsFunc(r.opts.Config.Adapters, func(a Adapter) bool { return a.Name() == name }) {
			continue
		}
		for _, topic := range topics {
			if CheckTopic(topic) == nil && !r.owners.foreign(topic) {
				r.session.publish(Message{Topic: topic, Retained: true})
			}
		}
		if !r.session.flush() {
			return nil // the next connection tries again
		}
		r.log.to.Info("took back what an adapter left that is switched off", "adapter", name, "topics", len(topics))
		delete(r.left.topics, name)
		if err := r.left.keep(); err != nil {
			return fmt.Errorf("keep what %s left: %w", name, err)
		}
	}
	return nil
}
