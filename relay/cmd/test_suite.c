/* test_suite — see the header. Invariant: a file with mistakes has no results, and its tests count
 * neither as passed nor as failed. */
#include "relay/cmd/test_suite.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/cmd/test_env.h"
#include "relay/cmd/test_text.h"

#define TEXT_MAX (64 << 20)

/* ---- problems ---- */

static void print_warnings(const struct problems *p)
{
	for (size_t i = 0; i < p->nwarnings; i++)
		fprintf(stderr, "warning: %s\n", p->warnings[i]);
}

/* As problems_print has them, to be told once all files are run. */
static char *problems_text(const struct problems *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		abort(); /* only memory can be missing */
	struct problems silent = *p;
	silent.nwarnings = 0;
	problems_print(&silent, out);
	fclose(out);
	return text;
}

/* ---- the configuration ---- */

static struct settings *load_settings(const struct test_file *f, const char *config,
				      struct problems *p)
{
	struct settings_offline from = {0};
	char *path = NULL;
	if (config || f->config) {
		from.path = config ? config : f->config;
	} else if (!f->rules) {
		problem_at(p, yaml_root(f->yaml), "config or rules is missing (or -c FILE)");
		return NULL;
	} else {
		from = (struct settings_offline){
			.source = f->source, .destinations = f->destinations, .stand_ins = true};
		if (f->rules->kind == NODE_LIST)
			from.rules = f->rules;
		else
			from.path = path = node_resolve_path(f->rules, f->rules->text);
	}
	struct settings *s = settings_load_offline(&from, p);
	free(path);
	return s;
}

/* ---- a test ---- */

static void tell(struct test_result *r, const struct test_case *t, const struct mismatches *m)
{
	struct buf text = BUF_INIT(TEXT_MAX), json = BUF_INIT(TEXT_MAX);
	buf_addc(&json, '[');
	for (size_t i = 0; i < m->n; i++) {
		buf_adds(&json, i ? "," : "");
		test_text(&text, t, &m->v[i]);
		test_text_json(&json, &m->v[i]);
	}
	buf_addc(&json, ']');
	if (json.full) { /* what differs is told by the text, in any case */
		buf_clear(&json);
		buf_adds(&json, "[]");
	}
	r->text = buf_detach(&text);
	r->json = buf_detach(&json);
}

static void run_test(struct test_suite *suite, const struct settings *s, const struct test_case *t,
		     const struct test_wish *wish, struct problems *p)
{
	struct test_got got;
	struct mismatches m = {0};
	int64_t start_us = clock_mono_us();
	test_run(s, t, &got, p);
	if (!p->n) {
		struct test_result *r = &suite->v[suite->n++];
		test_compare(t, &got, &m);
		*r = (struct test_result){
			.name = xstrdup(t->name), .line = t->at->line, .failed = m.n > 0};
		if (r->failed)
			tell(r, t, &m);
		if (wish->show) {
			struct buf shown = BUF_INIT(TEXT_MAX);
			test_text_show(&shown, t, &got);
			r->shown = buf_detach(&shown);
		}
		r->took_us = clock_mono_us() - start_us;
	}
	mismatches_release(&m);
	test_got_release(&got);
}

static bool is_wished(const struct test_case *t, const struct test_wish *wish)
{
	return !wish->filter || strstr(t->name, wish->filter);
}

static void run_tests(struct test_suite *suite, const struct test_file *f,
		      const struct test_wish *wish, struct problems *p)
{
	struct problems found = {0};
	struct test_env env;
	test_env_begin(&env, f->env);
	struct settings *s = load_settings(f, wish->config, &found);
	test_env_end(&env);
	print_warnings(p);
	problems_release(p);
	*p = found;
	suite->v = xcalloc(f->ntests + 1, sizeof *suite->v);
	for (size_t i = 0; s && i < f->ntests; i++)
		if (is_wished(&f->test[i], wish))
			run_test(suite, s, &f->test[i], wish, p);
	settings_free(s);
}

static void release_suite(struct test_suite *suite)
{
	for (size_t i = 0; i < suite->n; i++) {
		free(suite->v[i].name);
		free(suite->v[i].text);
		free(suite->v[i].json);
		free(suite->v[i].shown);
	}
	free(suite->v);
	suite->v = NULL;
	suite->n = 0;
}

void test_suite_run(struct test_suites *all, const char *path, const struct test_wish *wish)
{
	struct problems p = {0};
	all->v = xrealloc(all->v, all->n + 1, sizeof *all->v);
	struct test_suite *suite = &all->v[all->n++];
	*suite = (struct test_suite){.path = xstrdup(path)};
	struct test_env none;
	test_env_begin(&none, NULL);
	struct test_file *f = test_file_load(path, &p);
	if (f)
		run_tests(suite, f, wish, &p);
	test_env_end(&none);
	print_warnings(&p);
	if (p.n) {
		release_suite(suite);
		suite->bad = problems_text(&p);
	}
	problems_release(&p);
	test_file_free(f);
}

void test_suites_release(struct test_suites *all)
{
	for (size_t i = 0; i < all->n; i++) {
		release_suite(&all->v[i]);
		free(all->v[i].path);
		free(all->v[i].bad);
	}
	free(all->v);
	*all = (struct test_suites){0};
}

struct test_totals test_suites_count(const struct test_suites *all)
{
	struct test_totals totals = {0};
	for (size_t i = 0; i < all->n; i++) {
		totals.bad += all->v[i].bad != NULL;
		for (size_t k = 0; k < all->v[i].n; k++)
			*(all->v[i].v[k].failed ? &totals.failed : &totals.passed) += 1;
	}
	return totals;
}
