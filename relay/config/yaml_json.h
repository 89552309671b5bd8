/*
 * yaml_json — nodes as JSON, for what people write in YAML and programs compare as JSON.
 */
#ifndef RELAY_YAML_JSON_H
#define RELAY_YAML_JSON_H

#include "relay/base/buf.h"
#include "relay/config/yaml.h"

/* Appends the node, compact, members in file order. Plain scalars go by the core schema (`12` is a
 * number, `true` a bool, nothing at all null), all others are strings. A number keeps its spelling
 * where JSON has the same. */
void yaml_json(struct buf *out, const struct node *n);

#endif
