/* delivery_judges — see the header. */
#include "tests/unit/delivery_judges.h"

bool judge_503(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)p;
	ret->verdict = TRY_AGAIN;
	ret->why = "503: later";
	return true;
}

bool judge_hold_first(struct rig *w, const struct parcel *p, struct outcome *ret)
{
	(void)w;
	(void)ret;
	return p->event->sequence != 1;
}
