import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

// With a real Node 18 and 20 it is tested by .ci/each-node: these are not at hand everywhere.
const root = resolve(import.meta.dirname, '../..')

/** Starts the program in a Node that says it is of another version. */
function startAs(version: string) {
  const disguise = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  const args = [
    '--import',
    `data:text/javascript,${encodeURIComponent(disguise)}`,
    join(root, 'bin/run.js'),
    '--version',
  ]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test.each(['18.20.8', '20.20.2', '22.0.0', '22.12.0'])('Node %s is told that it is too old', (version) => {
  expect(startAs(version)).toEqual({
    status: 1,
    stdout: '',
    stderr: `class-keys needs Node.js 22.13 or newer, and this is Node.js ${version}: get a newer one at https://nodejs.org/en/download.\n`,
  })
})

test.each(['22.13.0', '22.23.3', '23.0.0', '24.0.0', '26.12.1', '100.0.0'])(
  'Node %s is new enough',
  (version) => {
    const { status, stdout, stderr } = startAs(version)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^class-keys\/\d/)
  },
)

test('the floor is the one that package.json tells npm', () => {
  expect(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines).toEqual({ node: '>=22.13' })
})

test('what stands before the look at the version is read by any Node', () => {
  const source = readFileSync(join(root, 'bin/run.js'), 'utf8')
  expect(source).not.toMatch(/^import .* from|^import '|\bawait\b|\?\?|\?\./m)
})
