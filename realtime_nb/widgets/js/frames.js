// One frame, the same on every path: 4 bytes little-endian length, a JSON header of that length, the payload.
// The header is padded with blanks to a multiple of 4, so that samples behind it lie aligned.
// These functions also run inside the Worker as text: they may use nothing but their arguments and globals.

/** @typedef {{t: string, [key: string]: any}} Header */

/**
 * Make a frame.
 * @param {Header} header
 * @param {ArrayBuffer | ArrayBufferView | null} [payload]
 * @returns {ArrayBuffer}
 */
export function packFrame(header, payload) {
  let text = new TextEncoder().encode(JSON.stringify(header));
  const size = Math.ceil(text.length / 4) * 4;
  const body = !payload
    ? new Uint8Array(0)
    : ArrayBuffer.isView(payload)
      ? new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)
      : new Uint8Array(payload);
  const frame = new Uint8Array(4 + size + body.length);
  new DataView(frame.buffer).setUint32(0, size, true);
  frame.fill(32, 4 + text.length, 4 + size);
  frame.set(text, 4);
  frame.set(body, 4 + size);
  return frame.buffer;
}

/**
 * Take a frame apart; the payload is a view, not a copy, where it lies aligned.
 * @param {ArrayBuffer | DataView} frame
 * @returns {{header: Header, payload: Uint8Array<ArrayBuffer>}}
 */
export function unpackFrame(frame) {
  const view = frame instanceof DataView ? frame : new DataView(frame);
  const size = view.getUint32(0, true);
  const buffer = /** @type {ArrayBuffer} */ (view.buffer);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, view.byteOffset + 4, size)));
  const start = view.byteOffset + 4 + size;
  const length = view.byteLength - 4 - size;
  const payload =
    start % 2 ? new Uint8Array(buffer.slice(start, start + length)) : new Uint8Array(buffer, start, length);
  return { header, payload };
}

/**
 * See bytes as 16-bit samples.
 * @param {Uint8Array<ArrayBuffer>} payload
 * @returns {Int16Array<ArrayBuffer>}
 */
export function samplesOf(payload) {
  return new Int16Array(payload.buffer, payload.byteOffset, payload.byteLength >> 1);
}
