// Checks code.c, frame.c and zcl.c against the examples in docs/join.md, and with random
// damage to them. Built with the address and undefined-behaviour sanitizers.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code.h"
#include "frame.h"
#include "zcl.h"

enum { EXAMPLES_MAX = 32, EXAMPLE_BYTES = 256 };

static struct example {
	char name[48];
	uint8_t bytes[EXAMPLE_BYTES];
	size_t length;
} examples[EXAMPLES_MAX];
static size_t example_count;
static int failures;

static void check(bool ok, const char *what) {
	if (!ok) {
		fprintf(stderr, "wrong: %s\n", what);
		failures++;
	}
}

// load reads the blocks between ```hex NAME and ```; # begins a comment.
static void load(const char *path) {
	char line[512];
	struct example *e = NULL;
	FILE *f = fopen(path, "r");
	if (f == NULL) {
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof line, f) != NULL) {
		if (e == NULL) {
			if (example_count < EXAMPLES_MAX && sscanf(line, "```hex %47s", examples[example_count].name) == 1) {
				e = &examples[example_count++];
			}
			continue;
		}
		if (strncmp(line, "```", 3) == 0) {
			e = NULL;
			continue;
		}
		for (char *c = line; *c != 0 && *c != '#'; c++) {
			unsigned byte;
			if (isxdigit((unsigned char)*c) && sscanf(c, "%2x", &byte) == 1 && e->length < EXAMPLE_BYTES) {
				e->bytes[e->length++] = (uint8_t)byte;
				c++;
			}
		}
	}
	fclose(f);
}

static const struct example *example(const char *name) {
	for (size_t i = 0; i < example_count; i++) {
		if (strcmp(examples[i].name, name) == 0) {
			return &examples[i];
		}
	}
	fprintf(stderr, "docs/join.md has no example %s\n", name);
	exit(1);
}

static void check_built(const char *name, const struct zcl_buffer *b) {
	const struct example *e = example(name);
	check(b->length == e->length && memcmp(b->bytes, e->bytes, e->length) == 0, name);
}

static struct zcl parsed(const char *name) {
	struct zcl z;
	const struct example *e = example(name);
	check(zcl_parse(&z, e->bytes, e->length), name);
	return z;
}

static void check_builders(void) {
	struct zcl_buffer b;
	const struct image_id running = {0xFFF1, 0x0000, 0x01000000}, image = {0xFFF1, 0x0000, 0x02000000};
	zcl_request_mirror(&b, 1);
	check_built("request-mirror", &b);
	zcl_configure_mirror(&b, 2, 1800);
	check_built("configure-mirror", &b);
	zcl_report(&b, 3, 1234568, 0x01000000);
	check_built("report-attributes", &b);
	zcl_query_next_image(&b, 4, &running, 0x0100);
	check_built("query-next-image-request", &b);
	zcl_image_block(&b, 7, &image, 3840, 255);
	check_built("image-block-request", &b);
	zcl_upgrade_end(&b, 9, &image, STATUS_SUCCESS);
	check_built("upgrade-end-request", &b);
}

static void check_parsers(void) {
	struct zcl z = parsed("request-mirror-response");
	uint16_t endpoint;
	check(z.command == METERING_REQUEST_MIRROR_RESPONSE && parse_mirror_endpoint(&endpoint, &z) && endpoint == 2, "mirror endpoint");
	z = parsed("default-response");
	struct default_response d;
	check(!z.cluster_specific && parse_default_response(&d, &z) && d.command == METERING_CONFIGURE_MIRROR && d.status == 0,
	      "default response");
	z = parsed("mirror-report-attribute-response");
	uint32_t flags;
	check(parse_notification_flags(&flags, &z) && flags == FLAG_NEW_OTA_FIRMWARE, "notification flags");
	z = parsed("query-next-image-response");
	struct image_offer offer;
	check(parse_image_offer(&offer, &z) && offer.status == 0 && offer.image.version == 0x02000000 && offer.size == 40000, "offer");
	z = parsed("image-block-response");
	struct image_block block;
	check(parse_image_block(&block, &z) && block.offset == 3840 && block.size == 4 && memcmp(block.data, "\1\2\3\4", 4) == 0, "block");
	z = parsed("wait-for-data");
	check(parse_image_block(&block, &z) && block.status == STATUS_WAIT_FOR_DATA && block.delay == 1740, "wait");
	z = parsed("upgrade-end-response");
	struct upgrade_end end;
	check(parse_upgrade_end(&end, &z) && end.image.manufacturer == 0xFFFF && end.upgrade_time == UPGRADE_TIME_WAIT, "end");
}

static void check_frame(void) {
	const struct example *e = example("frame");
	struct frame f;
	uint8_t bytes[FRAME_MAX];
	check(frame_decode(&f, e->bytes, e->length) && f.source == 0x00DB1234567890B1 && f.destination == 0x00DB1234567890A3 &&
		      f.cluster == CLUSTER_OTA && f.counter == 42 && f.length == 17,
	      "frame");
	check(frame_encode(&f, bytes, sizeof bytes) == e->length && memcmp(bytes, e->bytes, e->length) == 0, "frame, encoded again");
	for (size_t n = 0; n < e->length; n++) {
		struct frame cut;
		check(!frame_decode(&cut, e->bytes, n), "a frame that is cut off is taken");
		check(frame_encode(&f, bytes, n) == 0, "a frame is encoded into too little room");
	}
	const uint8_t longer[] = {0x98, 0x09, 0x01}; // nine elements, not in the shortest form
	check(!frame_decode(&f, longer, sizeof longer), "a head that is not the shortest is taken");
}

static void check_code(void) {
	const struct example *printed = example("install-code"), *key = example("link-key");
	uint8_t code[CODE_SIZE], made[LINK_KEY_SIZE];
	check(code_parse(code, "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5") && printed->length == CODE_SIZE &&
		      memcmp(code, printed->bytes, CODE_SIZE) == 0,
	      "install code");
	code_key(made, code);
	check(key->length == LINK_KEY_SIZE && memcmp(made, key->bytes, LINK_KEY_SIZE) == 0, "link key");
	check(!code_parse(code, "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B4"), "a slip in an install code is taken");
	check(!code_parse(code, "83FE D340 7A93 9723 A5C6 39B2 6916 D505"), "an install code without its end is taken");
	check(!code_parse(code, "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5 0"), "an install code that is too long is taken");
	check(!code_parse(code, ""), "no install code is taken");
}

// damage feeds every parser with exact-size copies of damaged examples.
static void damage(unsigned rounds) {
	srand(1);
	for (unsigned i = 0; i < rounds; i++) {
		const struct example *e = &examples[(size_t)rand() % example_count];
		size_t length = (size_t)rand() % (e->length + 1);
		uint8_t *copy = malloc(length + (length == 0));
		memcpy(copy, e->bytes, length);
		for (int n = rand() % 3; n > 0 && length > 0; n--) {
			copy[(size_t)rand() % length] = (uint8_t)rand();
		}
		struct frame f;
		if (frame_decode(&f, copy, length)) {
			uint8_t again[FRAME_MAX];
			check(frame_encode(&f, again, sizeof again) == length && memcmp(again, copy, length) == 0, "two encodings of a frame");
		}
		struct zcl z;
		if (zcl_parse(&z, copy, length)) {
			struct default_response d;
			struct image_offer offer;
			struct image_block block;
			struct upgrade_end end;
			uint16_t endpoint;
			uint32_t flags;
			parse_default_response(&d, &z);
			parse_mirror_endpoint(&endpoint, &z);
			parse_notification_flags(&flags, &z);
			parse_image_offer(&offer, &z);
			parse_upgrade_end(&end, &z);
			if (parse_image_block(&block, &z) && block.size > 0) {
				check(block.data >= copy && block.data + block.size <= copy + length, "a block outside its frame");
			}
		}
		free(copy);
	}
}

int main(int argc, char **argv) {
	load(argc > 1 ? argv[1] : "../../join.md");
	check_builders();
	check_parsers();
	check_frame();
	check_code();
	damage(1000000);
	printf("%zu examples, %d failures\n", example_count, failures);
	return failures == 0 ? 0 : 1;
}
