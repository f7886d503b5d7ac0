// After `npm ci` in a git checkout: puts the pre-commit hook in its place. Does nothing where there is none to
// put: in CI, outside of a checkout, and without the development tools.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const tool = 'node_modules/simple-git-hooks/cli.js'
if (!process.env.CI && existsSync('.git') && existsSync(tool)) {
  try {
    execFileSync(process.execPath, [tool], { stdio: 'ignore' })
  } catch {
    console.error('The pre-commit hook could not be set; everything else works.')
  }
}
