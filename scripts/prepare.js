// After `npm ci` in a clone, and before the package is packed: builds the program, so that `npx class-keys` runs it, and
// puts the pre-commit hook in its place. Does neither without the development tools.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

if (existsSync('node_modules/esbuild'))
  execFileSync(process.execPath, ['scripts/build.js'], { stdio: 'inherit' })

const hooks = 'node_modules/simple-git-hooks/cli.js'
if (!process.env.CI && existsSync('.git') && existsSync(hooks)) {
  try {
    execFileSync(process.execPath, [hooks], { stdio: 'ignore' })
  } catch {
    console.error('The pre-commit hook could not be set; everything else works.')
  }
}
