/* http_transfer — a call's options, and its end as a reply. Invariant: whatever a call asks for is
 * set or undone, so that none gets what another one asked for. */
#include "relay/base/http_transfer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"

#define KEEP_BODY	   (256 << 10) /* a larger body's memory is given back after the call */
#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_MS	   15000
#define RECEIVE_SMALL	   (4 << 10) /* bytes asked of the kernel at once: most replies are a line */
#define RECEIVE_LARGE	   (128 << 10) /* most of a page of recipients */

/* --- what is asked --- */

/* Options that are the same for every call. They are what http.h promises: not to be able to set
 * one is a broken build. */
static void set_fixed(struct transfer *t)
{
	CURL *e = t->easy;
	int bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* A call that ends while its name is looked up does not wait for the name server: libcurl
	 * would, in the thread of all calls. The look-up's own thread ends later. */
	bad |= curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	bad |= curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
	bad |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	bad |= curl_easy_setopt(e, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, ""); /* else the environment names one */
	bad |= curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	bad |= curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, http_socket_open);
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, http_socket_close);
	bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, t->sockets);
	bad |= curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, http_socket_use);
	bad |= curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_take_header);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_take_body);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	bad |= curl_easy_setopt(e, CURLOPT_CURLU, t->address);
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->said);
	assert(!bad);
	t->dressed = false;
}

/* Copies the lines into nodes of our own, so that a call allocates nothing here once warm. Two are
 * added: neither `Expect:` nor libcurl's idea of a body's type may be sent. */
static int copy_headers(struct transfer *t, const char *const *headers, struct err *err)
{
	static const char *const none[] = {NULL};
	static const char *const without[] = {"Expect:", "Content-Type:"};
	size_t n = 0, size = 0, at = 0, given;
	bool typed = false;

	for (headers = headers ? headers : none; headers[n]; n++) {
		size += strlen(headers[n]) + 1;
		typed |= http_is_header(headers[n], "content-type");
		for (const char *p = headers[n]; *p; p++)
			if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
				return err_set(err, ERR_FORMAT,
					       "a request header holds a control character");
	}
	given = n;
	n += typed ? 1 : 2;
	size += sizeof "Expect:" + sizeof "Content-Type:";
	if (n > t->nodes_cap)
		t->nodes = xrealloc(t->nodes, t->nodes_cap = n, sizeof *t->nodes);
	if (size > t->lines_cap)
		t->lines = xrealloc(t->lines, t->lines_cap = size, 1);

	for (size_t i = 0; i < n; i++) {
		const char *line = i < given ? headers[i] : without[i - given];
		size_t len = strlen(line) + 1;

		t->nodes[i].data = memcpy(t->lines + at, line, len);
		t->nodes[i].next = i + 1 < n ? &t->nodes[i + 1] : NULL;
		at += len;
	}
	return 0;
}

static int set_method(CURL *e, const struct http_call *call)
{
	int bad = curl_easy_setopt(e, CURLOPT_NOBODY, 0L);

	if (call->body || strcmp(call->method, "POST") == 0) {
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
					(curl_off_t)(call->body ? call->body_len : 0));
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->body ? call->body : "");
	} else if (strcmp(call->method, "HEAD") == 0) {
		bad |= curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else {
		bad |= curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	return bad | curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
}

/* Options of few calls. A handle that got one is reset afterwards: NULL would not bring libcurl's
 * own default of CURLOPT_CAINFO back. */
static int dress(struct transfer *t, const struct http_call *call)
{
	CURL *e = t->easy;
	int bad = 0;

	if (call->ca_file) {
		bad |= curl_easy_setopt(e, CURLOPT_CAINFO, call->ca_file);
		bad |= curl_easy_setopt(e, CURLOPT_CAPATH, NULL); /* this file and no other */
	}
	if (call->cert_file)
		bad |= curl_easy_setopt(e, CURLOPT_SSLCERT, call->cert_file);
	if (call->key_file)
		bad |= curl_easy_setopt(e, CURLOPT_SSLKEY, call->key_file);
	if (call->userpwd)
		bad |= curl_easy_setopt(e, CURLOPT_USERPWD, call->userpwd);
	if (call->proxy)
		bad |= curl_easy_setopt(e, CURLOPT_PROXY, call->proxy);
	if (call->insecure) {
		bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	t->dressed = call->insecure || call->ca_file || call->cert_file || call->key_file ||
		     call->userpwd || call->proxy;
	return bad;
}

/* A URL is read once, not with each call: by libcurl that took a fifth of a call's instructions. */
static int set_url(struct transfer *t, const char *url, struct err *err)
{
	CURLU *address;

	if (t->url && strcmp(t->url, url) == 0)
		return 0;
	address = http_url_read(url, &t->plain);
	if (!address)
		return err_set(err, ERR_FORMAT, "not a URL of http or https without user info");
	/* It keeps the first one's text, which goes with CURLOPT_URL. */
	curl_easy_setopt(t->easy, CURLOPT_URL, NULL);
	curl_easy_setopt(t->easy, CURLOPT_CURLU, address);
	curl_url_cleanup(t->address);
	free(t->url);
	t->address = address;
	t->url = xstrdup(url);
	return 0;
}

int transfer_prepare(struct transfer *t, const struct http_call *call, struct err *err)
{
	long connect_ms = call->connect_timeout_ms ? call->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	long whole_ms = call->timeout_ms ? call->timeout_ms : TIMEOUT_MS;
	CURL *e = t->easy;
	int bad = 0;

	if (set_url(t, call->url, err) < 0)
		return -1;
	for (const char *p = call->method; *p; p++)
		if (*p < 'A' || *p > 'Z')
			return err_set(err, ERR_FORMAT, "not an HTTP method: %s", call->method);
	if (copy_headers(t, call->headers, err) < 0)
		return -1;

	bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->nodes);
	bad |= set_method(e, call);
	/* Refused by a handle that still has a buffer, from a call that failed early; then that
	 * one's size stays. */
	(void)curl_easy_setopt(e, CURLOPT_BUFFERSIZE,
			       call->max_reply >= RECEIVE_LARGE ? RECEIVE_LARGE : RECEIVE_SMALL);
	bad |= curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, call->gzip ? "gzip" : NULL);
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, whole_ms);
	bad |= curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 0L);
	bad |= curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 0L);
	bad |= dress(t, call);
	if (bad)
		return err_set(err, ERR_FORMAT, "libcurl refuses a setting of this call");

	t->max_reply = t->body.max = call->max_reply;
	t->cut_is_failure = call->cut_is_failure;
	t->loopback_only_plain = call->loopback_only_plain;
	t->proxied = call->proxy != NULL;
	t->network = call->network;
	t->started_us = clock_mono_us();
	return 0;
}

/* --- what became of it --- */

static const struct {
	CURLcode code;
	enum http_failure failure;
	const char *why;
} ends[] = {
	{CURLE_OK, HTTP_OK, NULL},
	{CURLE_COULDNT_RESOLVE_HOST, HTTP_UNREACHABLE, "the host has no address"},
	{CURLE_COULDNT_RESOLVE_PROXY, HTTP_UNREACHABLE, "the proxy has no address"},
	{CURLE_COULDNT_CONNECT, HTTP_UNREACHABLE, "the connection was refused"},
	{CURLE_SSL_CONNECT_ERROR, HTTP_TLS, "the TLS handshake failed"},
	{CURLE_PEER_FAILED_VERIFICATION, HTTP_TLS, "the certificate is not trusted"},
	{CURLE_SSL_CERTPROBLEM, HTTP_TLS, "our certificate cannot be used"},
	{CURLE_SSL_CACERT_BADFILE, HTTP_TLS, "the CA file cannot be used"},
	{CURLE_OPERATION_TIMEDOUT, HTTP_TIMEOUT, "no complete answer in time"},
	{CURLE_OUT_OF_MEMORY, HTTP_TOO_LONG, "a header over its ceiling"}, /* a line over 100 kB */
	{CURLE_GOT_NOTHING, HTTP_BROKEN, "the connection ended before an answer"},
	{CURLE_PARTIAL_FILE, HTTP_BROKEN, "the connection ended within the answer"},
	{CURLE_RECV_ERROR, HTTP_BROKEN, "the connection broke while receiving"},
	{CURLE_SEND_ERROR, HTTP_BROKEN, "the connection broke while sending"},
	{CURLE_UNSUPPORTED_PROTOCOL, HTTP_BROKEN, "the answer is not HTTP"},
	{CURLE_WEIRD_SERVER_REPLY, HTTP_BROKEN, "the answer is not HTTP"},
	{CURLE_BAD_CONTENT_ENCODING, HTTP_BROKEN, "the answer cannot be decompressed"},
};

/* What one side has against the other's certificate. By TLS 1.3 the receiver says it when the
 * handshake is over for us, at the first reading, and libcurl's code is that of any broken
 * connection. */
static const struct {
	const char *said, *why;
} objections[] = {
	{"matches target host name", "the certificate is for another name"},
	{"does not match target host name", "the certificate is for another name"},
	{"certificate has expired", "the certificate has expired"},
	{"certificate is not yet valid", "the certificate is not valid yet"},
	{"alert certificate required", "a client certificate is required"},
	{"alert bad certificate", "our client certificate is refused"},
	{"alert unsupported certificate", "our client certificate is refused"},
	{"alert certificate revoked", "our client certificate is refused: it is revoked"},
	{"alert certificate expired", "our client certificate is refused: it has expired"},
	{"alert certificate unknown", "our client certificate is refused"},
	{"alert unknown ca", "our client certificate is refused: its authority is not trusted"},
	{"alert access denied", "our client certificate is refused: it may not come in"},
};

static void judge_objection(const struct transfer *t, struct http_reply *ret)
{
	for (size_t i = 0; i < sizeof objections / sizeof *objections; i++) {
		if (strstr(t->said, objections[i].said)) {
			ret->failure = HTTP_TLS;
			ret->why = objections[i].why;
		}
	}
}

static void judge_end(const struct transfer *t, CURLcode code, struct http_reply *ret)
{
	if (t->too_long) {
		ret->failure = HTTP_TOO_LONG;
		ret->why = t->header_read > HTTP_HEADERS_MAX ? "headers over their ceiling"
							     : "an answer over its ceiling";
		return;
	}
	if (t->enough)
		code = CURLE_OK;
	else if (t->not_http)
		code = CURLE_WEIRD_SERVER_REPLY;
	else if (code == CURLE_OK && !t->head_ended) /* libcurl takes that for a whole answer */
		code = CURLE_PARTIAL_FILE;
	if (t->denied &&
	    (code == CURLE_ABORTED_BY_CALLBACK || (code == CURLE_COULDNT_CONNECT && !t->tried))) {
		ret->failure = HTTP_DENIED;
		ret->why = t->denied;
		return;
	}
	ret->failure = HTTP_BROKEN;
	ret->why = curl_easy_strerror(code);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (ends[i].code == code) {
			ret->failure = ends[i].failure;
			ret->why = ends[i].why;
		}
	}
	if (code == CURLE_OPERATION_TIMEDOUT && !t->local_port)
		ret->why = "no connection in time";
	if (code == CURLE_COULDNT_CONNECT && t->too_many)
		ret->why = "too many connections are open";
	if (code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
	    code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR)
		judge_objection(t, ret);
}

void transfer_reply(struct transfer *t, CURLcode code, struct http_reply *ret)
{
	const char *text;
	long status = 0;

	*ret = (struct http_reply){
		.body = t->body.data, .len = t->body.len, .headers = &t->headers};
	ret->took_us = clock_mono_us() - t->started_us;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	ret->status = (int)status;
	judge_end(t, code, ret);
	ret->retry_after_ms = -1;
	text = http_header(ret, "Retry-After");
	if (text)
		ret->retry_after_ms = http_retry_after(text, clock_now().wall_ms);
	text = http_header(ret, "Date");
	if (!text || !http_date(text, &ret->date_ms))
		ret->date_ms = DATE_NONE;
}

/* Forgets how far it came. */
static void rewind_to_start(struct transfer *t)
{
	buf_clear(&t->body);
	buf_clear(&t->headers);
	t->body_read = t->header_read = 0;
	t->local_port = 0;
	t->head_ended = t->not_http = t->tried = t->too_many = t->stale = t->too_long = t->enough =
		false;
	t->denied = NULL;
	t->said[0] = '\0';
}

bool transfer_again(struct transfer *t)
{
	if (!t->stale)
		return false;
	rewind_to_start(t);
	return curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK;
}

void transfer_reset(struct transfer *t)
{
	if (t->dressed) {
		curl_easy_reset(t->easy);
		set_fixed(t);
	}
	if (t->body.cap > KEEP_BODY)
		buf_release(&t->body);
	rewind_to_start(t);
	t->network = NULL;
	t->done = NULL;
}

struct transfer *transfer_new(struct open_sockets *sockets)
{
	struct transfer *t = xcalloc(1, sizeof *t);

	t->sockets = sockets;
	t->easy = curl_easy_init();
	assert(t->easy); /* only lack of memory */
	buf_init(&t->body, 0);
	buf_init(&t->headers, HTTP_HEADERS_MAX); /* each line's NUL stands for its "\n" */
	set_fixed(t);
	return t;
}

void transfer_free(struct transfer *t)
{
	if (!t)
		return;
	curl_easy_cleanup(t->easy);
	curl_url_cleanup(t->address);
	free(t->url);
	buf_release(&t->body);
	buf_release(&t->headers);
	free(t->nodes);
	free(t->lines);
	free(t);
}
