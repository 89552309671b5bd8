// What the author of a receiver uses: relay sign, verify, receive and send-test, and the examples
// that verify a callback.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BUILD, Place, RELAY, ROOT, command, until } from './harness.mjs';

const EVENT = { specversion: '1.0', id: 'evt_1', source: 'urn:x', type: 'recipient.failed', data: { recipient_id: 'rcp_1' } };
const BODY = JSON.stringify(EVENT);
const secret = () => command(['sign', '--new']).stdout.trim();
const headersOf = (text) => Object.fromEntries(text.trim().split('\n').map((l) => l.split(/: (.*)/s).slice(0, 2)));
const sign = (input, ...args) => headersOf(command(['sign', ...args], { input }).stdout);
const now = () => Math.floor(Date.now() / 1000);

test('sign: what node:crypto computes from the specification', (t) => {
  const place = new Place(t);
  const a = secret(), b = secret();
  assert.match(a, /^whsec_[A-Za-z0-9+/]{43}=$/);
  const mac = (s) => 'v1,' + createHmac('sha256', Buffer.from(s.slice(6), 'base64')).update(`msg.1700000000.${BODY}`).digest('base64');
  const file = place.write('two.secret', `${a}\n\n${b}\n`);
  assert.deepEqual(sign(BODY, '--secret-file', file, '--id', 'msg', '--timestamp', '1700000000'),
    { 'webhook-id': 'msg', 'webhook-timestamp': '1700000000', 'webhook-signature': `${mac(a)} ${mac(b)}` });
  // the body's own id; the secret of the environment; JSON
  const r = command(['sign', '--json', place.write('body', BODY)], { env: { ...process.env, RELAY_SECRET: a } });
  assert.equal(JSON.parse(r.stdout)['webhook-id'], 'evt_1');
  assert.match(sign('no JSON', '--secret', a)['webhook-id'], /^msg_[0-9a-f]{32}$/);
});

test('sign --new --ed25519: a pair of which one signs and the other verifies', (t) => {
  const place = new Place(t);
  const pair = JSON.parse(command(['sign', '--new', '--ed25519', '--json']).stdout);
  const headers = place.write('headers', command(['sign', '--secret', pair.secret], { input: BODY }).stdout);
  assert.match(place.read('headers'), /webhook-signature: v1a,/);
  assert.equal(command(['verify', '--secret', pair.public, '--headers', headers], { input: BODY }).stdout, 'valid, signed 0 s ago\n');
  assert.match(command(['sign', '--secret', pair.public], { input: BODY }).stderr, /cannot sign/);
});

test('verify tells what is wrong', (t) => {
  const place = new Place(t);
  const a = secret(), b = secret();
  const verify = (input, ...args) => command(['verify', '--json', '--secret', a, ...args], { input });
  const lines = (h) => Object.entries(h).flatMap(([name, value]) => ['-H', `${name.toUpperCase()}:${value}\r`]);
  const fresh = sign(BODY, '--secret', a), old = sign(BODY, '--secret', a, '--timestamp', String(now() - 400));
  const other = sign(BODY, '--secret', b), both = sign(BODY, '--secret', b, '--secret', a);
  const cases = [
    [BODY, lines(fresh), null], [BODY, lines(both), null],
    [BODY + ' ', lines(fresh), /no signature fits/], [BODY, lines(other), /no signature fits/],
    [BODY, [...lines(fresh), '--id', 'evt_2'], /no signature fits/], [BODY, [...lines(fresh), '--timestamp', String(now() + 9)], /no signature fits/],
    [BODY, lines(old), /is 40\d s old/], [BODY, [...lines(old), '--tolerance', '7m'], null], [BODY, [...lines(old), '--tolerance', '0'], null],
    [BODY, lines(sign(BODY, '--secret', a, '--timestamp', String(now() + 400))), /ahead/],
    [BODY, [], /webhook-id is missing/], [BODY, [...lines(fresh), '--timestamp', 'soon'], /no number/],
  ];
  for (const [body, args, why] of cases) {
    const r = verify(body, ...args);
    const told = JSON.parse(r.stdout);
    assert.equal(told.valid, !why, args.join(' '));
    assert.equal(r.status, why ? 1 : 0);
    if (why) assert.match(told.why, why);
  }
  // A file of secrets that are rotated; usage; and no secret in a message.
  assert.equal(command(['verify', '--secret-file', place.write('s', `${b}\n${a}\n`), ...lines(fresh)], { input: BODY }).status, 0);
  for (const args of [['verify'], ['verify', '--secret-file', '/none', ...lines(fresh)], ['verify', '--secret', a, '--headers', '/none'],
    ['verify', '--secret', a, ...lines(fresh), '/none'], ['sign'], ['verify', '--secret', 'whsec_c2hvcnQ'], ['sign', '--secret', a, '--id', 'a.b'], ['sign', '--secret-file', place.write('none', '\n')]]) {
    const r = command(args, { input: BODY, env: { PATH: process.env.PATH } });
    assert.equal(r.status, 2, args.join(' '));
    assert.ok(!r.stderr.includes('c2hvcnQ'));
  }
});

test('verification in C, Node and Python: examples/verify.*', (t) => {
  const place = new Place(t);
  const a = secret(), b = secret();
  const file = (name, ...args) => place.write(name, command(['sign', ...args], { input: BODY }).stdout);
  const body = place.write('body', BODY), tampered = place.write('tampered', BODY.replace('rcp_1', 'rcp_2'));
  const good = file('good', '--secret', a), old = file('old', '--secret', a, '--timestamp', String(now() - 400));
  const other = file('other', '--secret', b), both = file('both', '--secret', b, '--secret', a, '--id', 'two');
  const files = [good, body, good, body, good, tampered, old, body, other, body, both, body, body, body];
  const expected = ['valid evt_1', 'repeat evt_1', 'refused: no signature fits', 'refused: webhook-timestamp is too far from now',
    'refused: no signature fits', 'valid two', 'refused: a webhook-... header is missing'];
  for (const [program, ...args] of [[join(BUILD, 'verify')], ['node', join(ROOT, 'examples/verify.mjs')], ['python3', '-B', join(ROOT, 'examples/verify.py')]]) {
    const run = (SECRET, list) => spawnSync(program, [...args, ...list], { encoding: 'utf8', env: { ...process.env, SECRET } });
    const r = run(a, files);
    assert.deepEqual(r.stdout.trim().split('\n'), expected, program + r.stderr);
    assert.equal(r.status, 1);
    const rotated = run(`${b} ${a}`, [good, body, other, body]);
    assert.equal(rotated.stdout, 'valid evt_1\nrepeat evt_1\n', program);
    assert.equal(rotated.status, 0);
    assert.notEqual(run('whsec_short', [good, body]).status, 0);
  }
});

// Started with these flags; `post` sends a body as a callback.
async function receiving(t, flags, place = new Place(t)) {
  const p = place.start(RELAY, ['receive', '--listen', '127.0.0.1:0', ...flags]);
  const url = await until('it listens', () => /(http:\S+)/.exec(p.stderr)?.[1]);
  const post = async (body, headers = {}) => {
    const r = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/cloudevents+json', ...headers } });
    return { status: r.status, headers: r.headers, text: await r.text() };
  };
  const rows = () => p.lines().map((l) => JSON.parse(l));
  return { place, p, url, post, rows };
}

test('receive verifies, and tells signature, repeats and formats', async (t) => {
  const a = secret();
  const r = await receiving(t, ['--secret', a, '--envelope']);
  const signed = (body, ...args) => sign(body, '--secret', a, ...args);
  assert.equal((await r.post(BODY, signed(BODY))).status, 204);
  assert.equal((await r.post(BODY, signed(BODY))).status, 204);
  assert.equal((await r.post(BODY)).status, 401);
  assert.match((await r.post(BODY + ' ', signed(BODY))).text, /no signature fits/);
  assert.equal((await r.post(BODY, signed(BODY, '--timestamp', String(now() - 400)))).status, 401);
  const data = '{"recipient_id":"rcp_9"}';
  const binary = { 'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-id': 'evt_9', 'ce-source': 'urn:x', 'ce-type': 'recipient.sent', 'ce-subject': 'a%20b' };
  assert.equal((await r.post(data, { ...binary, ...signed(data, '--id', 'evt_9') })).status, 204);
  const batch = JSON.stringify([EVENT, { ...EVENT, id: 'evt_2' }]);
  assert.equal((await r.post(batch, { 'content-type': 'application/cloudevents-batch+json; charset=utf-8', ...signed(batch, '--id', 'batch') })).status, 204);
  const own = '{"text":"from a template"}';
  assert.equal((await r.post(own, { 'content-type': 'application/json', ...signed(own, '--id', 'evt_3') })).status, 204);
  await until('all is told', () => r.rows().length === 9);
  const told = r.rows().map((e) => [e.id, e.format, e.signature, e.repeat, e.status]);
  assert.deepEqual(told, [
    ['evt_1', 'structured', 'valid', false, 204], ['evt_1', 'structured', 'valid', true, 204], ['evt_1', 'structured', 'invalid', false, 401],
    ['evt_1', 'structured', 'invalid', false, 401], ['evt_1', 'structured', 'invalid', false, 401], ['evt_9', 'binary', 'valid', false, 204],
    ['evt_1', 'batch', 'valid', false, 204], ['evt_2', 'batch', 'valid', false, 204], ['evt_3', 'other', 'valid', false, 204]]);
  const [event] = r.rows().filter((e) => e.id === 'evt_9');
  assert.deepEqual([event.event.subject, event.event.data], ['a b', JSON.parse(data)]);
  assert.ok(Math.abs(Date.parse(event.attempt_at) - Date.now()) < 60000);
});

test('receive refuses what is not what its headers say', async (t) => {
  const r = await receiving(t, ['--json']);
  const bad = [['{}', /specversion is missing/], ['no JSON', /not JSON/], [JSON.stringify({ ...EVENT, specversion: '0.3' }), /version 1\.0/], [JSON.stringify({ ...EVENT, id: '' }), /id is missing/]];
  for (const [body, why] of bad) {
    const answer = await r.post(body);
    assert.equal(answer.status, 400, body);
    assert.match(answer.text, why);
  }
  const batch = { 'content-type': 'application/cloudevents-batch+json' };
  assert.match((await r.post(BODY, batch)).text, /array/);
  assert.match((await r.post(`[${BODY},{}]`, batch)).text, /event 2 of the batch/);
  assert.equal((await r.post('hello', { 'content-type': 'text/plain' })).status, 204);
  assert.deepEqual(r.p.lines(), ['"hello"'], 'with --json only what was accepted');
});

test('receive misbehaves as it is asked to', async (t) => {
  const place = new Place(t);
  const turns = await receiving(t, ['--sequence', '503,429,204', '--retry-after', '7', '--count', '2'], place);
  const answers = [];
  for (let i = 0; i < 6; i++) answers.push(await turns.post(BODY));
  assert.deepEqual(answers.map((a) => a.status), [503, 429, 204, 503, 429, 204]);
  assert.deepEqual(answers.map((a) => a.headers.get('retry-after')), ['7', '7', null, '7', '7', null]);
  assert.deepEqual(await turns.p.exit, { code: 0, signal: null }, '--count ends it once two were accepted');
  const every = await receiving(t, ['--status', '422', '--every', '2'], place);
  assert.deepEqual([(await every.post(BODY)).status, (await every.post(BODY)).status], [204, 422]);
  const dropped = await receiving(t, ['--drop'], place);
  await assert.rejects(dropped.post(BODY));
  const slow = await receiving(t, ['--slow', '1'], place);
  assert.match((await slow.post(BODY)).text, /200 on request/);
  for (const args of [['--status', '99'], ['--sequence', '503,x'], ['--sequence', '503', '--status', '500'], ['--delay', '9999999'], ['--every', 'x']])
    assert.equal(command(['receive', ...args]).status, 2, args.join(' '));
});

test('receive: who waits holds up nobody else, and is answered when it ends', async (t) => {
  const r = await receiving(t, ['--delay', '600000', '--every', '2']);
  assert.equal((await r.post(BODY)).status, 204);
  const late = r.post(BODY);
  await until('the second has come', () => r.p.lines().length === 2);
  assert.equal((await r.post(BODY)).status, 204, 'while the second waits');
  r.p.kill('SIGTERM');
  assert.equal((await late).status, 204);
  assert.deepEqual(await r.p.exit, { code: 0, signal: null });
});

test('receive for people: one line a callback', async (t) => {
  const place = new Place(t);
  const r = place.start('script', ['-qfc', `${RELAY} receive --listen 127.0.0.1:0`, '/dev/null']);
  const url = await until('it listens', () => /(http:\S+)/.exec(r.stdout)?.[1]);
  await fetch(url, { method: 'POST', body: JSON.stringify({ ...EVENT, data: { recipient_id: 'rcp\u001b[31m', error_message: 'unreachable' } }), headers: { 'content-type': 'application/cloudevents+json' } });
  await until('it is told', () => /Z {2}recipient\.failed {2}rcp\?\[31m {2}evt_1 {2}\(unreachable\) {2}not signed, answered 204\r?$/m.test(r.stdout));
});

test('send-test: what the receiver says, by exit status and in words', async (t) => {
  const place = new Place(t);
  const receiver = await place.receiver();
  const key = secret();
  place.config([
    'source: { api_key: "${NOT_SET}" }', 'destinations:',
    `  crm: { redact: [recipient], http: { url: "${receiver.url}/hook", secret: "\${CRM_SECRET}", bearer: "\${CRM_TOKEN}", headers: { X-Key: "\${CRM_TOKEN}", X-Plain: yes } } }`,
    `  tpl: { http: { url: "${receiver.url}/hook", params: { key: "\${CRM_TOKEN}" }, body: '{"id": "{{id}}", "key": "{{params.key}}"}' } }`,
    '  hidden: { http: { url: "${HIDDEN_URL}" } }', '  meta: { http: { url: "http://169.254.169.254/x" } }', '  file: { stdout: { path: out.ndjson } }',
    '  bus: { nng: { listen: [inproc://x] } }', '  unset: { http: { url: "http://127.0.0.1:1/", secret: "${UNSET}" } }',
    '  wrong: { http: { url: "http://127.0.0.1:1/", methd: POST } }', 'rules: []', ''].join('\n'));
  const env = { PATH: process.env.PATH, CRM_SECRET: key, CRM_TOKEN: 'token-of-the-crm', HIDDEN_URL: `${receiver.url}/services/T0/B0` };
  // The receiver lives in this process, so the command must not block it.
  const send = async (...args) => {
    const p = place.start(RELAY, ['send-test', '-c', place.path('relay.yaml'), ...args], { env });
    const { code } = await p.end;
    assert.ok(!(p.stdout + p.stderr).includes('token-of-the-crm') && !(p.stdout + p.stderr).includes(key), 'no secret is shown');
    return { code, told: code < 2 && p.stdout ? JSON.parse(p.stdout) : null, stderr: p.stderr };
  };
  const ok = await send('--to', 'crm');
  assert.deepEqual([ok.code, ok.told.verdict, ok.told.method, ok.told.url, ok.told.signed], [0, 'sent', 'POST', `${receiver.url}/hook`, true]);
  assert.match(ok.told.headers, /X-Plain: yes/);
  const [call] = receiver.calls;
  const event = JSON.parse(call.body);
  assert.deepEqual([event.type, event.data.test, event.data.state, event.data.recipient], ['recipient.failed', true, 'failed', null]);
  assert.equal(call.headers.authorization, 'Bearer token-of-the-crm');
  const verified = command(['verify', '--secret', key, ...Object.entries(call.headers).flatMap(([n, v]) => /^webhook-/.test(n) ? ['-H', `${n}: ${v}`] : [])], { input: call.body });
  assert.equal(verified.status, 0, verified.stderr);
  const alert = await send('--to', 'tpl', '--type', 'alert.firing');
  assert.equal(alert.told.verdict, 'sent');
  assert.match(alert.told.body, /"key": "\*\*\*"/);
  assert.equal(JSON.parse(receiver.calls[1].body).key, 'token-of-the-crm');
  assert.equal((await send('--to', 'hidden')).told.url, `${receiver.url}/***`);
  for (const [status, verdict] of [[503, 'try again'], [429, 'try again'], [422, 'refused'], [302, 'refused'], [410, 'gone']]) {
    receiver.answer = () => ({ status, body: 'because' });
    const r = await send('--to', 'crm');
    assert.deepEqual([r.code, r.told.verdict], [1, verdict]);
    assert.match(r.told.why, new RegExp(`^${status}.*because`));
  }
  const meta = await send('--to', 'meta');
  assert.match(meta.told.why, /address not allowed/);
  assert.equal((await send('--to', 'file')).code, 0);
  assert.equal(JSON.parse(place.read('out.ndjson')).data.test, true);
  for (const [args, code, why] of [[['--to', 'bus'], 2, /relay subscribe/], [['--to', 'crn'], 2, /did you mean "crm"/], [[], 2, /--to/], [['--to', 'crm', '--type', 'failed'], 2, /no type/],
    [['--to', 'unset'], 78, /relay\.yaml:\d+:\d+: .*secret.*not set/], [['--to', 'wrong'], 78, /methd.*method/]]) {
    const r = await send(...args);
    assert.equal(r.code, code, args.join(' '));
    assert.match(r.stderr, why);
  }
});
