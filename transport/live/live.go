// Package live runs nodes in real time, or faster: the other driver of the contract
// in package han, beside transport/sim.
//
// # The clock
//
// The emulated clock never passes an instant at which something is still to be done:
// the due instant of a frame in flight, or a deadline that has not fired. Otherwise it
// runs at its speed times the wall clock. So it is transport/sim, paced by the wall: the
// speed says how fast idle time passes; an exchange takes what the radio model says in
// emulated time, and what the machine needs on the wall. A frame that is lost costs
// its sender's patience in emulated time, and nothing on the wall.
//
//	deadlines of nodes ─┐
//	frames in flight   ─┼─► Schedule: one thing after the other, in the order of their
//	promises of peers  ─┘             instants, when the wall is there as well
//
// A frame's due instant is when its sender sent it, and what transport/radio says it
// takes, or that it is lost, by the same dice as in transport/sim. So a home in one
// process does the same at the same instants as in virtual time, whatever the machine.
//
// # Between processes
//
// Each message carries a [han.Stamp]: when it is due, and a promise before when nothing
// more comes from its sender. A process does not pass what another promised, nor the
// due instant of a frame that the other has not seen. The hub's process keeps the
// clock: it tells devices how far they may go when they wait for it, and a device that
// goes to sleep tells when it will wake. A block exchange needs no message besides its
// frames. A message that is really lost is found by its number, after two seconds on
// the wall and none on the emulated clock. A participant that does not answer for ten
// seconds is no longer waited for until it speaks; one that stamps nothing, such as a
// real board, lives on the wall clock, and nobody waits for it.
//
// If the machine cannot follow the speed asked for, the clock slips: it goes on from
// where it is, and no figure changes.
//
// Frames are handled on the goroutine of the link that delivers them, because handing
// them over to another one costs more than handling them.
package live
