// The link: frames between the kernel's socket and the two audio ports. It runs in a Worker, so that a busy page
// never holds up sound; where no Worker can be had, the same function runs on the page's own thread.
import { packFrame, samplesOf, unpackFrame } from "./frames.js";

/**
 * @typedef {{send(frame: ArrayBuffer): void, close(): void, waiting(): number}} Socket
 * @typedef {{name: string, url: string}} Route
 * @typedef {(route: Route, on: {open(): void, frame(frame: ArrayBuffer | DataView): void,
 *   close(code: number, reason: string): void}) => Socket} Dial
 * @typedef {{postMessage(message: any, transfer?: Transferable[]): void, onmessage: ((event: any) => void) | null}} Port
 */

/**
 * Dial a WebSocket.
 * @type {Dial}
 */
export function dialSocket(route, on) {
  const socket = new WebSocket(route.url);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => on.open();
  socket.onmessage = (event) => on.frame(event.data);
  socket.onclose = (event) => on.close(event.code, event.reason);
  return {
    send: (frame) => socket.send(frame),
    close: () => socket.close(),
    waiting: () => socket.bufferedAmount,
  };
}

/**
 * Run the link: `port` leads to the page's main thread, `dial` opens a way to the kernel.
 *
 * From the page: open{routes, token, page, why}, send{header, payload}, attach{kind, port}, close.
 * To the page: open{path, why, owner}, failed{why}, frame{header, payload}, arriving{item}, rtt{ms}, owner{owner},
 * lost{code, reason}, unsent{header, payload}, overflow{samples}.
 * @param {Port} port
 * @param {Dial} dial
 */
export function runLink(port, dial) {
  const PATIENCE_MS = 5000; // for one route, until it says welcome: a busy machine, or one far away, takes its time
  const MOST_WAITING = 192_000; // bytes of sound not yet sent: 4 s; what comes then is dropped and told
  const MOST_KEPT = 250; // chunks kept while the way is lost: the last 5 s, for it may be long
  /** @type {Socket | null} */
  let socket = null;
  /** @type {Socket | null} */
  let dialled = null; // until it says welcome
  let over = false;
  let owner = false;
  let item = "";
  /** @type {any[]} */
  let backlog = []; // chunks of the microphone taken while the way was lost
  /** @type {Record<string, MessagePort | null>} */
  const ports = { capture: null, playback: null };
  /** @type {number[]} */
  const trips = [];
  let timer = 0;

  /** @param {any} header @param {any} [payload] */
  const send = (header, payload) => {
    if (socket) socket.send(packFrame(header, payload));
  };

  /** What the kernel should hear of, if not now. @param {any} header @param {any} [payload] */
  const tell = (header, payload) => (socket ? send(header, payload) : port.postMessage({ t: "unsent", header, payload }));

  const ping = () => send({ t: "ping", sent: performance.now() });

  /** @param {number} sent */
  function pong(sent) {
    trips.push(performance.now() - sent);
    if (trips.length > 9) trips.shift();
    const ms = [...trips].sort((a, b) => a - b)[trips.length >> 1];
    port.postMessage({ t: "rtt", ms });
    send({ t: "rtt", ms });
    clearTimeout(timer);
    timer = setTimeout(ping, trips.length < 4 ? 200 : 5000);
  }

  /** @type {Record<string, (header: any, payload: Uint8Array<ArrayBuffer>) => void>} */
  const known = {
    pong: (header) => pong(header.sent),
    owner: (header) => {
      owner = header.owner;
      port.postMessage({ t: "owner", owner });
    },
    flush: (header) => {
      if (ports.playback) ports.playback.postMessage(header);
      else send({ t: "flushed", item: null, played: 0, heard: 0, dropped: 0, queued_items: [] });
    },
    audio: (header, payload) => {
      if (!ports.playback) return toPage(header, payload);
      if (header.item !== item) port.postMessage({ t: "arriving", item: (item = header.item) });
      const pcm = samplesOf(payload);
      ports.playback.postMessage({ t: "audio", item: header.item, last: !!header.last, pcm }, [pcm.buffer]);
    },
  };

  /** @param {any} header @param {Uint8Array<ArrayBuffer>} payload */
  const toPage = (header, payload) => port.postMessage({ t: "frame", header, payload }, [payload.buffer]);

  /** @param {ArrayBuffer | DataView} frame */
  function receive(frame) {
    const { header, payload } = unpackFrame(frame);
    (Object.hasOwn(known, header.t) ? known[header.t] : toPage)(header, payload);
  }

  /** @param {Route} route @param {any} hello @returns {Promise<void>} */
  function connect(route, hello) {
    return new Promise((resolve, reject) => {
      let open = false;
      const mine = (dialled = dial(route, {
        open: () => mine.send(packFrame({ t: "hello", ...hello, path: route.name })),
        frame: (frame) => {
          if (open) return receive(frame);
          if (over) return mine.close();
          const { header } = unpackFrame(frame);
          clearTimeout(clock);
          open = true;
          socket = mine;
          owner = header.owner;
          resolve();
        },
        close: (code, reason) => {
          clearTimeout(clock);
          if (!open) return reject(reason || `refused (${code})`);
          if (socket !== mine) return;
          socket = null;
          port.postMessage({ t: "lost", code, reason });
        },
      }));
      const clock = setTimeout(() => (mine.close(), reject(`no answer in ${PATIENCE_MS / 1000} s`)), PATIENCE_MS); // where it dials at all
    });
  }

  /** @param {{routes: Route[], token: string, page: string, why: string[]}} order */
  async function open({ routes, token, page, why }) {
    const whys = [...why];
    for (const route of routes) {
      if (over) return;
      try {
        await connect(route, { token, page, why: whys });
        port.postMessage({ t: "open", path: route.name, why: whys, owner });
        trips.length = 0;
        backlog.splice(0).forEach(captured);
        return ping();
      } catch (fault) {
        whys.push(`${route.name}: ${fault instanceof Error ? fault.message : fault}`);
      }
    }
    if (!over) port.postMessage({ t: "failed", why: whys });
  }

  /** @param {{at: number, ms: number, pcm: ArrayBuffer}} chunk */
  function captured({ at, ms, pcm }) {
    if (!owner) return;
    const free = !!socket && socket.waiting() <= MOST_WAITING;
    if (free) return send({ t: "audio", at, ms }, pcm);
    const dropped = socket ? pcm : backlog.push({ at, ms, pcm }) > MOST_KEPT && backlog.shift().pcm;
    if (dropped) port.postMessage({ t: "overflow", samples: dropped.byteLength >> 1 });
  }

  /** @param {any} event */
  const played = (event) => tell(event);

  /** @type {Record<string, (message: any) => void>} */
  const orders = {
    open,
    send: ({ header, payload }) => tell(header, payload),
    attach: ({ kind, port: audio }) => {
      ports[kind]?.close();
      ports[kind] = audio;
      item = "";
      if (kind === "capture") backlog = [];
      if (audio) audio.onmessage = (/** @type {MessageEvent} */ event) => (kind === "capture" ? captured : played)(event.data);
    },
    close: () => {
      clearTimeout(timer);
      const last = socket ?? dialled; // one that is still being dialled would come in with nobody behind it
      socket = null;
      over = true;
      last?.close();
    },
  };
  port.onmessage = (event) => orders[event.data.t](event.data);
}

/** The Worker's whole program, as text: it needs no file of its own. */
export const workerSource = [packFrame, unpackFrame, samplesOf, dialSocket, runLink, "runLink(self, dialSocket);"].join("\n");
