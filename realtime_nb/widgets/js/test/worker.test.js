import assert from "node:assert/strict";
import test from "node:test";
import { packFrame, unpackFrame } from "../frames.js";
import { runLink, workerSource } from "../worker.js";

/** A link with a page that keeps what it hears, and a kernel that keeps what it gets and answers the hello. */
function link(refuse = /** @type {string[]} */ ([]), { owner = true } = {}) {
  /** @type {any[]} */
  const page = [];
  /** @type {{header: any, payload: Uint8Array}[]} */
  const kernel = [];
  const state = { waiting: 0 };
  /** @type {any} */
  let on;
  /** @type {any} */
  const port = { onmessage: null, postMessage: (/** @type {any} */ message) => page.push(message) };
  runLink(port, (route, handlers) => {
    on = handlers;
    queueMicrotask(() => {
      if (refuse.includes(route.name)) return handlers.close(1006, "");
      handlers.open();
      handlers.frame(packFrame({ t: "welcome", owner }));
    });
    return { send: (frame) => kernel.push(unpackFrame(frame)), close: () => handlers.close(1000, ""), waiting: () => state.waiting };
  });
  const order = (/** @type {any} */ data) => port.onmessage({ data });
  const open = async () => {
    order({ t: "open", routes: [{ name: "proxy", url: "" }, { name: "direct", url: "" }], token: "secret", page: "p", why: [] });
    while (!page.some((message) => message.t === "open" || message.t === "failed")) await new Promise(setImmediate);
  };
  return { page, kernel, state, order, open, say: (/** @type {any} */ header, /** @type {any} */ pcm) => on.frame(packFrame(header, pcm)), drop: () => on.close(1006, ""), end: () => order({ t: "close" }) };
}

/** The microphone's end of a port that is plugged into the link; what it gives is there at once. @param {ReturnType<typeof link>} it */
function microphone(it) {
  /** @type {any} */
  const port = { onmessage: null, close() {} };
  it.order({ t: "attach", kind: "capture", port });
  return (/** @type {any} */ chunk) => port.onmessage({ data: chunk });
}

/** Wait until something is so; the runner's own limit of time holds. @param {() => unknown} state */
async function until(state) {
  while (!state()) await new Promise(setImmediate);
}

test("the best way is taken; a worse one says why", async () => {
  const best = link();
  await best.open();
  assert.deepEqual(best.page[0], { t: "open", path: "proxy", why: [], owner: true });
  assert.deepEqual([best.kernel[0].header.t, best.kernel[0].header.token], ["hello", "secret"]);
  best.end();
  const second = link(["proxy"]);
  await second.open();
  assert.deepEqual([second.page[0].path, second.page[0].why], ["direct", ["proxy: refused (1006)"]]);
  second.end();
  const none = link(["proxy", "direct"]);
  await none.open();
  assert.deepEqual(none.page[0], { t: "failed", why: ["proxy: refused (1006)", "direct: refused (1006)"] });
});

test("microphone chunks go straight to the kernel, from the owner's page only", async () => {
  for (const owner of [true, false]) {
    const it = link([], { owner });
    await it.open();
    microphone(it)({ at: 480, ms: 7, pcm: Int16Array.of(1, 2).buffer });
    const sound = it.kernel.filter(({ header }) => header.t === "audio");
    assert.deepEqual(sound.map(({ header, payload }) => [header.at, header.ms, payload.length]), owner ? [[480, 7, 4]] : []);
    it.end();
  }
});

test("what the socket cannot take is dropped and told, not kept for ever", async () => {
  const it = link();
  await it.open();
  it.state.waiting = 1e6;
  microphone(it)({ at: 0, pcm: new ArrayBuffer(960) });
  assert.deepEqual(it.page.at(-1), { t: "overflow", samples: 480 });
  it.end();
});

test("what the microphone gives while the way is lost is sent when it is found again, the last of it where that was long", async () => {
  const it = link();
  await it.open();
  const hear = microphone(it);
  it.drop();
  for (let i = 0; i < 300; i++) hear({ at: 480 * i, ms: i, pcm: new ArrayBuffer(960) });
  it.page.length = 0;
  await it.open();
  const sent = it.kernel.filter(({ header }) => header.t === "audio").map(({ header }) => header.at);
  assert.deepEqual(sent, Array.from({ length: 250 }, (_, i) => 480 * (50 + i)));
  it.end();
});

test("sound goes to the playback port, past the page, which is only woken for a new item", async () => {
  const it = link();
  await it.open();
  const { port1, port2 } = new MessageChannel();
  /** @type {any[]} */
  const heard = [];
  port2.on("message", (/** @type {any} */ message) => heard.push(message));
  it.order({ t: "attach", kind: "playback", port: port1 });
  it.say({ t: "audio", item: "a" }, Int16Array.of(1));
  it.say({ t: "audio", item: "a", last: true }, Int16Array.of(2));
  it.say({ t: "flush" }, null);
  port2.postMessage({ t: "flushed", item: "a", heard: 7 });
  await until(() => heard.length === 3 && it.kernel.at(-1)?.header.t === "flushed");
  assert.deepEqual(heard.map(({ t, last, pcm }) => [t, last, pcm && [...pcm]]), [["audio", false, [1]], ["audio", true, [2]], ["flush", undefined, undefined]]);
  assert.deepEqual(it.page.filter((message) => message.t === "arriving").length, 1);
  assert.deepEqual(it.kernel.at(-1)?.header, { t: "flushed", item: "a", heard: 7 });
  it.end();
  port2.close();
});

test("what the player tells while the way is lost goes back to the page, which keeps it", async () => {
  const it = link();
  await it.open();
  /** @type {any} */
  const port = { onmessage: null, close() {}, postMessage() {} };
  it.order({ t: "attach", kind: "playback", port });
  it.drop();
  port.onmessage({ data: { t: "done", item: "a" } });
  assert.deepEqual(it.page.at(-1), { t: "unsent", header: { t: "done", item: "a" }, payload: undefined });
  it.end();
});

test("without a playback port a flush is answered all the same", async () => {
  const it = link();
  await it.open();
  it.say({ t: "flush" }, null);
  assert.deepEqual(it.kernel.at(-1)?.header, { t: "flushed", item: null, played: 0, heard: 0, dropped: 0, queued_items: [] });
  it.end();
});

test("a link that is closed while it dials comes in nowhere", async () => {
  /** @type {any[]} */
  const page = [];
  /** @type {any[]} */
  const dialled = [];
  /** @type {any} */
  const port = { onmessage: null, postMessage: (/** @type {any} */ message) => page.push(message) };
  runLink(port, (route, on) => {
    const way = { route: route.name, on, sent: 0, closed: 0, send: () => way.sent++, close: () => way.closed++, waiting: () => 0 };
    dialled.push(way);
    return way;
  });
  port.onmessage({ data: { t: "open", routes: [{ name: "proxy", url: "" }, { name: "direct", url: "" }], token: "secret", page: "p", why: [] } });
  port.onmessage({ data: { t: "close" } });
  const [way] = dialled;
  assert.equal(way.closed, 1);
  way.on.frame(packFrame({ t: "welcome", owner: true })); // on its way already
  way.on.close(1000, "");
  await new Promise(setImmediate);
  assert.deepEqual([page, dialled.length], [[], 1]);
});

test("the round trip is measured, and told to page and kernel", async (t) => {
  t.mock.method(performance, "now", () => 20);
  const it = link();
  await it.open();
  const ping = it.kernel.find(({ header }) => header.t === "ping");
  it.say({ t: "pong", sent: (ping?.header.sent ?? 0) - 5 }, null);
  const trip = it.page.find((message) => message.t === "rtt");
  assert.equal(trip.ms, 5);
  assert.equal(it.kernel.at(-1)?.header.t, "rtt");
  it.end();
});

test("a lost connection is told once; one that was closed on purpose is not", async () => {
  const it = link();
  await it.open();
  it.drop();
  assert.deepEqual(it.page.at(-1), { t: "lost", code: 1006, reason: "" });
  const closed = link();
  await closed.open();
  closed.end();
  assert.ok(!closed.page.some((message) => message.t === "lost"));
  it.end();
});

test("a way that cannot even be dialled is passed over, and leaves no timer that stumbles", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {any[]} */
  const page = [];
  /** @type {any} */
  const port = { onmessage: null, postMessage: (/** @type {any} */ message) => page.push(message) };
  runLink(port, () => {
    throw new Error("policy");
  });
  port.onmessage({ data: { t: "open", routes: [{ name: "proxy", url: "" }], token: "secret", page: "p", why: [] } });
  await new Promise(setImmediate);
  t.mock.timers.tick(10_000);
  assert.deepEqual(page, [{ t: "failed", why: ["proxy: policy"] }]);
});

test("the Worker's program stands alone", () => {
  const names = ["packFrame", "unpackFrame", "samplesOf", "dialSocket", "runLink"];
  for (const name of names) assert.match(workerSource, new RegExp(`function ${name}\\(`));
  assert.doesNotMatch(workerSource, /\bimport\b/);
  /** @type {any} */
  const self = { postMessage() {} };
  new Function("self", workerSource)(self);
  assert.equal(typeof self.onmessage, "function");
});
