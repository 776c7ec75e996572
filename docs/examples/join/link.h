// The link to the hub: DTLS 1.2 records in MQTT messages.
//
//   han/<hub>/<device>/up     to the hub       QoS 0, one datagram each
//   han/<hub>/<device>/down   from the hub
//   han/<hub>/clock           how fast the hub's emulated clock runs
//
// Everything happens in the caller's thread, inside the functions below. The
// broker's connection and the DTLS session outlive each other: either is made
// again when it is lost.
#ifndef JOIN_LINK_H
#define JOIN_LINK_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/timing.h>
#include <stdbool.h>
#include <stdint.h>

struct mosquitto;

enum {
	DATAGRAM_MAX = 4096, // what the hub sends or accepts at most
	DATAGRAM_QUEUE = 8,  // more than that at once are lost, as on any radio
	RECORD_MAX = 2048,
};

struct link_options {
	uint64_t device, hub;    // EUI64
	const char *host;        // of the broker
	int port;
	bool tls;                // to the broker, with the device's certificate
	const char *credentials; // folder with root.pem, <device>.pem and <device>.key
	const uint8_t *key;      // made of the install code, in place of a certificate; or NULL
};

struct link {
	struct link_options options;
	char up[64], down[64], clock[64]; // topics

	struct mosquitto *mqtt;
	bool connected;
	double speed; // emulated seconds per second, 0 until the hub told

	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	mbedtls_x509_crt root, certificate;
	mbedtls_pk_context key;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_timing_delay_context timer;
	bool established;

	struct datagram {
		size_t length;
		uint8_t bytes[DATAGRAM_MAX];
	} queue[DATAGRAM_QUEUE];
	unsigned first, count;
};

// link_open loads the credentials and connects to the broker. It returns NULL, or
// what went wrong.
const char *link_open(struct link *l, const struct link_options *options);
// link_join makes a new DTLS session with the hub, within about 20 seconds.
const char *link_join(struct link *l);
// link_send sends one record. It may get lost on the way.
bool link_send(struct link *l, const uint8_t *record, size_t length);
// link_receive waits at most so many milliseconds for a record and returns its
// length; 0 if none came or the session ended.
size_t link_receive(struct link *l, uint8_t *record, size_t capacity, int milliseconds);
// link_sleep keeps the broker's connection for so many milliseconds. What comes
// from the hub meanwhile is lost, as it is to a radio that is off.
void link_sleep(struct link *l, int milliseconds);
void link_close(struct link *l);

int64_t now_milliseconds(void); // of a clock that is never set

#endif
