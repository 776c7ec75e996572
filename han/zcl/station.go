package zcl

import "github.com/commshub/commshub/han"

// Station sends ZCL frames from one endpoint of one node: it fills in addresses
// and counts APS counters and transaction numbers.
type Station struct {
	Node     han.EUI64
	Endpoint uint8

	counter uint8
	tsn     uint8
}

// Peer is the other end of a conversation: an endpoint of a node, and the
// cluster talked about.
type Peer struct {
	Node     han.EUI64
	Endpoint uint8
	Cluster  uint16
}

// PeerOf returns whom to answer a frame.
func PeerOf(f han.Frame) Peer {
	return Peer{Node: f.Src, Endpoint: f.SrcEndpoint, Cluster: f.Cluster}
}

// Send puts a command of its own accord into the outbox: h.TSN is set to the next
// transaction number, which is returned.
func Send[C Command](s *Station, out *han.Outbox, to Peer, h Header, c C) (tsn uint8) {
	s.tsn++
	h.TSN = s.tsn
	Answer(s, out, to, h, c)
	return s.tsn
}

// Answer puts a command into the outbox with the transaction number that h has.
func Answer[C Command](s *Station, out *han.Outbox, to Peer, h Header, c C) {
	s.counter++
	out.Send(han.Frame{
		Src: s.Node, Dst: to.Node, SrcEndpoint: s.Endpoint, DstEndpoint: to.Endpoint,
		Profile: han.ProfileSmartEnergy, Cluster: to.Cluster, Counter: s.counter,
		Payload: AppendFrame(out.Payload(), h, c),
	})
}

// AnswerDefault answers a frame with a Default Response, unless the rules of ZCL
// §2.5.12.2 forbid it: never to a Default Response, and success only if it was
// asked for.
func AnswerDefault(s *Station, out *han.Outbox, f han.Frame, h Header, status Status) {
	if !h.ClusterSpecific && h.Command == CommandDefaultResponse {
		return
	}
	if status == StatusSuccess && h.DisableDefaultResponse {
		return
	}
	answer := Header{ToClient: !h.ToClient, DisableDefaultResponse: true, TSN: h.TSN, Command: CommandDefaultResponse,
		ManufacturerSpecific: h.ManufacturerSpecific, Manufacturer: h.Manufacturer}
	Answer(s, out, PeerOf(f), answer, DefaultResponse{Command: h.Command, Status: status})
}
