// Package phy tells how long an IEEE 802.15.4 radio is busy with a Zigbee
// frame: the air time of its bytes and the listening around them. Both sides of
// the house use it. devices/battery turns the times into charge, gasproxy paces
// a meter's window by them, transport/radio delays frames by them.
//
// One request and its answer, as a sleeping child sees them:
//
//	child    ┌LBT┬─request─┬turn┬ack┐  ┌LBT┬poll┬turn┬ack┬ parent ┬host┬turn┬─answer─┬ack┐ ┌LBT┬APS ack┬…
//	          rx   tx        rx   rx     rx   tx   rx   rx    rx             rx       tx     rx   tx
//
// A child that listens instead of polling keeps its receiver on from the request
// to the answer ([Params].Listening).
//
// Mean values are used for what is random (back-off, listen-before-talk). Not
// modelled: inter-frame spacing, CSMA retries, NWK and APS retransmission. Times
// are those of IEEE 802.15.4 and of the Zigbee R22 sub-GHz specification.
package phy

import "time"

// Bytes that surround a ZCL frame.
const (
	// MaxPSDU is the longest 802.15.4 frame, check sequence included.
	MaxPSDU = 127
	// headerNetwork is MAC 9, FCS 2, NWK 8, NWK security 14 and its MIC 4, APS 8.
	headerNetwork = 45
	// headerAPSSecurity is added by APS link-key security: 5 and its MIC 4.
	headerAPSSecurity = 9
	// headerFragment is the APS extended header of a fragmented frame: extended
	// frame control and block number.
	headerFragment = 2
	// pollPSDU is a MAC data request.
	pollPSDU = 12
)

// Params is one kind of radio link. Durations are means where the standard has
// a random range.
type Params struct {
	Name       string
	ByteTime   time.Duration // one byte on the air
	SyncBytes  int           // preamble, start-of-frame delimiter and PHY header, in byte times
	Ack        time.Duration // a MAC acknowledgement on the air
	Turnaround time.Duration // between receiving and sending
	Listen     time.Duration // listening for a clear channel before sending, receiver on
	Backoff    time.Duration // waiting before that, receiver off
	Host       time.Duration // what the parent needs between a poll and the answer's first byte
	// Latency is what the hub needs between a request and having the answer ready.
	// A child that polls sleeps meanwhile and polls once; one that listens, listens.
	Latency time.Duration
	// Listening tells that a child keeps its receiver on while it expects an answer,
	// instead of polling for it.
	Listening bool
	// APSSecurity tells whether frames carry APS link-key security besides NWK security.
	APSSecurity bool
	// APSAck tells whether the receiver of a data frame sends an APS acknowledgement.
	APSAck bool
	// Duty is how long a transmitter may be on in an hour; zero does not limit.
	Duty DutyLimits
}

// Band2G4 is Zigbee at 2.4 GHz, 250 kb/s: 32 µs a byte, 6 bytes of
// synchronisation, mean first back-off 3.5 × 320 µs, clear-channel assessment
// 128 µs.
func Band2G4() Params {
	return Params{
		Name: "2.4ghz", ByteTime: 32 * time.Microsecond, SyncBytes: 6,
		Ack: 352 * time.Microsecond, Turnaround: 192 * time.Microsecond,
		Listen: 128 * time.Microsecond, Backoff: 1120 * time.Microsecond,
		Host: 2 * time.Millisecond, APSSecurity: true, APSAck: true,
	}
}

// Band868 is Zigbee at 863 to 876 MHz as used in GB, 100 kb/s: 80 µs a byte, 12
// bytes of synchronisation, listen-before-talk 5 ms and 0 to 10 times 0.5 ms,
// acknowledgement 17 bytes, 100 s of transmitting an hour.
func Band868() Params {
	return Params{
		Name: "868mhz", ByteTime: 80 * time.Microsecond, SyncBytes: 12,
		Ack: 1360 * time.Microsecond, Turnaround: 450 * time.Microsecond,
		Listen: 7500 * time.Microsecond, Backoff: 0,
		Host: 2 * time.Millisecond, APSSecurity: true, APSAck: true,
		Duty: DutyLimits{Critical: 75 * time.Second, Regulated: 100 * time.Second},
	}
}

// Band returns the link with the given name, as [Bands] lists them.
func Band(name string) (Params, bool) {
	for _, p := range []Params{Band2G4(), Band868()} {
		if p.Name == name {
			return p, true
		}
	}
	return Params{}, false
}

// Bands returns the names of the links there are.
func Bands() []string { return []string{Band2G4().Name, Band868().Name} }

// Cost is what one radio spends on an operation.
type Cost struct {
	Transmit time.Duration // transmitter on
	Listen   time.Duration // receiver on without a frame
	Receive  time.Duration // receiver on during a frame
	Backoff  time.Duration // processor awake, radio off
	Wakes    int           // times the processor wakes for a radio frame
	Frames   int           // ZCL frames it then handles; a fragmented one counts once
}

// RadioOn returns the time the radio is on, sending or receiving.
func (c Cost) RadioOn() time.Duration { return c.Transmit + c.Listen + c.Receive }

// Add returns the sum of two costs.
func (c Cost) Add(d Cost) Cost {
	return Cost{
		c.Transmit + d.Transmit, c.Listen + d.Listen, c.Receive + d.Receive, c.Backoff + d.Backoff, c.Wakes + d.Wakes, c.Frames + d.Frames,
	}
}

// AirTime returns how long a frame of psdu bytes, header and check sequence
// included, occupies the channel.
func (p *Params) AirTime(psdu int) time.Duration {
	return time.Duration(psdu+p.SyncBytes) * p.ByteTime
}

func (p *Params) header() int {
	if p.APSSecurity {
		return headerNetwork + headerAPSSecurity
	}
	return headerNetwork
}

// MaxUnfragmented returns the longest ZCL frame that fits one radio frame.
func (p *Params) MaxUnfragmented() int { return MaxPSDU - p.header() }

// fragments returns into how many radio frames a ZCL frame is cut and the bytes
// of all of them together.
func (p *Params) fragments(zcl int) (n, psduSum int) {
	if zcl <= p.MaxUnfragmented() {
		return 1, p.header() + zcl
	}
	room := p.MaxUnfragmented() - headerFragment
	n = (zcl + room - 1) / room
	return n, n*(p.header()+headerFragment) + zcl
}

// talk is the listening around one own transmission: a clear channel before it,
// and the acknowledgement after it.
func (p *Params) talk() time.Duration { return p.Listen + p.Turnaround + p.Ack }

// Send returns what sending a ZCL frame of the given length costs the sender.
func (p *Params) Send(zcl int) Cost {
	n, psdu := p.fragments(zcl)
	return Cost{
		Transmit: time.Duration(psdu+n*p.SyncBytes) * p.ByteTime,
		Listen:   time.Duration(n) * p.talk(),
		Backoff:  time.Duration(n) * p.Backoff,
		Wakes:    n,
		Frames:   1,
	}
}

// Poll returns what a data request costs a sleeping child if the parent has
// nothing for it.
func (p *Params) Poll() Cost {
	return Cost{
		Transmit: p.AirTime(pollPSDU),
		Listen:   p.talk() + p.parent(),
		Backoff:  p.Backoff,
		Wakes:    1,
	}
}

// Miss returns what an answer that does not come costs a sleeping child: a poll in
// vain, or listening for as long as it has patience.
func (p *Params) Miss(patience time.Duration) Cost {
	if p.Listening {
		return Cost{Listen: patience}
	}
	return p.Poll()
}

// parent is how long a child listens between its poll's acknowledgement and the
// first byte of the answer.
func (p *Params) parent() time.Duration {
	return p.Backoff + p.Listen + p.Turnaround + p.Host + p.Turnaround
}

// Fetch returns what fetching a ZCL frame of the given length costs a sleeping
// child: a poll for each fragment, or listening for it, its reception and
// acknowledgement, and one APS acknowledgement for all.
func (p *Params) Fetch(zcl int) Cost {
	n, psdu := p.fragments(zcl)
	times := time.Duration(n)
	c := Cost{Listen: p.Latency + times*p.parent(), Wakes: n}
	if !p.Listening {
		poll := p.Poll()
		c = Cost{Transmit: times * poll.Transmit, Listen: times * poll.Listen, Backoff: times * poll.Backoff, Wakes: n}
	}
	c.Frames = 1
	c.Transmit += times * p.Ack
	c.Receive = time.Duration(psdu+n*p.SyncBytes) * p.ByteTime
	if p.APSAck {
		c = p.acknowledge(c)
	}
	return c
}

// acknowledge adds the APS acknowledgement of a frame received.
func (p *Params) acknowledge(c Cost) Cost {
	c.Transmit += p.AirTime(p.header())
	c.Listen += p.talk()
	c.Backoff += p.Backoff
	return c
}

// Receive returns what receiving a ZCL frame costs a device whose radio is always
// on: the frame and its acknowledgements, not the listening in between.
func (p *Params) Receive(zcl int) Cost {
	n, psdu := p.fragments(zcl)
	c := Cost{
		Transmit: time.Duration(n) * p.Ack,
		Receive:  time.Duration(psdu+n*p.SyncBytes) * p.ByteTime,
		Wakes:    n,
		Frames:   1,
	}
	if p.APSAck {
		c = p.acknowledge(c)
	}
	return c
}

// Exchange returns what a request and its answer cost a sleeping child, both
// lengths those of ZCL frames.
func (p *Params) Exchange(request, response int) Cost {
	return p.Send(request).Add(p.Fetch(response))
}

// Delay returns the mean time from handing a ZCL frame to the sender's radio
// until the receiver has it.
func (p *Params) Delay(zcl int) time.Duration {
	n, psdu := p.fragments(zcl)
	return time.Duration(n)*(p.Backoff+p.Listen+p.Turnaround) + time.Duration(psdu+n*p.SyncBytes)*p.ByteTime
}
