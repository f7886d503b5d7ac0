// Builds dist/: the program and all it uses in one bundle, so that starting it reads a few files and not some hundreds;
// the declarations; and the manifest, which would win over the code if it were stale.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { build } from 'esbuild'
import { leanOclif } from './lean-oclif.js'

/** The commands of oclif's plugins become ours: nothing has to be looked for when the program starts. */
const PLUGIN_COMMANDS = {
  help: 'plugin-help/lib/commands/help.js',
  'autocomplete/index': 'plugin-autocomplete/lib/commands/autocomplete/index.js',
  'autocomplete/create': 'plugin-autocomplete/lib/commands/autocomplete/create.js',
  'autocomplete/script': 'plugin-autocomplete/lib/commands/autocomplete/script.js',
}

/** What a file loads by itself when it needs it is bundled all the same. */
const loadedWhenNeeded = {
  name: 'loaded-when-needed',
  setup({ onLoad }) {
    onLoad({ filter: /text-width\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(/\bload\(/g, 'require('),
      loader: 'ts',
    }))
  },
}

rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints: [
    'src/main.ts',
    'src/index.ts',
    'src/commands/*.ts',
    ...Object.entries(PLUGIN_COMMANDS).map(([id, file]) => ({
      in: `node_modules/@oclif/${file}`,
      out: `commands/${id}`,
    })),
  ],
  outbase: 'src',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  minifyWhitespace: true,
  minifySyntax: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.13',
  // The one package that is no JavaScript alone.
  external: ['better-sqlite3'],
  plugins: [leanOclif, loadedWhenNeeded],
  // CommonJS packages in the bundle ask for node's own modules, and for their own place.
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url),__dirname=import.meta.dirname;",
  },
  logLevel: 'warning',
})

const env = { ...process.env, OCLIF_SKIP_NEW_VERSION_CHECK: 'true' }
for (const command of [
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
  ['node_modules/oclif/bin/run.js', 'manifest'],
]) {
  execFileSync(process.execPath, command, { stdio: ['ignore', process.stderr, process.stderr], env })
}
