#define _POSIX_C_SOURCE 200809L
#include "link.h"

#include "code.h"

#include <inttypes.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECT_MS = 20000, HANDSHAKE_MS = 20000, RECONNECT_MS = 500, KEEPALIVE_S = 60 };

int64_t now_milliseconds(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// ---- MQTT ----

// on_connect comes after each connection: a broker that was restarted has
// forgotten what it was asked.
static void on_connect(struct mosquitto *mqtt, void *context, int code) {
	struct link *l = context;
	if (code == 0) {
		mosquitto_subscribe(mqtt, NULL, l->down, 0);
		mosquitto_subscribe(mqtt, NULL, l->clock, 0);
	}
}

// on_subscribe makes the link ready: from now on the hub's answers arrive.
static void on_subscribe(struct mosquitto *mqtt, void *context, int id, int count, const int *granted) {
	struct link *l = context;
	(void)mqtt, (void)id;
	if (count > 0 && granted[0] <= 2) {
		l->connected = true;
	}
}

static void on_disconnect(struct mosquitto *mqtt, void *context, int code) {
	struct link *l = context;
	(void)mqtt, (void)code;
	l->connected = false;
}

// read_clock takes the speed out of {"wall":"…","emulated":"…","speed":600}.
static void read_clock(struct link *l, const char *json, size_t length) {
	char text[256];
	if (length >= sizeof text) {
		return;
	}
	memcpy(text, json, length);
	text[length] = 0;
	const char *member = strstr(text, "\"speed\":");
	double speed = member ? strtod(member + strlen("\"speed\":"), NULL) : 0;
	if (speed > 0 && speed <= 1e6) {
		l->speed = speed;
	}
}

static void on_message(struct mosquitto *mqtt, void *context, const struct mosquitto_message *m) {
	struct link *l = context;
	(void)mqtt;
	if (strcmp(m->topic, l->clock) == 0) {
		read_clock(l, m->payload, (size_t)m->payloadlen);
		return;
	}
	if (strcmp(m->topic, l->down) != 0 || m->retain || m->payloadlen <= 0 || m->payloadlen > DATAGRAM_MAX ||
	    l->count == DATAGRAM_QUEUE) {
		return;
	}
	struct datagram *d = &l->queue[(l->first + l->count++) % DATAGRAM_QUEUE];
	d->length = (size_t)m->payloadlen;
	memcpy(d->bytes, m->payload, d->length);
}

// serve runs the broker's connection for at most so long, less if something came.
static void serve(struct link *l, int milliseconds) {
	if (mosquitto_loop(l->mqtt, milliseconds, 1) == MOSQ_ERR_SUCCESS) {
		return;
	}
	l->connected = false;
	struct timespec pause = {0, RECONNECT_MS * 1000000L};
	nanosleep(&pause, NULL);
	mosquitto_reconnect(l->mqtt); // if it fails, the next call tries again
}

static const char *connect_broker(struct link *l) {
	char path[4096], certificate[4096], key[4096], id[32];
	const struct link_options *o = &l->options;
	snprintf(id, sizeof id, "join-%016" PRIX64, o->device);
	mosquitto_lib_init();
	l->mqtt = mosquitto_new(id, true, l);
	if (l->mqtt == NULL) {
		return "no memory for the MQTT client";
	}
	mosquitto_connect_callback_set(l->mqtt, on_connect);
	mosquitto_disconnect_callback_set(l->mqtt, on_disconnect);
	mosquitto_subscribe_callback_set(l->mqtt, on_subscribe);
	mosquitto_message_callback_set(l->mqtt, on_message);
	mosquitto_int_option(l->mqtt, MOSQ_OPT_TCP_NODELAY, 1); // else a block takes 40 ms
	if (o->tls) {
		snprintf(path, sizeof path, "%s/root.pem", o->credentials);
		snprintf(certificate, sizeof certificate, "%s/%016" PRIX64 ".pem", o->credentials, o->device);
		snprintf(key, sizeof key, "%s/%016" PRIX64 ".key", o->credentials, o->device);
		if (mosquitto_tls_set(l->mqtt, path, NULL, certificate, key, NULL) != MOSQ_ERR_SUCCESS) {
			return "the MQTT client does not take the credentials";
		}
	}
	int64_t deadline = now_milliseconds() + CONNECT_MS;
	bool begun = mosquitto_connect(l->mqtt, o->host, o->port, KEEPALIVE_S) == MOSQ_ERR_SUCCESS;
	while (!l->connected && now_milliseconds() < deadline) {
		serve(l, begun ? 100 : 0);
		begun = true;
	}
	return l->connected ? NULL : "the broker does not answer, or refuses this device";
}

// ---- DTLS ----

static int send_datagram(void *context, const unsigned char *bytes, size_t length) {
	struct link *l = context;
	if (length > DATAGRAM_MAX) {
		return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	}
	// A datagram that cannot be sent is lost; DTLS and the application repeat.
	mosquitto_publish(l->mqtt, NULL, l->up, (int)length, bytes, 0, false);
	return (int)length;
}

static int receive_datagram(void *context, unsigned char *bytes, size_t capacity) {
	struct link *l = context;
	if (l->count == 0) {
		return MBEDTLS_ERR_SSL_WANT_READ;
	}
	struct datagram *d = &l->queue[l->first];
	l->first = (l->first + 1) % DATAGRAM_QUEUE;
	l->count--;
	size_t n = d->length < capacity ? d->length : capacity;
	memcpy(bytes, d->bytes, n);
	return (int)n;
}

// certificate_names tells whether a certificate is the device's with this EUI64:
// subjectAltName, otherName hardwareModuleName (RFC 4108), hwSerialNum.
static bool certificate_names(const mbedtls_x509_crt *certificate, uint64_t eui64) {
	bool found = false;
	for (const mbedtls_x509_sequence *n = &certificate->subject_alt_names; n != NULL; n = n->next) {
		mbedtls_x509_subject_alternative_name name;
		if (n->buf.p == NULL || mbedtls_x509_parse_subject_alt_name(&n->buf, &name) != 0) {
			continue;
		}
		if (name.type != MBEDTLS_X509_SAN_OTHER_NAME) {
			continue;
		}
		// The only otherName that mbedTLS reads is hardwareModuleName.
		const mbedtls_x509_buf *serial = &name.san.other_name.value.hardware_module_name.val;
		uint64_t value = 0;
		for (size_t i = 0; i < serial->len && i < 8; i++) {
			value = value << 8 | serial->p[i];
		}
		if (found || serial->len != 8 || value != eui64) {
			return false; // exactly one name, and the right one
		}
		found = true;
	}
	return found;
}

// check_hub is called for each certificate of the chain after it was verified.
static int check_hub(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
	const struct link *l = context;
	if (depth == 0 && !certificate_names(certificate, l->options.hub)) {
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	}
	return 0;
}

static const char *load_credentials(struct link *l) {
	char path[4096];
	const struct link_options *o = &l->options;
	if (o->key != NULL) {
		return NULL;
	}
	snprintf(path, sizeof path, "%s/root.pem", o->credentials);
	if (mbedtls_x509_crt_parse_file(&l->root, path) != 0) {
		return "root.pem cannot be read";
	}
	snprintf(path, sizeof path, "%s/%016" PRIX64 ".pem", o->credentials, o->device);
	if (mbedtls_x509_crt_parse_file(&l->certificate, path) != 0) {
		return "the device's certificate cannot be read (commshub pki issue makes it)";
	}
	snprintf(path, sizeof path, "%s/%016" PRIX64 ".key", o->credentials, o->device);
	if (mbedtls_pk_parse_keyfile(&l->key, path, NULL) != 0) {
		return "the device's key cannot be read";
	}
	return NULL;
}

static int prove_by_certificate(struct link *l) {
	mbedtls_ssl_config *c = &l->config;
	mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(c, &l->root, NULL);
	mbedtls_ssl_conf_verify(c, check_hub, l);
	return mbedtls_ssl_conf_own_cert(c, &l->certificate, &l->key);
}

// prove_by_key has nothing to verify: whoever has the key is the hub.
static int prove_by_key(struct link *l) {
	char identity[17];
	snprintf(identity, sizeof identity, "%016" PRIX64, l->options.device);
	return mbedtls_ssl_conf_psk(&l->config, l->options.key, LINK_KEY_SIZE, (const unsigned char *)identity, strlen(identity));
}

static const char *configure_dtls(struct link *l) {
	static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0};
	static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};
	static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_NONE};
	static const int key_suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
	mbedtls_ssl_config *c = &l->config;
	if (mbedtls_ctr_drbg_seed(&l->random, mbedtls_entropy_func, &l->entropy, NULL, 0) != 0 ||
	    mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
		return "no randomness or no memory for DTLS";
	}
	mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &l->random);
	mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3); // DTLS 1.2
	mbedtls_ssl_conf_max_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_ciphersuites(c, l->options.key != NULL ? key_suites : suites);
	mbedtls_ssl_conf_curves(c, curves);
	mbedtls_ssl_conf_sig_hashes(c, hashes);
	mbedtls_ssl_conf_extended_master_secret(c, MBEDTLS_SSL_EXTENDED_MS_ENABLED); // the hub demands it
	mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
	mbedtls_ssl_conf_handshake_timeout(c, 500, 4000); // milliseconds between repetitions
	if ((l->options.key != NULL ? prove_by_key(l) : prove_by_certificate(l)) != 0 || mbedtls_ssl_setup(&l->ssl, c) != 0) {
		return "DTLS does not take the credentials";
	}
	mbedtls_ssl_set_bio(&l->ssl, l, send_datagram, receive_datagram, NULL);
	mbedtls_ssl_set_timer_cb(&l->ssl, &l->timer, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
	return NULL;
}

const char *link_open(struct link *l, const struct link_options *options) {
	memset(l, 0, sizeof *l);
	l->options = *options;
	snprintf(l->up, sizeof l->up, "han/%016" PRIX64 "/%016" PRIX64 "/up", options->hub, options->device);
	snprintf(l->down, sizeof l->down, "han/%016" PRIX64 "/%016" PRIX64 "/down", options->hub, options->device);
	snprintf(l->clock, sizeof l->clock, "han/%016" PRIX64 "/clock", options->hub);
	mbedtls_ssl_init(&l->ssl);
	mbedtls_ssl_config_init(&l->config);
	mbedtls_x509_crt_init(&l->root);
	mbedtls_x509_crt_init(&l->certificate);
	mbedtls_pk_init(&l->key);
	mbedtls_entropy_init(&l->entropy);
	mbedtls_ctr_drbg_init(&l->random);
	const char *problem = load_credentials(l);
	if (problem == NULL) {
		problem = configure_dtls(l);
	}
	return problem != NULL ? problem : connect_broker(l);
}

const char *link_join(struct link *l) {
	l->established = false;
	l->count = 0;
	if (mbedtls_ssl_session_reset(&l->ssl) != 0) {
		return "no memory for DTLS";
	}
	int64_t deadline = now_milliseconds() + HANDSHAKE_MS;
	while (now_milliseconds() < deadline) {
		int code = mbedtls_ssl_handshake(&l->ssl);
		if (code == 0) {
			l->established = true;
			return NULL;
		}
		if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
			return "the hub's certificate is not good";
		}
		if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
			return "the hub refuses this device (is it in the device log, with its install code if it has one?)";
		}
		if (code == MBEDTLS_ERR_SSL_TIMEOUT) {
			break;
		}
		if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE) {
			return "the DTLS handshake failed";
		}
		if (l->count == 0) {
			serve(l, 50);
		}
	}
	return "the hub does not answer";
}

bool link_send(struct link *l, const uint8_t *record, size_t length) {
	return l->established && mbedtls_ssl_write(&l->ssl, record, length) == (int)length;
}

size_t link_receive(struct link *l, uint8_t *record, size_t capacity, int milliseconds) {
	int64_t deadline = now_milliseconds() + milliseconds;
	while (l->established) {
		int code = mbedtls_ssl_read(&l->ssl, record, capacity);
		if (code > 0) {
			return (size_t)code;
		}
		if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE) {
			l->established = false; // the hub said goodbye
			return 0;
		}
		int64_t left = deadline - now_milliseconds();
		if (left <= 0) {
			return 0;
		}
		if (l->count == 0) {
			serve(l, (int)left);
		}
	}
	return 0;
}

void link_sleep(struct link *l, int milliseconds) {
	int64_t deadline = now_milliseconds() + milliseconds;
	for (int64_t left = milliseconds; left > 0; left = deadline - now_milliseconds()) {
		serve(l, left < 1000 ? (int)left : 1000);
		l->count = 0;
	}
}

void link_close(struct link *l) {
	if (l->established) {
		mbedtls_ssl_close_notify(&l->ssl);
	}
	if (l->mqtt != NULL) {
		mosquitto_disconnect(l->mqtt);
		mosquitto_loop(l->mqtt, 0, 1);
		mosquitto_destroy(l->mqtt);
	}
	mosquitto_lib_cleanup();
	mbedtls_ssl_free(&l->ssl);
	mbedtls_ssl_config_free(&l->config);
	mbedtls_x509_crt_free(&l->root);
	mbedtls_x509_crt_free(&l->certificate);
	mbedtls_pk_free(&l->key);
	mbedtls_ctr_drbg_free(&l->random);
	mbedtls_entropy_free(&l->entropy);
}
