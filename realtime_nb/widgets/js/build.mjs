// Bundle the page's side into one readable file that is committed: installing needs no node, no CDN.
// `node build.mjs` writes it; `node build.mjs --check` says (exit 1) when the committed one is stale.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

// The digest lets a test without node see that the bundle is fresh.
const folder = new URL(".", import.meta.url);
const digest = createHash("sha256");
for (const name of (await readdir(folder)).filter((name) => name.endsWith(".js")).sort()) {
  digest.update(`${name}\n`).update(await readFile(new URL(name, folder)));
}

const target = fileURLToPath(new URL("../static/widget.js", import.meta.url));
const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL("index.js", import.meta.url))],
  absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  banner: {
    js: `// Made by \`npm run build\` in ../js; change the sources there. BSD-3-Clause.\n// sources: ${digest.digest("hex")}`,
  },
  write: false,
});
const fresh = outputFiles[0].text;
if (process.argv.includes("--check")) {
  const committed = await readFile(target, "utf8").catch(() => "");
  if (committed !== fresh) {
    console.error("static/widget.js is stale: run `npm run build` in realtime_nb/widgets/js and commit it.");
    process.exitCode = 1;
  }
} else {
  await writeFile(target, fresh);
  console.log(`static/widget.js: ${(fresh.length / 1024).toFixed(1)} kB`);
}
