// Made by `npm run build` in ../js; change the sources there. BSD-3-Clause.
// sources: 8c31468cc273993153015cc8bff05fd7086e9c1fec65ec862869132f13572945

// dom.js
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !name.includes("-")) node[name] = value;
    else if (value !== null && value !== void 0 && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(.../** @type {(Node | string)[]} */
  children.filter((child) => child !== null && child !== void 0 && child !== false));
  return node;
}
var ICONS = {
  record: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3z",
  stop: "M4 4h8v8H4z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  play: "M4 2.5v11l9-5.5z",
  file: "M8 2 4.2 5.8l1.1 1.1L7.2 5v6h1.6V5l1.9 1.9 1.1-1.1zM3 12.4V14h10v-1.6z",
  mic: "M8 1.5a2.2 2.2 0 0 0-2.2 2.2v4a2.2 2.2 0 0 0 4.4 0v-4A2.2 2.2 0 0 0 8 1.5zM3.7 7.5a4.3 4.3 0 0 0 3.6 4.2v2.8h1.4v-2.8a4.3 4.3 0 0 0 3.6-4.2h-1.4a2.9 2.9 0 0 1-5.8 0z"
};
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: "14", height: "14", fill: "currentColor", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

// comm.js
var GATHER_MS = 100;
function dialComm(link) {
  return (_route, on) => {
    let gathered = [];
    let waiting = 0;
    let timer = 0;
    const flush = () => {
      timer = 0;
      link.holds[0]?.model.send({ t: "media", page: link.page }, void 0, gathered);
      gathered = [];
      waiting = 0;
    };
    link.fromComm = (buffers) => buffers.forEach((buffer) => on.frame(buffer));
    queueMicrotask(() => on.open());
    return {
      send(frame) {
        gathered.push(frame);
        waiting += frame.byteLength;
        timer ||= setTimeout(flush, GATHER_MS);
      },
      close() {
        clearTimeout(timer);
        if (gathered.length) flush();
        link.fromComm = null;
        link.holds[0]?.model.send({ t: "media.bye", page: link.page });
      },
      waiting: () => waiting
    };
  };
}

// trouble.js
var TABLE = {
  denied: [
    "The browser did not allow the microphone.",
    "Click the lock or microphone sign left of the page's address, allow the microphone, then press record again. Or drop a sound file here."
  ],
  none: ["No microphone was found.", "Plug one in and press record again, or drop a sound file here."],
  busy: [
    "The microphone is in use by another program.",
    "Close that program (a call, another recorder), then press record again."
  ],
  insecure: [
    "This page came over plain HTTP, where browsers offer no microphone.",
    "Open it as https://… or as http://localhost:…, or drop a sound file here."
  ],
  unsupported: ["This browser cannot record sound here.", "Use a current Chrome, Edge, Firefox or Safari, or drop a sound file here."],
  gone: ["The microphone was unplugged.", "Choose another device, or plug it in, then press record again."],
  worklet: ["The page's security policy forbids audio code.", "Ask for blob: or data: in the server's script-src, or drop a sound file here."],
  gesture: ["The browser lets no sound flow before a click.", "Press record again."],
  failed: ["The microphone could not be opened.", "Press record again, or drop a sound file here."],
  kernel: ["The kernel stopped or was restarted, so this widget has lost its other half.", "Run the cell again."],
  elsewhere: ["Another tab holds the microphone of this widget.", "Press “Use it here” to take it over."],
  call: ["The page could not reach the server by WebRTC.", "Talk by way of the kernel: session.talk()"],
  ended: ["The call has ended.", 'session = rt.connect(); session.talk(transport="webrtc")'],
  sound: ["This file is no sound the browser can read.", "Drop a WAV, MP3, FLAC, Ogg or WebM file."]
};
var NAMES = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "busy",
  AbortError: "busy",
  NotSupportedError: "unsupported"
};
var Trouble = class _Trouble extends Error {
  /**
   * @param {string} code
   * @param {unknown} [cause]
   */
  constructor(code, cause) {
    const [message, todo] = TABLE[code] ?? TABLE.failed;
    super(message, { cause });
    this.name = "Trouble";
    this.code = code;
    this.todo = todo;
    this.detail = cause ? String(cause) : "";
  }
  /**
   * See any error of the browser as one of the table's.
   * @param {unknown} error
   * @returns {Trouble}
   */
  static from(error) {
    if (error instanceof _Trouble) return error;
    const name = String(Object(error).name);
    return new _Trouble(NAMES[name] ?? "failed", error);
  }
};

// kernel.js
var ENDED = /* @__PURE__ */ new Set(["restarting", "autorestarting", "terminating", "dead"]);
function followKernel(model, gone) {
  const kernel = model.widget_manager?.kernel;
  if (!kernel?.statusChanged) return null;
  const changed = (_kernel, status) => ENDED.has(status) && gone();
  kernel.statusChanged.connect(changed);
  kernel.disposed.connect(gone);
  return () => {
    kernel.statusChanged.disconnect(changed);
    kernel.disposed.disconnect(gone);
  };
}
function isCutOff(model) {
  return (model.widget_manager?.kernel?.connectionStatus ?? "connected") !== "connected";
}
function mindKernel({ model, el }) {
  const hidden = document.createElement("style");
  hidden.textContent = `.rtnb-static-${model.get("sid")}{display:none}`;
  let lives = false;
  const alive = () => (el.append(hidden), lives = true);
  const gone = () => {
    if (!lives) return;
    lives = false;
    hidden.remove();
    const { message, todo } = new Trouble("kernel");
    el.querySelectorAll(":scope > *").forEach((child) => (
      /** @type {HTMLElement} */
      child.inert = true
    ));
    el.prepend(h("p", { class: "rtnb-note is-alert", role: "status" }, `${message} ${todo}`));
  };
  const heard = (message) => message?.t === "alive" && alive();
  const stop = followKernel(model, gone);
  if (stop) alive();
  else {
    model.on("msg:custom", heard);
    model.send({ t: "alive?" });
  }
  return () => {
    model.off("msg:custom", heard);
    stop?.();
    hidden.remove();
  };
}

// frames.js
function packFrame(header, payload) {
  let text = new TextEncoder().encode(JSON.stringify(header));
  const size = Math.ceil(text.length / 4) * 4;
  const body = !payload ? new Uint8Array(0) : ArrayBuffer.isView(payload) ? new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength) : new Uint8Array(payload);
  const frame = new Uint8Array(4 + size + body.length);
  new DataView(frame.buffer).setUint32(0, size, true);
  frame.fill(32, 4 + text.length, 4 + size);
  frame.set(text, 4);
  frame.set(body, 4 + size);
  return frame.buffer;
}
function unpackFrame(frame) {
  const view = frame instanceof DataView ? frame : new DataView(frame);
  const size = view.getUint32(0, true);
  const buffer = (
    /** @type {ArrayBuffer} */
    view.buffer
  );
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, view.byteOffset + 4, size)));
  const start = view.byteOffset + 4 + size;
  const length = view.byteLength - 4 - size;
  const payload = start % 2 ? new Uint8Array(buffer.slice(start, start + length)) : new Uint8Array(buffer, start, length);
  return { header, payload };
}
function samplesOf(payload) {
  return new Int16Array(payload.buffer, payload.byteOffset, payload.byteLength >> 1);
}

// worker.js
function dialSocket(route, on) {
  const socket = new WebSocket(route.url);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => on.open();
  socket.onmessage = (event) => on.frame(event.data);
  socket.onclose = (event) => on.close(event.code, event.reason);
  return {
    send: (frame) => socket.send(frame),
    close: () => socket.close(),
    waiting: () => socket.bufferedAmount
  };
}
function runLink(port, dial) {
  const PATIENCE_MS = 5e3;
  const MOST_WAITING = 192e3;
  const MOST_KEPT = 250;
  let socket = null;
  let dialled = null;
  let over = false;
  let owner = false;
  let item = "";
  let backlog = [];
  const ports = { capture: null, playback: null };
  const trips = [];
  let timer = 0;
  const send = (header, payload) => {
    if (socket) socket.send(packFrame(header, payload));
  };
  const tell2 = (header, payload) => socket ? send(header, payload) : port.postMessage({ t: "unsent", header, payload });
  const ping = () => send({ t: "ping", sent: performance.now() });
  function pong(sent) {
    trips.push(performance.now() - sent);
    if (trips.length > 9) trips.shift();
    const ms = [...trips].sort((a, b) => a - b)[trips.length >> 1];
    port.postMessage({ t: "rtt", ms });
    send({ t: "rtt", ms });
    clearTimeout(timer);
    timer = setTimeout(ping, trips.length < 4 ? 200 : 5e3);
  }
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
      if (header.item !== item) port.postMessage({ t: "arriving", item: item = header.item });
      const pcm = samplesOf(payload);
      ports.playback.postMessage({ t: "audio", item: header.item, last: !!header.last, pcm }, [pcm.buffer]);
    }
  };
  const toPage = (header, payload) => port.postMessage({ t: "frame", header, payload }, [payload.buffer]);
  function receive(frame) {
    const { header, payload } = unpackFrame(frame);
    (Object.hasOwn(known, header.t) ? known[header.t] : toPage)(header, payload);
  }
  function connect(route, hello) {
    return new Promise((resolve, reject) => {
      let open2 = false;
      const mine = dialled = dial(route, {
        open: () => mine.send(packFrame({ t: "hello", ...hello, path: route.name })),
        frame: (frame) => {
          if (open2) return receive(frame);
          if (over) return mine.close();
          const { header } = unpackFrame(frame);
          clearTimeout(clock3);
          open2 = true;
          socket = mine;
          owner = header.owner;
          resolve();
        },
        close: (code, reason) => {
          clearTimeout(clock3);
          if (!open2) return reject(reason || `refused (${code})`);
          if (socket !== mine) return;
          socket = null;
          port.postMessage({ t: "lost", code, reason });
        }
      });
      const clock3 = setTimeout(() => (mine.close(), reject(`no answer in ${PATIENCE_MS / 1e3} s`)), PATIENCE_MS);
    });
  }
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
  function captured({ at, ms, pcm }) {
    if (!owner) return;
    const free = !!socket && socket.waiting() <= MOST_WAITING;
    if (free) return send({ t: "audio", at, ms }, pcm);
    const dropped = socket ? pcm : backlog.push({ at, ms, pcm }) > MOST_KEPT && backlog.shift().pcm;
    if (dropped) port.postMessage({ t: "overflow", samples: dropped.byteLength >> 1 });
  }
  const played = (event) => tell2(event);
  const orders = {
    open,
    send: ({ header, payload }) => tell2(header, payload),
    attach: ({ kind, port: audio }) => {
      ports[kind]?.close();
      ports[kind] = audio;
      item = "";
      if (kind === "capture") backlog = [];
      if (audio) audio.onmessage = (event) => (kind === "capture" ? captured : played)(event.data);
    },
    close: () => {
      clearTimeout(timer);
      const last = socket ?? dialled;
      socket = null;
      over = true;
      last?.close();
    }
  };
  port.onmessage = (event) => orders[event.data.t](event.data);
}
var workerSource = [packFrame, unpackFrame, samplesOf, dialSocket, runLink, "runLink(self, dialSocket);"].join("\n");

// media.js
var RETRY_MS = [200, 400, 800, 1600];
var AWAY_MS = 1600;
var ENDED2 = 4e3;
var DEAD = "The kernel stopped or was restarted, so this widget has lost its other half. Run the cell again.";
var BUSY_MS = 3e3;
var KEPT = { type: "all", audio: "all", position: "none", overflow: "none" };
var links = /* @__PURE__ */ new Map();
function openMedia(model, handlers = {}) {
  const key = model.get("sid");
  let link = links.get(key);
  if (!link) links.set(key, link = new Link(key));
  return new Media(link, model, handlers);
}
var Media = class {
  /** @param {Link} link @param {Model} model @param {Handlers} handlers */
  constructor(link, model, handlers) {
    this.link = link;
    this.model = model;
    this.handlers = handlers;
    this.arriving = /* @__PURE__ */ new Set();
    this.listen = (content, buffers) => link.hear(this, content, buffers);
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
};
var Link = class {
  /** @param {string} key */
  constructor(key) {
    this.key = key;
    this.page = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.holds = [];
    this.offer = null;
    this.routes = [];
    this.tries = 0;
    this.timer = 0;
    this.hidden = (event) => !event.persisted && this.bye();
    this.unfollow = null;
    this.engine = null;
    this.plugged = { capture: null, playback: null };
    this.kept = [];
    this.fromComm = null;
    this.state = { status: "opening", path: null, rttMs: null, why: [], owner: false, mode: "worker", trouble: null };
  }
  /** @param {Media} hold */
  join(hold) {
    this.holds.push(hold);
    if (this.holds.length === 1) {
      this.unfollow = followKernel(hold.model, () => this.over(DEAD));
      addEventListener("pagehide", this.hidden);
      this.ask();
    } else queueMicrotask(() => hold.handlers.onState?.(this.state));
  }
  /** @param {Media} hold */
  leave(hold) {
    const rest = this.holds.filter((other) => other !== hold);
    if (rest.length) this.holds = rest;
    else this.end();
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
    const obey = (message) => this.obey(message);
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
    const acts = {
      open: () => this.opened(message),
      failed: () => this.state.status === "opening" && this.routes[0]?.name !== "comm" ? this.explain(message.why) : this.retry(),
      frame: () => this.give(message),
      arriving: () => this.holds.forEach((hold) => hold.arriving.forEach((wake) => wake())),
      rtt: () => this.note({ rttMs: message.ms }),
      owner: () => this.note({ owner: message.owner }),
      unsent: () => this.send(message.header, message.payload),
      overflow: () => this.send({ t: "overflow", samples: message.samples }),
      lost: () => message.code === ENDED2 ? this.over("This widget was closed in the kernel.") : this.retry()
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
    if (this.engine !== engine) return;
    const reason = proxied?.status === 404 ? ["proxy: jupyter-server-proxy is not installed beside the server"] : [];
    this.fallBack([...why, ...reason]);
  }
  /** The way was lost: try again, for about 3 s once Jupyter's server is there. */
  retry() {
    const away = isCutOff(this.holds[0].model);
    const wait = away ? AWAY_MS : RETRY_MS[this.tries];
    this.tries = away ? 0 : this.tries + 1;
    if (wait === void 0) return this.over(DEAD);
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
};
function baseUrl() {
  const node = document.getElementById("jupyter-config-data");
  return node ? JSON.parse(node.textContent || "{}").baseUrl ?? null : null;
}
function socketRoutes(port) {
  const base = baseUrl();
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const proxied = base ? [{ name: "proxy", url: `${scheme}//${location.host}${base}proxy/${port}/` }] : [];
  return [...proxied, { name: "direct", url: `ws://127.0.0.1:${port}/` }];
}
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
        worker.onmessage = worker.onerror = null;
        setTimeout(() => (worker.terminate(), URL.revokeObjectURL(url)), 500);
      }
    };
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}
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
    }
  };
}

// camera.js
var QUALITY = 0.9;
var TABLE2 = {
  denied: ["The browser did not allow the camera.", "Click the lock or camera sign left of the page's address, allow the camera, then press Start again."],
  none: ["No camera was found.", 'Plug one in and press Start again, or read a file: rt.Image.read("photo.png").'],
  busy: ["The camera is in use by another program.", "Close that program (a call, another page), then press Start again."],
  insecure: ["This page came over plain HTTP, where browsers offer no camera.", "Open it as https://… or as http://localhost:…."],
  unsupported: ["This browser offers no camera here.", "Use a current Chrome, Edge, Firefox or Safari."],
  gone: ["The camera was unplugged.", "Choose another one, or plug it in, then press Start again."]
};
function cameraTrouble(error) {
  const { code } = Trouble.from(error);
  const [message, todo] = TABLE2[code] ?? ["The camera could not be opened.", "Press Start again."];
  return { code, message, todo };
}
function renderCamera({ model, el }) {
  const view = new CameraView(model, el);
  return () => view.close();
}
var CameraView = class {
  /** How often the camera was started or stopped: what was begun before the last time is not wanted any more. */
  turn = 0;
  /** @type {Promise<void> | null} */
  opening = null;
  /** @type {Promise<void> | null} */
  snapping = null;
  /** @param {import("@anywidget/types").AnyModel} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.stream = null;
    this.ui = parts(this);
    el.append(...this.ui.rows);
    this.media = openMedia(model, {
      onEvent: (header) => void (header.t === "snap" && this.snap()),
      onState: (state) => this.state(state)
    });
    this.dress();
  }
  /** @param {string} [device] */
  start(device) {
    const opening = this.open(device).finally(() => this.opening === opening && (this.opening = null));
    return this.opening = opening;
  }
  /** @param {string} [device] */
  async open(device) {
    this.stop();
    const { turn } = this;
    const wanted = () => turn === this.turn;
    try {
      if (!isSecureContext) throw new Trouble("insecure");
      if (!navigator.mediaDevices?.getUserMedia) throw new Trouble("unsupported");
      const side = this.model.get("longest");
      const wish = { width: { ideal: side }, height: { ideal: Math.round(side * 9 / 16) }, ...device ? { deviceId: { exact: device } } : {} };
      const stream = await navigator.mediaDevices.getUserMedia({ video: wish });
      if (!wanted()) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => wanted() && this.fail(new Trouble("gone")));
      this.ui.video.srcObject = stream;
      await this.ui.video.play();
      await this.list();
      if (wanted()) this.say("", "");
    } catch (error) {
      if (wanted()) this.fail(error);
    }
    this.dress();
  }
  /** Name the cameras; browsers tell them once one was allowed. */
  async list() {
    const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    const now = this.stream?.getVideoTracks()[0].getSettings().deviceId;
    this.ui.device.replaceChildren(...found.map(({ deviceId, label: label3 }, i) => h("option", { value: deviceId, selected: deviceId === now }, label3 || `Camera ${i + 1}`)));
    this.ui.device.hidden = found.length < 2;
  }
  /** Take a picture and send it home; who asks while one is being taken gets that. */
  snap() {
    return this.snapping ??= this.shoot().finally(() => this.snapping = null);
  }
  /** A camera that is being started is waited for. */
  async shoot() {
    if (!this.stream && !this.opening) void this.start();
    while (this.opening) await this.opening;
    const { video, canvas } = this.ui;
    if (!this.stream || !video.videoWidth) return;
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    const file = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    if (!file) return this.fail(new Error("no picture came out of the canvas"));
    this.media.send({ t: "frame", width: canvas.width, height: canvas.height }, new Uint8Array(await file.arrayBuffer()));
    this.taken = true;
    this.dress();
  }
  /** @param {unknown} error */
  fail(error) {
    const { code, message, todo } = cameraTrouble(error);
    this.stop();
    this.say(message, todo);
    this.media.send({ t: "trouble", code, message, todo });
  }
  /** @param {import("./media.js").MediaState} state */
  state(state) {
    if (state.status === "closed") this.stop();
    if (state.trouble) this.say(this.linkTrouble = state.trouble, "");
    else if (this.ui.note.textContent === this.linkTrouble) this.say("", "");
  }
  /** @param {string} message @param {string} todo */
  say(message, todo) {
    this.ui.note.textContent = [message, todo].filter(Boolean).join(" ");
    this.ui.note.hidden = !message;
  }
  stop() {
    this.turn++;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.ui.video.srcObject = null;
    this.dress();
  }
  dress() {
    const { start, snap, video, canvas, hint } = this.ui;
    const live = Boolean(this.stream);
    start.textContent = live ? "Stop" : "Start camera";
    start.setAttribute("aria-pressed", String(live));
    snap.disabled = !live;
    video.hidden = !live;
    canvas.hidden = live || !this.taken;
    hint.hidden = live || Boolean(this.taken);
    this.ui.said.textContent = this.taken ? `Picture taken, ${canvas.width} by ${canvas.height} pixels: camera.image` : "";
  }
  close() {
    this.stop();
    this.media.close();
  }
  taken = false;
  linkTrouble = "";
  // what was said last of the way to the kernel
};
function parts(view) {
  const video = h("video", { class: "rtnb-picture", muted: true, playsInline: true, "aria-label": "What the camera sees" });
  const canvas = h("canvas", { class: "rtnb-picture", role: "img", "aria-label": "The last picture taken" });
  const hint = h("p", { class: "rtnb-words rtnb-muted" }, "The camera is off. Nothing is seen before you press Start, and nothing leaves the page before a picture is taken.");
  const toggle = () => view.stream ? view.stop() : void view.start();
  const start = h("button", { class: "rtnb-button is-main", type: "button", onclick: toggle }, "Start camera");
  const snap = h("button", { class: "rtnb-button", type: "button", onclick: () => void view.snap() }, "Take picture");
  const device = h("select", { class: "rtnb-select", "aria-label": "Camera", hidden: true, onchange: () => void view.start(device.value) });
  const said = h("p", { class: "rtnb-words rtnb-muted", role: "status" });
  const note = h("p", { class: "rtnb-note is-alert", role: "alert", hidden: true });
  const row = h("div", { class: "rtnb-row" }, start, snap, device);
  return { video, canvas, hint, start, snap, device, said, note, rows: [video, canvas, hint, row, said, note] };
}

// meter.js
function shares(parts3, most) {
  const total = parts3.reduce((sum, [, amount]) => sum + amount, 0);
  const scale = 100 / (Math.max(most, total) || 1);
  return parts3.map(([kind, amount]) => ({ kind, percent: Math.max(0, amount * scale) }));
}
function renderMeter({ model, el }) {
  const grid = h("div", { class: "rtnb-grid" });
  const title = h("div", { class: "rtnb-row rtnb-muted" });
  el.append(title, grid);
  el.setAttribute("role", "group");
  const draw = () => {
    title.textContent = model.get("title");
    el.setAttribute("aria-label", `What the session has used: ${model.get("title")}`);
    grid.replaceChildren(...model.get("gauges").map(line));
  };
  model.on("change:gauges", draw);
  model.on("change:title", draw);
  draw();
  return () => {
    model.off("change:gauges", draw);
    model.off("change:title", draw);
  };
}
function line({ name, words: words2, parts: parts3, most, full }) {
  const used = parts3.reduce((sum, [, amount]) => sum + amount, 0);
  const way = name === "Tokens out" ? "model" : "user";
  const spans = shares(parts3, most).map(({ kind, percent }) => h("span", { class: `is-${kind} is-${full ? "full" : way}`, style: `width:${percent}%` }));
  const meter = { role: "meter", "aria-label": name, "aria-valuemin": "0", "aria-valuemax": String(Math.max(most, used)), "aria-valuenow": String(used), "aria-valuetext": words2 };
  const [figure, ...rest] = words2.split(/ (?=\()/);
  return h(
    "div",
    { class: "rtnb-gauge" },
    h("span", {}, name),
    most ? h("div", { class: "rtnb-bar", ...meter }, ...spans) : h("span"),
    h("span", { class: full ? "rtnb-alert" : "" }, figure, rest.length ? h("span", { class: "rtnb-muted rtnb-kinds" }, ` ${rest.join(" ")}`) : null)
  );
}

// theme.js
var LIGHT = "--rtnb-user:#1c6db0;--rtnb-model:#de7a1c;--rtnb-tool:#642f6c;--rtnb-alert:#b8123f;--rtnb-hint:#5c6670;--rtnb-line:#e6eaee";
var DARK = "--rtnb-user:#63aef0;--rtnb-model:#ffab57;--rtnb-tool:#dcb8dc;--rtnb-alert:#ff6f8f;--rtnb-hint:#9ba6b1;--rtnb-line:#2c3239";
var CSS = `
.rtnb {
  ${LIGHT};
  --rtnb-paper: var(--jp-layout-color1, #ffffff);
  --rtnb-raised: var(--jp-layout-color2, #f3f5f7);
  --rtnb-ink: var(--jp-ui-font-color1, #1c2127);
  --rtnb-edge: var(--jp-border-color1, #bdc5cc);
  box-sizing: border-box; max-width: 660px; margin: 2px; padding: 10px 12px;
  border: 1px solid var(--jp-border-color2, var(--rtnb-line)); border-radius: 10px;
  background: var(--rtnb-paper); color: var(--rtnb-ink);
  font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif);
  container-type: inline-size;
}
body[data-jp-theme-light="false"] .rtnb, body.vscode-dark .rtnb, html[theme="dark"] .rtnb { ${DARK}; color-scheme: dark; }
body:is(.vscode-dark) .rtnb, html[theme="dark"] .rtnb { --rtnb-paper: #15181c; --rtnb-raised: #20252b; --rtnb-ink: #e9ecef; --rtnb-edge: #4a535c; }
@media (prefers-color-scheme: dark) {
  body:not([data-jp-theme-light], .vscode-light) .rtnb {
    ${DARK}; --rtnb-paper: #15181c; --rtnb-raised: #20252b; --rtnb-ink: #e9ecef; --rtnb-edge: #4a535c; color-scheme: dark;
  }
}
.rtnb *, .rtnb *::before { box-sizing: border-box; }
.rtnb [hidden] { display: none !important; }
.rtnb :is(button, select, input, video, [tabindex]):focus-visible { outline: 2px solid var(--rtnb-user); outline-offset: 2px; }
.rtnb-row { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; margin-top: 8px; }
.rtnb-row:first-child { margin-top: 0; }
.rtnb-grow { flex: 1 1 auto; min-width: 0; }
.rtnb-wave.rtnb-grow { flex-basis: 180px; }
.rtnb .rtnb-button, .rtnb .rtnb-select {
  min-height: 28px; padding: 2px 11px; border: 1px solid var(--rtnb-edge); border-radius: 7px;
  background: var(--rtnb-raised); color: inherit; font: inherit; cursor: pointer;
}
.rtnb-button { display: inline-flex; align-items: center; justify-content: center; gap: 6px; }
.rtnb .rtnb-select { max-width: 13em; padding: 2px 4px; text-overflow: ellipsis; }
.rtnb-button:hover:not(:disabled) { border-color: currentColor; }
.rtnb-button:disabled { opacity: .5; cursor: default; }
.rtnb-button.is-main { min-width: 5.5em; background: var(--rtnb-main, var(--rtnb-user)); border-color: transparent; color: var(--rtnb-paper); font-weight: 600; }
.rtnb-button[aria-pressed="true"] { border-color: var(--rtnb-alert); box-shadow: inset 0 0 0 1px var(--rtnb-alert); }
.rtnb-button.is-main[aria-pressed="true"] { background: var(--rtnb-alert); box-shadow: none; }
.rtnb-range { width: 84px; accent-color: var(--rtnb-user); vertical-align: middle; }
.rtnb [data-phase="recording"] .is-main, .rtnb[data-phase="recording"] .is-main { --rtnb-main: var(--rtnb-alert); }
.rtnb-file { position: relative; }
.rtnb-file:focus-within { outline: 2px solid var(--rtnb-user); outline-offset: 2px; }
.rtnb-path { margin-left: auto; font-size: 12px; }
.rtnb-says { color: var(--rtnb-hint); }
.rtnb-drop { border-radius: 6px; }
.rtnb-drop.is-over { outline: 2px dashed var(--rtnb-user); outline-offset: 4px; }
.rtnb input[type="checkbox"] { margin: 0; accent-color: var(--rtnb-user); }
.rtnb-label { display: inline-flex; align-items: center; gap: 5px; }
.rtnb-words { max-width: 46em; margin: 8px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.rtnb-muted { color: var(--rtnb-hint); }
.rtnb-time { font-variant-numeric: tabular-nums; white-space: nowrap; }
.rtnb-note { margin: 8px 0 0; padding: 6px 9px; border-left: 3px solid var(--rtnb-user); border-radius: 3px; background: var(--rtnb-raised); }
.rtnb-note.is-alert { border-color: var(--rtnb-alert); }
.rtnb-alert { color: var(--rtnb-alert); }
.rtnb-lamp { display: inline-block; width: 10px; height: 10px; border-radius: 50%; border: 1.5px solid var(--rtnb-hint); transition: background .1s; }
.rtnb-lamp[data-on="true"] { background: var(--rtnb-user); border-color: var(--rtnb-user); }
.rtnb-wave { position: relative; height: 56px; border-radius: 5px; touch-action: none; }
.rtnb-wave canvas { display: block; width: 100%; height: 100%; border-radius: inherit; }
.rtnb-wave[role="slider"] { cursor: pointer; }
.rtnb-bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; background: var(--rtnb-line); }
.rtnb-bar > span { min-width: 0; transition: width .2s; }
.rtnb-bar > .is-user { --hue: var(--rtnb-user); }
.rtnb-bar > .is-model { --hue: var(--rtnb-model); }
.rtnb-bar > .is-full { --hue: var(--rtnb-alert); }
.rtnb-bar > :is(.is-text, .is-used) { background: var(--hue); }
.rtnb-bar > .is-audio { background: color-mix(in srgb, var(--hue) 62%, var(--rtnb-paper)); }
.rtnb-bar > .is-image { background: color-mix(in srgb, var(--hue) 36%, var(--rtnb-paper)); }
.rtnb-bar > .is-cached { background: repeating-linear-gradient(135deg, var(--hue) 0 2px, transparent 2px 5px); }
.rtnb-picture { display: block; width: 100%; max-width: 480px; height: auto; aspect-ratio: auto 16 / 9; border-radius: 7px; background: var(--rtnb-raised); }
.rtnb-grid { display: grid; grid-template-columns: auto minmax(90px, 1fr) auto; gap: 7px 12px; align-items: center; margin: 0; }
.rtnb-row + .rtnb-grid { margin-top: 6px; }
.rtnb-gauge { display: contents; }
.rtnb-gauge > :last-child { text-align: right; font-variant-numeric: tabular-nums; }
@container (max-width: 360px) {
  .rtnb-grid { grid-template-columns: 1fr; gap: 10px; }
  .rtnb-gauge { display: grid; grid-template-columns: auto 1fr; gap: 3px 10px; }
  .rtnb-gauge > .rtnb-bar { grid-row: 2; grid-column: 1 / -1; }
  .rtnb-gauge > span:empty { display: none; }
}
.rtnb-sr { position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; border: 0; }
@media (prefers-reduced-motion: reduce) { .rtnb *, .rtnb *::before { transition: none !important; animation: none !important; } }
@media (forced-colors: active) { .rtnb-bar > span, .rtnb-lamp { forced-color-adjust: none; } }
`;
var ID = "rtnb-theme";
function adopt() {
  let style = document.getElementById(ID);
  if (!style) document.head.append(style = Object.assign(document.createElement("style"), { id: ID }));
  if (style.textContent !== CSS) style.textContent = CSS;
}
var listeners = /* @__PURE__ */ new Set();
var observer;
function onTheme(changed) {
  const tell2 = () => listeners.forEach((listener) => listener());
  if (!observer) {
    observer = new MutationObserver(tell2);
    for (const node of [document.documentElement, document.body])
      observer.observe(node, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class", "theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell2);
  }
  listeners.add(changed);
  return () => listeners.delete(changed);
}
function colour(el, role) {
  return getComputedStyle(el).getPropertyValue(`--rtnb-${role}`).trim() || "#888888";
}

// wave.js
var FRAME_MS = 1e3 / 30;
var STEP = 3;
var AGAIN_MS = 100;
var QUIETEST = 0.02;
var PALE = 0.45;
function liftLevel(level) {
  return Math.min(1, Math.max(0, level)) ** 0.6;
}
function squeeze(levels2, columns) {
  const wanted = Math.max(1, Math.min(columns, levels2.length));
  const out = new Float32Array(wanted);
  for (let i = 0; i < levels2.length; i++) {
    const at = Math.floor(i * wanted / levels2.length);
    if (levels2[i] > out[at]) out[at] = levels2[i];
  }
  return out;
}
function pacer(draw) {
  let asked = 0;
  let last = 0;
  const frame = (now) => {
    if (now - last < FRAME_MS - 4) return void (asked = requestAnimationFrame(frame));
    asked = 0;
    last = now;
    draw();
  };
  return { ask: () => asked ||= requestAnimationFrame(frame), stop: () => (cancelAnimationFrame(asked), asked = 0) };
}
var Wave = class {
  /**
   * @param {HTMLElement} box holds the canvas; give it the class `rtnb-wave`
   * @param {{role?: "user" | "model", height?: number}} [options]
   */
  constructor(box, { role = "user", height } = {}) {
    this.box = box;
    this.role = role;
    if (height) box.style.height = `${height}px`;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    box.append(this.canvas);
    this.levels = [];
    this.clip = null;
    this.at = null;
    this.span = null;
    this.seen = true;
    this.again = /** @type {ReturnType<typeof setTimeout> | undefined} */
    void 0;
    this.drawn = 0;
    this.pace = pacer(() => this.draw());
    this.stopTheme = onTheme(() => this.changed());
    this.sizes = new ResizeObserver(() => this.changed());
    this.sizes.observe(box);
    this.sight = new IntersectionObserver((entries) => (this.seen = entries[entries.length - 1].isIntersecting, this.changed()));
    this.sight.observe(box);
  }
  /** Add one level. @param {number} peak 0..1 */
  live(peak) {
    this.clip = null;
    this.levels.push(peak);
    if (this.levels.length > 2e3) this.levels.splice(0, 1e3);
    this.changed();
  }
  /** Show a whole clip. @param {Float32Array} peaks 0..1, one a column @param {Float32Array} [rms] */
  show(peaks, rms = new Float32Array(0)) {
    this.clip = { peaks, rms };
    this.levels = [];
    this.changed();
  }
  /** Forget what is shown. */
  clear() {
    this.levels = [];
    this.clip = null;
    this.changed();
  }
  /** Where the sound is, 0..1; null: nowhere. @param {number | null} at */
  set cursor(at) {
    if (at === this.at) return;
    this.at = at;
    this.changed();
  }
  /** What is chosen, 0..1 each; null: nothing. @param {[number, number] | null} span */
  set selection(span) {
    this.span = span;
    this.changed();
  }
  changed() {
    if (this.seen) this.pace.ask();
  }
  close() {
    this.pace.stop();
    clearTimeout(this.again);
    this.stopTheme();
    this.sizes.disconnect();
    this.sight.disconnect();
    this.canvas.remove();
  }
  draw() {
    const { clientWidth: width, clientHeight: height } = this.box;
    const context = this.canvas.getContext("2d");
    if (!context) return;
    if (!width || !height) return void (this.again = setTimeout(() => this.changed(), AGAIN_MS));
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const hue = colour(this.box, this.role);
    context.fillStyle = hue;
    context.globalAlpha = PALE;
    context.fillRect(0, height / 2 - 0.5, width, 1);
    if (this.clip) this.drawClip(context, width, height, this.clip);
    else this.drawLive(context, width, height);
    if (this.at !== null) {
      context.globalAlpha = 1;
      context.fillStyle = colour(this.box, "ink");
      context.fillRect(Math.min(width - 1.5, Math.max(0, this.at * width - 0.75)), 0, 1.5, height);
    }
    this.drawn++;
  }
  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  drawLive(context, width, height) {
    context.globalAlpha = 1;
    const shown = this.levels.slice(-Math.ceil(width / STEP));
    shown.forEach((level, i) => {
      const tall = Math.max(1, liftLevel(level) * (height - 4));
      context.fillRect(width - (shown.length - i) * STEP, (height - tall) / 2, STEP - 1, tall);
    });
  }
  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {{peaks: Float32Array, rms: Float32Array}} clip */
  drawClip(context, width, height, { peaks, rms }) {
    if (this.span) {
      context.globalAlpha = 0.22;
      context.fillRect(this.span[0] * width, 0, Math.max(1, (this.span[1] - this.span[0]) * width), height);
      context.globalAlpha = 1;
      for (const edge of this.span) context.fillRect(Math.min(width - 1, edge * width), 0, 1, height);
    }
    const tallest = peaks.reduce((most, peak) => Math.max(most, peak), QUIETEST);
    for (
      const [levels2, alpha] of
      /** @type {[Float32Array, number][]} */
      [[peaks, PALE], [rms, 1]]
    ) {
      if (!levels2.length) continue;
      context.globalAlpha = alpha;
      const columns = squeeze(levels2, Math.round(width));
      columns.forEach((level, i) => {
        const tall = Math.max(0.5, level / tallest * (height - 4));
        const left = i * width / columns.length;
        context.fillRect(left, (height - tall) / 2, width / columns.length + 0.3, tall);
      });
    }
  }
};

// player.js
var SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
var STEP_S = 0.5;
var PAGE_S = 5;
var SHORTEST_S = 0.03;
var TELL_MS = 500;
function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const rest = tenths % 600 / 10;
  return tenths < 600 ? `${rest.toFixed(1)} s` : `${Math.floor(tenths / 600)}:${rest.toFixed(1).padStart(4, "0")}`;
}
function moved(key, now, total) {
  const steps = { ArrowLeft: -STEP_S, ArrowDown: -STEP_S, ArrowRight: STEP_S, ArrowUp: STEP_S, PageUp: PAGE_S, PageDown: -PAGE_S };
  if (key === "Home") return 0;
  if (key === "End") return total;
  return key in steps ? Math.min(total, Math.max(0, now + steps[key])) : null;
}
function renderPlayer({ model, el }) {
  const player = new PlayerView(model, el);
  return () => player.close();
}
var PlayerView = class {
  /** @param {import("@anywidget/types").AnyModel} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.sound = new Audio();
    this.sound.preservesPitch = true;
    this.url = "";
    this.wanted = 0;
    this.here = false;
    this.stalls = 0;
    this.heard = 0;
    this.anchor = null;
    this.told = 0;
    this.finished = false;
    this.ui = parts2(this);
    el.append(...this.ui.rows);
    this.wave = new Wave(this.ui.box, { role: model.get("voice") });
    this.timer = void 0;
    this.listen = (message, buffers) => this.obey(message, buffers);
    this.redress = () => this.dress();
    this.wire();
    model.send({ t: "load" });
    this.dress();
  }
  get total() {
    return Number(this.model.get("duration_s"));
  }
  /** Where it is; a media element says 0 until it has read how long the sound is, and tells of that a task later. */
  get at() {
    return this.here ? this.sound.currentTime : this.wanted;
  }
  get span() {
    const [from, to] = this.model.get("selection_s");
    return to > from ? (
      /** @type {[number, number]} */
      [from, to]
    ) : null;
  }
  wire() {
    const { sound, model } = this;
    const { box } = this.ui;
    model.on("msg:custom", this.listen);
    for (const name of TRAITS) model.on(`change:${name}`, this.redress);
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("pointerdown", (event) => this.press(event));
    this.ui.speed.addEventListener("change", () => this.keep({ speed: Number(this.ui.speed.value) }));
    this.ui.volume.addEventListener("input", () => this.keep({ volume: Number(this.ui.volume.value) }));
    sound.addEventListener("loadedmetadata", () => (this.here = true, sound.currentTime = this.wanted, this.paint()));
    sound.addEventListener("play", () => (this.finished = false, this.run(), this.tell()));
    sound.addEventListener("pause", () => this.tell());
    sound.addEventListener("ended", () => this.end());
    sound.addEventListener("waiting", () => this.stalls += Number(sound.currentTime > 0 && !sound.seeking && !sound.paused));
    sound.addEventListener("error", () => this.url && this.say("The browser cannot play this sound."));
  }
  /** What the kernel says. @param {any} message @param {DataView[]} buffers */
  obey(message, buffers) {
    const acts = {
      sound: () => this.load(buffers, message.anew),
      play: () => void this.play(),
      pause: () => this.sound.pause(),
      seek: () => this.seek(message.at_s)
    };
    acts[message?.t]?.();
  }
  /**
   * @param {DataView[]} buffers the file, and peaks and mean levels of its columns as bytes
   * @param {boolean} anew whether it takes the place of what was here
   */
  load([file, peaks, rms], anew) {
    this.wave.show(levels(peaks), levels(rms));
    if (this.url && !anew || !file.byteLength) return;
    if (this.url) URL.revokeObjectURL(this.url);
    this.wanted = this.at;
    this.here = false;
    this.url = URL.createObjectURL(new Blob([
      /** @type {DataView<ArrayBuffer>} */
      file
    ]));
    this.sound.src = this.url;
    this.dress();
  }
  async play() {
    const span = this.span;
    if (span && (this.at < span[0] || this.at >= span[1] - 0.02)) this.seek(span[0]);
    else if (this.sound.ended || this.at >= this.total - 0.02) this.seek(0);
    try {
      await this.sound.play();
      this.say("");
    } catch (error) {
      const refused = error instanceof DOMException && error.name === "NotAllowedError";
      if (refused) this.say("The browser plays no sound before somebody clicks in the page: press Play.");
      else if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  }
  toggle() {
    if (this.sound.paused) void this.play();
    else this.sound.pause();
  }
  /** @param {number} seconds */
  seek(seconds) {
    this.wanted = Math.min(this.total, Math.max(0, seconds));
    if (this.here) this.sound.currentTime = this.wanted;
    this.finished = false;
    this.paint();
    this.tell();
  }
  /** @param {[number, number] | null} span */
  select(span) {
    this.keep({ selection_s: span ? [Math.max(0, Math.min(...span)), Math.min(this.total, Math.max(...span))] : [0, 0] });
    this.dress();
  }
  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = moved(event.key, this.at, this.total);
    if (event.key === " ") this.toggle();
    else if (event.key === "Escape") this.select(null);
    else if (to === null) return;
    else {
      if (event.shiftKey) this.select([this.anchor ??= this.at, to]);
      else this.anchor = null;
      this.seek(to);
    }
    event.preventDefault();
    event.stopPropagation();
  }
  /** @param {PointerEvent} press */
  press(press) {
    if (press.button !== 0) return;
    const { box } = this.ui;
    const second = (event) => {
      const { left, width } = box.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - left) / width)) * this.total;
    };
    const from = second(press);
    const drag = (event) => {
      if (Math.abs(second(event) - from) >= SHORTEST_S) this.select([from, second(event)]);
    };
    const release = (event) => {
      box.removeEventListener("pointermove", drag);
      const span = Math.abs(second(event) - from) >= SHORTEST_S;
      if (!span) this.select(null);
      this.seek(span ? Math.min(from, second(event)) : from);
    };
    box.setPointerCapture(press.pointerId);
    box.addEventListener("pointermove", drag);
    box.addEventListener("pointerup", release, { once: true });
    this.anchor = null;
  }
  /** All was played; not so where somebody moved the cursor, or pressed Play again, before the browser told. */
  end() {
    if (!this.sound.ended) return;
    this.finished = true;
    this.heard = this.total;
    this.tell();
  }
  /** Follow the sound while it plays. */
  run() {
    clearTimeout(this.timer);
    if (this.sound.paused) return this.paint();
    const span = this.span;
    if (span && this.at >= span[1]) this.sound.pause();
    this.paint();
    if (performance.now() - this.told > TELL_MS) this.tell();
    this.timer = setTimeout(() => this.run(), 33);
  }
  /** Tell the kernel how far it is. */
  tell() {
    this.told = performance.now();
    this.heard = Math.max(this.heard, this.at);
    this.model.send({ t: "state", playing: !this.sound.paused && !this.finished, position_s: this.at, played_s: this.heard, finished: this.finished, stalls: this.stalls });
    this.paint();
  }
  /** @param {Record<string, unknown>} traits */
  keep(traits) {
    for (const [name, value] of Object.entries(traits)) this.model.set(name, value);
    this.model.save_changes();
  }
  /** @param {string} trouble */
  say(trouble) {
    this.ui.note.textContent = trouble;
    this.ui.note.hidden = !trouble;
  }
  /** Show what the traits say. */
  dress() {
    const { model, total, span } = this;
    const speed = model.get("speed");
    this.sound.playbackRate = this.sound.defaultPlaybackRate = speed;
    this.sound.volume = model.get("volume");
    if (![...this.ui.speed.options].some((option) => Number(option.value) === speed)) this.ui.speed.append(speedOption(speed));
    this.ui.speed.value = String(speed);
    this.ui.volume.value = String(model.get("volume"));
    this.ui.words.textContent = model.get("transcript");
    this.ui.words.hidden = !model.get("transcript");
    this.ui.button.disabled = !total;
    this.wave.selection = span && [span[0] / total, span[1] / total];
    this.ui.choice.hidden = !span;
    if (span) this.ui.chosen.textContent = `Selected ${clock(span[0])} to ${clock(span[1])}, ${clock(span[1] - span[0])} long: player.selection`;
    this.ui.box.setAttribute("aria-valuemax", total.toFixed(2));
    this.paint();
  }
  paint() {
    const { at, total } = this;
    this.wave.cursor = total ? at / total : null;
    this.ui.button.textContent = this.sound.paused ? "Play" : "Pause";
    this.ui.time.textContent = `${clock(at)} of ${clock(total)}`;
    this.ui.box.setAttribute("aria-valuenow", at.toFixed(2));
    this.ui.box.setAttribute("aria-valuetext", `${clock(at)} of ${clock(total)}`);
  }
  close() {
    clearTimeout(this.timer);
    this.sound.pause();
    this.sound.removeAttribute("src");
    this.sound.load();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = "";
    this.model.off("msg:custom", this.listen);
    for (const name of TRAITS) this.model.off(`change:${name}`, this.redress);
    this.wave.close();
  }
};
function parts2(view) {
  const box = h("div", { class: "rtnb-wave", role: "slider", tabindex: "0", "aria-label": "Position in the sound", "aria-valuemin": "0" });
  box.title = "Click to go there, drag to select. Space plays, arrows move, with Shift they select.";
  const button = h("button", { class: "rtnb-button is-main", type: "button", onclick: () => view.toggle() }, "Play");
  const time = h("span", { class: "rtnb-time rtnb-grow" });
  const speed = h("select", { class: "rtnb-select", "aria-label": "Speed" }, ...SPEEDS.map(speedOption));
  const volume = h("input", { class: "rtnb-range", type: "range", min: "0", max: "1", step: "0.05", "aria-label": "Volume" });
  const chosen = h("span", { class: "rtnb-muted" });
  const drop = h("button", { class: "rtnb-button", type: "button", title: "Select nothing (Escape)", onclick: () => view.select(null) }, "Clear");
  const choice = h("div", { class: "rtnb-row" }, chosen, drop);
  const words2 = h("p", { class: "rtnb-words" });
  const note = h("p", { class: "rtnb-note is-alert", role: "alert", hidden: true });
  const row = h("div", { class: "rtnb-row" }, button, time, speed, h("label", { class: "rtnb-label" }, "Volume", volume));
  return { box, button, time, speed, volume, chosen, choice, words: words2, note, rows: [box, row, choice, words2, note] };
}
function speedOption(speed) {
  return h("option", { value: String(speed) }, `${speed}×`);
}
var TRAITS = ["selection_s", "speed", "volume", "transcript", "duration_s"];
function levels(view) {
  return Float32Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), (level) => level / 255);
}

// worklet.js
async function loadWorklet(context, source3) {
  if (!context.audioWorklet) throw new Trouble(globalThis.isSecureContext === false ? "insecure" : "unsupported");
  const blob = URL.createObjectURL(new Blob([source3], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(blob);
  } catch {
    try {
      await context.audioWorklet.addModule(`data:text/javascript;charset=utf-8,${encodeURIComponent(source3)}`);
    } catch (fault) {
      throw new Trouble("worklet", fault);
    }
  } finally {
    URL.revokeObjectURL(blob);
  }
}

// capture.js
var RATE = 24e3;
var GESTURE_MS = 4e3;
function createCutter(size, stride, on, most = Infinity) {
  let at = 0;
  let chunk = new Int16Array(size);
  let filled = 0;
  let peak = 0;
  let energy = 0;
  let measured = 0;
  function give() {
    const full = filled === size ? chunk : chunk.slice(0, filled);
    at += filled;
    on.chunk(at - filled, full);
    chunk = new Int16Array(size);
    filled = 0;
  }
  return {
    /** @param {Float32Array} samples */
    take(samples) {
      for (const x of samples) {
        if (at + filled >= most) return;
        chunk[filled++] = Math.max(-32768, Math.min(32767, Math.round(x * 32768)));
        if (filled === size) give();
        const height = Math.abs(x);
        if (height > peak) peak = height;
        energy += x * x;
        if (++measured === stride || at + filled === most) {
          on.level(at + filled, peak, Math.sqrt(energy / measured));
          peak = energy = measured = 0;
        }
      }
    },
    /** Give out what is left, however little. */
    rest() {
      if (filled) give();
    },
    /** Count from 0 again. */
    restart() {
      at = filled = measured = peak = energy = 0;
    },
    get at() {
      return at;
    }
  };
}
function captureWorklet() {
  registerProcessor(
    "rtnb-capture",
    class extends AudioWorkletProcessor {
      /** @param {{processorOptions: {chunk: number, stride: number, most: number}}} options */
      constructor({ processorOptions: { chunk, stride, most } }) {
        super();
        this.sink = null;
        this.flows = false;
        this.ended = false;
        const on = {
          chunk: (at, pcm) => (this.sink ?? this.port).postMessage({ t: "chunk", at, ms: Date.now(), pcm: pcm.buffer }, [pcm.buffer]),
          level: (at, peak, rms) => this.port.postMessage({ t: "level", at, peak, rms })
        };
        this.cutter = createCutter(chunk, stride, on, most);
        const orders = {
          sink: ({ port }) => this.sink = port,
          flow: ({ flows, restart }) => {
            if (restart) this.cutter.restart();
            if (this.flows && !flows) this.cutter.rest();
            this.flows = flows;
            this.port.postMessage({ t: "flow", at: this.cutter.at });
          },
          end: () => this.ended = true
        };
        this.port.onmessage = (event) => orders[event.data.t](event.data);
      }
      /** @param {Float32Array[][]} inputs */
      process(inputs) {
        const channel = inputs[0]?.[0];
        if (this.flows && channel) this.cutter.take(channel);
        return !this.ended;
      }
    }
  );
}
var source = `${createCutter}
(${captureWorklet})();`;
var Capture = class {
  /** @param {CaptureOptions} [options] */
  constructor(options = {}) {
    this.options = { echoCancellation: true, chunk: 480, ...options };
    this.at = 0;
    this.stream = null;
    this.context = null;
    this.node = null;
    this.released = false;
    this.settled = null;
  }
  /** The microphones there are; their labels are empty until one was allowed. */
  static async devices() {
    if (!navigator.mediaDevices) return [];
    return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "audioinput");
  }
  /** The open device's name. */
  get label() {
    return this.stream?.getAudioTracks()[0]?.label ?? "";
  }
  /** Ask for the microphone and let it flow; throws a Trouble. */
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) throw new Trouble(globalThis.isSecureContext ? "unsupported" : "insecure");
    try {
      await this.#open();
    } catch (fault) {
      const unwanted = this.released;
      this.release();
      if (!unwanted) throw Trouble.from(fault);
    }
    if (this.released) this.release();
  }
  async #open() {
    const { deviceId, echoCancellation, chunk, most = Infinity } = this.options;
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        ...deviceId ? { deviceId: { exact: deviceId } } : {},
        channelCount: 1,
        echoCancellation,
        noiseSuppression: echoCancellation,
        autoGainControl: echoCancellation
      }
    });
    this.stream = stream;
    if (this.released) return;
    stream.getAudioTracks()[0].onended = () => this.#ended();
    this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    await loadWorklet(this.context, source);
    if (!this.context) return;
    this.node = new AudioWorkletNode(this.context, "rtnb-capture", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { chunk, stride: 960, most }
    });
    this.node.port.onmessage = (event) => this.#note(event.data);
    this.context.createMediaStreamSource(stream).connect(this.node);
    this.#sink();
    const flowing = this.context.resume().then(() => this.#flow(true, true));
    const late = new Promise((_, refuse) => setTimeout(() => refuse(new Trouble("gesture")), GESTURE_MS));
    await Promise.race([flowing, late]);
  }
  #sink() {
    if (!this.options.media || !this.node) return;
    const { port1, port2 } = new MessageChannel();
    this.node.port.postMessage({ t: "sink", port: port1 }, [port1]);
    this.options.media.attach("capture", port2);
  }
  /** @param {any} note */
  #note(note) {
    if (note.t === "chunk") return this.options.onChunk?.(new Int16Array(note.pcm), note.at);
    this.at = note.at;
    if (note.t === "flow") this.settled?.();
    else this.options.onLevel?.(note);
  }
  #ended() {
    if (this.released) return;
    this.release();
    this.options.onEnded?.(new Trouble("gone"));
  }
  /**
   * Let sound flow or not; resolves once the worklet has given out all that was before.
   * @param {boolean} flows
   * @param {boolean} [restart]
   * @returns {Promise<void>}
   */
  #flow(flows, restart = false) {
    return new Promise((resolve) => {
      if (!this.node) return resolve();
      this.settled = resolve;
      this.node.port.postMessage({ t: "flow", flows, restart });
    });
  }
  /** Let nothing out of the worklet, the microphone staying open. */
  async pause() {
    await this.#flow(false);
  }
  /** Let sound flow again. */
  async resume() {
    await this.#flow(true);
  }
  /** Give the microphone and the AudioContext back; idempotent. */
  release() {
    this.released = true;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.node?.port.postMessage({ t: "end" });
    this.node?.disconnect();
    if (this.context && this.context.state !== "closed") this.context.close();
    if (this.node) this.options.media?.attach("capture", null);
    this.settled?.();
    this.stream = this.node = this.context = null;
  }
};

// playback.js
function createQueue({ prebuffer, patience, every, most }, tell2) {
  let chunks = [];
  let queued = 0;
  let offset = 0;
  let item = null;
  let played = 0;
  let ended = true;
  let flows = false;
  let waited = 0;
  let told = 0;
  let underruns = 0;
  let gap = 0;
  let latency = 0;
  const heard = () => Math.max(0, played - latency);
  const report = (t, more) => tell2({ t, item, played, heard: heard(), ...more });
  function begin(next) {
    if (!ended) finish();
    [item, played, ended, told] = [next, 0, false, 0];
    report("started");
  }
  function finish() {
    ended = true;
    report("done", { underruns });
  }
  function ready() {
    if (!chunks.length) return false;
    if (flows || queued >= prebuffer || waited >= patience || chunks.some((chunk) => chunk.last)) {
      if (!flows && waited && !ended && chunks[0].item === item && played) [underruns, gap] = [underruns + 1, gap + waited];
      flows = true;
      waited = 0;
      return true;
    }
    return false;
  }
  function shift() {
    const chunk = chunks[0];
    chunks.shift();
    offset = 0;
    if (chunk.last) finish();
  }
  return {
    /** @param {string} of @param {Int16Array} pcm @param {boolean} last */
    push(of, pcm, last) {
      if (queued + pcm.length > most) return tell2({ t: "overflow", item: of, samples: pcm.length });
      if (!pcm.length && last && !chunks.length) {
        if (of === item && !ended) finish();
        return;
      }
      chunks.push({ item: of, pcm, last });
      queued += pcm.length;
    },
    /** @param {Float32Array} out */
    pull(out) {
      let at = 0;
      while (at < out.length && ready()) {
        const chunk = chunks[0];
        if (chunk.item !== item || ended) begin(chunk.item);
        const count = Math.min(out.length - at, chunk.pcm.length - offset);
        for (let i = 0; i < count; i++) out[at + i] = chunk.pcm[offset + i] / 32768;
        at += count;
        offset += count;
        queued -= count;
        played += count;
        if (offset === chunk.pcm.length) shift();
        if (!chunks.length) flows = false;
      }
      out.fill(0, at);
      if (chunks.length || !ended) waited += out.length - at;
      told += at;
      if (told >= every) {
        told = 0;
        report("position", { queued, underruns });
      }
    },
    /** Drop all that waits; what was heard is told. */
    flush() {
      const waiting = [...new Set(chunks.map((chunk) => chunk.item))].filter((name) => name !== item || ended);
      const sounding = ended ? null : item;
      const dropped = queued;
      [chunks, queued, offset, flows, waited, ended] = [[], 0, 0, false, 0, true];
      tell2({ t: "flushed", item: sounding, played: sounding ? played : 0, heard: sounding ? heard() : 0, dropped, queued_items: waiting });
    },
    /** @param {number} samples between a sample's leaving and its being heard */
    late(samples) {
      latency = samples;
    },
    get state() {
      return { item, played, heard: heard(), queued, underruns, gap, playing: flows };
    }
  };
}
function playbackWorklet() {
  registerProcessor(
    "rtnb-playback",
    class extends AudioWorkletProcessor {
      /** @param {{processorOptions: any}} options */
      constructor({ processorOptions }) {
        super();
        this.source = null;
        this.ended = false;
        this.queue = createQueue(processorOptions, (event) => {
          this.port.postMessage(event);
          this.source?.postMessage(event);
        });
        const orders = {
          audio: ({ item, pcm, last }) => this.queue.push(item, pcm, last),
          flush: () => this.queue.flush(),
          late: ({ samples }) => this.queue.late(samples),
          source: ({ port }) => {
            this.source = port;
            port.onmessage = obey;
          },
          end: () => this.ended = true
        };
        const obey = (event) => orders[event.data.t](event.data);
        this.port.onmessage = obey;
      }
      /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
      process(_inputs, outputs) {
        this.queue.pull(outputs[0][0]);
        return !this.ended;
      }
    }
  );
}
var source2 = `${createQueue}
(${playbackWorklet})();`;
var IDLE_MS = 3e3;
var Playback = class {
  /**
   * @param {import("./media.js").Media | null} [media]
   * @param {PlaybackOptions} [options]
   */
  constructor(media = null, { onEvent, prebuffer_ms = 100 } = {}) {
    this.media = media;
    this.onEvent = onEvent;
    this.prebuffer = Math.round(prebuffer_ms * RATE / 1e3);
    this.context = null;
    this.worklet = null;
    this.gain = null;
    this.waiting = [];
    this.last = { item: (
      /** @type {string | null} */
      null
    ), played: 0, heard: 0, queued: 0, underruns: 0, playing: false, at: 0 };
    this.idle = 0;
    this.closed = false;
    this.starting = null;
    this.unlisten = media?.onArriving(() => this.resume());
  }
  /** Make the context and load the worklet; call it in a click or a key press where the browser wants one. */
  start() {
    return this.starting ??= this.#open();
  }
  async #open() {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    this.context = context;
    await loadWorklet(context, source2);
    if (this.closed) return;
    const size = { prebuffer: this.prebuffer, patience: RATE / 4, every: RATE / 2, most: RATE * 600 };
    this.worklet = new AudioWorkletNode(context, "rtnb-playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: size
    });
    this.gain = context.createGain();
    this.worklet.connect(this.gain).connect(context.destination);
    this.worklet.port.onmessage = (event) => this.#note(event.data);
    if (this.media) {
      const { port1, port2 } = new MessageChannel();
      this.worklet.port.postMessage({ t: "source", port: port1 }, [port1]);
      this.media.attach("playback", port2);
    }
    context.resume();
    this.#rest();
  }
  /** Where the sound can be tapped, by an analyser for one. */
  get node() {
    return (
      /** @type {AudioNode} */
      this.gain
    );
  }
  /** Whether the browser lets sound out; if not, a click or key press must come first. */
  get audible() {
    return this.context?.state === "running";
  }
  get volume() {
    return this.gain?.gain.value ?? 1;
  }
  set volume(value) {
    if (this.gain) this.gain.gain.value = value;
  }
  /** What sounds now; `played` and `heard`, in samples, go on between two reports. */
  get position() {
    const { at, ...last } = this.last;
    const since = last.playing && this.audible ? Math.min((performance.now() - at) * RATE / 1e3, RATE) : 0;
    const more = Math.round(since);
    return { ...last, played: last.played + more, heard: last.heard + more };
  }
  /**
   * Play on.
   * @param {string} item
   * @param {Int16Array} pcm
   * @param {boolean} [last]
   */
  push(item, pcm, last = false) {
    this.resume();
    this.worklet?.port.postMessage({ t: "audio", item, pcm, last });
  }
  /** Silence at once. @returns {Promise<Flushed>} */
  flush() {
    return new Promise((resolve) => {
      if (!this.worklet) return resolve({ item: null, played: 0, heard: 0, dropped: 0, queued_items: [] });
      this.waiting.push(resolve);
      this.worklet.port.postMessage({ t: "flush" });
    });
  }
  async suspend() {
    clearTimeout(this.idle);
    if (this.context?.state === "running") await this.context.suspend();
  }
  async resume() {
    clearTimeout(this.idle);
    if (this.context?.state === "suspended") await this.context.resume();
  }
  #rest() {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.suspend(), IDLE_MS);
  }
  /** @param {any} event */
  #note(event) {
    const { t } = event;
    if (t === "started") this.#hear();
    this.last = { ...this.last, ...event, playing: t === "started" || t === "position", at: performance.now() };
    if (t === "flushed") this.waiting.splice(0).forEach((resolve) => resolve(event));
    if (t === "flushed" || t === "done") this.#rest();
    else clearTimeout(this.idle);
    this.onEvent?.(event);
  }
  #hear() {
    const seconds = this.context?.outputLatency || this.context?.baseLatency || 0;
    this.worklet?.port.postMessage({ t: "late", samples: Math.round(seconds * RATE) });
  }
  /** Give the AudioContext back; idempotent. */
  close() {
    this.closed = true;
    clearTimeout(this.idle);
    this.unlisten?.();
    this.media?.attach("playback", null);
    this.worklet?.port.postMessage({ t: "end" });
    this.worklet?.disconnect();
    if (this.context && this.context.state !== "closed") this.context.close();
    this.context = this.worklet = this.gain = null;
  }
};

// recording.js
var recordings = /* @__PURE__ */ new Map();
function joinRecording(model, show) {
  const sid = model.get("sid");
  let recording = (
    /** @type {Recording} */
    recordings.get(sid)
  );
  if (!recording) {
    recordings.set(sid, recording = new Recording(sid));
    recording.listen();
  }
  const media = openMedia(model, {
    onEvent: (header, payload) => recording.first?.media === media && recording.hear(header, payload),
    onState: () => recording.first?.media === media && recording.reached()
  });
  const view = { media, model, ...show };
  recording.views.push(view);
  recording.draw();
  return { recording, leave: () => recording.leave(view) };
}
var Recording = class {
  /** @param {string} sid */
  constructor(sid) {
    this.sid = sid;
    this.views = [];
    this.capture = null;
    this.playback = null;
    this.phase = "idle";
    this.samples = 0;
    this.trouble = null;
    this.devices = [];
    this.deviceId = "";
    this.holder = true;
    this.turns = 0;
    this.note = "";
    this.gone = false;
    this.lost = false;
    this.peaks = [];
    this.plugged = () => void this.findDevices();
  }
  /** Follow what is plugged in and out. */
  listen() {
    navigator.mediaDevices?.addEventListener("devicechange", this.plugged);
  }
  get first() {
    return this.views[0];
  }
  get media() {
    return this.first.media;
  }
  /** How many samples are kept. */
  get most() {
    return Math.round(this.first.model.get("max_s") * RATE);
  }
  /** @returns {Look} */
  get look() {
    const live = this.phase === "recording" || this.phase === "paused" || this.phase === "asking";
    return {
      phase: this.phase,
      samples: this.samples,
      elsewhere: live && !this.holder,
      trouble: this.trouble,
      devices: this.devices,
      deviceId: this.deviceId,
      label: this.capture?.label ?? "",
      echo: this.first.model.get("echo_cancellation"),
      playing: !!this.playback,
      note: this.note,
      media: this.media.state
    };
  }
  draw() {
    if (!this.first) return;
    const look = this.look;
    this.views.forEach((view) => view.draw(look));
  }
  /** @param {Phase} phase @param {object} [more] */
  turn(phase, more = {}) {
    if (!this.first) return;
    this.phase = phase;
    this.holder = true;
    this.media.send({ t: "recorder", phase, samples: this.samples, turn: ++this.turns, ...more });
    this.draw();
  }
  // ------------------------------------------------------------ what a person can do
  /** Ask for the microphone and record, from the beginning. */
  async record() {
    if (this.capture || this.media.state.status !== "open") return;
    this.stopPlaying();
    if (!this.media.owner) this.media.claim();
    [this.trouble, this.note] = [null, ""];
    const before = { phase: this.phase, samples: this.samples };
    this.turn("asking");
    const capture = new Capture({
      deviceId: this.deviceId || void 0,
      echoCancellation: this.first.model.get("echo_cancellation"),
      most: this.most,
      media: this.media,
      onLevel: (level) => this.heard(level),
      onEnded: (trouble) => this.fail(trouble)
    });
    this.capture = capture;
    try {
      this.peaks = [];
      this.views.forEach((view) => view.whole(new Float32Array()));
      await capture.start();
    } catch (fault) {
      if (this.capture !== capture) return;
      this.capture = null;
      this.samples = before.samples;
      this.turn(before.samples ? "done" : "idle");
      return this.fail(Trouble.from(fault));
    }
    if (this.capture !== capture) return;
    this.samples = 0;
    this.turn("recording");
    this.findDevices();
  }
  /** Stop; what is recorded stays. */
  async stop() {
    const capture = this.capture;
    if (!capture) return;
    this.capture = null;
    await capture.pause();
    this.samples = capture.at;
    capture.release();
    this.turn("done", { recorded: this.samples });
    this.showWhole();
  }
  /** Hold the recording, or go on. */
  async pause() {
    const capture = this.capture;
    if (!capture) return;
    const on = this.phase === "paused";
    await (on ? capture.resume() : capture.pause());
    if (this.capture !== capture) return;
    this.samples = capture.at;
    this.turn(on ? "recording" : "paused");
  }
  /** @param {string} deviceId */
  choose(deviceId) {
    this.deviceId = deviceId;
    this.draw();
  }
  /** @param {boolean} on */
  cancelEcho(on) {
    const { model } = this.first;
    model.set("echo_cancellation", on);
    model.save_changes();
  }
  /** Take a sound file instead of the microphone. @param {File} file */
  async load(file) {
    if (this.capture || this.media.state.status !== "open") return;
    this.stopPlaying();
    if (!this.media.owner) this.media.claim();
    this.trouble = null;
    const before = this.samples;
    this.turn("loading");
    const { turns } = this;
    try {
      const pcm = await decode(file);
      if (turns !== this.turns) return;
      const { most } = this;
      const kept = pcm.subarray(0, most);
      for (let at = 0; at < kept.length; at += RATE) this.media.send({ t: "audio", at }, kept.slice(at, at + RATE));
      this.samples = kept.length;
      this.peaks = peaksOf(kept);
      this.note = pcm.length > most ? `Only the first ${most / RATE} s of ${file.name} are kept.` : file.name;
      this.turn("done", { recorded: this.samples, name: file.name });
      this.showWhole();
    } catch (fault) {
      if (turns !== this.turns) return;
      this.turn(before ? "done" : "idle");
      this.fail(new Trouble("sound", fault));
    }
  }
  /** Hear what is recorded, or stop hearing it. */
  async play() {
    if (this.playback) return this.stopPlaying();
    if (!this.media.owner) this.media.claim();
    const playback = new Playback(this.media, { onEvent: (event) => this.sounded(event) });
    this.playback = playback;
    this.draw();
    try {
      await playback.start();
    } catch (fault) {
      if (this.playback !== playback) return;
      this.stopPlaying();
      return this.fail(Trouble.from(fault));
    }
    if (this.playback === playback) this.media.send({ t: "play" });
  }
  stopPlaying() {
    this.playback?.close();
    this.playback = null;
    this.draw();
  }
  // ------------------------------------------------------------ what happens
  /** @param {{peak: number, rms: number, at: number}} level */
  heard({ peak, rms, at }) {
    this.samples = at;
    this.peaks.push(peak);
    this.views.forEach((view) => view.level(peak, rms));
    this.draw();
    if (this.first && at >= this.most) {
      this.note = `Stopped at ${this.first.model.get("max_s")} s, the most this recorder keeps.`;
      this.stop();
    }
  }
  /** @param {any} event of the playback */
  sounded(event) {
    if (event.t === "done" || event.t === "flushed") this.stopPlaying();
  }
  /** How far the recording was heard, 0 to 1; null when it is not played. */
  get cursor() {
    return this.playback && this.samples ? Math.min(1, this.playback.position.heard / this.samples) : null;
  }
  /** @param {any} header @param {Uint8Array} payload */
  hear(header, payload) {
    if (header.t === "do") return this.act(header.act);
    if (header.t !== "recorder" || this.capture) return;
    const mine = header.by === this.media.link.page;
    if (mine && header.turn !== this.turns) return;
    [this.phase, this.samples, this.holder] = [header.phase, header.samples, mine];
    if (header.peaks) {
      this.peaks = [...new Float32Array(payload.buffer, payload.byteOffset, payload.byteLength >> 2)];
      this.showWhole();
    }
    this.draw();
  }
  /** What the kernel asks for. @param {string} act */
  act(act) {
    if (act === "record") this.record();
    else if (act === "stop") this.stop();
    else if (act === "play" && !this.playback) this.play();
  }
  reached() {
    const { status, owner } = this.media.state;
    if (status === "closed" && !this.gone) {
      this.gone = true;
      this.release();
      this.fail(new Trouble("kernel"));
    }
    if (status === "open" && this.lost && owner && this.capture) this.turn(this.phase);
    if (status !== "opening") this.lost = status === "lost";
    if (status === "open" && !owner && this.capture && this.phase !== "asking") {
      this.release();
      this.fail(new Trouble("elsewhere"));
    }
    if (status === "open" && !this.devices.length) this.findDevices();
    this.draw();
  }
  /** @param {Trouble} trouble */
  fail(trouble) {
    const { code, message, todo, detail } = trouble;
    if (this.capture) this.stop();
    this.trouble = { code, message, todo };
    this.media.send({ t: "trouble", code, message, todo, detail });
    this.draw();
  }
  async findDevices() {
    this.devices = await Capture.devices().catch(() => []);
    if (!this.devices.some(({ deviceId }) => deviceId === this.deviceId)) this.deviceId = "";
    this.draw();
  }
  showWhole() {
    const peaks = Float32Array.from(this.peaks);
    this.views.forEach((view) => view.whole(peaks));
  }
  // ------------------------------------------------------------ the end
  release() {
    this.capture?.release();
    this.capture = null;
    this.stopPlaying();
  }
  /** @param {View} view */
  leave(view) {
    if (this.views.length === 1) {
      this.release();
      navigator.mediaDevices?.removeEventListener("devicechange", this.plugged);
      recordings.delete(this.sid);
      this.turns++;
    }
    this.views = this.views.filter((other) => other !== view);
    view.media.close();
  }
};
async function decode(file) {
  const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
  const pcm = new Int16Array(sound.length);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
  for (let i = 0; i < pcm.length; i++) {
    let sum = 0;
    for (const channel of channels) sum += channel[i];
    pcm[i] = Math.max(-32768, Math.min(32767, Math.round(sum / channels.length * 32768)));
  }
  return pcm;
}
function peaksOf(pcm) {
  const peaks = [];
  for (let start = 0; start < pcm.length; start += 960) {
    let peak = 0;
    for (const x of pcm.subarray(start, start + 960)) peak = Math.max(peak, Math.abs(x));
    peaks.push(peak / 32768);
  }
  return peaks;
}

// recorder.js
var SAYS = {
  idle: "Press record and speak, or drop a sound file here.",
  asking: "Your browser asks whether the microphone may be used.",
  recording: "Recording",
  paused: "Paused: nothing is recorded.",
  loading: "Reading the file…"
};
var SOUNDS = "audio/*,.wav,.mp3,.flac,.ogg,.opus,.webm,.m4a";
var ECHO = "Echo cancellation, noise suppression and automatic gain: on for speech, off for the raw sound";
function clock2(samples) {
  const tenths = Math.floor(samples / 2400);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}
function pathWords({ status, path, rttMs, why }) {
  if (status !== "open") return { short: status === "opening" ? "connecting…" : "not connected", long: why.join("\n") };
  const trip = rttMs === null ? "" : ` · ${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)} ms`;
  const names = { proxy: "through Jupyter’s server", direct: "straight to the kernel", comm: "by widget messages" };
  const long = `Sound goes ${names[
    /** @type {keyof typeof names} */
    path
  ]}.${why.length ? `
Not better because:
${why.join("\n")}` : ""}`;
  return { short: `${path}${trip}`, long };
}
function makeParts() {
  const button = (main = "") => h("button", { class: `rtnb-button${main}`, type: "button" });
  const parts3 = {
    record: button(" is-main"),
    pause: button(),
    play: button(),
    time: h("output", { class: "rtnb-time", "aria-label": "Recorded" }),
    box: h("div", { class: "rtnb-wave rtnb-grow", role: "img", "aria-label": "Waveform of the recording" }),
    device: h("select", { class: "rtnb-select", "aria-label": "Microphone" }),
    echo: h("input", { type: "checkbox" }),
    input: h("input", { type: "file", accept: SOUNDS, class: "rtnb-sr", "aria-label": "Sound file" }),
    path: h("span", { class: "rtnb-muted rtnb-path" }),
    says: h("div", { class: "rtnb-says", role: "status", "aria-live": "polite" }),
    alert: h("p", { class: "rtnb-note is-alert", role: "alert", hidden: true })
  };
  const { record, pause, play, time, box, device, echo, input, path, says, alert } = parts3;
  const card = h(
    "div",
    { class: "rtnb-drop", role: "group", "aria-label": "Recorder" },
    h("div", { class: "rtnb-row" }, record, pause, play, time, box),
    h(
      "div",
      { class: "rtnb-row" },
      device,
      h("label", { class: "rtnb-label", title: ECHO }, echo, "Echo cancellation"),
      h("label", { class: "rtnb-button rtnb-file" }, icon("file"), "Sound file", input)
    ),
    h("div", { class: "rtnb-row" }, says, path),
    alert
  );
  return { ...parts3, card };
}
var isLive = (look) => (look.phase === "recording" || look.phase === "paused") && !look.elsewhere;
function drawParts(parts3, look) {
  const live = isLive(look);
  const open = look.media.status === "open";
  label(parts3.record, live ? "stop" : "record", live ? "Stop" : look.elsewhere ? "Use it here" : "Record");
  parts3.record.disabled = !open || look.phase === "asking" || look.phase === "loading";
  label(parts3.pause, "pause", "Pause");
  parts3.pause.disabled = !live;
  parts3.pause.setAttribute("aria-pressed", String(look.phase === "paused"));
  label(parts3.play, look.playing ? "stop" : "play", look.playing ? "Stop" : "Play");
  parts3.play.disabled = !open || look.phase !== "done";
  parts3.time.value = clock2(look.samples);
  parts3.echo.checked = look.echo;
  parts3.echo.disabled = live;
  parts3.device.disabled = live || look.devices.length < 2;
  drawDevices(parts3.device, look);
  tell(parts3.says, statusOf(look));
  const words2 = pathWords(look.media);
  parts3.path.textContent = words2.short;
  parts3.path.title = words2.long;
}
function label(button, name, words2) {
  if (button.textContent !== words2) button.replaceChildren(icon(name), words2);
}
function renderRecorder({ model, el }) {
  const parts3 = makeParts();
  el.append(parts3.card);
  const wave = new Wave(parts3.box, { role: "user", height: 40 });
  let live = false;
  let frame = 0;
  function follow() {
    wave.cursor = recording.cursor;
    frame = recording.cursor === null ? 0 : requestAnimationFrame(follow);
  }
  function draw(look) {
    live = isLive(look);
    el.dataset.phase = look.phase;
    drawParts(parts3, look);
    const told = look.trouble?.code === "kernel" && !!el.querySelector(":scope > .rtnb-note");
    parts3.alert.hidden = !look.trouble || told;
    tell(parts3.alert, look.trouble ? `${look.trouble.message} ${look.trouble.todo}` : "");
    if (look.playing && !frame) follow();
  }
  const { recording, leave } = joinRecording(model, {
    draw,
    level: (peak) => wave.live(peak),
    whole: (peaks) => wave.show(peaks)
  });
  parts3.record.onclick = () => live ? recording.stop() : recording.record();
  parts3.pause.onclick = () => recording.pause();
  parts3.play.onclick = () => recording.play();
  parts3.device.onchange = () => recording.choose(parts3.device.value);
  parts3.echo.onchange = () => recording.cancelEcho(parts3.echo.checked);
  takeFiles(parts3, (file) => recording.load(file));
  const redraw = () => recording.draw();
  model.on("change:echo_cancellation", redraw);
  return () => {
    cancelAnimationFrame(frame);
    model.off("change:echo_cancellation", redraw);
    wave.close();
    leave();
  };
}
function takeFiles({ card, input }, take) {
  const first = (files) => files?.length && take(files[0]);
  const over = (is) => card.classList.toggle("is-over", is);
  input.onchange = () => {
    first(input.files);
    input.value = "";
  };
  card.ondragover = (event) => (event.preventDefault(), over(true));
  card.ondragleave = () => over(false);
  card.ondrop = (event) => {
    event.preventDefault();
    event.stopPropagation();
    over(false);
    first(event.dataTransfer?.files);
  };
}
function tell(node, words2) {
  if (node.textContent !== words2) node.textContent = words2;
}
function statusOf(look) {
  if (look.trouble) return "";
  if (look.media.trouble) return look.media.trouble;
  if (look.elsewhere) return "Another tab is recording with this widget.";
  if (look.phase === "recording") return look.label ? `Recording from ${look.label}` : SAYS.recording;
  if (look.phase !== "done") return SAYS[look.phase];
  return look.playing ? "Playing" : look.note || `Recorded ${(look.samples / RATE).toFixed(1)} s.`;
}
function drawDevices(select, { devices, deviceId }) {
  const names = devices.map((device, i) => [device.deviceId, device.label || `Microphone ${i + 1}`]);
  if (!names.length) names.push(["", "Default microphone"]);
  const key = JSON.stringify(names);
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    select.replaceChildren(...names.map(([value, text]) => h("option", { value }, text)));
  }
  select.value = deviceId || names[0][0];
}

// talk_model.js
var NOTHING = {
  phase: "off",
  now: { mic: false, muted: false, held: false, detects: true, busy: false },
  order: [],
  lines: /* @__PURE__ */ new Map(),
  changed: [],
  fresh: false,
  call: false,
  note: null,
  meter: null
};
var PHASES = {
  off: "Microphone off",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  calling: "Using a function",
  speaking: "Speaking",
  muted: "Muted",
  closed: "Session closed"
};
var SPEAKERS = { user: "You", assistant: "Model", system: "Note", call: "Function" };
function merge(talk, message) {
  const { phase, now, order, lines: changed, fresh, call = false, note, meter } = message;
  const fresher = new Map(changed.map((line2) => [line2.id, line2]));
  const lines = new Map(order.map((id) => [id, fresher.get(id) ?? talk.lines.get(id)]).filter(([, line2]) => line2));
  return { phase, now, order: [...lines.keys()], lines, changed, fresh, call, note, meter };
}
function label2({ phase, now }) {
  return phase === "muted" && !now.detects && !now.muted ? "Hold the key to talk" : PHASES[phase] ?? phase;
}
function words({ who, text = "", state = "done", name = "", output = "", pictures = 0, seconds = 0 }) {
  if (who === "call") return `${name}(${text})${state === "open" ? " …" : ` → ${output}`}`;
  const shown = pictures ? `[${pictures === 1 ? "a picture" : `${pictures} pictures`}] ` : "";
  if (!text && seconds) return `${shown}${state === "open" && who === "assistant" ? "…" : `${seconds.toFixed(1)} s of speech`}`;
  return `${shown}${text}${state === "open" ? "…" : ""}`;
}
function advice(talk, media, { mic, trouble, audible }) {
  const { phase } = talk;
  if (media.status === "closed") return { text: media.trouble ?? "The connection to the kernel has ended.", alert: true };
  if (media.trouble) return { text: media.trouble, alert: true };
  if (phase === "closed") return { ...talk.note ?? { text: PHASES.closed }, alert: true };
  if (media.status === "open" && !media.owner)
    return { text: "Another tab has the microphone and the sound of this talk.", todo: "What is said shows here too.", act: "claim" };
  if (trouble) return { ...trouble, alert: true };
  if (talk.note) return { ...talk.note, alert: true };
  if (!audible && phase === "speaking") return { text: "The browser holds the sound back until you click or press a key here." };
  if (mic === "opening") return { text: "The browser asks whether this page may hear you: allow it." };
  if (phase === "listening" && !talk.order.length) return { text: "Say something. Speak over the answer to interrupt it." };
  return null;
}
function spending(meter) {
  if (!meter) return "";
  const { cost_usd, budget_usd, context_tokens, context_window } = meter;
  const money = `$${cost_usd.toFixed(cost_usd && cost_usd < 0.01 ? 5 : 2)}${budget_usd === null ? "" : ` of $${budget_usd.toFixed(2)}`}`;
  return context_window ? `${money} · context ${(100 * context_tokens / context_window).toFixed(context_tokens ? 1 : 0)} %` : money;
}

// webrtc.js
var OPEN_MS = 1e4;
var Call = class {
  /** @param {CallOptions} options */
  constructor(options) {
    this.options = options;
    const { echoCancellation, onLevel, onEnded } = options;
    this.capture = new Capture({ echoCancellation, onLevel, onEnded });
    this.peer = null;
    this.speaker = new Audio();
    this.released = false;
    this.analyser = null;
    this.ticket = () => {
    };
  }
  /** Open the microphone and call; throws a Trouble. */
  async start() {
    await this.capture.start();
    if (this.released || !this.capture.stream) return this.release();
    try {
      await this.#call(this.capture.stream);
    } catch (fault) {
      this.release();
      throw fault instanceof Trouble ? fault : new Trouble("call", fault);
    }
  }
  /** @param {MediaStream} stream */
  async #call(stream) {
    const peer = this.peer = new RTCPeerConnection();
    const channel = peer.createDataChannel("oai-events");
    const opened = new Promise((resolve) => channel.onopen = resolve);
    peer.addTrack(stream.getAudioTracks()[0], stream);
    peer.ontrack = ({ track }) => this.#play(new MediaStream([track]));
    await peer.setLocalDescription(await peer.createOffer());
    const answer = await this.#post(await this.#ask(), peer.localDescription?.sdp ?? "");
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await within(OPEN_MS, opened);
    peer.onconnectionstatechange = () => ["failed", "closed"].includes(peer.connectionState) && this.#end();
    channel.onclose = () => this.#end();
    this.options.tell(answer.headers.get("Location")?.split("/").at(-1) ?? "");
  }
  /** @returns {Promise<Ticket>} */
  async #ask() {
    const given = new Promise((resolve) => this.ticket = resolve);
    this.options.ask(location.origin);
    return await within(OPEN_MS, given);
  }
  /** @param {Ticket} ticket @param {string} sdp */
  async #post({ url, secret, text, todo }, sdp) {
    if (!url) throw Object.assign(new Trouble("call"), { message: text, todo });
    const headers = { Authorization: `Bearer ${secret}`, "Content-Type": "application/sdp" };
    const answer = await fetch(url, { method: "POST", headers, body: sdp });
    if (answer.status !== 201) {
      const said = (await answer.json().catch(() => null))?.error?.message ?? `HTTP ${answer.status}`;
      throw Object.assign(new Trouble("call"), { message: `The server refused the call: ${said}` });
    }
    return answer;
  }
  /** @param {MediaStream} stream */
  #play(stream) {
    this.speaker.srcObject = stream;
    this.speaker.play().catch(() => {
    });
    const context = this.capture.context;
    if (!context) return;
    this.analyser = new AnalyserNode(context, { fftSize: 1024 });
    new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(this.analyser);
  }
  /** Let the server hear, or silence. @param {boolean} on */
  open(on) {
    for (const track of this.capture.stream?.getAudioTracks() ?? []) track.enabled = on;
  }
  #end() {
    if (this.released) return;
    this.release();
    this.options.onEnded(new Trouble("ended"));
  }
  /** Hang up; idempotent. */
  release() {
    this.released = true;
    this.capture.release();
    this.peer?.close();
    this.speaker.srcObject = this.analyser = null;
  }
};
function within(ms, promise) {
  const late = new Promise((_, refuse) => setTimeout(() => refuse(new Trouble("call", "nothing came")), ms));
  return (
    /** @type {Promise<T>} */
    Promise.race([promise, late])
  );
}

// talk_booth.js
var BEAT_MS = 40;
var TODO = {
  denied: "Click the lock or microphone sign left of the page's address, allow the microphone, then press Talk. Or type.",
  none: "Plug one in and press Talk. Or type: the answer is spoken all the same.",
  busy: "Close the program that uses it (a call, a recorder), then press Talk. Or type.",
  insecure: "Open the page as https://… or as http://localhost:…. Or type: the answer is written here, not spoken.",
  unsupported: "Use a current Chrome, Edge, Firefox or Safari. Or type.",
  gone: "Plug it in again, then press Talk. Or type.",
  gesture: "Press Talk.",
  worklet: "Ask for blob: or data: in the server's script-src. Or type.",
  failed: "Press Talk again. Or type."
};
var booths = /* @__PURE__ */ new Map();
var Booth = class _Booth {
  /** The booth of a widget on this page. @param {import("@anywidget/types").AnyModel} model */
  static of(model) {
    const sid = model.get("sid");
    const booth = booths.get(sid) ?? new _Booth(model, sid);
    booths.set(sid, booth);
    return booth;
  }
  /** @param {import("@anywidget/types").AnyModel} model @param {string} sid */
  constructor(model, sid) {
    this.sid = sid;
    this.model = model;
    this.talk = NOTHING;
    this.mic = "off";
    this.trouble = null;
    this.levels = { user: 0, model: 0 };
    this.asked = false;
    this.opening = null;
    this.views = /* @__PURE__ */ new Set();
    this.capture = null;
    this.timer = 0;
    this.online = false;
    this.owner = false;
    this.media = openMedia(model, { onEvent: (header) => this.hear(header), onState: (state) => this.linked(state) });
    this.playback = new Playback(this.media, { onEvent: (event) => this.played(event) });
    this.deaf = false;
    this.playback.start().then(() => this.tap(), (fault) => this.mourn(fault));
  }
  /** @param {{show(): void, beat(levels: {user: number, model: number}): void}} view */
  join(view) {
    this.views.add(view);
    queueMicrotask(() => view.show());
  }
  /** @param {{show(): void, beat(levels: {user: number, model: number}): void}} view */
  leave(view) {
    this.views.delete(view);
    if (!this.views.size) this.close();
  }
  show() {
    this.views.forEach((view) => view.show());
  }
  // ------------------------------------------------------------ what comes
  /** @param {any} header */
  hear(header) {
    if (header.t === "secret" && this.capture instanceof Call) this.capture.ticket(header);
    if (header.t !== "talk") return;
    const before = this.talk.phase;
    this.talk = merge(this.talk, header);
    if (this.talk.phase !== before) mark(this.talk.phase);
    if (this.capture instanceof Call) this.capture.open(this.talk.now.detects && !this.talk.now.muted);
    if (this.talk.phase === "closed") this.closeMic();
    else if (this.talk.fresh && this.media.owner && !this.asked) this.openMic();
    this.tick();
    this.show();
  }
  /** @param {import("./media.js").MediaState} state */
  linked(state) {
    const online = state.status === "open";
    const heard = online && state.owner;
    if (heard && !(this.online && this.owner) && this.deaf) this.tell("deaf");
    if (online && !this.online && this.mic === "on") this.tell("mic", { on: true });
    const lost = online && this.owner && !state.owner;
    if (online) this.owner = state.owner;
    this.online = online;
    if (state.status === "closed" || lost) this.hush();
    this.show();
  }
  /** @param {any} event */
  played(event) {
    if (event.t === "started" || event.t === "flushed") mark(event.t);
    this.tick();
  }
  // ------------------------------------------------------------ what a person does
  /** @param {string} t @param {object} [more] */
  tell(t, more) {
    this.media.send({ t, ...more });
  }
  /** Open the microphone, or wait for the opening that is under way. */
  async openMic() {
    this.asked = true;
    if (this.mic === "off") this.opening = this.listen();
    await this.opening;
  }
  async listen() {
    this.mic = "opening";
    this.trouble = null;
    this.show();
    const capture = this.ear();
    this.capture = capture;
    try {
      await capture.start();
      if (this.capture !== capture) return capture.release();
      this.mic = "on";
      this.tell("mic", { on: true });
    } catch (fault) {
      if (this.capture === capture) this.closeMic();
      this.fail(fault);
    }
    this.playback.resume();
    this.tick();
    this.show();
  }
  /** The microphone: its sound goes to the kernel, or straight to the server. */
  ear() {
    const onLevel = ({ peak }) => this.levels.user = Math.max(this.levels.user, peak);
    const onEnded = (trouble) => (this.closeMic(), this.fail(trouble));
    const echoCancellation = this.model.get("echo_cancellation");
    if (!this.talk.call) return new Capture({ echoCancellation, media: this.media, onLevel, onEnded });
    const ask = (origin) => this.tell("call", { origin });
    const tell2 = (id) => this.tell("called", { call_id: id });
    return new Call({ ask, tell: tell2, echoCancellation, onLevel, onEnded });
  }
  closeMic() {
    const open = this.mic === "on";
    this.capture?.release();
    this.capture = null;
    this.mic = "off";
    if (open) this.tell("mic", { on: false });
  }
  /** @param {boolean} on */
  mute(on) {
    this.tell("mute", { on });
  }
  /** The key to talk. @param {boolean} on */
  async hold(on) {
    this.held = on;
    if (on && this.mic !== "on") await this.openMic();
    if (this.held === on && (!on || this.mic === "on")) this.tell("hold", { on });
    if (on) this.playback.flush();
  }
  /** Silence the answer at once; the kernel ends it. */
  stop() {
    this.playback.flush();
    this.tell("stop");
  }
  /** @param {string} text */
  type(text) {
    this.playback.resume();
    this.tell("type", { text });
  }
  /** Take microphone and sound over from another tab. */
  claim() {
    this.media.claim();
    this.openMic();
  }
  /** End the talk; the session goes on. */
  end() {
    this.hush();
    this.tell("end");
  }
  // ------------------------------------------------------------ inside
  hush() {
    this.closeMic();
    this.playback.flush();
  }
  /** @param {unknown} fault */
  fail(fault) {
    const { code, message, todo } = Trouble.from(fault);
    this.trouble = { text: message, todo: TODO[code] ?? todo };
    this.show();
  }
  /** No sound can be played here: the answer is read. @param {unknown} fault */
  mourn(fault) {
    this.deaf = true;
    this.tell("deaf");
    this.fail(globalThis.isSecureContext ? fault : new Trouble("insecure"));
  }
  tap() {
    if (!this.playback.context) return;
    this.analyser = new AnalyserNode(this.playback.context, { fftSize: 1024 });
    this.samples = new Float32Array(this.analyser.fftSize);
    this.playback.node.connect(this.analyser);
    this.show();
  }
  /** Let the levels flow while there is something to see. */
  tick() {
    const alive = this.mic === "on" || this.playback.last.playing;
    if (alive && !this.timer) this.timer = setInterval(() => this.beat(), BEAT_MS);
    if (alive) return;
    clearInterval(this.timer);
    this.timer = 0;
  }
  beat() {
    const analyser = this.capture instanceof Call ? this.capture.analyser : this.analyser;
    if (analyser && this.samples) {
      analyser.getFloatTimeDomainData(this.samples);
      this.levels.model = this.samples.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    }
    this.views.forEach((view) => view.beat(this.levels));
    this.levels.user = 0;
  }
  close() {
    clearInterval(this.timer);
    this.closeMic();
    this.playback.close();
    this.media.close();
    booths.delete(this.sid);
  }
};
function mark(name) {
  performance.clearMarks(`realtime_nb ${name}`);
  performance.mark(`realtime_nb ${name}`);
}

// talk_style.js
var STYLE = `
.rtnb-talk { padding: 12px 14px; }
.rtnb-talk .rtnb-head { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; }
.rtnb-talk .rtnb-phase { font-size: 15px; font-weight: 600; flex: 1 1 9em; }
.rtnb-talk .rtnb-lamp { width: 12px; height: 12px; flex: none; }
.rtnb-talk[data-phase="hearing"] .rtnb-lamp { background: var(--rtnb-user); border-color: var(--rtnb-user); box-shadow: 0 0 0 4px color-mix(in srgb, var(--rtnb-user) 25%, transparent); }
.rtnb-talk[data-phase="speaking"] .rtnb-lamp { background: var(--rtnb-model); border-color: var(--rtnb-model); }
.rtnb-talk:is([data-phase="thinking"], [data-phase="calling"]) .rtnb-lamp { border-color: var(--rtnb-model); border-right-color: transparent; animation: rtnb-turn 1s linear infinite; }
.rtnb-talk[data-phase="listening"] .rtnb-lamp { border-color: var(--rtnb-user); }
.rtnb-talk[data-phase="closed"] .rtnb-lamp { border-color: var(--rtnb-alert); }
@keyframes rtnb-turn { to { transform: rotate(1turn); } }
.rtnb-talk .rtnb-voices { display: grid; grid-template-columns: 5em minmax(0, 1fr); gap: 2px 8px; align-items: center; margin-top: 8px; }
.rtnb-talk .rtnb-voices .rtnb-wave { height: 34px; }
.rtnb-talk .rtnb-who { font-size: 12px; font-weight: 600; white-space: nowrap; }
.rtnb-talk .rtnb-who.is-user { color: var(--rtnb-user); }
.rtnb-talk .rtnb-who.is-assistant { color: color-mix(in srgb, var(--rtnb-model) 60%, var(--rtnb-ink)); }
.rtnb-talk .rtnb-who.is-call { color: var(--rtnb-tool); }
.rtnb-talk .rtnb-who.is-system { color: var(--rtnb-hint); }
.rtnb-talk .rtnb-log { margin: 10px 0 0; padding: 8px 0 0; border-top: 1px solid var(--rtnb-line); max-height: 300px; overflow-y: auto; overscroll-behavior: contain; }
.rtnb-talk .rtnb-log ol { list-style: none; margin: 0; padding: 0; }
.rtnb-talk .rtnb-log li { display: grid; grid-template-columns: 5em minmax(0, 1fr); gap: 0 8px; padding: 3px 0; margin: 0; }
.rtnb-talk .rtnb-log .rtnb-who { padding-top: 1px; }
.rtnb-talk .rtnb-said { white-space: pre-wrap; overflow-wrap: anywhere; }
.rtnb-talk li[data-who="call"] .rtnb-said { font-family: var(--jp-code-font-family, ui-monospace, monospace); font-size: 12px; }
.rtnb-talk li[data-state="cut"] .rtnb-said::after { content: " ✂ interrupted"; color: var(--rtnb-hint); font-size: 12px; }
.rtnb-talk .rtnb-type { display: flex; gap: 8px; flex: 1 1 14em; min-width: 0; }
.rtnb-talk .rtnb-type input { flex: 1 1 auto; min-width: 0; min-height: 28px; padding: 2px 9px; border: 1px solid var(--rtnb-edge); border-radius: 7px; background: var(--rtnb-paper); color: inherit; font: inherit; }
.rtnb-talk .rtnb-type input::placeholder { color: var(--rtnb-hint); opacity: 1; }
.rtnb-talk .rtnb-hold { touch-action: none; user-select: none; }
.rtnb-talk .rtnb-foot { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 12px; margin-top: 8px; font-size: 12px; color: var(--rtnb-hint); }
.rtnb-talk .rtnb-foot .rtnb-bar { width: 56px; height: 6px; }
.rtnb-talk .rtnb-foot .rtnb-bar > span { background: var(--rtnb-model); }
.rtnb-talk .rtnb-foot details { margin-left: auto; max-width: 100%; }
.rtnb-talk .rtnb-foot summary { cursor: pointer; }
.rtnb-talk .rtnb-foot ul { margin: 2px 0 0; padding-left: 1.4em; overflow-wrap: anywhere; }
.rtnb-talk .rtnb-note code { overflow-wrap: anywhere; }
.rtnb-talk kbd { font: inherit; font-size: 11px; padding: 0 4px; border: 1px solid var(--rtnb-edge); border-radius: 4px; opacity: .75; }
@container (max-width: 360px) {
  .rtnb-talk .rtnb-log li { grid-template-columns: minmax(0, 1fr); }
  .rtnb-talk .rtnb-voices { grid-template-columns: auto minmax(0, 1fr); }
  .rtnb-talk .rtnb-phase { flex-basis: calc(100% - 24px); }
  .rtnb-talk kbd { display: none; }
}
`;

// talk.js
function renderTalk({ model, el }) {
  const view = new TalkView(Booth.of(model), el);
  return () => view.close();
}
var TalkView = class {
  /** @param {Booth} booth @param {HTMLElement} el */
  constructor(booth, el) {
    this.booth = booth;
    this.el = el;
    this.rows = /* @__PURE__ */ new Map();
    this.talkShown = booth.talk;
    this.pressed = false;
    this.noteShown = "";
    this.whyShown = "";
    this.lamp = h("span", { class: "rtnb-lamp", "aria-hidden": "true" });
    this.phase = h("span", { class: "rtnb-phase", role: "status" });
    this.talk = h("button", { class: "rtnb-button is-main", type: "button", onclick: () => this.booth.openMic() }, "Talk");
    this.mute = h("button", { class: "rtnb-button", type: "button", onclick: () => this.toggleMute() }, "Mute ", h("kbd", { "aria-hidden": "true" }, "M"));
    this.stop = h("button", { class: "rtnb-button", type: "button", onclick: () => this.booth.stop() }, "Stop ", h("kbd", { "aria-hidden": "true" }, "Esc"));
    this.end = h("button", { class: "rtnb-button", type: "button", onclick: () => this.booth.end() }, "End");
    this.user = h("div", { class: "rtnb-wave" });
    this.model = h("div", { class: "rtnb-wave" });
    this.lines = h("ol");
    this.log = h("div", { class: "rtnb-log", role: "log", "aria-live": "off", "aria-label": "Transcript", tabIndex: 0 }, this.lines);
    this.spoken = h("div", { class: "rtnb-sr", "aria-live": "polite" });
    this.note = h("div", { class: "rtnb-note", role: "alert", hidden: true });
    this.hold = h("button", { class: "rtnb-button rtnb-hold", type: "button" }, "Hold to talk ", h("kbd", { "aria-hidden": "true" }, "Space"));
    this.line = h("input", { type: "text", placeholder: "Type instead…", "aria-label": "Type a message", autocomplete: "off" });
    this.type = h("form", { class: "rtnb-type", onsubmit: (event) => this.send(event) }, this.line, h("button", { class: "rtnb-button", type: "submit" }, "Send"));
    this.ask = h("div", { class: "rtnb-row" }, this.hold, this.type);
    this.money = h("span", { class: "rtnb-time" });
    this.full = h("span");
    this.path = h("summary");
    this.why = h("ul");
    this.ways = h("details", {}, this.path, this.why);
    this.el.append(
      h("style", { textContent: STYLE }),
      h("div", { class: "rtnb-head" }, this.lamp, this.phase, this.talk, this.mute, this.stop, this.end),
      this.note,
      h(
        "div",
        { class: "rtnb-voices" },
        h("span", { class: "rtnb-who is-user" }, SPEAKERS.user),
        this.user,
        h("span", { class: "rtnb-who is-assistant" }, SPEAKERS.assistant),
        this.model
      ),
      this.log,
      this.spoken,
      this.ask,
      h("div", { class: "rtnb-foot" }, this.money, h("span", { class: "rtnb-bar", "aria-hidden": "true" }, this.full), this.ways)
    );
    this.el.tabIndex = 0;
    this.el.setAttribute("role", "group");
    this.el.setAttribute("aria-label", "Talk with the model. Hold space to talk, M mutes, Escape stops the answer.");
    this.waves = { user: new Wave(this.user, { role: "user" }), model: new Wave(this.model, { role: "model" }) };
    this.listen();
    booth.join(this);
  }
  // ------------------------------------------------------------ what a person does
  listen() {
    const { hold } = this;
    const down = (event) => (hold.setPointerCapture(event.pointerId), this.press(true));
    const up = () => this.press(false);
    hold.addEventListener("pointerdown", down);
    for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) hold.addEventListener(name, up);
    this.el.addEventListener("keydown", (event) => this.key(event, true));
    this.el.addEventListener("keyup", (event) => this.key(event, false));
    this.el.addEventListener("focusout", (event) => !this.el.contains(
      /** @type {Node | null} */
      event.relatedTarget
    ) && up());
  }
  /** @param {boolean} on */
  press(on) {
    if (on === this.pressed || this.booth.talk.call) return;
    this.pressed = on;
    this.booth.hold(on);
  }
  /** @param {KeyboardEvent} event @param {boolean} down */
  key(event, down) {
    const typing = event.target === this.line;
    const button = event.target instanceof HTMLButtonElement && event.target !== this.hold;
    event.stopPropagation();
    if (event.key === " " && !typing && !button) {
      event.preventDefault();
      if (!event.repeat) this.press(down);
    } else if (event.key === "Escape" && down) this.booth.stop();
    else if (event.key.toLowerCase() === "m" && down && !event.repeat && !typing && !(event.ctrlKey || event.metaKey || event.altKey)) this.toggleMute();
  }
  toggleMute() {
    this.booth.mute(!this.booth.talk.now.muted);
  }
  /** @param {Event} event */
  send(event) {
    event.preventDefault();
    const { line: line2 } = this;
    if (line2.value.trim()) this.booth.type(line2.value);
    line2.value = "";
  }
  // ------------------------------------------------------------ what is shown
  show() {
    const { talk, media, mic } = this.booth;
    const { now, phase } = talk;
    const dead = phase === "closed" || media.state.status === "closed";
    set(this.el.dataset, "phase", media.state.status === "closed" ? "closed" : phase);
    set(this.phase, "textContent", media.state.status === "opening" ? "Connecting" : media.state.status === "closed" ? "Disconnected" : label2(talk));
    set(this.talk, "hidden", mic !== "off" || dead);
    set(this.mute, "hidden", mic === "off" || dead);
    this.mute.setAttribute("aria-pressed", String(now.muted));
    set(this.stop, "hidden", dead);
    set(this.stop, "disabled", !now.busy);
    set(this.ask, "hidden", dead);
    set(this.hold, "hidden", talk.call);
    this.hold.setAttribute("aria-pressed", String(now.held));
    set(this.end, "hidden", media.state.status === "closed");
    this.showNote();
    this.showLines();
    this.showFoot();
  }
  showNote() {
    const { talk, media, mic, trouble, playback } = this.booth;
    const found = advice(talk, media.state, { mic, trouble, audible: playback.audible });
    const key = JSON.stringify(found);
    if (key === this.noteShown) return;
    this.noteShown = key;
    this.note.hidden = !found;
    this.note.classList.toggle("is-alert", !!found?.alert);
    this.note.replaceChildren();
    if (!found) return;
    this.note.append(sentence(found.text));
    if (found.todo) this.note.append(" ", looksLikeCode(found.todo) ? h("span", {}, "Try: ", h("code", {}, found.todo)) : found.todo);
    if (found.act === "claim") this.note.append(" ", h("button", { class: "rtnb-button", type: "button", onclick: () => this.booth.claim() }, "Use it here"));
  }
  showLines() {
    const { talk } = this.booth;
    if (talk === this.talkShown && this.rows.size === talk.order.length) return;
    const { log, lines } = this;
    const low = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const finished = talk.order.filter((id) => this.finish(id));
    for (const [id, { row }] of this.rows) if (!talk.lines.has(id)) this.rows.delete(id) && row.remove();
    talk.order.forEach((id, place) => {
      const row = this.row(
        /** @type {import("./talk_model.js").Line} */
        talk.lines.get(id)
      );
      if (lines.children[place] !== row) lines.insertBefore(row, lines.children[place] ?? null);
    });
    this.talkShown = talk;
    log.hidden = !talk.order.length;
    if (low) log.scrollTop = log.scrollHeight;
    if (finished.length) this.spoken.textContent = finished.map((id) => this.read(id)).join(" ");
  }
  /** Whether a line has just come to its end: then it is read out, once. @param {string} id */
  finish(id) {
    const open = (line2) => !line2 || line2.state === "open";
    return this.talkShown.order.length > 0 && open(this.talkShown.lines.get(id)) && !open(this.booth.talk.lines.get(id));
  }
  /** @param {string} id */
  read(id) {
    const line2 = (
      /** @type {import("./talk_model.js").Line} */
      this.booth.talk.lines.get(id)
    );
    return `${SPEAKERS[line2.who]}: ${words(line2)}`;
  }
  /** @param {import("./talk_model.js").Line} line */
  row(line2) {
    let known = this.rows.get(line2.id);
    if (!known) {
      const said = h("span", { class: "rtnb-said", dir: "auto" });
      const row = h("li", {}, h("span", { class: `rtnb-who is-${line2.who}` }, SPEAKERS[line2.who]), said);
      this.rows.set(line2.id, known = { row, said });
    }
    set(known.row.dataset, "who", line2.who);
    set(known.row.dataset, "state", line2.state ?? "done");
    set(known.said, "textContent", words(line2));
    return known.row;
  }
  showFoot() {
    const { talk, media } = this.booth;
    const { path, rttMs, why } = media.state;
    set(this.money, "textContent", spending(talk.meter));
    const share = talk.meter?.context_window ? 100 * talk.meter.context_tokens / talk.meter.context_window : 0;
    set(this.full.style, "width", `${Math.min(100, share).toFixed(1)}%`);
    set(this.path, "textContent", path ? `${path}${rttMs === null ? "" : ` · ${rttMs.toFixed(rttMs < 10 ? 1 : 0)} ms`}` : "no connection");
    const lines = why.length ? why : [path ? "No faster way is known." : "The kernel has not answered yet."];
    if (lines.join() !== this.whyShown) this.why.replaceChildren(...lines.map((text) => h("li", {}, text)));
    this.whyShown = lines.join();
  }
  /** @param {{user: number, model: number}} levels */
  beat(levels2) {
    this.waves.user.live(this.booth.talk.now.muted && !this.booth.talk.now.held ? 0 : levels2.user);
    this.waves.model.live(levels2.model);
  }
  close() {
    this.press(false);
    this.waves.user.close();
    this.waves.model.close();
    this.booth.leave(this);
  }
};
function set(target, name, value) {
  if (target && target[name] !== value) target[name] = value;
}
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…:)]$/.test(text) ? "" : ".");
}
function looksLikeCode(text) {
  return /^[\w.]+ ?(=|\()/.test(text);
}

// index.js
var VIEWS = {
  camera: renderCamera,
  meter: renderMeter,
  player: renderPlayer,
  recorder: renderRecorder,
  talk: renderTalk
};
function reportFault(model, where, error) {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  model.send({ t: "fault", where, text, stack: error instanceof Error ? error.stack ?? "" : "" });
}
function render({ model, el }) {
  const view = model.get("view");
  el.classList.add("rtnb", `rtnb-${view}`);
  el.dataset.lmSuppressShortcuts = "true";
  adopt();
  try {
    const close = VIEWS[view]({ model, el });
    const unmind = mindKernel({ model, el });
    return () => (unmind(), close?.());
  } catch (error) {
    reportFault(model, `render ${view}`, error);
    el.append(Object.assign(document.createElement("pre"), { textContent: `${view} cannot be shown: ${error}` }));
  }
}
var index_default = { render };
export {
  index_default as default,
  reportFault
};
