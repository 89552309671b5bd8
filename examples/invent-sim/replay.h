/*
 * replay — serves pages that somebody recorded, instead of a model. A recording is NDJSON, one
 * exchange a line, in the order in which they happened:
 *
 *   {"request":"/orgs/c/broadcasts?page=1&take=100","status":200,
 *    "headers":{"pagination-count":"3"},"body":[…]}
 *
 * request  path and query as sent, percent-encoded; the method is GET
 * status   of the reply, 200 to 599
 * headers  text by name, those worth keeping: 15 at most, of 95 characters each. Lengths,
 *          encodings and the connection's own are not served; a missing Content-Type is
 *          application/json
 * body     any JSON value, served as it is spelled but for white space; a string is served as the
 * text it holds, for replies that were no JSON. Absent: none
 *
 * Other members are ignored. A request is answered by the recorded replies to the same path and
 * the same parameters, in whatever order, in turn; the last one again and again. All others get
 * 404. No key is asked for.
 */
#ifndef INVENT_SIM_REPLAY_H
#define INVENT_SIM_REPLAY_H

#include "examples/invent-sim/model.h"

struct replay;

/* NULL, and err says which line, when the file cannot be read or is no recording. */
struct replay *replay_open(const char *path, struct err *err);
void replay_free(struct replay *r); /* NULL is allowed */

/* As model_request; there are no marks in the reply. */
void replay_request(struct replay *r, const struct sim_request *rq, struct sim_reply *ret);

#endif
