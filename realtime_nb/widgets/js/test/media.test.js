import assert from "node:assert/strict";
import test from "node:test";
import { packFrame, unpackFrame } from "../frames.js";
import { openMedia } from "../media.js";

/** Wait until something is so; the runner's own limit of time holds. @param {() => unknown} state */
async function until(state) {
  while (!state()) await new Promise(setImmediate);
}

/** Stand in for the browser: no Worker, no Jupyter server but its page, sockets that a test opens and breaks. */
function browser() {
  /** @type {any[]} */
  const sockets = [];
  class Port {
    /** @type {any} */ other;
    /** @type {any} */ onmessage = null;
    /** @param {any} data */
    postMessage(data) {
      queueMicrotask(() => this.other.onmessage?.({ data }));
    }
  }
  const window = new EventTarget();
  const globals = {
    addEventListener: window.addEventListener.bind(window),
    removeEventListener: window.removeEventListener.bind(window),
    dispatchEvent: window.dispatchEvent.bind(window),
    location: { protocol: "http:", host: "here", origin: "http://here" },
    document: { getElementById: () => null },
    MessageChannel: class {
      port1 = new Port();
      port2 = new Port();
      constructor() {
        [this.port1.other, this.port2.other] = [this.port2, this.port1];
      }
    },
    Worker: class {
      constructor() {
        throw new Error("policy");
      }
    },
    WebSocket: class {
      bufferedAmount = 0;
      /** @type {any} */ onopen;
      /** @type {any} */ onmessage;
      /** @type {any} */ onclose;
      constructor() {
        sockets.push(this);
      }
      fresh = true;
      /** @type {{header: any, payload: any}[]} */ got = [];
      /** @param {ArrayBuffer} frame */
      send(frame) {
        this.got.push(unpackFrame(frame));
      }
      welcome() {
        this.fresh = false;
        this.onopen();
        this.onmessage({ data: packFrame({ t: "welcome", owner: true }) });
      }
      close() {
        this.fresh = false;
        this.onclose({ code: 1006, reason: "" });
      }
    },
  };
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true });
  return sockets;
}

/** A widget's media path on a page, and the kernel's end of it. @param {any} t the test @param {any} [kernel] as JupyterLab tells of it */
function page(t, kernel) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sockets = browser();
  /** @type {any} */
  let listen;
  /** @type {any[]} */
  const sent = [];
  const send = (/** @type {any} */ content, /** @type {any} */ _, /** @type {any[]} */ frames = []) => sent.push(content.t, ...frames.map((frame) => unpackFrame(frame).header.t));
  const model = /** @type {any} */ ({ get: () => t.name, on: (/** @type {any} */ _, /** @type {any} */ hear) => (listen = hear), off() {}, send, widget_manager: { kernel } });
  const media = openMedia(model);
  const offer = () => listen({ t: "media.offer", page: media.link.page, port: 1, token: "" }, []);
  const wait = (/** @type {number} */ ms) => t.mock.timers.tick(ms);
  const dialled = async (/** @type {number} */ ms) => (wait(ms), await until(() => sockets.at(-1)?.fresh));
  const open = async (ms = 0) => (await dialled(ms), sockets.at(-1).welcome(), await until(() => media.state.status === "open"));
  const lose = async () => (sockets.at(-1).close(), await until(() => media.state.status === "lost"));
  const fail = async () => (await dialled(2000), sockets.at(-1).close(), await new Promise(setImmediate));
  /** No socket can be had: the comm carries the frames. */
  const fallBack = async () => {
    /** @type {any} */ (globalThis).fetch = async () => ({ status: 404 });
    await fail();
    await until(() => (wait(100), sent.includes("hello")));
    listen({ t: "media", page: media.link.page }, [new DataView(packFrame({ t: "welcome", owner: true }))]);
    await until(() => media.path === "comm");
  };
  const told = () => sockets.flatMap((socket) => socket.got).map(({ header }) => header).filter((header) => !["hello", "ping"].includes(header.t));
  return { media, sockets, offer, open, lose, fail, fallBack, sent, told };
}

test("what is told before there is a way, or while it is lost, is said when there is one: of a state the last, of words all", async (t) => {
  const { media, offer, open, lose, told } = page(t);
  media.send({ t: "type", text: "Which river?" });
  media.send({ t: "mute", on: true });
  media.send({ t: "overflow", samples: 480 });
  media.send({ t: "type", text: "And why?" });
  media.send({ t: "mute", on: false });
  offer();
  await open();
  await until(() => told().length >= 3);
  assert.deepEqual(told(), [{ t: "type", text: "Which river?" }, { t: "type", text: "And why?" }, { t: "mute", on: false }]);
  await lose();
  media.send({ t: "recorder", phase: "paused" });
  media.send({ t: "recorder", phase: "done" });
  await open(200);
  media.send({ t: "stop" });
  await until(() => told().length >= 5);
  assert.deepEqual(told().slice(3), [{ t: "recorder", phase: "done" }, { t: "stop" }]);
  media.close();
});

test("what is told in the moment in which the way is lost is not lost with it", async (t) => {
  const { media, sockets, offer, open, told } = page(t);
  offer();
  await open();
  sockets[0].close();
  media.send({ t: "type", text: "Which river?" }); // the page does not know yet
  await until(() => media.state.status === "lost");
  await open(200);
  await until(() => told().length);
  assert.deepEqual(told(), [{ t: "type", text: "Which river?" }]);
  media.close();
});

/** A kernel as JupyterLab tells of it. @param {string} connectionStatus */
function lab(connectionStatus) {
  const signal = { connect() {}, disconnect() {} };
  return { connectionStatus, statusChanged: signal, disposed: signal };
}

test("a page that slept, and lost Jupyter's server as well, finds its way whenever that is back", async (t) => {
  const kernel = lab("connected");
  const { media, offer, open, lose, fail } = page(t, kernel);
  offer();
  await open();
  kernel.connectionStatus = "connecting";
  await lose();
  for (let i = 0; i < 20; i++) await fail();
  kernel.connectionStatus = "connected";
  await fail(); // the network is back a moment before the proxy is
  await open(2000);
  assert.equal(media.state.trouble, null);
  media.close();
});

test("a kernel that is gone while Jupyter's server is there is given up, with what to do", async (t) => {
  const { media, offer, open, lose, fail } = page(t, lab("connected"));
  offer();
  await open();
  await lose();
  for (let i = 0; i < 4; i++) await fail();
  assert.equal(media.state.status, "closed");
  assert.match(media.state.trouble ?? "", /Run the cell again/);
  media.close();
});

test("the last view of a page takes leave by the comm, which would not tell that it is gone", async (t) => {
  const { media, offer, fallBack, sent } = page(t);
  offer();
  await fallBack();
  media.send({ t: "mic", on: false });
  media.close();
  await until(() => sent.includes("media.bye"));
  assert.deepEqual(sent.slice(-2), ["mic", "media.bye"]);
});

test("a page that is loaded anew takes leave by the comm before it goes: a moment later nobody hears it", async (t) => {
  const { media, offer, fallBack, sent } = page(t);
  offer();
  await fallBack();
  const hide = (/** @type {boolean} */ persisted) => dispatchEvent(Object.assign(new Event("pagehide"), { persisted }));
  hide(true); // it may be shown again as it is
  assert.ok(!sent.includes("media.bye"));
  hide(false);
  assert.equal(sent.at(-1), "media.bye");
  media.close();
  await until(() => sent.filter((kind) => kind === "media.bye").length === 2); // which is no harm
  hide(false);
  assert.equal(sent.filter((kind) => kind === "media.bye").length, 2);
});
