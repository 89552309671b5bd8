/*
 * The `source:` section: its table, and what the table's types cannot say. Checks add problems at
 * the place of the key they are about and go on, so that all are told at once.
 */
#include "relay/source/source.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/http.h"
#include "relay/base/mem.h"
#include "relay/source/listing.h"
#include "relay/source/source_filter.h"

#define API_LIMIT_PER_S (500 / 60.0) /* the documented 500 a minute, for each IP address */
#define POLL_MIN_MS	100	     /* below it is a busy loop, even against a simulator */
#define DAY_MS		(INT64_C(24) * 3600 * 1000)
#define IDS_MAX		10000

#define FIELD(name) offsetof(struct source_options, name)

const struct option source_option_table[] = {
	{.name = "base_url",
	 .type = OPT_URL,
	 .offset = FIELD(base_url),
	 .preset = "https://api.useinvent.com",
	 .help = "the API; http:// only to this machine"},
	{.name = "api_key",
	 .type = OPT_SECRET,
	 .offset = FIELD(api_key),
	 .help = "key made in Invent's Settings; may be left out when base_url is this machine"},
	{.name = "orgs",
	 .type = OPT_STRINGS,
	 .offset = FIELD(orgs),
	 .preset = "c",
	 .help = "organization ids; c is the key's own"},
	{.name = "sub_orgs",
	 .type = OPT_BOOL,
	 .offset = FIELD(sub_orgs),
	 .preset = "false",
	 .help = "follow the organizations that the API lists beneath those as well"},
	{.name = "broadcasts",
	 .type = OPT_NODE,
	 .offset = FIELD(broadcasts),
	 .help = "what to follow: {status: [SENDING, …]}, a list of broadcast ids, or all; default "
		 "{status: [SENDING, SENT, ACTIVE]}"},
	{.name = "filter",
	 .type = OPT_NODE,
	 .offset = FIELD(filter_map),
	 .help = "which recipients: {integration_id: twilio, is_failed: true, …}; also status, "
		 "contact_id, user_id, username, email and any is_X"},
	{.name = "since",
	 .type = OPT_STRING,
	 .offset = FIELD(since),
	 .preset = "now",
	 .help = "changes from when on become events: now (the first start), all, or a time"},
	{.name = "rate_limit",
	 .type = OPT_RATE,
	 .offset = FIELD(rate_limit),
	 .preset = "450/min",
	 .help = "requests at most, all together; the API allows 500/min per address; 0/s: no "
		 "limit"},
	{.name = "poll_every",
	 .type = OPT_DURATION,
	 .offset = FIELD(poll_every_ms),
	 .preset = "5s",
	 .min = POLL_MIN_MS,
	 .max = DAY_MS,
	 .help = "pause between looks at the list, and at a broadcast that moves"},
	{.name = "poll_every_max",
	 .type = OPT_DURATION,
	 .offset = FIELD(poll_every_max_ms),
	 .preset = "5m",
	 .min = POLL_MIN_MS,
	 .max = DAY_MS,
	 .help = "longest pause between looks at a quiet broadcast"},
	{.name = "follow_for",
	 .type = OPT_DURATION,
	 .offset = FIELD(follow_for_ms),
	 .preset = "14d",
	 .min = 1000,
	 .max = 3650 * DAY_MS,
	 .help = "a broadcast is followed until nothing changed for so long"},
	{.name = "full_sweep_every",
	 .type = OPT_DURATION,
	 .offset = FIELD(full_sweep_every_ms),
	 .preset = "6h",
	 .min = 1000,
	 .max = 365 * DAY_MS,
	 .help = "all rows of a followed broadcast are read at least so often"},
	{.name = "updates",
	 .type = OPT_BOOL,
	 .offset = FIELD(updates),
	 .preset = "false",
	 .help = "make recipient.updated when identity, error or contact fields change"},
	{.name = "collect",
	 .type = OPT_STRINGS,
	 .offset = FIELD(collect),
	 .help = "personal data to read as well: contact.channels (addresses, user agents)"},
	{.name = "ca_file",
	 .type = OPT_PATH,
	 .offset = FIELD(ca_file),
	 .on_host = true,
	 .help = "PEM file of the authorities that base_url's certificate is checked with"},
	{.name = "proxy",
	 .type = OPT_STRING,
	 .offset = FIELD(proxy),
	 .help = "proxy to the API; none is taken from the environment"},
	{.name = "timeout",
	 .type = OPT_DURATION,
	 .offset = FIELD(timeout_ms),
	 .preset = "30s",
	 .min = 100,
	 .max = 600000,
	 .help = "longest wait for one answer"},
	{0},
};

static const struct node *place(const struct node *at, const char *key)
{
	const struct node *n = node_get(at, key);

	return n ? n : at;
}

void source_strings_add(struct strings *list, const char *text)
{
	list->v = xrealloc(list->v, list->n + 1, sizeof *list->v);
	list->v[list->n++] = xstrdup(text);
}

static void strings_release(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct strings){0};
}

/* The host of a URL without user info: names and addresses of this machine only by themselves. */
static bool is_loopback(const char *url)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	char host[64] = "";
	const char *at = strstr(url, "://");

	if (!at)
		return false;
	at += 3;
	bool bracket = *at == '[';
	size_t len = bracket ? strcspn(++at, "]") : strcspn(at, ":/?#");
	if (len >= sizeof host)
		return false;
	memcpy(host, at, len);
	if (bracket)
		return inet_pton(AF_INET6, host, &in6.sin6_addr) == 1 &&
		       address_is_loopback((const struct sockaddr *)&in6);
	if (inet_pton(AF_INET, host, &in4.sin_addr) == 1)
		return address_is_loopback((const struct sockaddr *)&in4);
	return strcasecmp(host, "localhost") == 0;
}

static void check_url(struct source_options *o, const struct node *at, struct problems *p)
{
	bool plain = false;

	if (!o->base_url || !http_url_ok(o->base_url, &plain)) {
		problem_at(p, place(at, "base_url"), "an https:// URL is expected");
		return;
	}
	if (strpbrk(o->base_url, "?#"))
		problem_at(p, place(at, "base_url"), "a URL without query is expected");
	size_t len = strlen(o->base_url);
	while (len > 0 && o->base_url[len - 1] == '/')
		o->base_url[--len] = '\0';
	bool loopback = is_loopback(o->base_url);
	if (plain && !loopback)
		problem_at(p, place(at, "base_url"),
			   "http:// is allowed to this machine only; https:// is expected");
	if (!loopback && (!o->api_key || !*o->api_key))
		problem_at(p, place(at, "api_key"),
			   "an API key is needed: api_key: ${INVENT_API_KEY}, or api_key_file");
	if (o->api_key && o->api_key[strcspn(o->api_key, "\r\n")])
		problem_at(p, place(at, "api_key"), "a key of one line is expected");
}

static void check_orgs(const struct source_options *o, const struct node *at, struct problems *p)
{
	const struct node *n = place(at, "orgs");

	if (o->orgs.n == 0 || o->orgs.n > ORGS_MAX)
		problem_at(p, n, "1 to %d organization ids are expected", ORGS_MAX);
	for (size_t i = 0; i < o->orgs.n; i++) {
		if (!*o->orgs.v[i] || strlen(o->orgs.v[i]) > ID_MAX)
			problem_at(p, n, "an organization id has 1 to %d bytes", ID_MAX);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(o->orgs.v[i], o->orgs.v[k]) == 0)
				problem_at(p, n, "organization %s is named twice", o->orgs.v[i]);
		}
	}
}

static bool says_all(const struct node *n)
{
	const char *text = node_string(n);

	return text && strcasecmp(text, "all") == 0;
}

static void read_statuses(struct source_options *o, const struct node *list, struct problems *p)
{
	size_t n = list->kind == NODE_LIST ? list->n : 1;

	if (n == 0)
		problem_at(p, list, "at least one status is expected");
	for (size_t i = 0; i < n; i++) {
		const struct node *word = list->kind == NODE_LIST ? list->items[i] : list;
		const char *text = node_string(word);
		if (!text || !*text || strlen(text) >= NAME_SIZE) {
			problem_at(p, word, "a status such as SENDING, SENT or ACTIVE is expected");
			continue;
		}
		if (strpbrk(text, "abcdefghijklmnopqrstuvwxyz"))
			problem_warn(p, word, "the API writes statuses in capitals");
		source_strings_add(&o->statuses, text);
	}
}

static void read_ids(struct source_options *o, const struct node *list, struct problems *p)
{
	if (list->n == 0 || list->n > IDS_MAX)
		problem_at(p, list, "1 to %d broadcast ids are expected", IDS_MAX);
	for (size_t i = 0; i < list->n && i < IDS_MAX; i++) {
		const char *text = node_string(list->items[i]);
		if (text && *text && strlen(text) <= ID_MAX)
			source_strings_add(&o->ids, text);
		else
			problem_at(p, list->items[i], "a broadcast id of 1 to %d bytes is expected",
				   ID_MAX);
	}
}

static void read_broadcasts(struct source_options *o, struct problems *p)
{
	const struct node *n = o->broadcasts;

	if (!n || node_is_null(n)) {
		source_strings_add(&o->statuses, "SENDING");
		source_strings_add(&o->statuses, "SENT");
		source_strings_add(&o->statuses, "ACTIVE");
	} else if (n->kind == NODE_LIST) {
		read_ids(o, n, p);
	} else if (n->kind == NODE_MAP) {
		const struct node *status = node_get(n, "status");
		for (size_t i = 0; i < n->n; i++) {
			if (n->items[i] != status)
				problem_at(p, n->items[i], "unknown key; status is expected");
		}
		if (!status)
			problem_at(p, n, "status: […] is expected");
		else if (!says_all(status))
			read_statuses(o, status, p);
	} else if (!says_all(n)) {
		problem_at(p, n, "{status: […]}, a list of broadcast ids, or all is expected");
	}
}

static void check_since(struct source_options *o, const struct node *at, struct problems *p)
{
	o->since_ms = DATE_NONE;
	if (strcmp(o->since, "now") == 0)
		o->since_kind = SINCE_NOW;
	else if (strcmp(o->since, "all") == 0)
		o->since_kind = SINCE_ALL;
	else if (date_parse(o->since, strlen(o->since), &o->since_ms))
		o->since_kind = SINCE_TIME;
	else
		problem_at(p, place(at, "since"),
			   "now, all, or a time such as 2026-11-22T10:00:00Z is expected");
}

static void check_collect(struct source_options *o, const struct node *at, struct problems *p)
{
	for (size_t i = 0; i < o->collect.n; i++) {
		if (strcmp(o->collect.v[i], "contact.channels") == 0)
			o->channels = true;
		else
			problem_at(p, place(at, "collect"),
				   "contact.channels is all that can be collected");
	}
}

void source_options_check(struct source_options *o, const struct node *at, struct problems *p)
{
	check_url(o, at, p);
	check_orgs(o, at, p);
	read_broadcasts(o, p);
	source_filter_read(o, p);
	check_since(o, at, p);
	check_collect(o, at, p);
	if (o->poll_every_max_ms < o->poll_every_ms)
		problem_at(p, place(at, "poll_every_max"), "shorter than poll_every");
	if (o->rate_limit > API_LIMIT_PER_S && !is_loopback(o->base_url ? o->base_url : ""))
		problem_warn(p, place(at, "rate_limit"),
			     "the API refuses more than 500 requests a minute from one address");
}

void source_options_release(struct source_options *o)
{
	if (!o)
		return;
	strings_release(&o->statuses);
	strings_release(&o->ids);
	strings_release(&o->filter);
	options_release(source_option_table, o);
	*o = (struct source_options){0};
}

static bool contains(const struct strings *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->v[i], text) == 0)
			return true;
	}
	return false;
}

bool source_names(const struct source_options *o, const char *org, const char *broadcast)
{
	return (o->sub_orgs || contains(&o->orgs, org)) &&
	       (o->ids.n == 0 || contains(&o->ids, broadcast));
}

bool source_is_live(const char *status)
{
	static const char *const at_rest[] = {"DRAFT", "SCHEDULED", "SENT", "CANCELLED", "FAILED"};

	for (size_t i = 0; i < sizeof at_rest / sizeof *at_rest; i++) {
		if (strcmp(status, at_rest[i]) == 0)
			return false;
	}
	return true;
}

bool source_is_over(const char *status)
{
	return !source_is_live(status) && strcmp(status, "DRAFT") != 0 &&
	       strcmp(status, "SCHEDULED") != 0;
}

bool source_wants(const struct source_options *o, const struct listing_row *row, int64_t moved_ms,
		  int64_t now_wall_ms)
{
	if (o->ids.n > 0) /* named by a person: whatever its age */
		return contains(&o->ids, row->id);
	if (o->statuses.n > 0 && !contains(&o->statuses, row->status))
		return false;
	if (source_is_live(row->status))
		return true;
	int64_t newest = row->updated_ms > row->created_ms ? row->updated_ms : row->created_ms;
	int64_t oldest = now_wall_ms - o->follow_for_ms;
	return newest == DATE_NONE || newest >= oldest || moved_ms >= oldest;
}
