// The page's end of the media path: asks the kernel (by the widget's comm) where its socket is, reaches it by the best
// way there is, and keeps it. One link for a widget and page, however many views show it.
import { dialComm } from "./comm.js";
import { followKernel, isCutOff } from "./kernel.js";
import { dialSocket, runLink, workerSource } from "./worker.js";

/**
 * @typedef {{status: 'opening' | 'open' | 'lost' | 'closed', path: string | null, rttMs: number | null, why: string[],
 *   owner: boolean, mode: 'worker' | 'main', trouble: string | null}} MediaState
 * @typedef {{onAudio?: (pcm: Int16Array, header: any) => void, onEvent?: (header: any, payload: Uint8Array) => void,
 *   onState?: (state: MediaState) => void}} Handlers
 * @typedef {import("@anywidget/types").AnyModel} Model
 */

const RETRY_MS = [200, 400, 800, 1600]; // after a loss; a kernel that comes not back by then is gone
const AWAY_MS = 1600; // the same while the page has lost Jupyter's server too: nothing is known of the kernel
const ENDED = 4000; // our close code: the widget was closed in the kernel
const DEAD = "The kernel stopped or was restarted, so this widget has lost its other half. Run the cell again.";
const BUSY_MS = 3000; // no answer by the comm for so long: the kernel is busy with a cell

/** What is kept of a kind while there is no way to the kernel; of what is not here the last, which says how things stand. @type {Record<string, 'all' | 'none'>} */
const KEPT = { type: "all", audio: "all", position: "none", overflow: "none" }; // the microphone's sound is the worker's

/** @type {Map<string, Link>} */
const links = new Map();

/**
 * Open the media path of a widget; all views of it on this page share one.
 * @param {Model} model
 * @param {Handlers} [handlers]
 * @returns {Media}
 */
export function openMedia(model, handlers = {}) {
  const key = model.get("sid");
  let link = links.get(key);
  if (!link) links.set(key, (link = new Link(key)));
  return new Media(link, model, handlers);
}

/** One view's hold on the link. */
export class Media {
  /** @param {Link} link @param {Model} model @param {Handlers} handlers */
  constructor(link, model, handlers) {
    this.link = link;
    this.model = model;
    this.handlers = handlers;
    /** @type {Set<() => void>} */
    this.arriving = new Set();
    this.listen = (/** @type {any} */ content, /** @type {DataView[]} */ buffers) => link.hear(this, content, buffers);
    model.on("msg:custom", this.listen);
    link.join(this);
  }

  get state() {
    return this.link.state;
  }

  get path() {
    return this.state.path;
  }

  get rttMs() {
    return this.state.rttMs;
  }

  get owner() {
    return this.state.owner;
  }

  /** Send an event, with samples or bytes if you like, in order with all else; it may wait for a way. @param {any} header @param {any} [payload] */
  send(header, payload) {
    this.link.send(header, payload);
  }

  /** Take microphone and speaker over from another tab. */
  claim() {
    this.send({ t: "claim" });
  }

  /** Plug an audio worklet's port in, or (null) out. @param {'capture' | 'playback'} kind @param {MessagePort | null} port */
  attach(kind, port) {
    this.link.attach(kind, port);
  }

  /** Be told when sound of a new item comes, to wake a sleeping AudioContext. @param {() => void} wake */
  onArriving(wake) {
    this.arriving.add(wake);
    return () => this.arriving.delete(wake);
  }

  /** Let go; the last view of the page closes the link. */
  close() {
    this.model.off("msg:custom", this.listen);
    this.link.leave(this);
  }
}

class Link {
  /** @param {string} key */
  constructor(key) {
    this.key = key;
    this.page = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    /** @type {Media[]} */
    this.holds = [];
    /** @type {any} */
    this.offer = null;
    /** @type {import("./worker.js").Route[]} */
    this.routes = [];
    this.tries = 0;
    this.timer = 0;
    this.hidden = (/** @type {PageTransitionEvent} */ event) => !event.persisted && this.bye();
    /** @type {(() => void) | null} */
    this.unfollow = null;
    /** @type {Engine | null} */
    this.engine = null;
    /** @type {Record<string, MessagePort | null>} */
    this.plugged = { capture: null, playback: null };
    /** @type {{header: any, payload?: any}[]} */
    this.kept = []; // told while there was no way
    /** @type {((buffers: DataView[]) => void) | null} */
    this.fromComm = null;
    /** @type {MediaState} */
    this.state = { status: "opening", path: null, rttMs: null, why: [], owner: false, mode: "worker", trouble: null };
  }

  /** @param {Media} hold */
  join(hold) {
    this.holds.push(hold);
    if (this.holds.length === 1) {
      this.unfollow = followKernel(hold.model, () => this.over(DEAD)); // a comm's silence would tell nothing
      addEventListener("pagehide", this.hidden);
      this.ask();
    }
    else queueMicrotask(() => hold.handlers.onState?.(this.state));
  }

  /** @param {Media} hold */
  leave(hold) {
    const rest = this.holds.filter((other) => other !== hold);
    if (rest.length) this.holds = rest;
    else this.end(); // the comm takes leave by the last one's model
  }

  /** Ask the kernel, by the comm, for its port and our token. */
  ask() {
    this.holds[0]?.model.send({ t: "media.hello", page: this.page, origin: location.origin });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.note({ trouble: "The kernel is busy with a cell: this begins when it answers." }), BUSY_MS);
  }

  /** The page goes: a socket's end is heard, a comm's is not. */
  bye() {
    if (this.state.path === "comm") this.holds[0].model.send({ t: "media.bye", page: this.page });
  }

  /** A message by the comm: every view hears it, only the first passes it on. @param {Media} hold @param {any} content @param {DataView[]} buffers */
  hear(hold, content, buffers) {
    if (hold !== this.holds[0] || content?.page !== this.page) return;
    if (content.t === "media") this.fromComm?.(buffers);
    if (content.t === "media.offer") {
      clearTimeout(this.timer);
      this.offer = content;
      this.note({ trouble: null });
      this.start();
    }
  }

  /** Let the engine (a Worker, or this thread) find its way; one that had a way keeps the audio ports it was given. */
  start() {
    if (this.engine) return this.dial(this.routes, this.state.why);
    const obey = (/** @type {any} */ message) => this.obey(message);
    const here = () => startHere(obey, dialSocket);
    this.use(startWorker(obey, () => this.engine && this.state.status === "opening" && this.use(here())) ?? here(), socketRoutes(this.offer.port), []);
  }

  /** No socket can be had: the comm carries the frames. @param {string[]} why */
  fallBack(why) {
    this.use(startHere((message) => this.obey(message), dialComm(this)), [{ name: "comm", url: "" }], why);
  }

  /** @param {Engine} engine @param {import("./worker.js").Route[]} [routes] @param {string[]} [why] */
  use(engine, routes = this.routes, why = []) {
    this.engine?.end();
    this.engine = engine;
    this.routes = routes;
    this.note({ mode: engine.mode });
    this.dial(routes, why);
  }

  /** @param {import("./worker.js").Route[]} routes @param {string[]} why */
  dial(routes, why) {
    this.order({ t: "open", routes, token: this.offer.token, page: this.page, why });
  }

  /** @param {any} message what the link's engine says */
  obey(message) {
    /** @type {Record<string, () => void>} */
    const acts = {
      open: () => this.opened(message),
      failed: () => (this.state.status === "opening" && this.routes[0]?.name !== "comm" ? this.explain(message.why) : this.retry()),
      frame: () => this.give(message),
      arriving: () => this.holds.forEach((hold) => hold.arriving.forEach((wake) => wake())),
      rtt: () => this.note({ rttMs: message.ms }),
      owner: () => this.note({ owner: message.owner }),
      unsent: () => this.send(message.header, message.payload),
      overflow: () => this.send({ t: "overflow", samples: message.samples }),
      lost: () => (message.code === ENDED ? this.over("This widget was closed in the kernel.") : this.retry()),
    };
    acts[message.t]();
  }

  /** @param {any} header @param {any} [payload] */
  send(header, payload) {
    if (this.state.status === "open") this.order({ t: "send", header, payload });
    else if (this.state.status !== "closed") this.keep(header, payload);
  }

  /** @param {any} header @param {any} payload */
  keep(header, payload) {
    const most = KEPT[header.t];
    if (most !== "all") this.kept = this.kept.filter((other) => other.header.t !== header.t);
    if (most !== "none") this.kept.push({ header, payload });
  }

  /** @param {{path: string, why: string[], owner: boolean}} message */
  opened({ path, why, owner }) {
    this.tries = 0;
    for (const kind of ["capture", "playback"]) {
      const port = this.plugged[kind];
      if (port) this.order({ t: "attach", kind, port }, [port]);
      this.plugged[kind] = null;
    }
    for (const told of this.kept.splice(0)) this.order({ t: "send", ...told });
    this.note({ status: "open", path, why, owner, trouble: null });
  }

  /** Say why no socket was reached, then take the comm. @param {string[]} why */
  async explain(why) {
    const { engine } = this;
    const proxied = await fetch(`${baseUrl()}proxy/${this.offer.port}/`, { method: "HEAD" }).catch(() => null);
    if (this.engine !== engine) return; // the last view, or the kernel, went meanwhile
    const reason = proxied?.status === 404 ? ["proxy: jupyter-server-proxy is not installed beside the server"] : [];
    this.fallBack([...why, ...reason]);
  }

  /** The way was lost: try again, for about 3 s once Jupyter's server is there. */
  retry() {
    const away = isCutOff(this.holds[0].model);
    const wait = away ? AWAY_MS : RETRY_MS[this.tries];
    this.tries = away ? 0 : this.tries + 1;
    if (wait === undefined) return this.over(DEAD);
    this.note({ status: "lost", trouble: "The connection to the kernel was lost; trying again." });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), wait);
  }

  /** @param {string} trouble */
  over(trouble) {
    clearTimeout(this.timer);
    this.engine?.end();
    this.engine = null;
    this.note({ status: "closed", path: null, rttMs: null, owner: false, trouble });
  }

  /** @param {{header: any, payload: Uint8Array<ArrayBuffer>}} frame */
  give({ header, payload }) {
    for (const { handlers } of this.holds) {
      if (header.t === "audio") handlers.onAudio?.(new Int16Array(payload.buffer, payload.byteOffset, payload.byteLength >> 1), header);
      else handlers.onEvent?.(header, payload);
    }
  }

  /** @param {Partial<MediaState>} change */
  note(change) {
    this.state = { ...this.state, ...change };
    for (const { handlers } of this.holds) handlers.onState?.(this.state);
  }

  /** @param {any} message @param {Transferable[]} [transfer] */
  order(message, transfer = []) {
    this.engine?.port.postMessage(message, transfer);
  }

  /** @param {'capture' | 'playback'} kind @param {MessagePort | null} port */
  attach(kind, port) {
    if (this.state.status === "open") this.order({ t: "attach", kind, port }, port ? [port] : []);
    else this.plugged[kind] = port;
  }

  end() {
    clearTimeout(this.timer);
    removeEventListener("pagehide", this.hidden);
    this.unfollow?.();
    this.engine?.end();
    this.engine = null;
    links.delete(this.key);
  }
}

/** Where Jupyter's own server is. */
function baseUrl() {
  const node = document.getElementById("jupyter-config-data");
  return node ? (JSON.parse(node.textContent || "{}").baseUrl ?? null) : null;
}

/**
 * The ways to a port of the kernel's machine, best first.
 * @param {number} port
 * @returns {import("./worker.js").Route[]}
 */
export function socketRoutes(port) {
  const base = baseUrl();
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const proxied = base ? [{ name: "proxy", url: `${scheme}//${location.host}${base}proxy/${port}/` }] : [];
  return [...proxied, { name: "direct", url: `ws://127.0.0.1:${port}/` }];
}

/** @typedef {{port: any, mode: 'worker' | 'main', end(): void}} Engine */

/**
 * The link in a Worker; null, or a call of `refused`, where the page's policy forbids one.
 * @param {(message: any) => void} obey
 * @param {() => void} refused
 * @returns {Engine | null}
 */
function startWorker(obey, refused) {
  const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
  try {
    const worker = new Worker(url);
    worker.onmessage = (event) => obey(event.data);
    worker.onerror = refused;
    return {
      port: worker,
      mode: "worker",
      end() {
        worker.postMessage({ t: "close" });
        worker.onmessage = worker.onerror = null; // what it still says would be taken for the next one's word
        setTimeout(() => (worker.terminate(), URL.revokeObjectURL(url)), 500);
      },
    };
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}

/**
 * The link on this thread.
 * @param {(message: any) => void} obey
 * @param {import("./worker.js").Dial} dial
 * @returns {Engine}
 */
function startHere(obey, dial) {
  const { port1, port2 } = new MessageChannel();
  runLink(port2, dial);
  port1.onmessage = (event) => obey(event.data);
  return {
    port: port1,
    mode: "main",
    end() {
      port1.postMessage({ t: "close" });
      port1.onmessage = null;
    },
  };
}
