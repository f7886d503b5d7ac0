import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const script = resolve(import.meta.dirname, '../../scripts/scan-secrets.js')
// Put together here, so that this file holds no key itself.
const HEX = '0f1e2d3c4b5a69788796a5b4c3d2e1f0'.repeat(2)
const KEY = `sk-or-v1-${HEX}`

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'class-keys-scan-'))
  git('init', '--quiet')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Git without the settings and the place of the repository that the tests themselves may run in. */
function environment() {
  const mine = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'))
  return { ...Object.fromEntries(mine), GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
}

function git(...args: string[]) {
  execFileSync('git', args, { cwd: folder, env: environment() })
}

function stage(path: string, text: string) {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
  git('add', '--force', path)
}

function scan(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    cwd: folder,
    env: environment(),
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

test('a commit without secrets passes', () => {
  stage('src/a.ts', 'const prefix = "sk-or-v1-"\n')
  stage('examples/roster.csv', 'email\n')
  stage('test/fixtures/deep/limits.csv', 'email\n')
  expect(scan()).toEqual({ status: 0, output: '' })
})

test.each([
  ['an OpenRouter key', KEY],
  ['an API key', `sk-proj-${HEX}`],
  ['a GitHub token', `ghp_${HEX.slice(0, 36)}`],
  ['an AWS key', `AKIA${'QWERTYUIOP123456'}`],
  ['a private key', `-----BEGIN ${'RSA PRIVATE KEY-----'}`],
])('%s is found by file and line, and not shown', (what, secret) => {
  stage('notes.md', `one\ntwo ${secret} three\n`)
  const { status, output } = scan()
  expect(status).toBe(1)
  expect(output).toContain(`notes.md:2: ${what}`)
  expect(output).not.toContain(secret)
})

test.each([
  'keys.db',
  'sub/keys.db-journal',
  'api_keys_20260219_101112.json',
  '.envrc',
  'roster.csv',
  'sub/a.csv',
])('%s must not be committed', (path) => {
  stage(path, 'x')
  const { status, output } = scan()
  expect(status).toBe(1)
  expect(output).toContain(`${path}: `)
})

test('a key that is made up of few characters is no secret', () => {
  stage('test.ts', `'sk-or-v1-${'0a'.repeat(32)}'`)
  expect(scan().status).toBe(0)
})

test('what counts is what is staged, not what stands in the file now', () => {
  stage('a.txt', KEY)
  writeFileSync(join(folder, 'a.txt'), 'clean')
  expect(scan().status).toBe(1)
  stage('b.txt', 'clean')
  git('add', 'a.txt')
  writeFileSync(join(folder, 'b.txt'), KEY)
  expect(scan().status).toBe(0)
})

test('--all looks at every tracked file as it stands', () => {
  stage('b.txt', 'clean')
  writeFileSync(join(folder, 'b.txt'), KEY)
  writeFileSync(join(folder, 'untracked.txt'), KEY)
  const { status, output } = scan('--all')
  expect(status).toBe(1)
  expect(output).toContain('b.txt:1: an OpenRouter key')
  expect(output).not.toContain('untracked')
})
