// A HAN frame and its encoding inside a DTLS record: one CBOR array of nine
// elements in deterministic encoding, as han/frame.cddl says.
#ifndef JOIN_FRAME_H
#define JOIN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_PAYLOAD_MAX 1536                     // bytes of ZCL
#define FRAME_MAX (2 + 9 + 9 + 2 + 2 + 3 + 3 + 2 + 3 + FRAME_PAYLOAD_MAX)

#define PROFILE_SMART_ENERGY 0x0109

struct frame {
	uint64_t source, destination; // EUI64 as a number: 0x00DB1234567890A1
	uint8_t source_endpoint, destination_endpoint;
	uint16_t profile, cluster;
	uint8_t counter; // APS counter of the sender
	const uint8_t *payload;
	size_t length;
};

// frame_encode writes f into out and returns its length, or 0 if it does not fit.
size_t frame_encode(const struct frame *f, uint8_t *out, size_t capacity);

// frame_decode reads one frame. It takes the one encoding that frame.cddl allows
// and nothing else. The payload points into the input.
bool frame_decode(struct frame *f, const uint8_t *in, size_t length);

#endif
