package bridge

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const maxTopic = 1024

// Matches reports whether a topic matches a filter (MQTT 3.1.1 §4.7).
func Matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") != strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		level, restFilter, moreFilter := strings.Cut(filter, "/")
		name, restTopic, moreTopic := strings.Cut(topic, "/")
		switch {
		case level == "#":
			return true
		case level != "+" && level != name:
			return false
		case !moreTopic:
			return !moreFilter || restFilter == "#"
		case !moreFilter:
			return false
		}
		filter, topic = restFilter, restTopic
	}
}

// CheckTopic tells why a text cannot be a topic, or part of one, to publish to.
func CheckTopic(topic string) error {
	switch {
	case topic == "":
		return fmt.Errorf("topic is empty")
	case len(topic) > maxTopic:
		return fmt.Errorf("topic has %d bytes, at most %d are allowed", len(topic), maxTopic)
	case !utf8.ValidString(topic) || strings.ContainsAny(topic, "+#\x00"):
		return fmt.Errorf("topic %q has a character that topics cannot have", topic)
	default:
		return nil
	}
}
