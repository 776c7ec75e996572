// The ZCL frames that a sleeping gas meter needs to take a firmware image, and
// no others. Integers are little-endian. Builders write into a struct zcl_buffer,
// parsers take the payload behind the ZCL header and refuse what is too short.
#ifndef JOIN_ZCL_H
#define JOIN_ZCL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLUSTER_OTA = 0x0019, CLUSTER_METERING = 0x0702 };

// Profile-wide commands.
enum { ZCL_REPORT_ATTRIBUTES = 0x0A, ZCL_DEFAULT_RESPONSE = 0x0B };

// Commands of the Metering cluster: from the meter, which is its server, …
enum { METERING_REQUEST_MIRROR = 0x01, METERING_CONFIGURE_MIRROR = 0x08 };
// … and from the hub's gas proxy.
enum {
	METERING_REQUEST_MIRROR_RESPONSE = 0x01,
	METERING_MIRROR_REMOVED = 0x02,
	METERING_MIRROR_REPORT_RESPONSE = 0x09,
};

// Commands of the OTA Upgrade cluster, whose client the meter is.
enum {
	OTA_QUERY_NEXT_IMAGE_REQUEST = 0x01,
	OTA_QUERY_NEXT_IMAGE_RESPONSE = 0x02,
	OTA_IMAGE_BLOCK_REQUEST = 0x03,
	OTA_IMAGE_BLOCK_RESPONSE = 0x05,
	OTA_UPGRADE_END_REQUEST = 0x06,
	OTA_UPGRADE_END_RESPONSE = 0x07,
};

enum {
	STATUS_SUCCESS = 0x00,
	STATUS_ABORT = 0x95,
	STATUS_INVALID_IMAGE = 0x96,
	STATUS_WAIT_FOR_DATA = 0x97,
	STATUS_NO_IMAGE_AVAILABLE = 0x98,
};

#define FLAG_NEW_OTA_FIRMWARE (UINT32_C(1) << 0)
#define UPGRADE_TIME_WAIT UINT32_C(0xFFFFFFFF) // until Activate Firmware

struct image_id {
	uint16_t manufacturer, type;
	uint32_t version;
};

bool image_id_equal(const struct image_id *a, const struct image_id *b);

// zcl_buffer is a ZCL frame being built. 96 bytes hold the longest one sent here.
struct zcl_buffer {
	uint8_t bytes[96];
	size_t length;
};

// zcl is a frame that was received.
struct zcl {
	bool cluster_specific, to_client;
	uint8_t sequence, command;
	const uint8_t *payload;
	size_t length;
};

bool zcl_parse(struct zcl *z, const uint8_t *frame, size_t length);

void zcl_request_mirror(struct zcl_buffer *b, uint8_t sequence);
void zcl_configure_mirror(struct zcl_buffer *b, uint8_t sequence, uint32_t period_seconds);
void zcl_report(struct zcl_buffer *b, uint8_t sequence, uint64_t litres, uint32_t firmware);
void zcl_query_next_image(struct zcl_buffer *b, uint8_t sequence, const struct image_id *running, uint16_t hardware);
void zcl_image_block(struct zcl_buffer *b, uint8_t sequence, const struct image_id *image, uint32_t offset, uint8_t max);
void zcl_upgrade_end(struct zcl_buffer *b, uint8_t sequence, const struct image_id *image, uint8_t status);

struct default_response {
	uint8_t command, status;
};
bool parse_default_response(struct default_response *r, const struct zcl *z);

// parse_mirror_endpoint reads a Request Mirror Response; 0xFFFF means that there is none.
bool parse_mirror_endpoint(uint16_t *endpoint, const struct zcl *z);

// parse_notification_flags reads the first word of a Mirror Report Attribute Response.
bool parse_notification_flags(uint32_t *flags, const struct zcl *z);

struct image_offer {
	uint8_t status;
	struct image_id image; // only with STATUS_SUCCESS
	uint32_t size;         // of the whole OTA file
};
bool parse_image_offer(struct image_offer *r, const struct zcl *z);

struct image_block {
	uint8_t status;
	struct image_id image; // with STATUS_SUCCESS
	uint32_t offset;
	const uint8_t *data;
	uint8_t size;
	uint32_t delay;              // with STATUS_WAIT_FOR_DATA: seconds to wait
	uint16_t minimum_period;     // milliseconds between blocks, if the hub says so
};
bool parse_image_block(struct image_block *r, const struct zcl *z);

struct upgrade_end {
	struct image_id image; // may be wildcards
	uint32_t current_time, upgrade_time;
};
bool parse_upgrade_end(struct upgrade_end *r, const struct zcl *z);

#endif
