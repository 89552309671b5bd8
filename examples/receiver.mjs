#!/usr/bin/env node
// A service that wants to hear of failures: verifies each callback (Standard Webhooks), drops
// repeats, and acts once per failed message. Node's standard library only.
//
//   SECRET=whsec_… PORT=9000 node examples/receiver.mjs
//
// The relay's side is examples/failures.yaml.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const key = Buffer.from((process.env.SECRET ?? '').replace(/^whsec_/, ''), 'base64');
if (key.length < 24) {
  console.error('receiver: SECRET must be whsec_ and the base64 of at least 24 bytes');
  process.exit(2);
}
const TOLERANCE_S = 300; // older calls may be replays
const BODY_MAX = 1 << 20;

// A real service keeps the ids with its own data, in the same transaction, for as long as the
// schedule of retries lasts.
const seen = new Set();

function genuine(headers, body) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  if (!id || Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_S) return false;
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  return (headers['webhook-signature'] ?? '').split(' ').some((s) => {
    const given = Buffer.from(s.replace(/^v1,/, ''), 'base64');
    return s.startsWith('v1,') && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function act(event) {
  const { recipient_id, integration_id, error_message } = event.data;
  console.log(`${event.type} ${recipient_id} ${integration_id}: ${error_message ?? 'no reason given'}`);
}

const server = createServer((request, response) => {
  const parts = [];
  let size = 0;
  request.on('data', (part) => {
    size += part.length;
    if (size > BODY_MAX) request.destroy();
    else parts.push(part);
  });
  request.on('end', () => {
    const body = Buffer.concat(parts);
    if (request.method !== 'POST') return response.writeHead(405).end();
    if (!genuine(request.headers, body)) return response.writeHead(401).end('the signature does not fit');
    const event = JSON.parse(body);
    if (!seen.has(event.id)) act(event); // first act and remember, then answer 2xx
    seen.add(event.id);
    response.writeHead(204).end();
  });
});
server.listen(Number(process.env.PORT ?? 9000), '127.0.0.1', () =>
  console.error(`receiver: listening on http://127.0.0.1:${server.address().port}`));
