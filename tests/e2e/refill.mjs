// Asks a refill address over TCP, as docs/bus.md says: SP's REQ, nothing but node's sockets.
import { connect } from 'node:net';

export class Refill {
  // Dials tcp://127.0.0.1:PORT.
  static open(url) {
    const [, host, port] = /^tcp:\/\/(.+):(\d+)$/.exec(url);
    const r = new Refill();
    return new Promise((done, fail) => {
      r.socket = connect({ host, port: Number(port) }, () => {
        r.socket.write(Buffer.from([0, 0x53, 0x50, 0, 0, 0x30, 0, 0]));
        done(r);
      });
      r.got = Buffer.alloc(0);
      r.greeted = false;
      r.waiting = [];
      r.number = 0;
      r.socket.on('data', (d) => r.take(d));
      r.socket.on('error', fail);
      r.socket.on('close', () => r.waiting.splice(0).forEach((w) => w.fail(new Error('the refill connection ended'))));
    });
  }

  take(bytes) {
    this.got = Buffer.concat([this.got, bytes]);
    if (!this.greeted && this.got.length >= 8) {
      this.greeted = true;
      this.got = this.got.subarray(8);
    }
    while (this.greeted && this.got.length >= 8) {
      const len = Number(this.got.readBigUInt64BE(0));
      if (this.got.length < 8 + len) return;
      const text = this.got.subarray(12, 8 + len).toString(); // behind the request's number
      this.got = this.got.subarray(8 + len);
      this.waiting.shift().done(text);
    }
  }

  // A text or bytes as they are, or what becomes JSON; the reply's JSON.
  async ask(request) {
    const body = typeof request === 'string' || Buffer.isBuffer(request) ? Buffer.from(request) : Buffer.from(JSON.stringify(request));
    const head = Buffer.alloc(12);
    head.writeBigUInt64BE(BigInt(body.length + 4), 0);
    head.writeUInt32BE(0x80000000 + ++this.number, 8);
    const reply = new Promise((done, fail) => this.waiting.push({ done, fail }));
    this.socket.write(Buffer.concat([head, body]));
    return JSON.parse(await reply);
  }

  close() {
    this.socket.destroy();
  }
}
