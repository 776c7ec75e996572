#include "frame.h"

#include <string.h>

// CBOR major types, in the upper three bits of a head (RFC 8949 §3.1).
enum { MAJOR_UINT = 0x00, MAJOR_BYTES = 0x40, MAJOR_ARRAY = 0x80 };

struct writer {
	uint8_t *at;
	size_t left;
	bool ok;
};

static void write_bytes(struct writer *w, const uint8_t *bytes, size_t length) {
	if (!w->ok || length > w->left) {
		w->ok = false;
		return;
	}
	if (length > 0) {
		memcpy(w->at, bytes, length);
	}
	w->at += length;
	w->left -= length;
}

// write_head writes a head in its shortest form: five bits, or 1, 2, 4 or 8 bytes.
static void write_head(struct writer *w, uint8_t major, uint64_t value) {
	uint8_t head[9];
	size_t follow = value < 24 ? 0 : value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
	switch (follow) {
	case 0: head[0] = (uint8_t)(major | value); break;
	case 1: head[0] = major | 24; break;
	case 2: head[0] = major | 25; break;
	case 4: head[0] = major | 26; break;
	default: head[0] = major | 27; break;
	}
	for (size_t i = 0; i < follow; i++) {
		head[1 + i] = (uint8_t)(value >> (8 * (follow - 1 - i)));
	}
	write_bytes(w, head, 1 + follow);
}

size_t frame_encode(const struct frame *f, uint8_t *out, size_t capacity) {
	struct writer w = {out, capacity, f->length <= FRAME_PAYLOAD_MAX};
	write_head(&w, MAJOR_ARRAY, 9);
	write_head(&w, MAJOR_UINT, 1); // version of the encoding
	write_head(&w, MAJOR_UINT, f->source);
	write_head(&w, MAJOR_UINT, f->destination);
	write_head(&w, MAJOR_UINT, f->source_endpoint);
	write_head(&w, MAJOR_UINT, f->destination_endpoint);
	write_head(&w, MAJOR_UINT, f->profile);
	write_head(&w, MAJOR_UINT, f->cluster);
	write_head(&w, MAJOR_UINT, f->counter);
	write_head(&w, MAJOR_BYTES, f->length);
	write_bytes(&w, f->payload, f->length);
	return w.ok ? capacity - w.left : 0;
}

struct reader {
	const uint8_t *at;
	size_t left;
	bool ok;
};

// read_head reads a head of the given major type whose value is at most max, in
// its shortest form.
static uint64_t read_head(struct reader *r, uint8_t major, uint64_t max) {
	if (!r->ok || r->left == 0 || (r->at[0] & 0xE0) != major) {
		r->ok = false;
		return 0;
	}
	uint8_t info = r->at[0] & 0x1F;
	size_t follow = info < 24 ? 0 : (size_t)1 << (info - 24);
	if (info > 27 || follow >= r->left) {
		r->ok = false;
		return 0;
	}
	uint64_t value = follow == 0 ? info : 0;
	for (size_t i = 0; i < follow; i++) {
		value = value << 8 | r->at[1 + i];
	}
	static const uint64_t least[] = {0, 24, UINT64_C(1) << 8, 0, UINT64_C(1) << 16, 0, 0, 0, UINT64_C(1) << 32};
	r->ok = value >= least[follow] && value <= max;
	r->at += 1 + follow;
	r->left -= 1 + follow;
	return value;
}

bool frame_decode(struct frame *f, const uint8_t *in, size_t length) {
	struct reader r = {in, length, true};
	bool known = read_head(&r, MAJOR_ARRAY, 9) == 9 && read_head(&r, MAJOR_UINT, 1) == 1;
	f->source = read_head(&r, MAJOR_UINT, UINT64_MAX);
	f->destination = read_head(&r, MAJOR_UINT, UINT64_MAX);
	f->source_endpoint = (uint8_t)read_head(&r, MAJOR_UINT, UINT8_MAX);
	f->destination_endpoint = (uint8_t)read_head(&r, MAJOR_UINT, UINT8_MAX);
	f->profile = (uint16_t)read_head(&r, MAJOR_UINT, UINT16_MAX);
	f->cluster = (uint16_t)read_head(&r, MAJOR_UINT, UINT16_MAX);
	f->counter = (uint8_t)read_head(&r, MAJOR_UINT, UINT8_MAX);
	f->length = (size_t)read_head(&r, MAJOR_BYTES, FRAME_PAYLOAD_MAX);
	f->payload = r.at;
	return known && r.ok && f->length == r.left; // nothing may follow
}
