// kill -9 amid jobs: all that was sent is replayed, and all that is parked is tried again, while the
// relay dies at random moments. Afterwards the receiver has had each event once more, nothing is
// parked, and what came twice is bounded by the kills.
//
// JOB_RECIPIENTS (preset 300, some 1,100 events), JOB_KILLS (10) and SEED choose the run.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Place, command, sleep, sourceConfig, until } from '../e2e/harness.mjs';

const RECIPIENTS = Number(process.env.JOB_RECIPIENTS ?? 300);
const KILLS = Number(process.env.JOB_KILLS ?? 10);
const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
const HOLD_MS = 30;
const IN_FLIGHT = 64;
const SETTLES_MAX = 512; // verdicts that may wait for their commit
const STEP_MAX = 500; // events that a job takes up before it writes how far it is

function generator(seed) {
  let s = BigInt(seed) + 0x9e3779b97f4a7c15n;
  return () => {
    s = (s * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(s >> 33n) / 2 ** 31;
  };
}

const idOf = (call) => call.headers['webhook-id'] ?? JSON.parse(call.body).id;
const distinct = (calls) => new Set(calls.map(idOf));

// A campaign is over; every third event is parked, all others were taken.
async function campaign(t) {
  const place = new Place(t);
  const sim = await place.sim(['--seed', String(SEED), '--recipients', String(RECIPIENTS), '--ramp', '5s', '--speed', '100', '--rate-limit', '0']);
  const receiver = await place.receiver();
  receiver.server.prependListener('request', (request, response) => { // so that jobs take their time
    const end = response.end.bind(response);
    response.end = (...args) => setTimeout(() => end(...args), HOLD_MS);
  });
  receiver.answer = (call) => ({ status: Number(JSON.parse(call.body).sequence) % 3 === 0 ? 404 : 204 });
  place.config(`${sourceConfig(sim)}journal: { sqlite: { path: relay.db } }
destinations: { crm: { http: { url: "${receiver.url}/hook" } } }
rules: [{ name: all, when: { type: [{ prefix: recipient. }] }, to: [crm] }]
`);
  const rows = (...args) => {
    const r = command([...args, '-c', place.path('relay.yaml')]);
    assert.equal(r.status, 0, `${args.join(' ')}: ${r.stderr}`);
    return r.stdout.split('\n').filter(Boolean).map((l) => JSON.parse(l));
  };
  const relay = place.relay();
  await until('the relay has begun', () => /relay started/.test(relay.stderr) && receiver.calls.length);
  await sim.post('/sim/step?ms=600000');
  await sim.post('/sim/end');
  const owed = (await sim.ledger()).filter((l) => l.owed && l.type.startsWith('recipient.')).length;
  await until('all were called', () => distinct(receiver.calls).size >= owed, 120000);
  await until('all are known to be sent', async () => {
    await sleep(200);
    return rows('replay', '--to', 'crm', '--all', '--dry-run')[0].events >= owed;
  }, 60000);
  relay.kill('SIGKILL');
  await relay.exit;
  return { place, receiver, rows };
}

test(`kill -9 amid a replay and a retry, ${KILLS} times`, { timeout: 1200000 }, async (t) => {
  const random = generator(SEED);
  t.diagnostic(`SEED=${SEED}`);
  const { place, receiver, rows } = await campaign(t);
  const all = distinct(receiver.calls);
  const parked = rows('parked', 'list', '--limit', '0').length;
  assert.ok(parked > 20, `${parked} are parked`);
  receiver.calls.length = 0;
  receiver.answer = () => ({ status: 204 });
  assert.equal(rows('replay', '--to', 'crm', '--all')[0].state, 'queued');
  assert.equal(rows('parked', 'retry', '--to', 'crm', '--all')[0].state, 'queued');
  let amid = 0;
  let log = ''; // of all its lives
  for (let i = 0; i < KILLS; i++) {
    const relay = place.relay();
    const before = receiver.calls.length;
    await until('it starts', () => /relay started/.test(relay.stderr) || relay.exited, 30000);
    assert.equal(relay.exited, false, relay.stderr);
    await sleep(random() ** 2 * 100);
    if (receiver.calls.length > before) amid++;
    relay.kill('SIGKILL');
    await relay.exit;
    log += relay.stderr;
  }
  const relay = place.relay();
  await until('all came once more', () => {
    const seen = distinct(receiver.calls);
    return [...all].every((id) => seen.has(id));
  }, 120000);
  await until('nothing is parked, and the jobs have ended', async () => {
    await sleep(200);
    return rows('parked', 'list').length === 0 && ((log + relay.stderr).match(/msg="job ended".* state=done/g) ?? []).length >= 2;
  }, 60000);
  t.diagnostic(`events=${all.size} parked=${parked} kills=${KILLS} amid_calls=${amid} calls=${receiver.calls.length}`);
  assert.ok(receiver.calls.length <= all.size + parked + KILLS * (IN_FLIGHT + SETTLES_MAX + STEP_MAX),
    `${receiver.calls.length} calls for ${all.size} events`);
  assert.equal(relay.exited, false, relay.stderr);
});
