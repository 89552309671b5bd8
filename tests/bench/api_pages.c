/* api_pages — see the header. The peer waits in read(2) while others are measured. */
#include "tests/bench/api_pages.h"

#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/mem.h"
#include "tests/bench/bench.h"

#define EPOCH_MS 1700000000000
#define ARENA	 (16 << 20) /* a page needs about 600 KB */

static char *arena;
static size_t arena_used;

static void *arena_malloc(size_t size)
{
	size_t at = arena_used;
	arena_used += (size + 15) & ~(size_t)15;
	if (arena_used > ARENA)
		abort();
	return arena + at;
}

static void arena_free(void *p)
{
	(void)p;
}

const struct buf *api_pages_receive(const struct api_pages *p, size_t i)
{
	static struct buf received;
	if (!received.data)
		buf_init(&received, ARENA);
	buf_clear(&received);
	buf_add(&received, p->v[i].body.data, p->v[i].body.len);
	return &received;
}

static _Noreturn void be_peer(const struct api_pages *p, int in, int out)
{
	cJSON_Hooks hooks = {arena_malloc, arena_free};
	char byte;
	cJSON_InitHooks(&hooks);
	arena = xmalloc(ARENA);
	while (read(in, &byte, 1) == 1) {
		double took = 0;
		for (size_t i = 0; i < p->n; i++) {
			const struct buf *text = api_pages_receive(p, i);
			double start = bench_wall_s();
			arena_used = 0;
			if (!cJSON_ParseWithLength(text->data, text->len))
				abort();
			took += bench_wall_s() - start;
		}
		if (write(out, &took, sizeof took) != sizeof took)
			break;
	}
	_exit(0);
}

static void start_peer(struct api_pages *p)
{
	int to[2], from[2];
	if (pipe(to) < 0 || pipe(from) < 0)
		abort();
	p->peer_pid = fork();
	if (p->peer_pid == 0) {
		close(to[1]);
		close(from[0]);
		be_peer(p, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	p->to_peer = to[1];
	p->from_peer = from[0];
}

static void ask(struct model *m, int64_t now_ms, const char *path, const char *query,
		struct sim_reply *ret)
{
	struct sim_request rq = {"GET", path, query, NULL, "bench", now_ms};
	model_request(m, now_ms, &rq, ret);
	if (ret->status != 200)
		abort();
}

void api_pages_make(struct api_pages *p, uint32_t recipients)
{
	struct sim_broadcast one = {.recipients = recipients};
	struct model_options o = {.seed = 1,
				  .epoch_ms = EPOCH_MS,
				  .org = "org_1",
				  .broadcasts = &one,
				  .nbroadcasts = 1,
				  .ramp_ms = 60000};
	struct err err = {0};
	struct model *m = model_new(&o, &err);
	int64_t now_ms = EPOCH_MS + 3600000;
	char query[64];
	if (!m)
		abort();
	model_advance(m, now_ms);
	model_end(m);
	ask(m, now_ms, "/orgs/c/broadcasts", NULL, &p->list);
	p->n = (recipients + SIM_TAKE - 1) / SIM_TAKE;
	p->v = xcalloc(p->n + 1, sizeof *p->v);
	for (size_t i = 0; i <= p->n; i++) {
		snprintf(query, sizeof query, "page=%zu&take=%d", i + 1, SIM_TAKE);
		ask(m, now_ms, "/orgs/c/broadcasts/bc_1/recipients", query, &p->v[i]);
		p->bytes += p->v[i].body.len;
	}
	model_free(m);
	start_peer(p);
}

double api_pages_parse(struct api_pages *p)
{
	double took = 0;
	if (write(p->to_peer, "g", 1) != 1 || read(p->from_peer, &took, sizeof took) != sizeof took)
		abort();
	return took;
}

void api_pages_release(struct api_pages *p)
{
	close(p->to_peer);
	close(p->from_peer);
	waitpid(p->peer_pid, NULL, 0);
	for (size_t i = 0; i <= p->n; i++)
		sim_reply_release(&p->v[i]);
	sim_reply_release(&p->list);
	free(p->v);
}
