// Loading audio code into an AudioContext: by blob:, and where the page's policy forbids that, by data:.
import { Trouble } from "./trouble.js";

/**
 * Load a worklet from its text.
 * @param {AudioContext} context
 * @param {string} source
 */
export async function loadWorklet(context, source) {
  if (!context.audioWorklet) throw new Trouble(globalThis.isSecureContext === false ? "insecure" : "unsupported");
  const blob = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(blob);
  } catch {
    try {
      await context.audioWorklet.addModule(`data:text/javascript;charset=utf-8,${encodeURIComponent(source)}`);
    } catch (fault) {
      throw new Trouble("worklet", fault);
    }
  } finally {
    URL.revokeObjectURL(blob);
  }
}
