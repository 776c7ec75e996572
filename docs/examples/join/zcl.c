#include "zcl.h"

#include <string.h>

// Frame control (ZCL §2.4.1.1).
enum {
	CONTROL_TYPE = 0x03, // 0 profile-wide, 1 of the cluster
	CONTROL_CLUSTER = 0x01,
	CONTROL_MANUFACTURER = 0x04,
	CONTROL_TO_CLIENT = 0x08,
	CONTROL_NO_DEFAULT_RESPONSE = 0x10,
};

// Attribute types.
enum { TYPE_UINT8 = 0x20, TYPE_UINT16 = 0x21, TYPE_UINT24 = 0x22, TYPE_UINT48 = 0x25, TYPE_ENUM8 = 0x30, TYPE_OCTETS = 0x41 };

static void put(struct zcl_buffer *b, uint64_t value, size_t bytes) {
	for (size_t i = 0; i < bytes && b->length < sizeof b->bytes; i++) {
		b->bytes[b->length++] = (uint8_t)(value >> (8 * i));
	}
}

static void put_header(struct zcl_buffer *b, uint8_t control, uint8_t sequence, uint8_t command) {
	b->length = 0;
	put(b, control, 1);
	put(b, sequence, 1);
	put(b, command, 1);
}

static void put_image_id(struct zcl_buffer *b, const struct image_id *id) {
	put(b, id->manufacturer, 2);
	put(b, id->type, 2);
	put(b, id->version, 4);
}

static void put_attribute(struct zcl_buffer *b, uint16_t id, uint8_t type, uint64_t value, size_t bytes) {
	put(b, id, 2);
	put(b, type, 1);
	put(b, value, bytes);
}

void zcl_request_mirror(struct zcl_buffer *b, uint8_t sequence) {
	put_header(b, CONTROL_CLUSTER | CONTROL_TO_CLIENT | CONTROL_NO_DEFAULT_RESPONSE, sequence, METERING_REQUEST_MIRROR);
}

// The hub answers with a Default Response, which is asked for.
void zcl_configure_mirror(struct zcl_buffer *b, uint8_t sequence, uint32_t period_seconds) {
	put_header(b, CONTROL_CLUSTER | CONTROL_TO_CLIENT, sequence, METERING_CONFIGURE_MIRROR);
	put(b, 0, 4);              // issuer event
	put(b, period_seconds, 3); // between two reports
	put(b, 1, 1);              // answer complete reports with the notification flags
	put(b, 2, 1);              // notification scheme B
}

void zcl_report(struct zcl_buffer *b, uint8_t sequence, uint64_t litres, uint32_t firmware) {
	put_header(b, CONTROL_TO_CLIENT | CONTROL_NO_DEFAULT_RESPONSE, sequence, ZCL_REPORT_ATTRIBUTES);
	put_attribute(b, 0x0000, TYPE_UINT48, litres, 6); // CurrentSummationDelivered
	put_attribute(b, 0x0201, TYPE_UINT8, 97, 1);      // RemainingBatteryLife, percent
	put_attribute(b, 0x0205, TYPE_UINT16, 3650, 2);   // RemainingBatteryLifeInDays
	put_attribute(b, 0x0206, TYPE_OCTETS, 4, 1);      // CurrentMeterID: the firmware version,
	for (int shift = 24; shift >= 0; shift -= 8) {    // most significant byte first
		put(b, firmware >> shift & 0xFF, 1);
	}
	put_attribute(b, 0x0300, TYPE_ENUM8, 1, 1);     // UnitOfMeasure: m³
	put_attribute(b, 0x0302, TYPE_UINT24, 1000, 3); // Divisor: the register counts litres
	put_attribute(b, 0xFFFE, TYPE_ENUM8, 1, 1);     // ReportingStatus: complete, always the last
}

void zcl_query_next_image(struct zcl_buffer *b, uint8_t sequence, const struct image_id *running, uint16_t hardware) {
	put_header(b, CONTROL_CLUSTER | CONTROL_NO_DEFAULT_RESPONSE, sequence, OTA_QUERY_NEXT_IMAGE_REQUEST);
	put(b, 1, 1); // a hardware version follows
	put_image_id(b, running);
	put(b, hardware, 2);
}

void zcl_image_block(struct zcl_buffer *b, uint8_t sequence, const struct image_id *image, uint32_t offset, uint8_t max) {
	put_header(b, CONTROL_CLUSTER | CONTROL_NO_DEFAULT_RESPONSE, sequence, OTA_IMAGE_BLOCK_REQUEST);
	put(b, 0, 1); // no optional fields
	put_image_id(b, image);
	put(b, offset, 4);
	put(b, max, 1);
}

// The hub answers a status other than SUCCESS with a Default Response, which is
// asked for.
void zcl_upgrade_end(struct zcl_buffer *b, uint8_t sequence, const struct image_id *image, uint8_t status) {
	put_header(b, CONTROL_CLUSTER, sequence, OTA_UPGRADE_END_REQUEST);
	put(b, status, 1);
	put_image_id(b, image);
}

// cursor reads a payload. After a read beyond the end all values are 0 and ok is
// false; bytes after the last known field are ignored, as ZCL wants it.
struct cursor {
	const uint8_t *at;
	size_t left;
	bool ok;
};

static uint32_t get(struct cursor *c, size_t bytes) {
	if (bytes > c->left) {
		c->ok = false;
		c->left = 0;
		return 0;
	}
	uint32_t value = 0;
	for (size_t i = 0; i < bytes; i++) {
		value |= (uint32_t)c->at[i] << (8 * i);
	}
	c->at += bytes;
	c->left -= bytes;
	return value;
}

static struct image_id get_image_id(struct cursor *c) {
	struct image_id id;
	id.manufacturer = (uint16_t)get(c, 2);
	id.type = (uint16_t)get(c, 2);
	id.version = get(c, 4);
	return id;
}

static struct cursor payload_of(const struct zcl *z) { return (struct cursor){z->payload, z->length, true}; }

bool zcl_parse(struct zcl *z, const uint8_t *frame, size_t length) {
	struct cursor c = {frame, length, true};
	uint8_t control = (uint8_t)get(&c, 1);
	if (control & CONTROL_MANUFACTURER) {
		get(&c, 2);
	}
	z->cluster_specific = (control & CONTROL_TYPE) == CONTROL_CLUSTER;
	z->to_client = (control & CONTROL_TO_CLIENT) != 0;
	z->sequence = (uint8_t)get(&c, 1);
	z->command = (uint8_t)get(&c, 1);
	z->payload = c.at;
	z->length = c.left;
	return c.ok && (control & CONTROL_TYPE) <= CONTROL_CLUSTER;
}

bool parse_default_response(struct default_response *r, const struct zcl *z) {
	struct cursor c = payload_of(z);
	r->command = (uint8_t)get(&c, 1);
	r->status = (uint8_t)get(&c, 1);
	return c.ok;
}

bool parse_mirror_endpoint(uint16_t *endpoint, const struct zcl *z) {
	struct cursor c = payload_of(z);
	*endpoint = (uint16_t)get(&c, 2);
	return c.ok;
}

bool parse_notification_flags(uint32_t *flags, const struct zcl *z) {
	struct cursor c = payload_of(z);
	get(&c, 1); // notification scheme
	*flags = get(&c, 4);
	return c.ok;
}

bool parse_image_offer(struct image_offer *r, const struct zcl *z) {
	struct cursor c = payload_of(z);
	memset(r, 0, sizeof *r);
	r->status = (uint8_t)get(&c, 1);
	if (r->status == STATUS_SUCCESS) {
		r->image = get_image_id(&c);
		r->size = get(&c, 4);
	}
	return c.ok;
}

bool parse_image_block(struct image_block *r, const struct zcl *z) {
	struct cursor c = payload_of(z);
	memset(r, 0, sizeof *r);
	r->status = (uint8_t)get(&c, 1);
	if (r->status == STATUS_SUCCESS) {
		r->image = get_image_id(&c);
		r->offset = get(&c, 4);
		r->size = (uint8_t)get(&c, 1);
		r->data = c.at;
		return c.ok && c.left >= r->size;
	}
	if (r->status == STATUS_WAIT_FOR_DATA) {
		uint32_t current = get(&c, 4);
		uint32_t request = get(&c, 4); // an offset if current is 0
		enum { BACKWARDS = 300, LONGEST = 3600 };
		r->delay = request >= current ? request - current : BACKWARDS;
		r->delay = r->delay > LONGEST ? LONGEST : r->delay;
		if (c.left >= 2) { // older servers leave it out
			r->minimum_period = (uint16_t)get(&c, 2);
		}
	}
	return c.ok;
}

bool parse_upgrade_end(struct upgrade_end *r, const struct zcl *z) {
	struct cursor c = payload_of(z);
	r->image = get_image_id(&c);
	r->current_time = get(&c, 4);
	r->upgrade_time = get(&c, 4);
	return c.ok;
}

bool image_id_equal(const struct image_id *a, const struct image_id *b) {
	return a->manufacturer == b->manufacturer && a->type == b->type && a->version == b->version;
}
