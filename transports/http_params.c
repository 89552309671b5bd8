/* http_params — texts of a destination that its templates may use, beside the event: a routing key,
 * a channel. Invariant: read as secrets are, so that a value is shown nowhere and wiped at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "transports/http_content.h"

#define SECRET_MIN     16 /* a word of that length is a key rather than a word */
#define PARAM_NAME_MAX 64

static const char twin[] = "_file";

/* The bytes of the name that the key gives a value. */
static size_t name_length(const char *key)
{
	size_t len = strlen(key), twin_len = sizeof twin - 1;

	return len > twin_len && strcmp(key + len - twin_len, twin) == 0 ? len - twin_len : len;
}

static bool good_name(const char *name, size_t len)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

	return len && len <= PARAM_NAME_MAX && strspn(name, allowed) >= len;
}

static void add_row(struct http_params *params, const char *key)
{
	size_t len = name_length(key);

	for (size_t i = 0; i < params->n; i++)
		if (strlen(params->rows[i].name) == len && !memcmp(params->rows[i].name, key, len))
			return; /* its twin: options_read refuses the second */
	params->rows[params->n] = (struct option){
		.name = xstrndup(key, len),
		.type = OPT_SECRET,
		.offset = params->n * sizeof(char *),
		.help = "a text for templates",
	};
	params->n++;
}

static void write_json(struct http_params *params, const struct node *map, struct problems *p)
{
	struct buf json = BUF_INIT(HTTP_PARAMS_JSON);

	buf_adds(&json, "{\"params\":{");
	for (size_t i = 0; i < params->n; i++)
		if (params->values[i])
			json_add_text(&json, params->rows[i].name, params->values[i]);
	buf_adds(&json, "},");
	if (json.full)
		problem_at(p, map, "come to more than %d KiB", HTTP_PARAMS_JSON >> 10);
	params->json = buf_detach(&json);
}

void http_params_read(const struct node *map, struct http_params *ret, struct problems *p)
{
	*ret = (struct http_params){0};
	if (!map)
		return;
	if (map->kind != NODE_MAP || map->n > HTTP_PARAMS_MAX) {
		problem_at(p, map, "must be a map of at most %d texts, NAME: VALUE",
			   HTTP_PARAMS_MAX);
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		const char *key = map->items[i]->key;

		if (!good_name(key, name_length(key))) {
			problem_at_key(p, map->items[i], "a name is 1 to %d of A-Z a-z 0-9 _ -",
				       PARAM_NAME_MAX);
			return;
		}
	}
	ret->rows = xcalloc(map->n + 1, sizeof *ret->rows);
	ret->values = xcalloc(map->n + 1, sizeof *ret->values);
	for (size_t i = 0; i < map->n; i++)
		add_row(ret, map->items[i]->key);
	options_read(ret->rows, map, ret->values, p);
	write_json(ret, map, p);
}

bool http_param_is_secret(const struct node *map, const struct http_params *params, size_t i)
{
	const struct node *n = node_get(map, params->rows[i].name);

	return !n || n->secret || strlen(params->values[i]) >= SECRET_MIN;
}

/* --- which are used --- */

/* The names that a destination's templates use. */
struct uses {
	char **v; /* owned */
	size_t n, cap;
	bool all; /* params as a whole */
};

static void note_use(void *arg, const char *path)
{
	static const char prefix[] = "params.";
	struct uses *u = arg;
	size_t len;

	u->all |= strcmp(path, "params") == 0;
	if (strncmp(path, prefix, sizeof prefix - 1) != 0)
		return;
	path += sizeof prefix - 1;
	len = strcspn(path, ".");
	for (size_t i = 0; i < u->n; i++)
		if (strlen(u->v[i]) == len && !memcmp(u->v[i], path, len))
			return;
	u->v = mem_grow(u->v, u->n + 1, &u->cap, sizeof *u->v);
	u->v[u->n++] = xstrndup(path, len);
	u->v[u->n] = NULL;
}

static bool requires(const struct template *t, const char *name)
{
	char *path = xasprintf("params.%s", name);
	bool required = t && template_requires(t, path);

	free(path);
	return required;
}

static bool is_given(const struct http_params *params, const char *name)
{
	for (size_t i = 0; i < params->n; i++)
		if (strcmp(params->rows[i].name, name) == 0)
			return true;
	return false;
}

static void check_missing(const struct uses *u, const struct node *at, const struct http_content *c,
			  struct problems *p)
{
	for (size_t i = 0; i < u->n; i++) {
		bool required = requires(c->body, u->v[i]) || requires(c->url, u->v[i]);

		for (size_t k = 0; k < c->nlines; k++)
		required |= requires(c->lines[k].value, u->v[i]);
		if (required && !is_given(&c->params, u->v[i]))
			problem_at(p, at, "params.%s is missing: a template says {{params.%s}}",
				   u->v[i], u->v[i]);
	}
}

static void check_unused(const struct uses *u, const struct node *map, const struct http_content *c,
			 struct problems *p)
{
	for (size_t i = 0; i < c->params.n && !u->all; i++) {
		const char *name = c->params.rows[i].name, *nearest;
		const struct node *n = node_get(map, name);
		bool used = false;

		for (size_t k = 0; k < u->n; k++)
			used |= strcmp(u->v[k], name) == 0;
		if (used)
			continue;
		nearest = u->n ? problem_nearest(name, (const char *const *)u->v) : NULL;
		problem_warn(p, n ? n : map, "no template here says {{params.%s}}%s%s%s", name,
			     nearest ? "; did you mean \"" : "", nearest ? nearest : "",
			     nearest ? "\"?" : "");
	}
}

void http_params_check(const struct node *map, const struct node *at, const struct http_content *c,
		       struct problems *p)
{
	struct uses u = {0};

	if (c->body)
		template_paths(c->body, note_use, &u);
	if (c->url)
		template_paths(c->url, note_use, &u);
	for (size_t i = 0; i < c->nlines; i++)
		template_paths(c->lines[i].value, note_use, &u);
	check_missing(&u, at, c, p);
	check_unused(&u, map, c, p);
	for (size_t i = 0; i < u.n; i++)
		free(u.v[i]);
	free(u.v);
}

void http_params_release(struct http_params *params)
{
	if (params->rows)
		options_release(params->rows, params->values);
	for (size_t i = 0; i < params->n; i++)
		free((char *)params->rows[i].name);
	free(params->rows);
	free(params->values);
	if (params->json)
		explicit_bzero(params->json, strlen(params->json));
	free(params->json);
	*params = (struct http_params){0};
}
