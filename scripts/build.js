// Compiles src/ to dist/, and writes the manifest anew: a stale one would win over the code.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
const env = { ...process.env, OCLIF_SKIP_NEW_VERSION_CHECK: 'true' }
for (const command of [
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
  ['node_modules/oclif/bin/run.js', 'manifest'],
]) {
  execFileSync(process.execPath, command, { stdio: ['ignore', process.stderr, process.stderr], env })
}
