// The admin API of a real relay, and `relay status`, which asks it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { Place, RELAY, command, freePort, sourceConfig, until } from './harness.mjs';

function get(port, path, headers = {}, method = 'GET', text = '') {
  return new Promise((done, fail) => {
    const r = request({ host: '127.0.0.1', port, path, method, headers }, (reply) => {
      let body = '';
      reply.on('data', (d) => (body += d));
      reply.on('end', () => done({ status: reply.statusCode, headers: reply.headers, body }));
    });
    r.on('error', fail);
    r.end(text);
  });
}

// What the process listens on over TCP, by the kernel's tables; null where it may not be looked at.
function listeners(pid) {
  const inodes = new Set();
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const m = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`));
      if (m) inodes.add(m[1]);
    }
  } catch (e) {
    if (e.code === 'EACCES') return null;
    throw e;
  }
  const found = [];
  for (const table of ['tcp', 'tcp6'])
    for (const line of readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n').slice(1)) {
      const field = line.trim().split(/ +/);
      if (field[3] === '0A' && inodes.has(field[9])) found.push(field[1]);
    }
  return found;
}

const listens = (port) => new Promise((done) => {
  const c = connect(port, '127.0.0.1');
  c.on('connect', () => { c.destroy(); done(true); });
  c.on('error', () => done(false));
});

const DESTINATION = `
journal: { sqlite: { path: relay.db } }
destinations: { file: { stdout: { path: events.ndjson } } }
rules: [{ name: all, to: [file] }]
`;

async function running(t, { sim = ['--recipients', '150', '--ramp', '10s', '--speed', '20', '--rate-limit', '0'], more = '' } = {}) {
  const place = new Place(t);
  const api = await place.sim(sim);
  const port = await freePort();
  place.config(`${sourceConfig(api, more)}admin: { listen: "127.0.0.1:${port}" }${DESTINATION}`);
  const relay = place.relay();
  await until('the admin API listens', () => {
    if (relay.exited) throw new Error(relay.stderr);
    return /the admin API listens/.test(relay.stderr);
  });
  const token = place.read('relay.db.token').trim();
  return { place, api, port, relay, token, auth: { authorization: `Bearer ${token}` } };
}

const status = (place, ...args) => command(['status', '-c', place.path('relay.yaml'), ...args]);

test('health and readiness are open, the rest needs the token and a name of ours', async (t) => {
  const { place, port, relay, token, auth } = await running(t);
  assert.equal((listeners(relay.pid) ?? ['it']).length, 1);
  assert.equal(statSync(place.path('relay.db.token')).mode & 0o777, 0o600);
  assert.match(token, /^[0-9a-f]{64}$/);
  assert.deepEqual(JSON.parse((await get(port, '/healthz')).body), { status: 'ok' });
  await until('the relay is ready', async () => (await get(port, '/readyz')).status === 200);
  for (const path of ['/metrics', '/api/v1/status', '/none'])
    for (const headers of [{}, { authorization: 'Bearer ' + '0'.repeat(64) }, { authorization: token }]) {
      const r = await get(port, path, headers);
      assert.equal(r.status, 401, path);
      assert.ok(JSON.parse(r.body).error);
    }
  assert.equal((await get(port, '/none', auth)).status, 404);
  assert.equal((await get(port, '/metrics', auth, 'DELETE')).status, 405);
  for (const path of ['/healthz', '/metrics'])
    assert.equal((await get(port, path, { ...auth, host: `evil.example:${port}` })).status, 403);
  const r = await get(port, '/metrics', { ...auth, host: `localhost:${port}` });
  assert.equal(r.status, 200);
  assert.equal(r.headers['cache-control'], 'no-store');
  assert.equal(r.headers['x-content-type-options'], 'nosniff');
  assert.ok(!relay.stderr.includes(token));
});

// Every sample belongs to a family that was announced before it, once; no series comes twice.
function readMetrics(text) {
  const families = new Map();
  const series = new Map();
  let help;
  for (const line of text.trimEnd().split('\n')) {
    let m;
    if ((m = /^# HELP (\S+) (.+)$/.exec(line))) {
      help = m[1];
    } else if ((m = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line))) {
      assert.equal(m[1], help, 'HELP stands before TYPE');
      assert.ok(!families.has(m[1]), `${m[1]} comes twice`);
      families.set(m[1], m[2]);
    } else {
      m = /^([a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (-?\d+(?:\.\d+)?)$/.exec(line);
      assert.ok(m, line);
      const name = families.get(help) === 'histogram' ? m[1].replace(/_(bucket|sum|count)$/, '') : m[1];
      assert.equal(name, help, `${line}: not under its family`);
      assert.ok(!series.has(m[1] + (m[2] ?? '')), `${line}: comes twice`);
      series.set(m[1] + (m[2] ?? ''), Number(m[3]));
    }
  }
  for (const [name, type] of families) {
    assert.match(name, /^relay_/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
  }
  return series;
}

test('metrics are in the text format and count what happened', async (t) => {
  const { api, place, port, auth } = await running(t);
  await api.post('/sim/step?ms=600000');
  await api.post('/sim/end');
  const owed = (await api.ledger()).filter((l) => l.owed);
  await until('all is delivered', () => place.read('events.ndjson').trimEnd().split('\n').length >= owed.length);
  // the last verdicts are counted when they are settled
  const m = await until('and counted', async () => {
    const r = await get(port, '/metrics', auth);
    assert.match(r.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    const series = readMetrics(r.body);
    return series.get('relay_destination_sent_total{destination="file",type="stdout"}') >= owed.length && series;
  });
  const count = (type) => owed.filter((l) => l.type === type).length;
  for (const type of ['recipient.sent', 'recipient.failed', 'recipient.delivered'])
    assert.equal(m.get(`relay_events_total{type="${type}"}`), count(type), type);
  assert.equal(m.get('relay_source_rows_held'), 150);
  assert.ok(m.get('relay_source_requests_total{kind="recipients",outcome="page"}') >= 2);
  assert.ok(m.get('relay_source_sweeps_total') >= 1);
  assert.equal(m.get('relay_source_down'), 0);
  assert.ok(m.get('relay_loop_seconds_count') > 0);
  assert.equal(m.get('relay_loop_seconds_bucket{le="+Inf"}'), m.get('relay_loop_seconds_count'));
  assert.ok(m.get('relay_journal_latest_sequence') >= owed.length);
  const docs = readFileSync(new URL('../../docs/admin.md', import.meta.url), 'utf8');
  for (const name of new Set([...m.keys()].map((k) => k.replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, ''))))
    assert.ok(docs.includes(`\`${name}`), `docs/admin.md does not tell of ${name}`);
});

test('status tells of each broadcast and destination, as JSON and as a table', async (t) => {
  const { api, place, port, auth } = await running(t);
  await api.post('/sim/step?ms=600000');
  await api.post('/sim/end');
  const s = await until('a sweep is through and nothing is due', async () => {
    const v = JSON.parse((await get(port, '/api/v1/status', auth)).body);
    const b = v.broadcasts[0];
    return b?.known_until && b.last_sweep && b.rows_held === 150 && v;
  });
  const [b] = s.broadcasts;
  assert.equal(s.health, 'ok');
  assert.equal(b.rows_held, 150);
  assert.equal(b.page_rows, 100);
  assert.equal(b.baseline_done, true);
  assert.match(b.order, /^(not known yet|created_at|updated_at|id|stable|none)/);
  assert.match(b.last_plan, /page \d+$/);
  assert.ok(b.last_plan_why);
  assert.ok(b.requests.sweep >= 2);
  assert.ok(Object.values(b.due).every(Number.isInteger));
  assert.ok(Date.parse(b.known_until_by_state.failed) >= Date.parse(b.known_until));
  assert.ok(b.delay_p50_ms === null || b.delay_p99_ms >= b.delay_p50_ms);
  assert.deepEqual(Object.keys(b.requests), ['list', 'failures', 'newest', 'search', 'cycle', 'peek', 'sweep', 'probe']);
  assert.ok(s.source.requests_last_minute > 0);
  assert.ok(s.journal.bytes > 0);
  assert.deepEqual(s.destinations.map((d) => [d.name, d.type, d.state]), [['file', 'stdout', 'enabled']]);

  const json = status(place, '--json');
  assert.equal(json.status, 0, json.stderr);
  assert.equal(JSON.parse(json.stdout).broadcasts[0].id, b.id);
  const terminal = place.start('script', ['-qec', `${RELAY} status -c relay.yaml`, '/dev/null']);
  assert.equal((await terminal.exit).code, 0, terminal.stdout);
  for (const line of [/^relay +ok, version \d/m, /^budget +\d+ requests in the last minute/m, /^file +stdout +enabled/m,
    new RegExp(`^${b.id}  `, 'm'), /order: \w+/, /plan +.*page \d+ \(/, /known +until \d+\w+ ago, last whole sweep \d+\w+ ago, due: (-|\d+ \w+)/])
    assert.match(terminal.stdout, line);
});

test('status says that no relay answers, and why it cannot ask', async (t) => {
  const place = new Place(t);
  const port = await freePort();
  const config = (text) => place.config(`source: { api_key: k }\njournal: { sqlite: { path: relay.db } }\n${text}\n`);
  config(`admin: { listen: "127.0.0.1:${port}" }`);
  let r = status(place);
  assert.equal(r.status, 1);
  assert.ok(r.stderr.includes(`no relay answers at 127.0.0.1:${port}`), r.stderr);
  assert.ok(!existsSync(place.path('relay.db')) && !existsSync(place.path('relay.db.token')));
  config('');
  r = status(place);
  assert.equal(r.status, 1);
  assert.match(r.stderr, /no admin section/);
  config('admin: { listen: nowhere }');
  assert.equal(status(place).status, 78);
  assert.equal(command(['status', '--nonsense']).status, 2);
  assert.match(command(['status', '--help']).stdout, /example:\n +relay status/);
});

test('a token that is not the relay’s is refused, and one that others can read is not used', async (t) => {
  const { place, relay } = await running(t);
  place.write('relay.db.token', 'another-token-than-that\n');
  let r = status(place, '--json');
  assert.equal(r.status, 1);
  assert.match(r.stderr, /does not take the token of .*relay\.db\.token/);
  chmodSync(place.path('relay.db.token'), 0o644);
  r = status(place, '--json');
  assert.equal(r.status, 1);
  assert.match(r.stderr, /relay\.db\.token: mode 0644 .*chmod 600/);
  relay.kill();
  await relay.exit;
  const again = place.relay();
  assert.equal((await again.exit).code, 1);
  assert.match(again.stderr, /admin\.token_file: .*mode 0644/);
});

test('the token is kept from one start to the next', async (t) => {
  const { place, port, relay, token, auth } = await running(t);
  relay.kill();
  await relay.exit;
  assert.equal(await listens(port), false);
  place.relay();
  await until('it answers again', () => get(port, '/metrics', auth).then((r) => r.status === 200, () => false));
  assert.equal(place.read('relay.db.token').trim(), token);
});

test('readyz and status say that the source is down, and why', async (t) => {
  const { api, place, port } = await running(t);
  await until('ready', async () => (await get(port, '/readyz')).status === 200);
  await api.post('/sim/faults?set=401');
  const r = await until('not ready', async () => {
    const reply = await get(port, '/readyz');
    return reply.status === 503 && reply;
  });
  assert.match(JSON.parse(r.body).error, /the source is down: .*key is refused/);
  assert.equal((await get(port, '/healthz')).status, 200);
  const s = JSON.parse(status(place, '--json').stdout);
  assert.equal(s.health, 'source down');
  assert.equal(s.source.down, true);
  assert.match(s.source.why, /key is refused/);
});

test('a destination that was taken out is told as detached', async (t) => {
  const { place, relay, port, auth } = await running(t);
  const text = place.read('relay.yaml');
  const log = 'level=info msg="settings reloaded"';
  place.config(text.replace('file: { stdout: { path: events.ndjson } }', 'other: { stdout: { path: other.ndjson } }')
    .replace('to: [file]', 'to: [other]'));
  relay.kill('SIGHUP');
  await until('reloaded', () => relay.stderr.includes(log));
  const { destinations } = JSON.parse(status(place, '--json').stdout);
  assert.deepEqual(destinations.map((d) => [d.name, d.state]).sort(), [['file', 'detached'], ['other', 'enabled']]);
  assert.equal(readMetrics((await get(port, '/metrics', auth)).body).get('relay_destination_disabled{destination="other",type="stdout"}'), 0);
  place.config(text.replace(/admin: .*/, 'admin: { listen: 127.0.0.1:1 }'));
  relay.kill('SIGHUP');
  await until('refused', () => /reload: the old settings stay.*admin: a change needs a restart/.test(relay.stderr));
  assert.equal((await get(port, '/metrics', auth)).status, 200);
});

test('a port that is taken ends the start with the key and the address', async (t) => {
  const { place, port, api } = await running(t);
  place.write('second.yaml', `${sourceConfig(api)}admin: { listen: "127.0.0.1:${port}" }\njournal: { sqlite: { path: second.db } }\n`);
  const r = command(['run', '-c', place.path('second.yaml')]);
  assert.equal(r.status, 1);
  assert.ok(r.stderr.includes(`admin.listen: 127.0.0.1:${port}: cannot listen: Address already in use`), r.stderr);
});

test('nothing listens where admin is off', async (t) => {
  for (const off of ['', 'admin: false\n']) {
    const place = new Place(t);
    const sim = await place.sim(['--recipients', '5']);
    place.config(`${sourceConfig(sim)}${off}${DESTINATION}`);
    const relay = place.relay();
    await until('it works', () => place.read('events.ndjson'));
    assert.ok(!/the admin API/.test(relay.stderr), relay.stderr);
    assert.deepEqual(listeners(relay.pid) ?? [], []);
    assert.ok(!existsSync(place.path('relay.db.token')));
  }
});

// A receiver that refuses everything, or takes it; `came` counts.
async function receiver(t) {
  const r = { status: 404, came: 0 };
  const server = createServer((q, reply) => {
    q.resume();
    q.on('end', () => {
      r.came++;
      reply.writeHead(r.status).end();
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  t.after(() => server.closeAllConnections());
  r.port = server.address().port;
  return r;
}

test('parked events are retried, past ones replayed, destinations disabled and dropped', async (t) => {
  const place = new Place(t);
  const api = await place.sim(['--recipients', '30', '--ramp', '10s', '--speed', '20', '--rate-limit', '0']);
  const port = await freePort();
  const crm = await receiver(t);
  const config = (destinations, to) => place.config(`${sourceConfig(api)}admin: { listen: "127.0.0.1:${port}" }
journal: { sqlite: { path: relay.db } }
destinations: { ${destinations}file: { stdout: { path: events.ndjson } } }
rules: [{ name: all, when: { type: [{ prefix: recipient. }] }, to: [${to}] }, { name: own, to: [file] }]
`);
  config(`crm: { http: { url: "http://127.0.0.1:${crm.port}/" } }, `, 'crm, file');
  const relay = place.relay();
  await until('the admin API listens', () => /the admin API listens/.test(relay.stderr));
  const auth = { authorization: `Bearer ${place.read('relay.db.token').trim()}` };
  const json = { ...auth, 'content-type': 'application/json' };
  const post = async (path, body = '') => {
    const r = await get(port, path, json, 'POST', body);
    return { ...r, json: JSON.parse(r.body) };
  };
  const destination = async (name) =>
    JSON.parse((await get(port, '/api/v1/destinations', auth)).body).destinations.find((d) => d.name === name);
  const ended = (id) => until(`job ${id} ends`, async () => {
    const job = JSON.parse((await get(port, '/api/v1/jobs', auth)).body).jobs.find((j) => j.id === id);
    return !['queued', 'running'].includes(job.state) && job;
  });

  await api.post('/sim/step?ms=600000');
  await api.post('/sim/end');
  const owed = (await api.ledger()).filter((l) => l.owed && l.type.startsWith('recipient.')).length;
  await until('all is parked', async () => (await destination('crm')).parked === owed);
  await until('that is told', () => place.read('events.ndjson').includes('"type":"relay.parked"'));
  assert.equal(crm.came, owed);

  crm.status = 204;
  const taken = await post('/api/v1/parked/retry', '{"destination":"crm","status":"404"}');
  assert.equal(taken.status, 202);
  assert.equal(taken.json.kind, 'retry');
  assert.equal((await ended(taken.json.id)).taken, owed);
  await until('all is sent', async () => crm.came === 2 * owed && (await destination('crm')).parked === 0);
  const again = await post('/api/v1/replay', '{"destination":"crm","type":"recipient.sent"}');
  const sent = (await ended(again.json.id)).taken;
  assert.ok(sent > 0 && sent < owed);
  await until('it is sent again', () => crm.came === 2 * owed + sent);

  for (const [path, body, status, says] of [
    ['/api/v1/replay', '{}', 400, /^destination: /],
    ['/api/v1/replay', '{"destination":"crm","speed":1}', 400, /^speed: /],
    ['/api/v1/replay', '{"destination":"none"}', 404, /none/],
    ['/api/v1/destinations/none/enable', '', 404, /none/],
    ['/api/v1/destinations/crm/drop', '', 409, /in the configuration/],
    ['/api/v1/jobs/77/cancel', '', 404, /77/],
    [`/api/v1/jobs/${taken.json.id}/cancel`, '', 409, /done/],
  ]) {
    const r = await post(path, body);
    assert.equal(r.status, status, path);
    assert.match(r.json.error, says);
  }
  assert.equal((await get(port, '/api/v1/destinations/crm/disable', { ...json, origin: 'http://evil.example' }, 'POST')).status, 403);

  assert.equal((await post('/api/v1/destinations/crm/disable', '{"why":"it rains"}')).status, 200);
  assert.deepEqual([(await destination('crm')).state, (await destination('crm')).why], ['disabled', 'it rains']);
  config('', 'file');
  relay.kill('SIGHUP');
  await until('it is detached', async () => (await destination('crm')).state === 'detached');
  assert.equal((await post('/api/v1/destinations/crm/enable')).status, 409);
  assert.equal((await post('/api/v1/destinations/crm/drop')).status, 200);
  await until('it is gone', async () => !(await destination('crm')));
  await until('that is told', () => place.read('events.ndjson').includes('"type":"relay.destination.disabled"'));
  assert.match(relay.stderr, /destination dropped/);
  assert.ok(!place.read('events.ndjson').includes('"type":"relay.dropped"')); // nothing was owed
  assert.equal(crm.came, 2 * owed + sent);
});
