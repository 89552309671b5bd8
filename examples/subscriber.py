#!/usr/bin/env python3
"""A subscriber that loses nothing, without nng: the few bytes of its protocol are spoken here.

    python3 examples/subscriber.py tcp://127.0.0.1:5555 tcp://127.0.0.1:5556 recipient.failed. FILE

Prints each event once, one a line, in the order of its topic, beginning with the oldest that the
relay holds. FILE remembers how far it came, about once a second: after a kill the last second's
events come again (same `id`). Whatever goes wrong with the relay is an exception: both connections
end, and are made again. docs/bus.md is the protocol; subscriber.mjs is the same program.
"""
import functools, json, os, re, secrets, signal, socket, sys, time

MESSAGE_MAX, REPLY_MAX = 1 << 20, (8 << 20) + 1024  # bytes; who announces more is no relay
TOPIC_MAX, HEADS_MAX = 4096, 4096  # of heads; a refill makes room
BEATS = 30  # a heartbeat names the topics used since so many heartbeats ago
SILENCE_S, PAUSE_S, PAUSE_MAX_S = 5, 0.1, 2  # heartbeats come every second
PUB, SUB, REQ, REP = (b"\0SP\0\0%c\0\0" % protocol for protocol in (0x20, 0x21, 0x30, 0x31))
SIGNALS = {signal.SIGTERM, signal.SIGINT}
note = functools.partial(print, "subscriber:", file=sys.stderr, flush=True)


def take(event):
    """Yours: what is done with an event. When it returns, the event is held and does not come again."""
    try:
        print(json.dumps(event), flush=True)
    except OSError as why:
        sys.exit(f"subscriber: standard output: {why}")


def need(condition, text):
    if not condition:
        raise ValueError(text)


def wait(action, *arguments):
    """Signals are let in only here: never between an event and the note that it is held."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        return action(*arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


class Connection:  # 8 bytes of greeting from each side, then messages, each behind its length
    def __init__(self, url, own, peer):
        address = re.fullmatch(r"tcp://\[?([^]]+)\]?:([0-9]+)", url) or sys.exit(f"no tcp://HOST:PORT: {url}")
        self.socket = wait(socket.create_connection, address.groups(), SILENCE_S)
        self.file = self.socket.makefile("rb")
        self.socket.sendall(own)
        need(self.read(8) == peer, "that is no such socket of a relay")

    def read(self, n):
        data = wait(self.file.read, n)
        need(len(data) == n, "the relay ended the connection")
        return data

    def receive(self, largest):
        length = int.from_bytes(self.read(8), "big")
        need(length <= largest, f"a message of {length} bytes")
        return self.read(length)

    def ask(self, request):  # behind an id of 32 bits, the top one set; the reply bears the same
        body = (1 << 31 | secrets.randbits(31)).to_bytes(4, "big") + json.dumps(request).encode()
        self.socket.sendall(len(body).to_bytes(8, "big") + body)
        reply = self.receive(REPLY_MAX)
        need(reply[:4] == body[:4], "a reply to something else")
        return json.loads(reply[4:])


class Subscriber:
    def __init__(self):
        state = json.load(open(FILE)) if os.path.exists(FILE) else dict(topic=TOPIC, position=0, heads={})
        need(state["topic"] == TOPIC, "it was not written for this topic")
        self.position = int(state["position"])  # everything up to it is held;
        self.heads = dict(state["heads"])  # above it, of each topic the last sequence held
        self.accepted = None, 0  # source and beat of the last heartbeat with which nothing was missing
        self.pause = PAUSE_S  # before the next connection, doubled each time

    def save(self):
        with open(f"{FILE}.new", "w") as file:
            json.dump({"topic": TOPIC, "position": self.position, "heads": self.heads}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{FILE}.new", FILE)  # so that it is never half

    def held(self, topic):
        return max(self.heads.get(topic, 0), self.position)

    def reach(self, sequence):
        self.position = max(self.position, sequence)
        self.heads = {topic: last for topic, last in self.heads.items() if last > self.position}

    def on_event(self, topic, event):  # rule 1 of docs/bus.md
        sequence, before = int(event["sequence"]), int(event["prevsequence"])
        if before > self.held(topic) or len(self.heads) >= HEADS_MAX:
            self.refill()  # it brings this one, too
        elif sequence > self.held(topic):
            take(event)
            self.heads[topic] = sequence

    def on_heartbeat(self, source, data, **_):  # rule 2
        in_step = source == self.accepted[0] and 0 <= data["beat"] - self.accepted[1] <= BEATS
        heads = {topic: int(last) for topic, last in data["topics"].items() if f"{topic} ".startswith(TOPIC)}
        newer = any(last > self.held(topic) for topic, last in heads.items())
        if in_step and not newer and not data.get("more"):
            self.reach(int(data["latest"]))
        else:
            self.refill()
        self.accepted, self.pause = (source, data["beat"]), PAUSE_S
        self.save()

    def refill(self):  # rule 3
        connection, more = Connection(REFILL, REQ, REP), True
        while more:
            page = connection.ask({"topic": TOPIC, "after": self.position})
            need("error" not in page, f"refused: {page.get('error')}")
            events, topics, more = page["events"], page["topics"], page["more"]
            need(len(events) == len(topics) and page["next"] >= self.position + bool(more), "no such page")
            if 0 < self.position < page["oldest"] - 1:
                note(f"the journal has lost all before {page['oldest']}")
            missing = [e for e, topic in zip(events, topics) if int(e["sequence"]) > self.held(topic)]
            for event in missing:
                take(event)
            self.reach(page["next"])
            self.save()
            if missing:
                note(f"filled a gap: {len(missing)} events, now at {self.position}")

    def follow(self):  # until an exception
        connection = Connection(BUS, SUB, PUB)
        while True:  # the relay sends everybody everything: the choice is ours
            message = connection.receive(MESSAGE_MAX)
            topic, space, body = message.partition(b" ")
            need(space and len(topic) <= TOPIC_MAX, "a message without a topic")
            if topic == b"relay.heartbeat":
                self.on_heartbeat(**json.loads(body))
            elif message.startswith(TOPIC.encode()):
                self.on_event(topic.decode(), json.loads(body))


if len(sys.argv) != 5:
    sys.exit("usage: subscriber.py URL REFILL-URL TOPIC-PREFIX FILE")
BUS, REFILL, TOPIC, FILE = sys.argv[1:]
try:
    subscriber = Subscriber()
except Exception as why:
    sys.exit(f"subscriber: {FILE}: {why}")
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
for number in SIGNALS:
    signal.signal(number, lambda *_: sys.exit())
try:
    while True:
        try:
            subscriber.follow()
        except Exception as why:
            note(f"{why}; connecting again")
        wait(time.sleep, subscriber.pause)
        subscriber.pause = min(2 * subscriber.pause, PAUSE_MAX_S)
finally:
    subscriber.save()
