/*
 * naive_matcher — what EventBridge's operators mean, as slowly and plainly as it can be said:
 * straight from the YAML of a `when` and the tree of an event, sharing no code with what it judges.
 *
 * An event is taken as a list of leaves, each with the places of the elements that it lies in. An
 * alternative holds when for each of its conditions, in the order of their paths, a leaf can be
 * chosen so that no two are in different elements of one array; a condition that allows absence
 * also holds where no leaf of its path fits what was chosen before. All choices are tried.
 *
 * Regular expressions are POSIX's extended ones here, so only what both notations share is fit for
 * comparison; letters without case are ASCII's, é and я.
 */
#ifndef RELAY_NAIVE_MATCHER_H
#define RELAY_NAIVE_MATCHER_H

#include <stdbool.h>

#include "relay/base/json.h"
#include "relay/config/yaml.h"

struct naive_event;

struct naive_event *naive_event_new(const struct json *event); /* borrowed */
void naive_event_free(struct naive_event *e);
bool naive_match(const struct node *when, const struct naive_event *e);

#endif
