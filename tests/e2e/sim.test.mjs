// invent-sim as a process: what only a socket can show. The model itself has unit tests.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SIM =
  process.env.INVENT_SIM ?? fileURLToPath(new URL('../../build/invent-sim', import.meta.url));
const RECIPIENTS = '/orgs/c/broadcasts/bc_1/recipients';
const key = { headers: { authorization: 'Bearer sim-key' } };

// Starts a simulator for one test; its address is in the first line that it prints.
async function start(t, ...args) {
  const child = spawn(SIM, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((done) => child.on('exit', (code) => done(code)));
  t.after(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const url = await new Promise((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (d) => {
      out += d;
      const m = /^listening on (http:\S+)\n/.exec(out);
      if (m) resolve(m[1]);
    });
    child.on('exit', (code) => reject(new Error(`ended with ${code}`)));
  });
  const get = (path, options = key) => fetch(url + path, options);
  const post = (path, body) => fetch(url + path, { method: 'POST', body });
  return { child, exited, url, get, post };
}

test('a held campaign is stepped through, page by page', async (t) => {
  const sim = await start(t, '--hold', '--recipients', '230', '--ramp', '10s', '--seed', '5');
  const before = await (await sim.get('/orgs/c/broadcasts')).json();
  assert.equal(before[0].status, 'SCHEDULED');
  assert.equal((await sim.post('/sim/step?ms=3600000')).status, 200);

  const ids = new Set();
  for (let page = 1; page <= 3; page++) {
    const reply = await sim.get(`${RECIPIENTS}?page=${page}`);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.get('pagination-count'), '230');
    assert.equal(reply.headers.get('pagination-page'), String(page));
    assert.equal(reply.headers.get('pagination-take'), '100');
    assert.ok(Math.abs(new Date(reply.headers.get('date')) - Date.now() - 3600e3) < 60e3);
    for (const row of await reply.json()) ids.add(row.id);
  }
  assert.equal(ids.size, 230);
  const after = await (await sim.get('/orgs/c/broadcasts')).json();
  assert.equal(after[0].status, 'SENT');
  assert.equal(after[0].recipients_count, 230);
});

test('keys, paths and the limit', async (t) => {
  const sim = await start(t, '--key', 'k%2', '--rate-limit', '4', '--retry-after');
  const k = { headers: { authorization: 'Bearer k%2' } };
  assert.equal((await sim.get('/orgs/c/broadcasts')).status, 401);
  assert.equal((await sim.get('/orgs/c/broadcasts/bc_9/recipients', k)).status, 404);
  assert.equal((await sim.get(`${RECIPIENTS}?take=1000`, k)).status, 400);
  assert.equal((await sim.get('/orgs/c/orgs', k)).status, 200);
  const refused = await sim.get('/orgs/c/orgs', k);
  assert.equal(refused.status, 429);
  assert.match(refused.headers.get('retry-after'), /^(5[5-9]|60)$/);
  assert.equal((await sim.get('/sim/status', {})).status, 200);
});

test('faults on the wire, set at run time', async (t) => {
  const sim = await start(t, '--recipients', '120', '--hold', '--fault', '500,count=1');
  await sim.post('/sim/step?ms=600000');
  assert.equal((await sim.get(RECIPIENTS)).status, 500);
  assert.equal((await sim.get(RECIPIENTS)).status, 200);

  await sim.post('/sim/faults', JSON.stringify(['cut=1000,count=1']));
  const cut = await sim.get(RECIPIENTS);
  assert.equal(cut.status, 200);
  await assert.rejects(cut.text());

  await sim.post('/sim/faults?set=reset,count=1');
  await assert.rejects(sim.get(RECIPIENTS));

  await sim.post('/sim/faults?set=truncate,count=1');
  const text = await (await sim.get(RECIPIENTS)).text();
  assert.throws(() => JSON.parse(text));

  // A slow reply holds up nobody else.
  await sim.post('/sim/faults?set=slow%3D700,count%3D1');
  const began = Date.now();
  const slow = sim.get(RECIPIENTS).then(() => Date.now() - began);
  while (!(await (await sim.get('/sim/faults', {})).json())[0].hits);
  assert.equal((await sim.get(RECIPIENTS)).status, 200);
  const other = Date.now() - began;
  const took = await slow;
  assert.ok(took >= 700 && other < took, `slow ${took} ms, other ${other} ms`);
});

test('no answer, and too long an answer', async (t) => {
  const sim = await start(t, '--recipients', '120', '--hold', '--fault', 'hang,count=2');
  await sim.post('/sim/step?ms=600000');
  const hits = async (n) => {
    while ((await (await sim.get('/sim/faults', {})).json())[0].hits < n);
  };

  // Nothing comes until the client gives up; nobody else is held up.
  const giveUp = new AbortController();
  const hung = sim.get(RECIPIENTS, { ...key, signal: giveUp.signal });
  await hits(1);
  giveUp.abort();
  await assert.rejects(hung, { name: 'AbortError' });
  const ended = sim.get(RECIPIENTS).catch(() => 'ended');
  await hits(2);
  assert.equal((await sim.get(RECIPIENTS)).status, 200);

  // A body without a length, which ends in the middle at 64 MiB; or where told.
  const read = async (spec) => {
    await sim.post('/sim/faults', JSON.stringify([spec]));
    const reply = await sim.get(RECIPIENTS);
    assert.equal(reply.headers.get('content-length'), null);
    assert.equal(reply.headers.get('transfer-encoding'), 'chunked');
    let got = 0;
    await assert.rejects(async () => {
      for await (const part of reply.body) got += part.length;
    });
    return got;
  };
  assert.ok((await read('flood=300000,count=1')) <= 300000 + 65536);
  const flood = await read('flood,count=1');
  assert.ok(flood > 60 << 20 && flood <= (64 << 20) + 65536, `${flood} bytes`);
  assert.equal((await sim.get(RECIPIENTS)).status, 200);

  // A hanging reply does not keep the simulator from ending.
  sim.child.kill('SIGTERM');
  assert.equal(await sim.exited, 0);
  assert.equal(await ended, 'ended');
});

test('recorded pages are served again', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'sim-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'recording');
  const line = (request, status, body, headers) =>
    JSON.stringify({ request, status, headers, body }) + '\n';
  writeFileSync(
    file,
    line('/orgs/c/broadcasts?page=1&take=100', 200, [{ id: 'bc_1' }], { 'pagination-count': '1' }) +
      line('/orgs/c/broadcasts?page=1&take=100', 429, { message: 'later' }, { 'Retry-After': '7' }),
  );
  const sim = await start(t, '--replay', file);
  const first = await sim.get('/orgs/c/broadcasts?take=100&page=1', {});
  assert.equal(first.headers.get('pagination-count'), '1');
  assert.deepEqual(await first.json(), [{ id: 'bc_1' }]);
  for (let i = 0; i < 2; i++) {
    const again = await sim.get('/orgs/c/broadcasts?take=100&page=1', {});
    assert.equal(again.status, 429);
    assert.equal(again.headers.get('retry-after'), '7');
  }
  for (const path of ['/orgs/c/broadcasts', '/sim/ledger', '/sim/status'])
    assert.equal((await sim.get(path, {})).status, 404);
  writeFileSync(file, 'nonsense\n');
  const bad = spawnSync(SIM, ['--replay', file], { encoding: 'utf8' });
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /recording: line 1: not JSON/);
});

test('moods of the API are options', async (t) => {
  const sim = await start(t, '--recipients', '200', '--hold', '--counters', 'absent',
    '--times', 'null=100', '--removals', '30/h', '--flips', '2/min', '--swaps', '1/s',
    '--stranger', '300/min', '--fault', 'take=20');
  await sim.post('/sim/step?ms=3600000');
  const [broadcast] = await (await sim.get('/orgs/c/broadcasts')).json();
  assert.deepEqual(Object.keys(broadcast).filter((k) => k.endsWith('_count')), []);
  const reply = await sim.get(RECIPIENTS);
  assert.ok(Number(reply.headers.get('pagination-count')) < 200);
  const rows = await reply.json();
  assert.equal(rows.length, 20);
  assert.ok(rows.some((r) => r.is_sent) && rows.every((r) => r.is_sent_at === null));
  const ledger = await (await sim.get('/sim/ledger', {})).text();
  assert.match(ledger, /recipient.reverted/);
  let taken = 2;
  while ((await sim.get('/orgs/c/orgs')).status === 200) taken++;
  assert.ok(taken >= 190 && taken <= 210, `${taken} of 500 are left by a stranger with 300`);

  const other = await start(t, '--revoked', '1h', '--hold');
  assert.equal((await other.get(RECIPIENTS)).status, 200);
  await other.post('/sim/step?ms=3600000');
  assert.equal((await other.get(RECIPIENTS)).status, 401);
  for (const bad of [['--counters', 'blue'], ['--times', 'null'], ['--flips', '3'], ['--fault', 'x']])
    assert.equal(spawnSync(SIM, bad).status, 2, bad.join(' '));
});

test('the ledger knows what was served, and verify compares with it', async (t) => {
  const sim = await start(t, '--recipients', '300', '--hold', '--order', 'updated');
  await sim.post('/sim/step?ms=600000');
  await sim.post('/sim/faults?set=cut,count=1');
  await sim.get(RECIPIENTS).then((r) => r.text()).catch(() => {});
  const shown = async () =>
    (await (await sim.get('/sim/ledger', {})).text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter((l) => l.type === 'recipient.added' && l.shown).length;
  assert.equal(await shown(), 0);
  await (await sim.get(`${RECIPIENTS}?take=40`)).text();
  for (let n = 0; (await shown()) !== 40; n++) assert.ok(n < 200, 'served rows count as shown');

  assert.equal((await sim.post('/sim/end')).status, 200);
  const ledger = await (await sim.get('/sim/ledger', {})).text();
  const events = ledger
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((l) => l.recipient)
    .map((l, i) => ({
      id: `evt_${i}`, type: l.type, time: l.at,
      data: { broadcast_id: l.broadcast, recipient_id: l.recipient, at: l.at },
    }));
  const dir = mkdtempSync(join(tmpdir(), 'sim-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const verify = (list) => {
    writeFileSync(join(dir, 'events'), list.map((e) => JSON.stringify(e) + '\n').join(''));
    const args = ['verify', '--ledger', '-', '--events', join(dir, 'events'), '--json'];
    const run = spawnSync(SIM, args, { input: ledger, encoding: 'utf8' });
    return { status: run.status, ...JSON.parse(run.stdout) };
  };
  assert.deepEqual(verify(events), {
    status: 0, label: 'events', owed: events.length, received: events.length, missing: 0,
    invented: 0, repeats: 0, second_id: 0, different: 0, unreadable: 0, holds: true,
  });
  assert.equal(verify(events.slice(1)).missing, 1);
  assert.equal(verify(events.slice(1)).status, 1);
  assert.equal(verify([...events, { ...events[5], id: 'evt_x' }]).second_id, 1);
});

test('it ends cleanly on SIGTERM, and says what it does not understand', async (t) => {
  const sim = await start(t, '--fault', 'slow=60000');
  const slow = sim.get(RECIPIENTS).catch(() => 'ended');
  while (!(await (await sim.get('/sim/faults', {})).json())[0].hits);
  sim.child.kill('SIGTERM');
  assert.equal(await sim.exited, 0);
  await slow;
  for (const args of [['--ramp', '5x'], ['--nonsense'], ['x'], ['--kind', 'fax'], ['verify']])
    assert.equal(spawnSync(SIM, args).status, 2, args.join(' '));
  const help = spawnSync(SIM, ['--help'], { encoding: 'utf8' });
  assert.equal(help.status, 0);
  assert.match(help.stdout, /--broadcast/);
});
