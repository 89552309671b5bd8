/* bare — see the header. Handles and connections are used again; what ended is started once more
 * before it is waited. */
#include "tests/bench/bare.h"

#include <curl/curl.h>
#include <string.h>

#include "tests/bench/child.h"
#include "tests/bench/filled.h"

#define CALLS	16
#define WAIT_MS 1000

static char body[FILLED_BODY];

/* How many that were. */
static int restart_ended(CURLM *multi)
{
	const CURLMsg *msg;
	int left, n = 0;

	while ((msg = curl_multi_info_read(multi, &left)) != NULL) {
		CURL *easy = msg->easy_handle;

		if (msg->data.result != CURLE_OK)
			child_give_up(curl_easy_strerror(msg->data.result));
		curl_multi_remove_handle(multi, easy);
		curl_multi_add_handle(multi, easy);
		n++;
	}
	return n;
}

static void add_call(CURLM *multi, const char *url, struct curl_slist *headers)
{
	CURL *easy = curl_easy_init();

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)sizeof body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_multi_add_handle(multi, easy);
}

static void run(void *arg)
{
	CURLM *multi = curl_multi_init();
	struct curl_slist *headers =
		curl_slist_append(NULL, "Content-Type: application/cloudevents+json");
	int running;

	memset(body, 'x', sizeof body);
	for (int i = 0; i < CALLS; i++)
		add_call(multi, arg, headers);
	for (;;) { /* until it is ended */
		do
			curl_multi_perform(multi, &running);
		while (restart_ended(multi));
		curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL);
	}
}

pid_t bare_start(const char *url)
{
	return child_fork(run, (void *)url);
}
