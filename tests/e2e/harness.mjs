// What the end-to-end tests share: real processes on free ports in a temporary folder, and waiting
// for facts. Whatever a test starts here is ended when the test is, by its process id.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = join(root, process.env.O ?? 'build');
export const RELAY = process.env.RELAY ?? join(build, 'relay');
export const SIM = process.env.INVENT_SIM ?? join(build, 'invent-sim');
export const ROOT = root;
export const BUILD = build;
export const KEY = 'sim-key';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Asks again and again until the answer is truthy; fails with `what` after the deadline.
export async function until(what, ask, deadlineMs = 30000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(20);
  }
}

// A folder and everything started in it, for one test: t.after cleans up.
export class Place {
  constructor(t) {
    this.dir = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), 'relay-e2e-'));
    this.running = new Set();
    this.servers = new Set();
    this.disks = new Set();
    t.after(() => this.close());
  }

  path(name) {
    return join(this.dir, name);
  }

  write(name, text) {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  read(name) {
    try {
      return readFileSync(this.path(name), 'utf8');
    } catch {
      return '';
    }
  }

  // A folder with so many MB of disk and no more. False: this machine does not let us make one.
  smallDisk(name, megabytes) {
    mkdirSync(this.path(name));
    const r = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', this.path(name)]);
    if (r.status === 0) this.disks.add(this.path(name));
    return r.status === 0;
  }

  // A process whose output is collected; `exit` resolves to {code, signal}, and `end` to the same when all of its
  // output has been read, too, which may be later.
  start(command, args, options = {}) {
    const child = spawn(command, args, { cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const p = { child, pid: child.pid, stdout: '', stderr: '', exited: false };
    child.stdout?.setEncoding('utf8').on('data', (d) => (p.stdout += d)); // a chunk may end within a character
    child.stderr?.setEncoding('utf8').on('data', (d) => (p.stderr += d));
    p.exit = new Promise((done) => {
      child.on('exit', (code, signal) => {
        p.exited = true;
        this.running.delete(p);
        done({ code, signal });
      });
    });
    p.end = new Promise((done) => child.on('close', (code, signal) => done({ code, signal })));
    p.kill = (signal = 'SIGTERM') => child.kill(signal);
    p.lines = () => p.stdout.split('\n').filter(Boolean);
    this.running.add(p);
    return p;
  }

  async sim(args = []) {
    const p = this.start(SIM, ['--listen', '127.0.0.1:0', ...args]);
    const url = await until('the simulator listens', () => {
      if (p.exited) throw new Error(`the simulator ended: ${p.stderr}`);
      return /listening on (http:\S+)/.exec(p.stdout)?.[1];
    });
    const ask = async (path, method = 'GET', body = undefined) => {
      const r = await fetch(url + path, { method, body, headers: { authorization: `Bearer ${KEY}` } });
      if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${await r.text()}`);
      return r.text();
    };
    return {
      process: p,
      url,
      get: (path) => ask(path),
      post: (path, body) => ask(path, 'POST', body),
      json: async (path) => JSON.parse(await ask(path)),
      ledger: async () => (await ask('/sim/ledger')).split('\n').filter(Boolean).map((l) => JSON.parse(l)),
      saveLedger: async (name = 'ledger.ndjson') => this.write(name, await ask('/sim/ledger')),
    };
  }

  // An HTTP endpoint that records each call; `answer(call)` gives {status, headers, body}.
  async receiver(answer = () => ({ status: 204 }), port = 0) {
    const r = { calls: [], answer };
    r.server = createServer((request, response) => {
      const parts = [];
      request.on('data', (d) => parts.push(d));
      request.on('end', () => {
        const call = { method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(parts).toString() };
        const a = r.answer(call) ?? {};
        call.status = a.status ?? 204;
        r.calls.push(call);
        response.writeHead(call.status, a.headers ?? {});
        response.end(a.body ?? '');
      });
    });
    await new Promise((done) => r.server.listen(port, '127.0.0.1', done));
    r.port = r.server.address().port;
    r.url = `http://127.0.0.1:${r.port}`;
    r.accepted = () => r.calls.filter((c) => c.status < 300);
    r.saveAccepted = (name) => this.write(name, r.accepted().map((c) => c.body + '\n').join(''));
    r.close = () => new Promise((done) => { r.server.closeAllConnections?.(); r.server.close(done); });
    this.servers.add(r);
    return r;
  }

  config(text) {
    return this.write('relay.yaml', text);
  }

  relay(args = [], options = {}) {
    return this.start(RELAY, ['run', '-c', this.path('relay.yaml'), ...args], options);
  }

  async close() {
    const open = [...this.running];
    for (const p of open) p.kill('SIGKILL');
    await Promise.all(open.map((p) => p.exit));
    for (const s of this.servers) await s.close();
    for (const d of this.disks) spawnSync('umount', [d]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

// Free for the moment, for what takes no port 0, and each of this process another. Of those that the system gives to no
// outgoing connection, which else takes one in between.
const PORTS = 20000, SPAN = 12000;
let nextPort = Math.floor(Math.random() * SPAN);
const isFree = (port) => new Promise((done) => {
  const s = createServer().on('error', () => done(false)).listen(port, '127.0.0.1', () => s.close(() => done(true)));
});
export async function freePort() {
  for (;;) {
    const port = PORTS + (nextPort++ % SPAN);
    if (await isFree(port)) return port;
  }
}

// A command that ends by itself.
export function command(args, options = {}) {
  return spawnSync(RELAY, args, { encoding: 'utf8', timeout: 30000, maxBuffer: 1 << 28, ...options });
}

// Compares a ledger file with files of events, as the simulator's own `verify` does.
const verifyArgs = (ledger, events, extra) => ['verify', '--ledger', ledger, ...events.flatMap((f) => ['--events', f]), ...extra];

export function verify(ledger, events, extra = []) {
  const r = spawnSync(SIM, verifyArgs(ledger, events, extra), { encoding: 'utf8', timeout: 60000 });
  return { ok: r.status === 0, text: r.stdout + r.stderr };
}

// The same, while receivers of this process go on answering.
export function verifyBeside(ledger, events, extra = []) {
  return new Promise((resolve) => {
    execFile(SIM, verifyArgs(ledger, events, extra), { encoding: 'utf8', timeout: 60000, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => resolve({ ok: !error, text: stdout + stderr }));
  });
}

export const FAST = `
  poll_every: 100ms
  poll_every_max: 500ms
  rate_limit: 0/s`;

export function sourceConfig(sim, more = '') {
  return `source:\n  base_url: ${sim.url}\n  api_key: ${KEY}\n  since: all${FAST}${more}\n`;
}
