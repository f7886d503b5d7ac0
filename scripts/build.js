// Builds dist/: the commands bundled with what they use, so that starting one reads a few files and not some
// hundreds; the declarations; and the manifest, which would win over the code if it were stale.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints: ['src/index.ts', 'src/commands/*.ts', 'src/lib/terminal/uncaught.ts'],
  outbase: 'src',
  outdir: 'dist',
  // Every file of dist/ lies as deep as its source, since the migrations are found from there.
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.13',
  // oclif must be the one that runs the commands, and better-sqlite3 is a native module.
  external: ['@oclif/*', 'better-sqlite3'],
  // CommonJS packages in the bundle ask for node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
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
