// Alerts in a real Alertmanager: they fire, are renewed and resolve there, through the preset.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Place, freePort, sourceConfig, until } from './harness.mjs';

// One that notifies at once, on loopback, without a cluster.
async function alertmanager(place, webhook) {
  const port = await freePort();
  const file = place.write('alertmanager.yml', `
route: { receiver: team, group_by: ['...'], group_wait: 0s, group_interval: 100ms, repeat_interval: 1h }
receivers: [{ name: team, webhook_configs: [{ url: "${webhook}", send_resolved: true }] }]
`);
  const p = place.start('prometheus-alertmanager', [`--config.file=${file}`,
    `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address=', `--storage.path=${place.path('am')}`]);
  const url = `http://127.0.0.1:${port}`;
  await until('Alertmanager is ready', async () => {
    if (p.exited) throw new Error(`it ended: ${p.stderr}`);
    return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok;
  });
  return { url, alerts: async () => (await fetch(`${url}/api/v2/alerts`)).json() };
}

const config = (place, sim, am) => sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
admin: { listen: "127.0.0.1:${place.admin}", token_file: relay.token }
destinations:
  file: { stdout: { path: events.ndjson } }
  pager: { http: { url: "${am.url}/api/v2/alerts", preset: alertmanager } }
rules:
  - { name: all, to: [file] }
  - name: failure storm
    when: { type: [recipient.failed] }
    alert:
      per: [data.broadcast_id]
      within: 1m
      count: 5
      repeat: 1s
      resolve_after: 3s
      labels: { severity: page }
      annotations: { summary: "{{data.count}} failures in {{data.broadcast_id}}" }
    to: [pager]
`;

// What the relay says of itself; its token lies beside the journal.
async function metrics(place) {
  const headers = { authorization: `Bearer ${place.read('relay.token').trim()}` };
  return (await fetch(`http://127.0.0.1:${place.admin}/metrics`, { headers })).text();
}

const notified = (receiver, status) => receiver.calls.map((c) => JSON.parse(c.body))
  .filter((n) => n.status === status).flatMap((n) => n.alerts);

// A broadcast under way, whose clock stands still: nothing fails by itself.
async function underWay(place) {
  place.admin = await freePort();
  const sim = await place.sim(['--kind', 'sms', '--recipients', '50', '--rate-limit', '0', '--hold', '--ramp', '1s']);
  await sim.post('/sim/step?ms=3000');
  const rows = JSON.parse(await sim.get('/orgs/c/broadcasts/bc_1/recipients?take=100'));
  const sent = rows.filter((r) => r.is_sent).map((r) => r.id);
  const fail = async (from, to) => {
    for (const id of sent.slice(from, to)) await sim.post(`/sim/change?broadcast=bc_1&recipient=${id}&state=failed`);
  };
  return { sim, fail };
}

const alertsIn = (place) => place.read('events.ndjson').split('\n').filter((l) => l.includes('"alert.')).map((l) => JSON.parse(l));

test('an alert fires, is renewed and resolves in Alertmanager', async (t) => {
  const place = new Place(t);
  const { sim, fail } = await underWay(place);
  const receiver = await place.receiver(() => ({ status: 200 }));
  const am = await alertmanager(place, `${receiver.url}/team`);
  place.config(config(place, sim, am));
  const relay = place.relay();
  await until('the first sweep', () => place.read('events.ndjson').includes('recipient.added'));

  await fail(0, 4);
  await until('four failures', () => (place.read('events.ndjson').match(/"recipient.failed"/g) ?? []).length === 4);
  assert.deepEqual(await am.alerts(), [], 'four are no storm');
  await fail(4, 6);
  const [fired] = await until('it fires', async () => {
    const alerts = await am.alerts();
    return alerts.length && alerts;
  });
  assert.match(await metrics(place), /^relay_alerts_firing 1$/m);
  assert.equal(fired.labels.alertname, 'failure storm');
  assert.equal(fired.labels.severity, 'page');
  assert.equal(fired.labels.broadcast_id, 'bc_1');
  assert.match(fired.annotations.summary, /^[56] failures in bc_1$/);
  assert.ok(Date.parse(fired.endsAt) > Date.now(), 'it lasts until it is told again, and longer');

  const [renewed] = await until('it is renewed', async () => {
    const alerts = await am.alerts();
    return Date.parse(alerts[0]?.endsAt) > Date.parse(fired.endsAt) && alerts;
  });
  assert.equal(renewed.fingerprint, fired.fingerprint, 'it is the same alert');
  assert.equal(renewed.startsAt, fired.startsAt);

  await until('the team hears that it is over', () => notified(receiver, 'resolved').length);
  await until('it is over', async () => (await am.alerts()).length === 0);
  assert.equal(notified(receiver, 'firing').length, 1, 'the team is called once');
  const told = alertsIn(place);
  assert.equal(told[0].type, 'alert.firing');
  assert.equal(told.at(-1).type, 'alert.resolved');
  assert.ok(told.some((e) => e.type === 'alert.updated'));
  assert.equal(new Set(told.map((e) => e.id)).size, told.length, 'each is told once');
  relay.kill();
  assert.deepEqual(await relay.exit, { code: 0, signal: null });
});

test('an alert survives a kill and resolves after the restart', async (t) => {
  const place = new Place(t);
  const { sim, fail } = await underWay(place);
  const receiver = await place.receiver(() => ({ status: 200 }));
  const am = await alertmanager(place, `${receiver.url}/team`);
  place.config(config(place, sim, am).replace('resolve_after: 3s', 'resolve_after: 5s'));
  let relay = place.relay();
  await until('the first sweep', () => place.read('events.ndjson').includes('recipient.added'));
  await fail(0, 8);
  await until('it fires', async () => (await am.alerts()).length === 1);
  relay.kill('SIGKILL');
  await relay.exit;
  relay = place.relay();
  await until('it is over', async () => (await am.alerts()).length === 0);
  const told = alertsIn(place);
  assert.equal(new Set(told.filter((e) => e.type === 'alert.firing').map((e) => e.id)).size, 1);
  assert.equal(told.at(-1).type, 'alert.resolved');
});
