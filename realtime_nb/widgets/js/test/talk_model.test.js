import assert from "node:assert/strict";
import test from "node:test";
import { advice, label, merge, NOTHING, spending, words } from "../talk_model.js";

const now = { mic: true, muted: false, held: false, detects: true, busy: false };
const OPEN = /** @type {any} */ ({ status: "open", owner: true, trouble: null });
const HERE = /** @type {any} */ ({ mic: "on", trouble: null, audible: true });

/** @param {object} more */
function message(more) {
  return { t: "talk", phase: "listening", now, order: [], lines: [], fresh: false, note: null, meter: null, ...more };
}

test("lines are taken over by id, stand in the order told, and are let go when they are no longer told", () => {
  let talk = merge(NOTHING, message({ order: ["b", "a"], lines: [{ id: "a", who: "user", text: "A" }, { id: "b", who: "user", text: "B" }] }));
  assert.deepEqual([...talk.lines.values()].map((line) => line.text), ["B", "A"]);
  talk = merge(talk, message({ order: ["b", "a"], lines: [{ id: "a", who: "user", text: "A!" }] }));
  assert.deepEqual([...talk.lines.values()].map((line) => line.text), ["B", "A!"]);
  talk = merge(talk, message({ order: ["a"] }));
  assert.deepEqual(talk.order, ["a"]);
});

test("a line that was never told leaves no hole", () => {
  const talk = merge(NOTHING, message({ order: ["a", "lost"], lines: [{ id: "a", who: "user" }] }));
  assert.deepEqual(talk.order, ["a"]);
});

test("a phase is told in words; without detection the key is named", () => {
  assert.equal(label({ ...NOTHING, phase: "hearing" }), "Hearing you");
  assert.equal(label({ ...NOTHING, phase: "muted" }), "Muted");
  assert.equal(label({ ...NOTHING, phase: "muted", now: { ...now, detects: false } }), "Hold the key to talk");
});

test("speech without words says how long it was; calls say what they gave", () => {
  assert.equal(words({ id: "a", who: "user", seconds: 2.14 }), "2.1 s of speech");
  assert.equal(words({ id: "a", who: "assistant", text: "Nile", state: "open" }), "Nile…");
  assert.equal(words({ id: "a", who: "call", name: "f", text: "{}", state: "open" }), "f({}) …");
  assert.equal(words({ id: "a", who: "call", name: "f", text: "{}", output: "<b>" }), "f({}) → <b>");
  assert.equal(words({ id: "a", who: "user", text: "Odd?", pictures: 2 }), "[2 pictures] Odd?");
});

test("the most pressing thing is said first", () => {
  const trouble = { text: "No microphone was found.", todo: "Type." };
  const talk = { ...NOTHING, phase: "listening", order: ["a"], note: { text: "The response failed." } };
  const page = { ...HERE, trouble };
  assert.match(advice(talk, { ...OPEN, status: "closed", trouble: "The kernel stopped." }, page)?.text ?? "", /kernel/);
  assert.equal(advice({ ...talk, phase: "closed" }, OPEN, page)?.text, "The response failed.");
  assert.equal(advice(talk, { ...OPEN, owner: false }, page)?.act, "claim");
  assert.equal(advice(talk, OPEN, page)?.text, trouble.text);
  assert.equal(advice(talk, OPEN, HERE)?.text, "The response failed.");
  assert.match(advice({ ...talk, note: null, phase: "speaking" }, OPEN, { ...HERE, audible: false })?.text ?? "", /click/);
  assert.match(advice({ ...talk, note: null }, OPEN, { ...HERE, mic: "opening" })?.text ?? "", /allow/);
  assert.equal(advice({ ...talk, note: null }, OPEN, HERE), null);
  assert.match(advice({ ...talk, note: null, order: [] }, OPEN, HERE)?.text ?? "", /Say something/);
});

test("small sums keep their digits, budgets and windows are told where there are any", () => {
  const meter = { cost_usd: 0.0012, budget_usd: null, context_tokens: 320, context_window: 32000 };
  assert.equal(spending(meter), "$0.00120 · context 1.0 %");
  assert.equal(spending({ ...meter, cost_usd: 0.2, budget_usd: 1, context_window: null }), "$0.20 of $1.00");
  assert.equal(spending(null), "");
});
