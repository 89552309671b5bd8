/* http_url — which URLs are called. Invariant: what passes here is read by libcurl in the same way
 * when it is called, since it is given what was read here. */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "relay/base/http_transfer.h"

CURLU *http_url_read(const char *url, bool *ret_plain)
{
	size_t scheme = strncasecmp(url, "http://", 7) == 0    ? 7
			: strncasecmp(url, "https://", 8) == 0 ? 8
							       : 0;
	const char *host = url + scheme;
	CURLU *u;

	/* libcurl would take http:/a and http:///a for http://a. */
	if (!scheme || strchr("/?#\\", *host) || memchr(host, '@', strcspn(host, "/?#")))
		return NULL;
	u = curl_url();
	assert(u); /* only lack of memory */
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
		curl_url_cleanup(u);
		return NULL;
	}
	*ret_plain = scheme == 7;
	return u;
}

bool http_url_ok(const char *url, bool *ret_plain)
{
	CURLU *u = http_url_read(url, ret_plain);

	curl_url_cleanup(u);
	return u != NULL;
}
