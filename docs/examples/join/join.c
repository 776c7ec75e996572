// A board that joins the HAN as a gas meter: it wakes every half hour, reports its
// reading, takes some blocks of a firmware image while the hub lets it, and sleeps.
// Killed at any moment, it goes on where it was. docs/join.md tells the story.
#define _POSIX_C_SOURCE 200809L
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code.h"
#include "frame.h"
#include "link.h"
#include "slot.h"
#include "verify.h"
#include "zcl.h"

enum {
	ENDPOINT = 1,            // of this board
	ANSWER_MS = 3000,        // patience for an answer
	TRIES = 3,               // then the window is given up
	BLOCK_MAX = 255,         // the hub sends less: what fits one radio frame
};

struct board {
	struct link link;
	struct slot slot;
	mbedtls_x509_crt supplier;
	const char *sha256;      // expected digest in hex, or NULL

	uint8_t hub_endpoint;
	uint8_t mirror;          // endpoint of this board's mirror at the hub, 0 = none yet
	struct image_id running; // firmware that runs now
	uint16_t hardware;
	uint32_t period;         // seconds between two heartbeats

	uint8_t counter, sequence;
	unsigned beats, skip;    // heartbeats so far; to sleep through before the next block
	uint16_t block_pause;    // MinimumBlockPeriod, milliseconds
	uint32_t delay;          // seconds of the last WAIT_FOR_DATA of this window, 0 = none
	bool rejoin;             // the session seems dead
	bool done;               // the image is held and the hub knows
	uint8_t record[RECORD_MAX]; // the last one received; answers point into it
};

static void say(const struct board *b, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	printf("heartbeat %u: ", b->beats);
	vprintf(format, arguments);
	putchar('\n');
	fflush(stdout);
	va_end(arguments);
}

// ---- asking and answering ----

static bool send_zcl(struct board *b, uint16_t cluster, uint8_t endpoint, const struct zcl_buffer *zcl) {
	uint8_t bytes[FRAME_MAX];
	struct frame f = {
		.source = b->link.options.device, .destination = b->link.options.hub,
		.source_endpoint = ENDPOINT, .destination_endpoint = endpoint,
		.profile = PROFILE_SMART_ENERGY, .cluster = cluster, .counter = ++b->counter,
		.payload = zcl->bytes, .length = zcl->length,
	};
	size_t length = frame_encode(&f, bytes, sizeof bytes);
	return length > 0 && link_send(&b->link, bytes, length);
}

// receive_zcl waits for a frame of the hub. Frames that are malformed or not for
// this board are dropped.
static bool receive_zcl(struct board *b, uint16_t cluster, struct zcl *z, int64_t deadline) {
	for (int64_t left = deadline - now_milliseconds(); left > 0; left = deadline - now_milliseconds()) {
		struct frame f;
		size_t length = link_receive(&b->link, b->record, sizeof b->record, (int)left);
		if (length == 0) {
			return false;
		}
		if (frame_decode(&f, b->record, length) && f.source == b->link.options.hub &&
		    f.destination == b->link.options.device && f.cluster == cluster && zcl_parse(z, f.payload, f.length)) {
			return true;
		}
	}
	return false;
}

enum answer { ANSWERED, REFUSED, NO_ANSWER };

// ask sends a request up to three times until the answer with the given command is
// there. A Default Response in its place means that there is no other answer.
static enum answer ask(struct board *b, uint16_t cluster, uint8_t endpoint, const struct zcl_buffer *request,
		       uint8_t command, struct zcl *answer) {
	for (int i = 0; i < TRIES && b->link.established; i++) {
		int64_t deadline = now_milliseconds() + ANSWER_MS;
		if (!send_zcl(b, cluster, endpoint, request)) {
			break;
		}
		while (receive_zcl(b, cluster, answer, deadline)) {
			if (answer->cluster_specific && answer->command == command) {
				return ANSWERED;
			}
			if (answer->cluster_specific && cluster == CLUSTER_METERING && answer->command == METERING_MIRROR_REMOVED) {
				b->mirror = 0; // this board was removed from the device log and added again
				return REFUSED;
			}
			struct default_response r;
			if (!answer->cluster_specific && answer->command == ZCL_DEFAULT_RESPONSE &&
			    answer->sequence == b->sequence && parse_default_response(&r, answer)) {
				return REFUSED;
			}
		}
	}
	b->rejoin = true;
	say(b, "the hub does not answer");
	return NO_ANSWER;
}

// ---- the steps of a window ----

// join_mirror asks the hub for a mirror, once, and tells how often it will report.
static bool join_mirror(struct board *b) {
	struct zcl_buffer request;
	struct zcl answer;
	uint16_t endpoint;
	zcl_request_mirror(&request, ++b->sequence);
	if (ask(b, CLUSTER_METERING, b->hub_endpoint, &request, METERING_REQUEST_MIRROR_RESPONSE, &answer) != ANSWERED ||
	    !parse_mirror_endpoint(&endpoint, &answer) || endpoint == 0 || endpoint > UINT8_MAX) {
		say(b, "no mirror (is this board in the device log as a GSME?)");
		return false;
	}
	zcl_configure_mirror(&request, ++b->sequence, b->period);
	if (ask(b, CLUSTER_METERING, b->hub_endpoint, &request, ZCL_DEFAULT_RESPONSE, &answer) == NO_ANSWER) {
		return false;
	}
	b->mirror = (uint8_t)endpoint;
	say(b, "mirror on endpoint %u of the hub", endpoint);
	return true;
}

// report pushes the reading to the mirror and learns what waits for this board.
static bool report(struct board *b, uint32_t *flags) {
	struct zcl_buffer request;
	struct zcl answer;
	zcl_report(&request, ++b->sequence, 1234567 + b->beats, b->running.version);
	return ask(b, CLUSTER_METERING, b->mirror, &request, METERING_MIRROR_REPORT_RESPONSE, &answer) == ANSWERED &&
	       parse_notification_flags(flags, &answer);
}

// query asks which image is on offer, and begins it.
static bool query(struct board *b) {
	struct zcl_buffer request;
	struct zcl answer;
	struct image_offer offer;
	zcl_query_next_image(&request, ++b->sequence, &b->running, b->hardware);
	if (ask(b, CLUSTER_OTA, b->hub_endpoint, &request, OTA_QUERY_NEXT_IMAGE_RESPONSE, &answer) != ANSWERED ||
	    !parse_image_offer(&offer, &answer)) {
		return false;
	}
	if (offer.status != STATUS_SUCCESS) {
		say(b, "no image for this board (status %02X)", offer.status);
		return false;
	}
	say(b, "image %04X/%04X version %08" PRIX32 " of %" PRIu32 " bytes is on offer", offer.image.manufacturer,
	    offer.image.type, offer.image.version, offer.size);
	if (!slot_begin(&b->slot, &offer.image, offer.size)) {
		say(b, "it cannot be stored");
		return false;
	}
	return true;
}

// take_block stores the answer to a block request. It returns whether to ask for
// the next one.
static bool take_block(struct board *b, const struct image_block *block) {
	switch (block->status) {
	case STATUS_SUCCESS:
		if (!image_id_equal(&block->image, &b->slot.image) || block->offset != b->slot.offset || block->size == 0) {
			return true; // late, or twice: ask again for what is missing
		}
		if (!slot_append(&b->slot, block->data, block->size)) {
			say(b, "a block of %u bytes at %" PRIu32 " cannot be stored", block->size, block->offset);
			return false;
		}
		return b->slot.offset < b->slot.size;
	case STATUS_WAIT_FOR_DATA:
		// Windows are counted, not seconds: a clock that is a little off must not
		// cost another half hour.
		b->skip = (block->delay + b->period / 2) / b->period;
		b->skip = b->skip > 0 ? b->skip - 1 : 0;
		b->block_pause = block->minimum_period;
		b->delay = block->delay;
		return false;
	case STATUS_ABORT:
	case STATUS_NO_IMAGE_AVAILABLE:
		say(b, "the hub has this image no more");
		slot_discard(&b->slot);
		return false;
	default:
		return false; // ask again at the next heartbeat
	}
}

// download takes blocks until the image is whole, the hub says that it is enough for
// now, or half the way to the next heartbeat is over.
static void download(struct board *b) {
	struct zcl_buffer request;
	struct zcl answer;
	struct image_block block;
	uint32_t before = b->slot.offset;
	// After half a period of silence the hub takes a request for the next window's.
	int64_t end = now_milliseconds() + (int64_t)(b->period * 500 / b->link.speed);
	b->delay = 0;
	bool more = b->slot.offset < b->slot.size;
	while (more) {
		zcl_image_block(&request, ++b->sequence, &b->slot.image, b->slot.offset, BLOCK_MAX);
		more = ask(b, CLUSTER_OTA, b->hub_endpoint, &request, OTA_IMAGE_BLOCK_RESPONSE, &answer) == ANSWERED &&
		       parse_image_block(&block, &answer) && take_block(b, &block) && now_milliseconds() < end;
		if (more && b->block_pause > 0) {
			link_sleep(&b->link, (int)(b->block_pause / b->link.speed));
		}
	}
	if (!slot_sync(&b->slot)) {
		say(b, "the image cannot be stored");
	}
	if (b->slot.used) {
		say(b, "stored %" PRIu32 " to %" PRIu32 " of %" PRIu32 " bytes", before, b->slot.offset, b->slot.size);
	}
	if (b->delay > 0) {
		say(b, "told to wait %" PRIu32 " s", b->delay);
	}
}

// finish verifies a whole image and tells the hub how it is.
static void finish(struct board *b) {
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	const char *problem = verify_image(&b->slot, &b->supplier.pk);
	if (problem == NULL && !verify_sha256(&b->slot, 0, b->slot.size, digest)) {
		problem = "it cannot be read";
	}
	if (problem == NULL) {
		for (int i = 0; i < SHA256_SIZE; i++) {
			snprintf(hex + 2 * i, 3, "%02x", digest[i]);
		}
		say(b, "SHA-256 %s, signed by the supplier", hex);
		if (b->sha256 != NULL && strcmp(b->sha256, hex) != 0) {
			problem = "its SHA-256 is not the one expected";
		}
	}
	if (problem == NULL && !b->slot.held && !slot_hold(&b->slot)) {
		problem = "it cannot be kept";
	}
	struct image_id image = b->slot.image;
	if (problem != NULL) {
		say(b, "the image is not good: %s", problem);
		slot_discard(&b->slot);
	}
	struct zcl_buffer request;
	struct zcl answer;
	struct upgrade_end end;
	zcl_upgrade_end(&request, ++b->sequence, &image, problem == NULL ? STATUS_SUCCESS : STATUS_INVALID_IMAGE);
	if (ask(b, CLUSTER_OTA, b->hub_endpoint, &request, OTA_UPGRADE_END_RESPONSE, &answer) == ANSWERED &&
	    parse_upgrade_end(&end, &answer) && problem == NULL) {
		say(b, end.upgrade_time == UPGRADE_TIME_WAIT ? "the hub says: wait for the order to activate"
							    : "the hub names a time to switch; this board waits for the order");
		b->done = true;
	}
}

// beat is one heartbeat window.
static void beat(struct board *b) {
	uint32_t flags = 0;
	b->beats++;
	if (!b->link.established || b->rejoin) {
		const char *problem = link_join(&b->link);
		if (problem != NULL) {
			say(b, "%s", problem);
			return;
		}
		b->rejoin = false;
		say(b, "DTLS session, %s", mbedtls_ssl_get_ciphersuite(&b->link.ssl));
	}
	if ((b->mirror == 0 && !join_mirror(b)) || !report(b, &flags)) {
		return;
	}
	bool on_offer = (flags & FLAG_NEW_OTA_FIRMWARE) != 0;
	if (b->skip > 0) {
		b->skip--;
		return;
	}
	if (b->slot.used && !b->slot.held && b->slot.offset < b->slot.size) {
		download(b); // without another query: the offset is this board's own
	} else if (!b->slot.used && on_offer && query(b)) {
		download(b);
	}
	if (b->slot.used && b->slot.offset == b->slot.size) {
		finish(b);
	}
}

// ---- command line ----

static const char usage[] =
	"usage: join --eui64 EUI64 --pki FOLDER [options]\n"
	"  --eui64 EUI64     address of this board, 16 hex digits\n"
	"  --pki FOLDER      root.pem, supplier.pem, EUI64.pem and EUI64.key; with --install-code supplier.pem alone\n"
	"  --install-code C  joins by it, without a certificate; goes with --plain\n"
	"  --hub EUI64       address of the hub (00DB1234567890A3)\n"
	"  --broker HOST     MQTT broker (127.0.0.1)\n"
	"  --port PORT       its port (8883)\n"
	"  --plain           without TLS to the broker; DTLS stays\n"
	"  --store FOLDER    where the image is stored (board)\n"
	"  --period SECONDS  between heartbeats, emulated time (1800)\n"
	"  --version HEX     firmware version that runs now (01000000)\n"
	"  --sha256 HEX      digest that the image must have\n";

static void misused(const char *what) {
	fprintf(stderr, "join: %s\n%s", what, usage);
	exit(2);
}

// number reads a whole argument as a number.
static uint64_t number(const char *text, int base, uint64_t max, const char *what) {
	char *end;
	unsigned long long value = strtoull(text, &end, base);
	if (*text == 0 || *text == '-' || *end != 0 || value > max) {
		misused(what);
	}
	return value;
}

struct arguments {
	struct link_options link;
	uint8_t key[LINK_KEY_SIZE]; // of the install code
	const char *store;
};

static void parse_code(struct arguments *a, const char *text) {
	uint8_t code[CODE_SIZE];
	if (!code_parse(code, text)) {
		misused("--install-code: want 36 hex digits as printed on the board, with their CRC");
	}
	code_key(a->key, code);
	a->link.key = a->key;
}

static void parse_arguments(int argc, char **argv, struct board *b, struct arguments *a) {
	static const struct option options[] = {
		{"eui64", 1, 0, 'e'}, {"pki", 1, 0, 'k'}, {"hub", 1, 0, 'u'}, {"broker", 1, 0, 'b'}, {"port", 1, 0, 'p'},
		{"plain", 0, 0, 'n'}, {"store", 1, 0, 's'}, {"period", 1, 0, 't'}, {"version", 1, 0, 'v'}, {"sha256", 1, 0, 'd'},
		{"install-code", 1, 0, 'c'}, {0, 0, 0, 0},
	};
	*a = (struct arguments){.link = {.hub = 0x00DB1234567890A3, .host = "127.0.0.1", .port = 8883, .tls = true}, .store = "board"};
	b->running = (struct image_id){0xFFF1, 0x0000, 0x01000000};
	b->hardware = 0x0100;
	b->hub_endpoint = 1;
	b->period = 1800;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'e': a->link.device = number(optarg, 16, UINT64_MAX, "--eui64: want 16 hex digits"); break;
		case 'k': a->link.credentials = optarg; break;
		case 'u': a->link.hub = number(optarg, 16, UINT64_MAX, "--hub: want 16 hex digits"); break;
		case 'b': a->link.host = optarg; break;
		case 'p': a->link.port = (int)number(optarg, 10, 65535, "--port: want 1 to 65535"); break;
		case 'n': a->link.tls = false; break;
		case 's': a->store = optarg; break;
		case 't': b->period = (uint32_t)number(optarg, 10, 86400, "--period: want 60 to 86400 seconds"); break;
		case 'v': b->running.version = (uint32_t)number(optarg, 16, UINT32_MAX, "--version: want 8 hex digits"); break;
		case 'd': b->sha256 = optarg; break;
		case 'c': parse_code(a, optarg); break;
		default: misused("an option is unknown or lacks its value");
		}
	}
	if (optind != argc || a->link.device == 0 || a->link.credentials == NULL || b->period < 60) {
		misused("--eui64 and --pki are required, and --period is at least 60");
	}
	if (a->link.key != NULL && a->link.tls) {
		misused("--install-code: a broker with TLS asks for a certificate; say --plain, for one without");
	}
}

static struct board board; // too large for the stack of most boards

int main(int argc, char **argv) {
	struct arguments a;
	char path[4096];
	parse_arguments(argc, argv, &board, &a);
	snprintf(path, sizeof path, "%s/supplier.pem", a.link.credentials);
	mbedtls_x509_crt_init(&board.supplier);
	const char *problem = NULL;
	if (mbedtls_x509_crt_parse_file(&board.supplier, path) != 0) {
		problem = "supplier.pem cannot be read";
	} else if (!slot_open(&board.slot, a.store)) {
		problem = "the folder for the image cannot be used";
	} else {
		problem = link_open(&board.link, &a.link);
	}
	if (problem != NULL) {
		fprintf(stderr, "join: %s\n", problem);
		return 1;
	}
	if (board.slot.used) {
		printf("found %" PRIu32 " of %" PRIu32 " bytes of version %08" PRIX32 "\n", board.slot.offset, board.slot.size,
		       board.slot.image.version);
	}
	for (int i = 0; i < 60 && board.link.speed == 0; i++) {
		link_sleep(&board.link, 100); // the hub repeats its clock every 5 s
	}
	if (board.link.speed == 0) {
		board.link.speed = 1; // no emulation: half an hour is half an hour
	}
	while (!board.done) {
		int64_t next = now_milliseconds() + (int64_t)(board.period * 1000 / board.link.speed);
		beat(&board);
		int64_t left = next - now_milliseconds();
		if (!board.done && left > 0) {
			link_sleep(&board.link, (int)left);
		}
	}
	link_close(&board.link);
	slot_close(&board.slot);
	mbedtls_x509_crt_free(&board.supplier);
	return 0;
}
