// Package gbcs encodes and decodes the messages of the Great Britain Companion
// Specification (GBCS) that concern firmware and top-ups: the [Message] around every use
// case, and the payloads of Activate Firmware, Read Firmware Version, top-ups and the
// firmware alerts, one per file. What a message code stands for is in one table,
// use_cases.txt, see [UseCaseOf]; the file of a use case enters how it is read.
//
// A message travels between a device and a remote party (supplier, access
// control broker) and passes the hub unread. All integers are big-endian,
// unlike in ZCL:
//
//	MAC header       DD 00*6 length 11 00*4              only if MACed
//	grouping header  DF 09 CRA counter(8)
//	                 08 originator(8) 08 recipient(8)
//	                 00, or 0C and a date-time(12)
//	                 length message-code(2) other(n)
//	payload          length payload(n)
//	signature        00, or 40 and r‖s(64)               not in a pre-command
//	MAC              12 bytes                            only if MACed
//
// Payloads come in three encodings, told apart by the use case: DER (ASN.1),
// GBZ (starts 01 09; ZCL frames in an envelope; GSME and GPF) and DLMS (starts
// D9, DA or 0F; ESME).
//
// Parse functions are strict, because a message is signed as a whole: lengths
// must be minimal and add up, and bytes after the last field are refused.
// Parsed byte slices alias the input. Signatures and MACs are carried here; package
// seal makes and checks them.
//
// The layouts follow the messages published as the GBCS RTDS 4.5.0 test set.
// The text of the GBCS itself was not at hand: clause numbers are given as
// implementers of version 0.8.1 and later cite them.
package gbcs

// MaxMessage is the longest message taken, in bytes, an assumption: the limit of GBCS is
// not public, the longest published message has 3,986. Of more than 1,200 bytes a message
// passes a tunnel in blocks, see package block.
const MaxMessage = 8192

// Sizes in bytes.
const (
	SignatureSize = 64 // ECDSA P-256, raw r‖s
	MACSize       = 12 // AES-128-GMAC
	HashSize      = 32 // SHA-256 of a Manufacturer Image
)
