package phy

import "time"

// ParentSend returns how long the parent's transmitter is on to hand a child a ZCL
// frame: the acknowledgement of each poll, the fragments, and the acknowledgement
// of the child's APS acknowledgement.
func (p *Params) ParentSend(zcl int) time.Duration {
	n, psdu := p.fragments(zcl)
	on := time.Duration(psdu+n*p.SyncBytes) * p.ByteTime
	if !p.Listening {
		on += time.Duration(n) * p.Ack
	}
	if p.APSAck {
		on += p.Ack
	}
	return on
}

// ParentHear returns how long the parent's transmitter is on to take a ZCL frame
// from a child: an acknowledgement for each fragment.
func (p *Params) ParentHear(zcl int) time.Duration {
	n, _ := p.fragments(zcl)
	return time.Duration(n) * p.Ack
}

// Fragments returns into how many radio frames a ZCL frame is cut.
func (p *Params) Fragments(zcl int) int {
	n, _ := p.fragments(zcl)
	return n
}

// Room returns the longest ZCL frame that is cut into n radio frames.
func (p *Params) Room(n int) int {
	if n == 1 {
		return p.MaxUnfragmented()
	}
	return n * (p.MaxUnfragmented() - headerFragment)
}
