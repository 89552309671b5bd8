// What the API may send that is not as it should be. Each row: the fault, what the log says of it,
// and afterwards (the fault is over) no lost and no invented event.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Place, sourceConfig, until, verify } from './harness.mjs';

const TABLE = [
  // name, faults (the simulator's words), what the log must say
  ['429 with Retry-After', ['429=1,count=3'], /429|rate/i],
  ['429 without', ['429,count=2'], /429|rate/i],
  ['500', ['500,p=0.5,count=4'], /500/],
  ['503', ['500=503,p=0.5,count=4'], /503/],
  ['401', ['401,count=1'], /401/],
  ['404 on recipients', ['404,count=1,on=recipients'], /404/],
  ['HTML instead of JSON', ['html,p=0.5,count=4'], /HTML|html/],
  ['truncated JSON', ['truncate,p=0.5,count=4'], /JSON/],
  ['a body that ends early', ['cut,p=0.5,count=4'], /level=warn/],
  ['no answer', ['reset,p=0.5,count=4'], /level=warn/],
  ['invalid UTF-8', ['utf8,p=0.5,count=4'], /UTF-8/],
  ['NUL in an id', ['nul,p=0.5,count=4'], /u0000|NUL/],
  ['wrong types', ['types,p=0.5,count=4'], /rows left out/],
  ['unknown words', ['words,p=0.5,count=4'], null],
  ['an unknown flag', ['flag,p=0.2,count=5'], /is_replied|replied/],
  ['a row twice', ['double,p=0.5,count=50'], null],
  ['missing rows', ['missing=5,p=0.5,count=4'], null],
  ['no pagination headers', ['headers,p=0.5,count=50'], null],
  ['slow', ['slow=300,p=0.5,count=10'], null],
];

// Each waits most of its time for a relay that polls.
describe('answers as they should not be', { concurrency: 4 }, () => {
  for (const [name, faults, log] of TABLE)
    test(name, { timeout: 120000 }, async (t) => {
      const place = new Place(t);
      const sim = await place.sim(['--recipients', '250', '--ramp', '20s', '--speed', '20', '--rate-limit', '0',
        ...faults.flatMap((f) => ['--fault', f])]);
      // What nothing counts (bounced) may show in the next full sweep only.
      place.config(sourceConfig(sim, '\n  full_sweep_every: 2s') + `
journal: { sqlite: { path: relay.db } }
destinations: { file: { stdout: { path: events.ndjson } } }
rules: [{ name: all, to: [file] }]
`);
      const relay = place.relay(['--log-level', 'debug']);
      await until('events arrive', () => place.read('events.ndjson').split('\n').length > 300, 60000);
      if (log) await until(`the log says ${log}`, () => log.test(relay.stderr));
      await sim.post('/sim/faults', '[]');
      await sim.post('/sim/end');
      let verdict;
      try {
        await until('nothing is lost or invented', async () => {
          verdict = verify(await sim.saveLedger(), [place.path('events.ndjson')]);
          return verdict.ok;
        }, 40000);
      } catch (e) {
        assert.fail(`${e.message}\n${verdict.text}\n${relay.stderr.split('\n').slice(-15).join('\n')}`);
      }
      assert.equal(relay.exited, false);
      relay.kill('SIGTERM');
      assert.equal((await relay.exit).code, 0);
    });
});

test('an API that cannot be reached is told once, and what it had is fetched when it is back', async (t) => {
  const place = new Place(t);
  place.config(`source: { base_url: "http://127.0.0.1:1", api_key: k, since: all, poll_every: 100ms, rate_limit: 0/s }
journal: { sqlite: { path: relay.db } }
destinations: { file: { stdout: { path: events.ndjson } } }
rules: [{ name: all, to: [file] }]
`);
  const relay = place.relay();
  await until('it is told', () => /nothing usable/.test(relay.stderr));
  assert.equal(relay.stderr.match(/nothing usable/g).length, 1);
  assert.equal(relay.exited, false);
});
