#!/usr/bin/env node
// How a receiver verifies a callback (Standard Webhooks, v1) and drops repeats; node:crypto only.
//
//   SECRET="whsec_NEW whsec_OLD" node examples/verify.mjs HEADERS BODY [HEADERS BODY …]
//
// HEADERS is a file of lines "name: value", as `relay sign` prints them; BODY the bytes as they
// came. In a service both come from the request; read the body raw, before anything parses it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';

const TOLERANCE_S = 300; // an older call may be a replay by somebody who listened

// Two secrets while you rotate: the relay signs with both, and either is enough.
function keysOf(secrets) {
  return secrets.split(/\s+/).filter(Boolean).map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    if (secret.startsWith('whsec_') && key.length >= 24) return key;
    console.error('verify: a secret is whsec_ and base64 of 24 bytes or more');
    return process.exit(2);
  });
}

// headers: by lower-case name. The id, or an error that says why the call is not genuine.
export function verify(headers, body, keys, nowS = Date.now() / 1000) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (!id || !timestamp || !signatures) throw new Error('a webhook-... header is missing');
  if (!/^\d{1,12}$/.test(timestamp)) throw new Error('webhook-timestamp is no number');
  const given = signatures.split(' ').filter((s) => s.startsWith('v1,')).map((s) => Buffer.from(s.slice(3), 'base64'));
  const fits = keys.some((key) => {
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
    // timingSafeEqual takes as long whichever byte differs, and throws where lengths differ.
    return given.some((g) => g.length === expected.length && timingSafeEqual(g, expected));
  });
  if (!fits) throw new Error('no signature fits');
  if (Math.abs(nowS - Number(timestamp)) > TOLERANCE_S) throw new Error('webhook-timestamp is too far from now');
  return id;
}

// Delivery is at least once. A real service keeps the ids with its own data, in the transaction in
// which it acts, for as long as the relay may try again (three days by default).
const seen = new Set();

function take(headersFile, bodyFile, keys) {
  const headers = Object.fromEntries(readFileSync(headersFile, 'utf8').split('\n').filter((line) => line.includes(':'))
    .map((line) => [line.slice(0, line.indexOf(':')).trim().toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
  try {
    const id = verify(headers, readFileSync(bodyFile), keys);
    console.log(`${seen.has(id) ? 'repeat' : 'valid'} ${id}`);
    seen.add(id);
    return true;
  } catch (e) {
    console.log(`refused: ${e.message}`);
    return false;
  }
}

const files = process.argv.slice(2);
if (!files.length || files.length % 2) {
  console.error('usage: SECRET=whsec_… node verify.mjs HEADERS BODY [HEADERS BODY …]');
  process.exit(2);
}
const keys = keysOf(process.env.SECRET ?? '');
let refused = 0;
for (let i = 0; i < files.length; i += 2) refused += take(files[i], files[i + 1], keys) ? 0 : 1;
process.exit(refused ? 1 : 0);
