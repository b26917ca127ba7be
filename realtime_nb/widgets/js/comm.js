// The last way: frames by the widget's comm, gathered for 100 ms, because each message costs JupyterLab a redraw.
const GATHER_MS = 100;

/**
 * Dial by the comm.
 * @param {{page: string, holds: {model: import("@anywidget/types").AnyModel}[], fromComm: ((buffers: DataView[]) => void) | null}} link
 * @returns {import("./worker.js").Dial}
 */
export function dialComm(link) {
  return (_route, on) => {
    /** @type {ArrayBuffer[]} */
    let gathered = [];
    let waiting = 0;
    let timer = 0;
    const flush = () => {
      timer = 0;
      link.holds[0]?.model.send({ t: "media", page: link.page }, undefined, gathered);
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
      waiting: () => waiting,
    };
  };
}
