// Callbacks as strangers take them: held against the published verifiers of Standard Webhooks and
// Svix, and the CloudEvents SDK.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { generateKeyPairSync, verify as cryptoVerify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { HTTP } from 'cloudevents';
import { Place, RELAY, command, until } from './harness.mjs';
import { api, arrives, configure, receiver, secretOf, sentRow, written } from './callbacks.mjs';

const NEW = secretOf('the new one'), OLD = secretOf('the old one'), OTHER = secretOf('of somebody else');
const ROWS = [1, 2, 3, 4, 5].map((i) => sentRow(`r${i}`));
const VERIFIERS = [Webhook, SvixWebhook];

// Both verifiers, with one secret.
function accept(secret, call, body = call.body) {
  for (const V of VERIFIERS) new V(secret).verify(body, call.headers);
}
const refuses = (secret, call, why, body = call.body) => {
  for (const V of VERIFIERS) assert.throws(() => new V(secret).verify(body, call.headers), why);
};

// An ed25519 pair: the secret as Relay takes it, and the key that verifies.
function pair() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { secret: 'whsk_' + Buffer.from(privateKey.export({ format: 'jwk' }).d, 'base64url').toString('base64'), publicKey };
}
function acceptEd25519(publicKey, call, raw = call.raw) {
  const text = Buffer.concat([Buffer.from(`${call.headers['webhook-id']}.${call.headers['webhook-timestamp']}.`), raw]);
  return call.headers['webhook-signature'].split(' ').some((s) => s.startsWith('v1a,') && cryptoVerify(null, text, publicKey, Buffer.from(s.slice(4), 'base64')));
}

test('the published verifiers accept what is signed, and nothing else', async (t) => {
  const place = new Place(t);
  const a = await api(place, ROWS);
  const r = await receiver(place);
  const ed = pair(), stranger = pair();
  const template = `{"text":"{{type}} von {{data.recipient_id}}: {{data.state}} — ü"}`;
  place.write('both.secret', `${NEW}\n${OLD}\n`);
  configure(place, a, `
  one: { http: { url: "${r.url}/one", secret: "${NEW}" } }
  rotated: { http: { url: "${r.url}/rotated", secret: ["${NEW}", "${OLD}"] } }
  lines: { http: { url: "${r.url}/rotated", secret_file: both.secret } }
  ed: { http: { url: "${r.url}/ed", secret: "${ed.secret}" } }
  both: { http: { url: "${r.url}/both", secret: ["${NEW}", "${ed.secret}"] } }
  told: { http: { url: "${r.url}/told", secret: "${NEW}", method: PUT, body: '${template}' } }`,
  `  - { name: all, when: { type: recipient.sent }, to: [file, one, rotated, lines, ed, both, told] }
  - { name: ruled, when: { type: recipient.added }, to: [one], body: '{"added":"{{data.recipient_id}}"}' }`);
  place.relay();
  await arrives('of each', () => ['/one', '/rotated', '/ed', '/both', '/told'].filter((p) => r.at(p).length >= (p === '/one' || p === '/rotated' ? 10 : 5)), 5);
  for (const call of r.at('/one')) {
    accept(NEW, call);
    refuses(OTHER, call, /No matching signature/);
    refuses(NEW, call, /No matching signature/, call.body.replace('r1', 'r2').replace('"', '" '));
    refuses(NEW, { ...call, headers: { ...call.headers, 'webhook-id': 'evt_0' } }, /No matching signature/);
  }
  assert.equal(r.at('/one').filter((c) => /^\{"added":"r\d"\}$/.test(c.body)).length, 5);
  for (const call of r.at('/rotated')) { // who knows only one of the two
    accept(NEW, call);
    accept(OLD, call);
    refuses(OTHER, call, /No matching signature/);
    assert.equal(call.headers['webhook-signature'].split(' ').length, 2);
  }
  for (const call of r.at('/ed')) {
    assert.match(call.headers['webhook-signature'], /^v1a,[A-Za-z0-9+/]{86}==$/);
    assert.ok(acceptEd25519(ed.publicKey, call));
    assert.ok(!acceptEd25519(stranger.publicKey, call));
    assert.ok(!acceptEd25519(ed.publicKey, call, Buffer.from(call.body + ' ')));
  }
  for (const call of r.at('/both')) {
    accept(NEW, call);
    assert.ok(acceptEd25519(ed.publicKey, call));
  }
  for (const call of r.at('/told')) {
    accept(NEW, call);
    assert.equal(call.method, 'PUT');
    assert.match(JSON.parse(call.body).text, /^recipient\.sent von r\d: sent — ü$/);
  }
  // The library signs the same.
  const [call] = r.at('/one');
  const at = new Date(call.headers['webhook-timestamp'] * 1000);
  assert.equal(new Webhook(NEW).sign(call.headers['webhook-id'], at, call.body), call.headers['webhook-signature']);
});

test('a captured call is good for five minutes; a repeat has the same id and a timestamp of its own', async (t) => {
  const place = new Place(t);
  const a = await api(place, ROWS.slice(0, 1));
  const r = await receiver(place);
  r.answer = () => ({ status: r.calls.length ? 204 : 503 });
  configure(place, a, `  crm: { http: { url: "${r.url}/x", secret: "${NEW}" }, retry: [0s, 2s] }`,
    '  - { name: sent, when: { type: recipient.sent }, to: [crm] }');
  place.relay();
  await arrives('calls', () => r.calls, 2);
  const [first, second] = r.calls;
  accept(NEW, first);
  accept(NEW, second);
  assert.equal(second.headers['webhook-id'], first.headers['webhook-id']);
  assert.equal(second.headers['webhook-id'], JSON.parse(second.body).id);
  assert.equal(second.body, first.body);
  assert.ok(Number(second.headers['webhook-timestamp']) > Number(first.headers['webhook-timestamp']));
  assert.notEqual(second.headers['webhook-signature'], first.headers['webhook-signature']);
  const now = Date.now();
  let minutes = 4;
  t.mock.method(Date, 'now', () => now + minutes * 60000);
  accept(NEW, second);
  minutes = 6;
  refuses(NEW, second, /too old/);
  minutes = -6;
  refuses(NEW, second, /too new/);
});

// Names that are no harm in JSON and would be in a header.
const HOSTILE = ['Jürgen "100 %" Müller', 'x\r\nce-id: forged', '日本語 😀', 'a%20b%', '\tTab\u0001\u001f\u007f', ' edges ', 'é'.repeat(60), '";\\\\, =?utf-8?q?x?='];
const hostileRows = HOSTILE.map((name, i) => sentRow(i % 2 ? `r ${i} ${name}` : `r${i}`, { contact: { id: `c${i}`, name, phone: `+4930${i}` }, is_failed: true, error_message: name }));

const decoded = (headers) => Object.fromEntries(Object.entries(headers).filter(([k]) => k.startsWith('ce-')).map(([k, v]) => [k.slice(3), decodeURIComponent(v)]));

// All that the specification asks of an event, from what was read with JSON.parse or from headers:
// the SDK would give an id and a time of its own to one that has none.
function required(e) {
  assert.equal(e.specversion, '1.0');
  assert.match(e.id, /^evt_[0-9a-f]{32}$/);
  assert.match(e.type, /^[a-z]+\.[a-z_.]+$/);
  assert.ok(new URL(e.source));
  assert.match(e.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.match(e.sequence, /^\d{16}$/);
  for (const name of Object.keys(e)) assert.match(name, /^[a-z0-9]{1,20}$/);
}

// What the SDK made of a call says the same as the event; in binary mode it leaves the values of
// headers encoded.
function same(made, event, decode = (v) => v) {
  for (const name of ['specversion', 'id', 'type', 'source', 'subject', 'recordedtime', 'sequence', 'partitionkey'])
    assert.equal(decode(made[name]), event[name], name);
  assert.equal(new Date(made.time).getTime(), new Date(event.time).getTime());
  assert.deepEqual(made.data, event.data);
  assert.ok(made.validate());
}

const FORMATS = (url) => ['', '-binary', '-batch'].map((f) => `
  ce${f}: { http: { url: "${url}/ce${f}", secret: "${NEW}", format: cloudevents${f} } }`).join('');

test('the CloudEvents SDK reads each format; every attribute is as Relay wrote it', async (t) => {
  const place = new Place(t);
  const a = await api(place, hostileRows);
  const r = await receiver(place);
  configure(place, a, FORMATS(r.url), `  - { name: all, to: [file, ce, ce-binary, ce-batch] }
  - name: "Ausfälle „100 %“ 😀"
    when: { type: recipient.failed }
    alert: { per: [data.recipient.contact.name], within: 1m, count: 1 }
    to: [file, ce, ce-binary, ce-batch]`);
  place.relay();
  const inBatches = () => r.accepted('/ce-batch').flatMap((c) => JSON.parse(c.body));
  await arrives('alerts', () => written(place).filter(({ event }) => event.type === 'alert.firing'), HOSTILE.length);
  const ids = (list) => list.map((e) => e.id).sort();
  await until('all have all', () => {
    const all = written(place).length;
    return r.accepted('/ce').length >= all && r.accepted('/ce-binary').length >= all && inBatches().length >= all;
  });
  const events = new Map(written(place).map((w) => [w.event.id, w]));
  assert.ok(events.size >= HOSTILE.length * 4);
  for (const { event } of events.values()) required(event);

  for (const call of r.accepted('/ce')) {
    const { text, event } = events.get(JSON.parse(call.body).id);
    accept(NEW, call);
    assert.equal(call.body, text);
    assert.equal(call.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    same(HTTP.toEvent(call), event);
  }
  for (const call of r.accepted('/ce-binary')) {
    const attributes = decoded(call.headers);
    const { text, event } = events.get(attributes.id);
    const { data, datacontenttype, ...others } = event;
    accept(NEW, call);
    required(attributes);
    assert.deepEqual(attributes, others);
    assert.equal(call.headers['content-type'], datacontenttype);
    assert.equal(call.body, text.slice(text.indexOf('"data":') + 7, -1));
    for (const [name, value] of Object.entries(call.headers))
      if (name.startsWith('ce-')) assert.match(value, /^[!#$&-~%]+$/, name); // printable, neither blank nor quote
    same(HTTP.toEvent(call), event, (v) => decodeURIComponent(v));
  }
  let largest = 0;
  for (const call of r.accepted('/ce-batch')) {
    accept(NEW, call);
    assert.equal(call.headers['content-type'], 'application/cloudevents-batch+json; charset=utf-8');
    const raw = JSON.parse(call.body);
    assert.equal(call.body, `[${raw.map((e) => events.get(e.id).text).join(',')}]`);
    assert.deepEqual(raw.map((e) => e.sequence), raw.map((e) => e.sequence).sort());
    const made = HTTP.toEvent(call);
    assert.equal(made.length, raw.length);
    made.forEach((m, i) => same(m, raw[i]));
    assert.match(call.headers['webhook-id'], /^evt_[0-9a-f]{32}$/);
    assert.ok(!events.has(call.headers['webhook-id']));
    largest = Math.max(largest, raw.length);
  }
  assert.ok(largest > 1, 'no batch of several');
  for (const got of [r.accepted('/ce').map((c) => JSON.parse(c.body)), r.accepted('/ce-binary').map((c) => decoded(c.headers)), inBatches()])
    assert.deepEqual(ids(got), [...events.keys()].sort());
  // What was hostile has been there: in subjects, in keys, in rules.
  const headers = r.accepted('/ce-binary').map((c) => decoded(c.headers));
  for (const name of HOSTILE.filter((_, i) => i % 2)) assert.ok(headers.some((h) => h.subject?.includes(name)), name);
  assert.ok(headers.some((h) => h.subject === 'Ausfälle „100 %“ 😀'));
});

test('a batch that failed comes again as it was, under the same id, and nothing is lost or out of order', async (t) => {
  const place = new Place(t);
  const rows = Array.from({ length: 350 }, (_, i) => sentRow(`r${i}`));
  const a = await api(place, rows);
  const r = await receiver(place);
  const failed = new Set();
  r.answer = (call) => {
    const id = call.headers['webhook-id'];
    if (failed.size >= 3 || failed.has(id)) return { status: 202 };
    failed.add(id);
    return { status: failed.size === 1 ? 429 : 503 };
  };
  configure(place, a, `  many: { http: { url: "${r.url}/", secret: "${NEW}", format: cloudevents-batch }, retry: [0s, 1500ms, 1s, 1s, 1s] }`,
    '  - { name: all, when: { type: [recipient.added, recipient.sent] }, to: [file, many] }');
  const relay = place.relay();
  const got = () => r.accepted('/').flatMap((c) => JSON.parse(c.body));
  await until('all have come', () => written(place).length >= 700 && got().length >= 700);
  a.next([sentRow('r1000'), sentRow('r1001')]);
  await until('four more', () => got().length >= 704);
  assert.equal(failed.size, 3);
  for (const id of failed) {
    const calls = r.calls.filter((c) => c.headers['webhook-id'] === id);
    assert.equal(calls.length, 2);
    assert.equal(calls[1].body, calls[0].body);
    assert.ok(Number(calls[1].headers['webhook-timestamp']) > Number(calls[0].headers['webhook-timestamp']));
  }
  assert.ok(r.calls.some((c) => JSON.parse(c.body).length === 100), 'none was full');
  const ids = new Set(), last = new Map();
  for (const call of r.accepted('/')) {
    accept(NEW, call);
    for (const e of JSON.parse(call.body)) {
      assert.ok(!ids.has(e.id));
      ids.add(e.id);
      assert.ok(!(last.get(e.partitionkey) > e.sequence), `${e.partitionkey}: ${e.sequence} after ${last.get(e.partitionkey)}`);
      last.set(e.partitionkey, e.sequence);
    }
  }
  assert.deepEqual([...ids].sort(), written(place).map((w) => w.event.id).sort());
  relay.kill('SIGTERM');
  assert.deepEqual(await relay.exit, { code: 0, signal: null });
});

test('redact: what a destination is not to get it gets nowhere: body, template, batch, bus, refill', async (t) => {
  const place = new Place(t);
  const rows = [1, 2, 3].map((i) => sentRow(`r${i}`, { recipient_email: `r${i}@example.com`, contact: { id: `c${i}`, name: `Name ${i}`, phone: `+49300${i}`, email: `r${i}@example.com` } }));
  const a = await api(place, rows);
  const r = await receiver(place);
  const bus = `ipc://${place.path('bus')}`, refill = `ipc://${place.path('refill')}`;
  const text = (redact, more = '') => configure(place, a, `
  crm: { http: { url: "${r.url}/crm", secret: "${NEW}" }, redact: [${more}phone, email, recipient_email] }
  told: { http: { url: "${r.url}/told", body: '{"to":"{{data.recipient.contact.phone}}/{{data.recipient.contact.name}}"}' }, redact: [phone] }
  ruled: { http: { url: "${r.url}/ruled" }, redact: name }
  many: { http: { url: "${r.url}/many", format: cloudevents-batch }, redact: [contact] }
  bus: { nng: { listen: ["${bus}"], refill: "${refill}" }${redact} }`,
  `  - { name: sent, when: { type: recipient.sent }, to: [file, crm, told, many, bus] }
  - { name: ruled, when: { type: recipient.sent }, to: [ruled], body: '{"to":"{{data.recipient.contact.phone}}/{{data.recipient.contact.name}}"}' }`);
  text(', redact: [phone, email, recipient_email]');
  const relay = place.relay();
  await until('all have all', () => r.at('/crm').length >= 3 && r.at('/told').length >= 3 && r.at('/ruled').length >= 3 &&
    r.at('/many').flatMap((c) => JSON.parse(c.body)).length >= 3 && written(place).length >= 3);
  const personal = /\+49300|@example\.com/;
  for (const { text, event } of written(place)) {
    assert.match(text, personal); // the journal and others keep it
    assert.ok(event.data.recipient.contact.phone);
  }
  for (const call of r.at('/crm')) {
    accept(NEW, call);
    assert.doesNotMatch(call.body, personal);
    const { event } = written(place).find((w) => w.event.id === JSON.parse(call.body).id);
    const { contact } = event.data.recipient;
    contact.phone = contact.email = event.data.recipient.recipient_email = null;
    assert.deepEqual(JSON.parse(call.body), event);
  }
  assert.deepEqual(r.at('/told').map((c) => c.body).sort(), [1, 2, 3].map((i) => `{"to":"/Name ${i}"}`));
  assert.deepEqual(r.at('/ruled').map((c) => c.body).sort(), [1, 2, 3].map((i) => `{"to":"+49300${i}/"}`));
  for (const call of r.at('/many')) for (const e of JSON.parse(call.body)) assert.equal(e.data.recipient.contact, null);

  // Who comes late gets the past by refill, and it is as the bus would have told it.
  const late = place.start(RELAY, ['subscribe', bus, 'recipient.', '--refill', refill, '--all']);
  await arrives('events of the past', () => late.lines(), 3);
  assert.doesNotMatch(late.stdout, personal);
  a.next([sentRow('r4', { contact: { id: 'c4', name: 'Name 4', phone: '+493004' } })]);
  await arrives('events on the bus', () => late.lines(), 4);
  assert.doesNotMatch(late.stdout, personal);
  assert.match(late.stdout, /Name 4/);
  // A reload changes it for all that is sent from then on.
  text(', redact: [phone, email, recipient_email]', 'name, ');
  relay.kill('SIGHUP');
  await until('the reload is told', () => /settings reloaded/.test(relay.stderr));
  a.next([sentRow('r5', { contact: { id: 'c5', name: 'Name 5', phone: '+493005' } })]);
  await arrives('callbacks', () => r.at('/crm'), 5);
  assert.equal(r.at('/crm').filter((c) => /Name \d/.test(c.body)).length, 4);
});

test('redact: a path is a mistake, and says so with its place', (t) => {
  const place = new Place(t);
  place.config('source: { api_key: k }\ndestinations:\n  crm: { http: { url: "http://localhost:1/" }, redact: [phone, contact.email] }\nrules: [{ name: a, to: [crm] }]\n');
  const c = command(['check', place.path('relay.yaml')]);
  assert.equal(c.status, 78);
  assert.match(c.stderr, /relay\.yaml:3:\d+: destinations\.crm\.redact\[1\]: must be the name of a member/);
});
