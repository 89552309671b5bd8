/* What acts on the relay: destinations by hand, and jobs. Each function reads the request, lets the
 * relay do it, and says what came of it; nothing is decided here. */
#include <stdlib.h>
#include <string.h>

#include "relay/admin/admin.h"
#include "relay/base/json.h"
#include "relay/base/json_add.h"
#include "relay/base/mem.h"

#define DEPTH	 4   /* of a body */
#define WHY_MOST 500 /* bytes of a reason that a person gives */

static void refuse(struct admin_reply *ret, const struct err *err)
{
	switch (err->code) {
	case ERR_USAGE:
	case ERR_FORMAT: admin_error(ret, 400, "%s", err->msg); break;
	case ERR_MISSING: admin_error(ret, 404, "%s", err->msg); break;
	case ERR_DENIED: admin_error(ret, 409, "%s", err->msg); break;
	case ERR_LIMIT: admin_error(ret, 429, "%s", err->msg); break;
	default: admin_error(ret, 500, "%s", err->msg); break;
	}
}

/* ---- destinations ---- */

/* {"why": "…"} or nothing; *ret is the caller's. */
static int read_why(const struct admin_request *q, char **ret, struct err *err)
{
	struct json_doc *doc = json_doc_new();
	const struct json *root = q->len ? json_parse(doc, q->body, q->len, DEPTH, err) : NULL;
	const struct json *why = json_get(root, "why");
	int failed = 0;

	if (q->len && !root)
		failed = -1;
	else if (root && (json_type(root) != JSON_OBJECT || json_count(root) > (why ? 1 : 0)))
		failed = err_set(err, ERR_USAGE, "{\"why\": \"…\"} is expected, or no body");
	else if (why && (!json_string(why) || strlen(json_string(why)) > WHY_MOST))
		failed = err_set(err, ERR_USAGE, "why: a text of at most %d bytes is expected",
				 WHY_MOST);
	if (!failed)
		*ret = why ? xstrdup(json_string(why)) : NULL;
	json_doc_free(doc);
	return failed;
}

static void act(const struct admin_view *v, const struct admin_request *q, enum admin_act what,
		struct admin_reply *ret)
{
	struct err err = {0};
	char *why = NULL;
	int failed = read_why(q, &why, &err);

	if (!failed && why && what != ADMIN_DISABLE)
		failed = err_set(&err, ERR_USAGE, "why: only a disabling has a reason");
	if (!failed)
		failed = v->acts->destination(v->acts->arg, q->part, what, why, &err);
	if (failed)
		refuse(ret, &err);
	else
		buf_adds(&ret->body, "{}\n");
	free(why);
}

void admin_enable(const struct admin_view *v, const struct admin_request *q,
		  struct admin_reply *ret)
{
	act(v, q, ADMIN_ENABLE, ret);
}

void admin_disable(const struct admin_view *v, const struct admin_request *q,
		   struct admin_reply *ret)
{
	act(v, q, ADMIN_DISABLE, ret);
}

void admin_drop(const struct admin_view *v, const struct admin_request *q, struct admin_reply *ret)
{
	act(v, q, ADMIN_DROP, ret);
}

/* ---- jobs ---- */

static void take_job(const struct admin_view *v, const struct admin_request *q, const char *kind,
		     struct admin_reply *ret)
{
	struct err err = {0};

	if (v->acts->job(v->acts->arg, kind, q, &ret->body, &err) < 0) {
		refuse(ret, &err);
		return;
	}
	buf_addc(&ret->body, '\n');
	ret->status = 202;
}

void admin_retry(const struct admin_view *v, const struct admin_request *q, struct admin_reply *ret)
{
	take_job(v, q, "retry", ret);
}

void admin_drop_parked(const struct admin_view *v, const struct admin_request *q,
		       struct admin_reply *ret)
{
	take_job(v, q, "drop", ret);
}

void admin_replay(const struct admin_view *v, const struct admin_request *q,
		  struct admin_reply *ret)
{
	take_job(v, q, "replay", ret);
}

void admin_jobs(const struct admin_view *v, const struct admin_request *q, struct admin_reply *ret)
{
	(void)q;
	buf_addc(&ret->body, '{');
	json_add_name(&ret->body, "jobs");
	v->acts->jobs(v->acts->arg, &ret->body);
	buf_adds(&ret->body, "}\n");
}

void admin_cancel(const struct admin_view *v, const struct admin_request *q,
		  struct admin_reply *ret)
{
	size_t digits = strspn(q->part, "0123456789");
	int64_t id = digits < 18 && !q->part[digits] ? strtoll(q->part, NULL, 10) : 0;
	struct err err = {0};

	if (!id)
		admin_error(ret, 404, "there is no job %.64s", q->part);
	else if (v->acts->cancel(v->acts->arg, id, &err) < 0)
		refuse(ret, &err);
	else
		buf_adds(&ret->body, "{}\n");
}
