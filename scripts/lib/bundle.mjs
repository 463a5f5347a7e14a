// Joins the modules of the start of a gateway, some 600, into a few files in dist/bundle: finding, reading and linking so
// many took a third of the start (decision 86). package.json names the entries in its `imports`.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesUnder } from './files.mjs';

export const BUNDLE = 'dist/bundle';
/** In dist/src. */
const ENTRIES = ['serve.js', 'start-server-process.js'];
/** Packages of many small modules that every gateway loads. All other packages stay in node_modules. */
const PACKAGES = ['kafkajs', 'pino', 'dotenv', 'fastest-levenshtein'];
/** Node loads them at the first call of one of their functions. Without TLS, a server process needs none of them. */
const LATER = ['node:http', 'node:https', 'node:tls', 'node:zlib'];
const LICENSES = `${BUNDLE}/LICENSES.txt`;
/** CommonJS modules find the modules of Node with it. */
const REQUIRE =
  "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);";

/**
 * An ES module that imports one of Node's own modules makes Node read all exports of it, also those that load more of Node
 * when they are read: with `node:http` the whole of undici, 34 ms on Node 24. So only the names in use are read.
 */
const BUILT_IN = {
  name: 'built-in modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      // CommonJS asks Node, which reads no exports of the module then.
      kind === 'require-call'
        ? { path, external: true }
        : { path, namespace: 'built-in', sideEffects: false },
    );
    onLoad({ filter: /./, namespace: 'built-in' }, ({ path }) => {
      const contents = LATER.includes(path) ? calls(path) : values(path);
      return { contents: contents.join('\n') };
    });
  },
};

/** The exports that have these values. `PURE` lets esbuild leave out those that nobody imports. */
function values(path) {
  const names = Object.keys(process.getBuiltinModule(path)).filter((name) => name !== 'default');
  return [
    `const module = process.getBuiltinModule('${path}');`,
    'export default module;',
    ...names.map((name) => `export const ${name} = /* @__PURE__ */ (() => module.${name})();`),
  ];
}

/** The functions, and neither classes nor constants: if one is imported, the build fails. */
function calls(path) {
  const module = process.getBuiltinModule(path);
  return Object.keys(module)
    .filter((name) => typeof module[name] === 'function' && /^[a-z]/.test(name))
    .map(
      (name) => `export const ${name} = (...args) => process.getBuiltinModule('${path}').${name}(...args);`,
    );
}

/** Rejects if a module is missing. esbuild has printed which one. */
export async function bundle(root) {
  const { build } = await import('esbuild');
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ENTRIES.map((name) => `dist/src/${name}`),
    outdir: BUNDLE,
    bundle: true,
    // Modules of both entries get a file of their own, and so does each module that is loaded later.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: Object.keys(dependencies).filter((name) => !PACKAGES.includes(name)),
    // All processes together take 3 MB less so. Names stay and lines are short, for stack traces.
    minifyWhitespace: true,
    lineLimit: 160,
    banner: { js: REQUIRE },
    plugins: [BUILT_IN],
    metafile: true,
    logLevel: 'warning',
    logOverride: { 'import-is-undefined': 'error' },
  });
  writeFileSync(join(root, LICENSES), licenses(root, Object.keys(metafile.inputs)));
  // Files of the build before.
  for (const file of filesUnder(root, BUNDLE))
    if (!(file in metafile.outputs) && file !== LICENSES) rmSync(join(root, file));
}

/** The licences of the packages that modules are copied from demand to be with each copy. */
function licenses(root, modules) {
  const folders = modules.flatMap((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  return [...new Set(folders)]
    .sort()
    .map((folder) => {
      const name = readdirSync(join(root, folder)).find((file) => /^licen[cs]e/i.test(file));
      if (name === undefined) throw new Error(`${folder} has no licence`);
      return `${folder.slice('node_modules/'.length)}\n\n${readFileSync(join(root, folder, name), 'utf8')}`;
    })
    .join('\n\n');
}
