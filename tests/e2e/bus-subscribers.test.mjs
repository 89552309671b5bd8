// What a relay tells of its bus's subscribers: one that reads nothing, one that keeps up, and that both have left.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { Place, RELAY, freePort, sourceConfig, until } from './harness.mjs';

// A subscriber that greets as nng's SUB socket does, and then never reads.
const standStill = (port) => new Promise((done, fail) => {
  const s = connect(port, '127.0.0.1');
  s.on('error', fail);
  s.on('connect', () => { s.pause(); s.write(Buffer.from([0, 0x53, 0x50, 0, 0, 0x21, 0, 0])); done(s); });
});

test('subscribers are counted, and who loses events is named', async (t) => {
  const place = new Place(t);
  const api = await place.sim(['--hold', '--recipients', '8000', '--rate-limit', '0']);
  const [port, bus, refill] = [await freePort(), await freePort(), await freePort()];
  place.config(`${sourceConfig(api)}admin: { listen: "127.0.0.1:${port}" }
journal: { sqlite: { path: relay.db } }
destinations:
  bus: { nng: { listen: "tcp://127.0.0.1:${bus}", refill: "tcp://127.0.0.1:${refill}", send_buffer: 100 } }
  other: { nng: { listen: "ipc://${place.path('other')}" } }
rules: [{ name: all, to: [bus] }]
`);
  const relay = place.relay();
  await until('the admin API listens', () => {
    if (relay.exited) throw new Error(relay.stderr);
    return /the admin API listens/.test(relay.stderr);
  });
  const auth = { authorization: `Bearer ${place.read('relay.db.token').trim()}` };
  const ask = async (path) => (await fetch(`http://127.0.0.1:${port}${path}`, { headers: auth })).text();
  const metric = async (name) => Number(new RegExp(`^relay_bus_${name}\\{destination="bus"\\} (\\S+)$`, 'm').exec(await ask('/metrics'))[1]);
  const text = async () => {
    const terminal = place.start('script', ['-qec', `${RELAY} status -c relay.yaml`, '/dev/null']);
    await terminal.end;
    return terminal.stdout.replaceAll('\r', '');
  };

  const troubles = (what) => relay.stderr.split('\n').filter((line) => line.includes(`transport is ${what}" destination=bus`));

  const still = await standStill(bus);
  const address = `127.0.0.1:${still.localPort}`;
  await until('it is connected', async () => (await metric('subscribers')) === 1);
  assert.equal(await metric('dropped_messages_total'), 0);
  const status = async () => JSON.parse(await ask('/api/v1/status')).destinations.find((x) => x.name === 'bus');
  const stands = (d) => d.connections.find((c) => c.address === address);
  // Alone, so that it is certain who the trouble is; and so much that no later subscriber can have lost more.
  await until('it has lost many', async () => {
    await api.post('/sim/step?ms=60000');
    return stands(await status()).dropped > 5000;
  }, 60000);
  const alone = await status();
  assert.equal(alone.connections.length, 1);
  assert.ok(stands(alone).queued >= 100);
  assert.equal(alone.trouble, `subscriber ${address} is too slow; it has lost ${stands(alone).dropped} messages and can fetch them`);
  await until('the log says so', () => troubles('in trouble').length > 0);
  assert.match(troubles('in trouble')[0], new RegExp(`level=warn .* destination=bus why="subscriber ${address} is too slow`));

  const healthy = place.start(RELAY, ['subscribe', `tcp://127.0.0.1:${bus}`, '', '--refill', `tcp://127.0.0.1:${refill}`, '--all']);
  await until('both are connected', async () => (await metric('subscribers')) === 2);
  await until('heartbeats and refills are counted', async () => (await metric('heartbeats_total')) > 0 && (await metric('refill_requests_total')) > 0);
  const page = await ask('/metrics');
  assert.match(page, /# HELP relay_bus_subscribers .*\n# TYPE relay_bus_subscribers gauge\nrelay_bus_subscribers\{destination="bus"\} 2\nrelay_bus_subscribers\{destination="other"\} 0\n/);
  assert.equal(page.match(/# TYPE relay_bus_dropped_messages_total counter/g).length, 1);
  assert.ok((await metric('queued_messages_max')) >= 100);
  assert.ok((await metric('published_messages_total')) > 100);
  assert.equal(await metric('refill_errors_total'), 0);
  assert.doesNotMatch(page, /relay_bus_refill_requests_total\{destination="other"/);
  const d = await status();
  assert.equal(d.connections.length, 2);
  assert.equal(d.connections[0].address, address); // the one with the most trouble
  assert.equal(d.figures.relay_bus_subscribers, 2);
  assert.match(d.trouble, new RegExp(`^subscriber ${address} is too slow`));
  assert.match(await text(), new RegExp(`connected to bus\n  ${address}  since .* ago, \\d+ sent, \\d+ queued, \\d+ lost\n  127`));
  assert.equal(troubles('in trouble').length, 1); // it has not been out of it since

  still.destroy();
  await until('it has left', async () => !stands(await status()));
  assert.equal(await metric('subscribers_left_total'), 1);
  healthy.kill();
  await healthy.exit;
  await until('nobody is there', async () => (await metric('subscribers')) === 0);
  assert.equal(await metric('subscribers_left_total'), 2);
  assert.equal(await metric('subscribers_total'), 2);
  assert.doesNotMatch(await text(), /connected to/);
  await until('the log says that it is over', () => troubles('out of trouble').length > 0);
});

test('who is turned away for want of files is told', async (t) => {
  const place = new Place(t);
  const api = await place.sim(['--hold']);
  const bus = await freePort();
  place.config(`${sourceConfig(api)}destinations:
  bus: { nng: { listen: "tcp://127.0.0.1:${bus}" } }
rules: [{ name: all, to: [bus] }]
`);
  const relay = place.start('/bin/sh', ['-c', 'ulimit -n 64; exec "$0" run -c relay.yaml', RELAY]);
  await until('it is up', () => {
    if (relay.exited) throw new Error(relay.stderr);
    return /relay started/.test(relay.stderr);
  });
  const subscribers = [];
  t.after(() => subscribers.forEach((s) => s.destroy()));
  for (let i = 0; i < 64; i += 1) {
    subscribers.push(await standStill(bus));
    subscribers[i].on('error', () => {});
  }
  await until('the log says so', () => /turned away/.test(relay.stderr), 15000);
  assert.match(relay.stderr, /level=warn .* destination=bus why="who connects is turned away: three quarters of the 64 files .*LimitNOFILE/);
  relay.kill();
  assert.deepEqual(await relay.exit, { code: 0, signal: null });
});
