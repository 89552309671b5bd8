/* Yields by distance. Invariant: no bin remembers more than PRIOR_READS pages. */
#include "relay/source/prior.h"

#define PRIOR_READS 40	  /* pages of a bin that are remembered: then they count half */
#define PRIOR_FOUND 0.2	  /* for a bin not read yet: what was never seen may come */
#define NEAR	    8	  /* pages of an end */
#define LEAN	    0.65f /* of the way to an end, before it is called the busy one */

void prior_init(struct prior *p)
{
	*p = (struct prior){.lean = 0.5f};
}

static unsigned bin_of(unsigned page)
{
	unsigned bin = 31 - (unsigned)__builtin_clz(page);

	return bin < PRIOR_BINS ? bin : PRIOR_BINS - 1;
}

/* Finds of one page at that distance (1 …) from the busy end. */
static double yield_at(const struct prior *p, unsigned distance)
{
	unsigned bin = bin_of(distance);

	return ((double)p->found[p->back][bin] + PRIOR_FOUND) / ((double)p->read[p->back][bin] + 1);
}

static double yield_within(const struct prior *p, unsigned n)
{
	double sum = 0;

	for (unsigned from = 1; from && from <= n; from *= 2) {
		unsigned to = from * 2 - 1 < n ? from * 2 - 1 : n;
		sum += yield_at(p, from) * (to - from + 1);
	}
	return sum;
}

double prior_within(const struct prior *p, unsigned n, unsigned pages)
{
	return p->back ? yield_within(p, pages) - yield_within(p, pages - n) : yield_within(p, n);
}

double prior_at(const struct prior *p, unsigned page, unsigned pages)
{
	return yield_at(p, p->back ? pages - page + 1 : page);
}

unsigned prior_best(const struct prior *p, unsigned pages)
{
	return p->back ? pages : 1;
}

bool prior_is_front(const struct prior *p)
{
	return !p->back;
}

void prior_face(struct prior *p, bool front)
{
	p->back = !front;
}

bool prior_is_sharp(const struct prior *p, unsigned pages)
{
	return pages <= NEAR || yield_within(p, NEAR) > yield_within(p, pages) / 2;
}

static bool leans(const struct prior *p)
{
	return p->lean > LEAN || p->lean < 1 - LEAN;
}

void prior_follow(struct prior *p, const struct prior *leader)
{
	if (leans(leader))
		p->back = leader->back;
}

static void note(float *found, float *read, double finds)
{
	*found += (float)finds;
	*read += 1;
	if (*read < PRIOR_READS)
		return;
	*found /= 2;
	*read /= 2;
}

void prior_learn(struct prior *p, unsigned page, unsigned pages, double found)
{
	if (page < 1 || page > pages)
		return;
	unsigned front = bin_of(page), back = bin_of(pages - page + 1);
	note(&p->found[0][front], &p->read[0][front], found);
	note(&p->found[1][back], &p->read[1][back], found);
	if (found <= 0 || pages < 3)
		return;
	float weight = found > 10 ? 0.1f : 0.01f * (float)found;
	p->lean += weight * ((float)(page - 1) / (float)(pages - 1) - p->lean);
	if (leans(p))
		p->back = p->lean > LEAN;
}
