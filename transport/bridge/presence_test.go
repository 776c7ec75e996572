package bridge

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestPresenceDecides(t *testing.T) {
	type other struct{ name, says string }
	tests := []struct {
		name   string
		others []other
		want   bool
	}{
		{"alone", nil, true},
		{"the lowest of those that stand by", []other{{"n", "standby"}, {"z", "standby"}}, true},
		{"not the lowest", []other{{"a", "standby"}}, false},
		{"somebody higher works", []other{{"z", "active"}}, false},
		{"somebody lower works", []other{{"a", "active"}}, false},
		{"one that is gone", []other{{"a", "active"}, {"a", ""}}, true},
		{"nonsense", []other{{"A/../b", "active"}, {"", "active"}, {strings.Repeat("a", 99), "active"}}, true},
		{"a word that is none", []other{{"z", "ACTIVE"}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPresence("home", "m")
			p.begin(start)
			for _, o := range tt.others {
				p.handle(start, Message{Topic: "commshub/bridge/home/" + o.name, Payload: []byte(o.says)})
			}
			if p.decide(start.Add(settleTime - 1)); p.working {
				t.Error("works before it looked around")
			}
			if p.decide(start.Add(settleTime)); p.working != tt.want {
				t.Errorf("works: %v, want %v", p.working, tt.want)
			}
		})
	}
}

func TestPresenceMessageThatIsGoneIsPublishedAgain(t *testing.T) {
	p := newPresence("home", "m")
	if !p.handle(start, Message{Topic: p.topic()}) || p.handle(start, Message{Topic: p.topic(), Payload: []byte("standby")}) {
		t.Error("the own message was not watched")
	}
}

func TestANewcomerIsAnsweredOnce(t *testing.T) {
	p := newPresence("home", "m")
	z := Message{Topic: p.prefix + "z", Payload: []byte(presenceStandby)}
	if !p.handle(start, z) || p.handle(start, z) {
		t.Error("want an answer to the first message alone")
	}
	if gone := (Message{Topic: z.Topic}); p.handle(start, gone) || !p.handle(start, z) {
		t.Error("want an answer to a bridge that comes back, and none to its farewell")
	}
}

// TestTheWorkIsTakenOverWithoutAFarewell: the message that says that the working bridge is
// gone never comes. Who hears itself takes over within silence and a tellPeriod, and who
// does not, which may be deaf to the other as well, never does.
func TestTheWorkIsTakenOverWithoutAFarewell(t *testing.T) {
	for _, hears := range []bool{true, false} {
		p := newPresence("home", "m")
		p.begin(start)
		p.handle(start, Message{Topic: p.prefix + "a", Payload: []byte(PresenceActive)})
		var worked time.Duration
		for at := time.Duration(0); at < 10*silence && worked == 0; at += time.Second {
			now := start.Add(at)
			if p.tell(now) && hears {
				p.handle(now, Message{Topic: p.topic(), Payload: p.payload()})
			}
			if at >= 2*silence && !hears {
				p.handle(now, Message{Topic: p.prefix + "z", Payload: []byte(presenceStandby)})
			}
			if p.decide(now) {
				worked = at
			}
		}
		if hears && (worked < silence || worked > silence+tellPeriod) || !hears && worked != 0 {
			t.Errorf("hears itself: %v; works after %v", hears, worked)
		}
	}
}

// TestWhoSaysAgainWhatItDoesIsNotForgotten, for as long as it does.
func TestWhoSaysAgainWhatItDoesIsNotForgotten(t *testing.T) {
	a, m := newPresence("home", "a"), newPresence("home", "m")
	a.begin(start)
	m.begin(start)
	for at := time.Duration(0); at < 10*silence; at += time.Second {
		now := start.Add(at)
		for _, p := range []*presence{a, m} {
			if p.decide(now) || p.tell(now) || at == 0 {
				told := Message{Topic: p.topic(), Payload: p.payload()}
				a.handle(now, told)
				m.handle(now, told)
			}
		}
		if m.working || at >= settleTime && !a.working {
			t.Fatalf("after %v a works: %v, m works: %v", at, a.working, m.working)
		}
	}
}

func TestOthersAreBounded(t *testing.T) {
	p := newPresence("home", "m")
	for i := range 10 * maxOthers {
		p.handle(start, Message{Topic: fmt.Sprintf("commshub/bridge/home/x%d", i), Payload: []byte("standby")})
	}
	if len(p.others) != maxOthers {
		t.Errorf("%d others are remembered", len(p.others))
	}
}

// TestOneBridgeWorksWhateverHappens lets bridges come, go and be killed on a broker
// that delivers in order, each at its own pace, and now and then has not kept a
// retained message yet when somebody subscribes, or loses a message, be it the farewell
// of the one that worked. In the end exactly one must work.
func TestOneBridgeWorksWhateverHappens(t *testing.T) {
	for seed := range uint64(200) {
		dice := rand.New(rand.NewPCG(seed, 1))
		b := &presenceBroker{retained: map[string]string{}, dice: dice}
		names := []string{"a", "k", "q", "z"}
		now := start
		for range 60 {
			name := names[dice.IntN(len(names))]
			switch dice.IntN(4) {
			case 0:
				b.join(name, now, dice)
			case 1:
				b.leave(name)
			default:
				b.run(dice, now)
			}
			now = now.Add(time.Duration(dice.IntN(1500)) * time.Millisecond)
		}
		if b.dice = nil; len(b.members) == 0 {
			b.join("k", now, dice)
		}
		for range 50 {
			now = now.Add(settleTime)
			b.run(nil, now)
		}
		working := 0
		for _, m := range b.members {
			if m.working {
				working++
			}
		}
		if working != 1 {
			t.Fatalf("seed %d: %d bridges work, of %d", seed, working, len(b.members))
		}
	}
}

// presenceBroker is a broker with bridges on it; each has what was sent to it and
// what it has not read yet.
type presenceBroker struct {
	retained map[string]string
	dice     *rand.Rand // nil: no message is lost
	members  []*presenceMember
}

type presenceMember struct {
	*presence
	unread []Message
}

func (b *presenceBroker) say(topic, payload string) {
	b.retained[topic] = payload
	if payload == "" {
		delete(b.retained, topic)
	}
	for _, m := range b.members {
		if b.dice == nil || b.dice.IntN(4) > 0 {
			m.unread = append(m.unread, Message{Topic: topic, Payload: []byte(payload)})
		}
	}
}

func (b *presenceBroker) join(name string, now time.Time, dice *rand.Rand) {
	b.leave(name) // a client of the same name is thrown off
	m := &presenceMember{presence: newPresence("home", name)}
	b.members = append(b.members, m)
	for _, topic := range slices.Sorted(maps.Keys(b.retained)) {
		if dice.IntN(3) > 0 {
			m.unread = append(m.unread, Message{Topic: topic, Payload: []byte(b.retained[topic])})
		}
	}
	m.begin(now)
	b.say(m.topic(), string(m.payload()))
}

// leave ends a bridge; its last will speaks.
func (b *presenceBroker) leave(name string) {
	for i, m := range b.members {
		if m.self == name {
			b.members = append(b.members[:i:i], b.members[i+1:]...)
			b.say(m.topic(), "")
			return
		}
	}
}

// run lets every bridge read some of its messages, all without dice, and decide.
func (b *presenceBroker) run(dice *rand.Rand, now time.Time) {
	for _, m := range b.members {
		n := len(m.unread)
		if dice != nil {
			n = dice.IntN(n + 1)
		}
		read := m.unread[:n]
		m.unread = m.unread[n:]
		for _, message := range read {
			if m.handle(now, message) {
				b.say(m.topic(), string(m.payload()))
			}
		}
		if m.decide(now) || m.tell(now) {
			b.say(m.topic(), string(m.payload()))
		}
	}
}
