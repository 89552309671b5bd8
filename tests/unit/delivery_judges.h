/*
 * delivery_judges — what receivers of a delivery_rig answer, the same to every parcel.
 */
#ifndef RELAY_DELIVERY_JUDGES_H
#define RELAY_DELIVERY_JUDGES_H

#include "tests/unit/delivery_rig.h"

bool judge_503(struct rig *w, const struct parcel *p, struct outcome *ret);
/* All are sent but the first of the journal, which is held. */
bool judge_hold_first(struct rig *w, const struct parcel *p, struct outcome *ret);

#endif
