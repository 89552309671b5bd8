/* http_arrival — what libcurl hands over of an answer, line by line and piece by piece. Invariant:
 * no more is kept or read than the ceilings say, whatever the other side sends.
 */
#include <string.h>
#include <strings.h>

#include "relay/base/http_transfer.h"

#define DROPPED_MAX (64 << 10) /* of a reply that need not be kept */

bool http_is_header(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(line, name, len) == 0 && (line[len] == ':' || line[len] == ';');
}

/* Is it unclear where this answer ends, so that the next one could begin within it? */
static bool is_ambiguous(const struct transfer *t)
{
	const char *length = NULL, *end = t->headers.data + t->headers.len;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	for (const char *line = t->headers.data; line < end; line += strlen(line) + 1) {
		bool chunks = http_is_header(line, "transfer-encoding");

		if (!chunks && !http_is_header(line, "content-length"))
			continue;
		if (status == 204 || (length && (chunks || strcasecmp(line, length) != 0)))
			return true;
		length = line;
	}
	return false;
}

size_t http_take_header(char *line, size_t size, size_t n, void *userdata)
{
	struct transfer *t = userdata;
	size_t len = size * n;

	t->header_read += len;
	if (t->header_read > HTTP_HEADERS_MAX) { /* interim replies and trailers count too */
		t->too_long = true;
		return 0;
	}
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		buf_clear(&t->headers); /* what came before was an interim reply */
		t->head_ended = false;
		t->not_http = len < 7 || line[5] != '1'; /* libcurl would believe HTTP/2 */
		if (t->not_http)
			return 0;
	}
	if (len && (line[0] == '\r' || line[0] == '\n') && !t->head_ended) {
		t->head_ended = true;
		if (is_ambiguous(t))
			curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
	}
	while (len && strchr("\r\n \t", line[len - 1]))
		len--;
	buf_add(&t->headers, line, len);
	buf_addc(&t->headers, '\0');
	return size * n;
}

size_t http_take_body(char *bytes, size_t size, size_t n, void *userdata)
{
	struct transfer *t = userdata;
	size_t len = size * n, room = t->max_reply - t->body.len;

	buf_add(&t->body, bytes, len < room ? len : room);
	t->body_read += len;
	if (t->body_read <= t->max_reply)
		return len;
	if (t->cut_is_failure)
		t->too_long = true;
	else if (t->body_read > DROPPED_MAX)
		t->enough = true; /* nobody waits for the end of an endless page */
	return t->too_long || t->enough ? 0 : len;
}
