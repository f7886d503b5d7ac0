// Run by `npm version`, between the new number and its commit: gives the changelog's unreleased section that number and
// the day, and builds the manifest, which holds the number too.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const changelog = readFileSync('CHANGELOG.md', 'utf8')
const heading = '## [Unreleased]\n'
const [before, after] = changelog.split(heading)
if (after === undefined || !/^\s*(###|-)/.test(after)) {
  console.error('CHANGELOG.md has nothing under [Unreleased]: write down what is new first.')
  process.exit(1)
}
const day = new Date().toISOString().slice(0, 10)
writeFileSync('CHANGELOG.md', `${before}${heading}\n## [${version}] - ${day}\n${after}`)
execFileSync(process.execPath, ['scripts/build.js'], { stdio: 'inherit' })
execFileSync('git', ['add', 'CHANGELOG.md', 'oclif.manifest.json'], { stdio: 'inherit' })
