/*
 * http_content — what a destination's calls say by templates: the body, and places in the URL and
 * in header values; and what fills them beside the event: params. Read and checked at load,
 * rendered at each attempt, so that a mended template cures what is parked.
 */
#ifndef RELAY_HTTP_CONTENT_H
#define RELAY_HTTP_CONTENT_H

#include "relay/base/event.h"
#include "relay/base/template.h"
#include "transports/http_settings.h"

#define HTTP_PARAMS_MAX	 64
#define HTTP_PARAMS_JSON (64 << 10) /* bytes of all */

struct http_params { /* valid as {0} */
	struct option *rows;
	char **values; /* NULL: it had a problem */
	size_t n;
	char *json; /* {"params":{…},  with which an event's text is begun; NULL: none */
};
/* NAME: VALUE, or NAME_file: PATH. `map` may be NULL. */
void http_params_read(const struct node *map, struct http_params *ret, struct problems *p);
void http_params_release(struct http_params *params); /* wipes the values */
/* Was it kept from the file, or is it long enough to be a key? */
bool http_param_is_secret(const struct node *map, const struct http_params *params, size_t i);

struct http_line { /* a header whose value has places */
	char *name;
	struct template *value;
};

struct http_content {	       /* valid as {0} */
	char *type;	       /* Content-Type */
	struct template *url;  /* NULL: it has no places */
	struct template *body; /* NULL: the event itself is sent */
	struct http_line *lines;
	size_t nlines;
	struct http_params params;
	struct json_doc *doc;
	struct buf event, rendered_url, rendered_lines;
};

/* Fills *ret from the settings; `at` is their node, for the places of problems, and may be NULL.
 * Released in any case by its owner. */
void http_content_read(const struct http_settings *s, const struct node *at,
		       struct http_content *ret, struct problems *p);
void http_content_release(struct http_content *c);
/* Its parts: the body's template and type; and whether params are those that the templates use. */
void http_body_read(const struct http_settings *s, const struct node *at, struct http_content *ret,
		    struct problems *p);
void http_params_check(const struct node *map, const struct node *at, const struct http_content *c,
		       struct problems *p);

/* What one call says; `url` and `lines` until the next rendering. */
struct http_rendered {
	const char *url;    /* NULL: it has no places */
	const char **lines; /* room for nlines: "Name: value" */
	struct buf *body;   /* appended to, if there is a template; NULL: it is said already */
};
/* By one thread at a time. On failure the message says which part is wrong. */
int http_content_render(struct http_content *c, const struct event *event,
			struct http_rendered *ret, struct err *err);
/* Each path that its templates look at, once or more. */
void http_content_paths(const struct http_content *c, template_path_fn *fn, void *arg);
/* Is there anything to render? And in the value of this header? */
bool http_content_has_places(const struct http_content *c);
bool http_content_has_line(const struct http_content *c, const char *name);
/* What another template, a rule's, says in place of the body. By any thread. */
int http_content_say(const struct http_content *c, const struct template *body,
		     const struct event *event, struct buf *out, struct err *err);

#define HTTP_RULE_TYPE "application/json" /* of a rule's body */

/* The templates of examples/templates/ as they were at build. */
extern const char *const http_preset_names[];	/* ending in NULL */
const char *http_preset_text(const char *name); /* NULL: none of that name */

#endif
