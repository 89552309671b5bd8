// A nats-server or three for a test, and a client of the NATS text protocol, as small as reading a
// stream wants it: https://docs.nats.io/reference/reference-protocols/nats-protocol.
import { connect } from 'node:net';
import { mkdirSync } from 'node:fs';
import { freePort, until } from './harness.mjs';

const SERVER = process.env.NATS_SERVER ?? '/usr/sbin/nats-server';

export class NatsClient {
  // `user`: of nats-keys.mjs, where the server asks for one.
  static async open(port, user = null) {
    const c = new NatsClient();
    c.inbox = `_INBOX.${Math.random().toString(36).slice(2)}`;
    c.waiting = new Map();
    c.next = 0;
    c.input = Buffer.alloc(0);
    c.socket = connect(port, '127.0.0.1');
    await new Promise((done, fail) => c.socket.once('connect', done).once('error', fail));
    const info = await new Promise((done) => c.socket.once('data', (d) => done(JSON.parse(/^INFO (.*)\r\n/.exec(d)[1]))));
    c.socket.on('data', (d) => c.#take(d));
    c.socket.on('error', () => {});
    c.socket.on('close', () => { for (const w of c.waiting.values()) w(null); });
    const hello = { verbose: false, pedantic: false, headers: true, no_responders: true, protocol: 1 };
    if (user) Object.assign(hello, { jwt: user.jwt, sig: user.sign(info.nonce) });
    c.socket.write(`CONNECT ${JSON.stringify(hello)}\r\nSUB ${c.inbox}.* 1\r\n`);
    return c;
  }

  // A line; behind MSG and HMSG so many bytes as it says at its end.
  #take(data) {
    this.input = Buffer.concat([this.input, data]);
    for (;;) {
      const end = this.input.indexOf('\r\n');
      if (end < 0) return;
      const words = this.input.toString('utf8', 0, end).split(' ');
      let rest = end + 2;
      if (words[0] === 'MSG' || words[0] === 'HMSG') {
        const size = Number(words.at(-1));
        const head = words[0] === 'HMSG' ? Number(words.at(-2)) : 0;
        if (this.input.length < rest + size + 2) return;
        const key = words[1].slice(this.inbox.length + 1);
        const answer = this.input.toString('utf8', rest + head, rest + size);
        rest += size + 2;
        this.waiting.get(key)?.(answer);
        this.waiting.delete(key);
      } else if (words[0] === 'PING') {
        this.socket.write('PONG\r\n');
      }
      this.input = this.input.subarray(rest);
    }
  }

  // The answer's text: "" where nobody listens, null where none comes.
  request(subject, body = '', timeoutMs = 3000) {
    const key = String(++this.next);
    return new Promise((done) => {
      const timer = setTimeout(() => { this.waiting.delete(key); done(null); }, timeoutMs);
      this.waiting.set(key, (answer) => { clearTimeout(timer); done(answer); });
      this.socket.write(`PUB ${subject} ${this.inbox}.${key} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
    });
  }

  async api(what, body = {}) {
    const text = await this.request(`$JS.API.${what}`, JSON.stringify(body));
    return text ? JSON.parse(text) : { error: { description: text === null ? 'no answer' : 'no JetStream' } };
  }

  async addStream(config) {
    let answer;
    await until(`the stream ${config.name}`, async () => {
      answer = await this.api(`STREAM.CREATE.${config.name}`, { storage: 'file', num_replicas: 1, ...config });
      return !answer.error;
    });
    return answer;
  }

  info(stream) {
    return this.api(`STREAM.INFO.${stream}`);
  }

  // All messages of a stream from which none was deleted: {subject, id, body}.
  async messages(stream) {
    const { messages } = (await this.info(stream)).state;
    const all = [];
    while (all.length < messages) {
      const some = Array.from({ length: Math.min(200, messages - all.length) }, (_, i) => all.length + 1 + i);
      all.push(...await Promise.all(some.map(async (seq) => {
        const { message, error } = await this.api(`STREAM.MSG.GET.${stream}`, { seq });
        if (error) throw new Error(`message ${seq}: ${error.description}`);
        const headers = Buffer.from(message.hdrs, 'base64').toString();
        return {
          subject: message.subject,
          id: /^Nats-Msg-Id: *(\S+)/m.exec(headers)[1],
          type: /^content-type: *(.*?)\r?$/m.exec(headers)[1],
          body: Buffer.from(message.data, 'base64').toString(),
        };
      })));
    }
    return all;
  }

  close() {
    this.socket.destroy();
  }
}

async function ports(n) {
  const found = new Set();
  while (found.size < n) found.add(await freePort());
  return [...found];
}

// {port, monitor, start(), process}; the process is the place's.
function node(place, name, port, monitor, more) {
  mkdirSync(place.path(name));
  const config = place.write(`${name}.conf`, `server_name: ${name}
listen: "127.0.0.1:${port}"
http: "127.0.0.1:${monitor}"
jetstream { store_dir: "${place.path(name)}", max_mem: 64MB, max_file: 256MB }
${more}`);
  const n = {
    name, port, monitor,
    url: `nats://127.0.0.1:${port}`,
    start: async () => {
      n.process = place.start(SERVER, ['-c', config]);
      await until(`${name} listens`, () => {
        if (n.process.exited) throw new Error(`${name} ended: ${n.process.stderr}`);
        return /Server is ready/.test(n.process.stderr);
      });
      return n;
    },
    // Names of the connections that it has.
    connections: async () => {
      const r = await fetch(`http://127.0.0.1:${monitor}/connz`);
      return (await r.json()).connections.map((c) => c.name ?? '');
    },
  };
  return n;
}

export async function natsServer(place, more = '') {
  const [port, monitor] = await ports(2);
  return node(place, 'nats', port, monitor, more).start();
}

// Three that are one cluster, each with JetStream.
export async function natsCluster(place) {
  const all = await ports(9);
  const routes = [0, 1, 2].map((i) => `"nats://127.0.0.1:${all[i]}"`).join(', ');
  const nodes = [0, 1, 2].map((i) => node(place, `n${i + 1}`, all[3 + i], all[6 + i],
    `cluster { name: c, listen: "127.0.0.1:${all[i]}", routes: [${routes}] }\n`));
  await Promise.all(nodes.map((n) => n.start()));
  return nodes;
}
