// What can go wrong with a microphone, a speaker or a camera: what happened, and what to do. One table.

/** @type {Record<string, [message: string, todo: string]>} */
const TABLE = {
  denied: [
    "The browser did not allow the microphone.",
    "Click the lock or microphone sign left of the page's address, allow the microphone, then press record again. Or drop a sound file here.",
  ],
  none: ["No microphone was found.", "Plug one in and press record again, or drop a sound file here."],
  busy: [
    "The microphone is in use by another program.",
    "Close that program (a call, another recorder), then press record again.",
  ],
  insecure: [
    "This page came over plain HTTP, where browsers offer no microphone.",
    "Open it as https://… or as http://localhost:…, or drop a sound file here.",
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
  sound: ["This file is no sound the browser can read.", "Drop a WAV, MP3, FLAC, Ogg or WebM file."],
};

/** @type {Record<string, string>} DOMException name -> code (Media Capture and Streams, 10.2). */
const NAMES = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "busy",
  AbortError: "busy",
  NotSupportedError: "unsupported",
};

/** A failure a person can mend: `code` for code, `message` and `todo` for people. */
export class Trouble extends Error {
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
    if (error instanceof Trouble) return error;
    const name = String(Object(error).name); // in JupyterLab a DOMException is no instance of Error (measured)
    return new Trouble(NAMES[name] ?? "failed", error);
  }
}
