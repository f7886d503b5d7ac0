#!/usr/bin/env node
// Says of a Node that it is too old before anything is loaded that it cannot read: all that is newer is behind the import.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 22 || (major === 22 && minor >= 13)) import('../dist/main.js')
else {
  process.exitCode = 1
  process.stderr.write(
    `class-keys needs Node.js 22.13 or newer, and this is Node.js ${process.versions.node}: get a newer one at https://nodejs.org/en/download.\n`,
  )
}
