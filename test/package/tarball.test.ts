import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

let folder: string
let files: string[]

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'class-keys-tarball-'))
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', args, { cwd: root })
  const [{ filename, files: packed }] = JSON.parse(stdout)
  files = packed.map((file: { path: string }) => file.path)
  await run('tar', ['-xzf', join(folder, filename), '-C', folder])
  // Only what the package asks for is beside it: a package that is there for development alone would be missed.
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(folder, 'package', 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link)
  }
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the program of the tarball in an empty folder, without any setting of ours. */
async function classKeys(...args: string[]) {
  const cwd = mkdtempSync(join(folder, 'empty-'))
  const env = { PATH: process.env.PATH, HOME: cwd }
  const program = join(folder, 'package', manifest.bin['class-keys'])
  return run(process.execPath, [program, ...args], { cwd, env }).then(
    (output) => ({ ...output, cwd, code: 0 }),
    (error) => ({ stdout: error.stdout, stderr: error.stderr, cwd, code: error.code }),
  )
}

describe('what is in the tarball', () => {
  test.each([
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'package.json',
    'oclif.manifest.json',
    'bin/run.js',
    'dist/index.js',
    'dist/index.d.ts',
    'docs/json.md',
    'drizzle/meta/_journal.json',
    'CONTRIBUTING.md',
    'examples/roster.csv',
    '.envrc.example',
  ])('%s', (file) => {
    expect(files).toContain(file)
  })

  test('every command, built', () => {
    const { commands } = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'))
    for (const { relativePath } of Object.values<{ relativePath: string[] }>(commands))
      expect(files).toContain(relativePath.join('/'))
  })

  test('every migration', () => {
    const { entries } = JSON.parse(readFileSync(join(root, 'drizzle/meta/_journal.json'), 'utf8'))
    for (const { tag } of entries) expect(files).toContain(`drizzle/${tag}.sql`)
  })

  test('every file of the project that README.md points to', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const targets = [...readme.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target = '']) => target)
    const local = [...new Set(targets)].filter((target) => !/^https?:/.test(target))
    expect(local).toContain('examples/roster.csv')
    for (const target of local)
      expect(
        files.some((file) => file === target || file.startsWith(`${target}/`)),
        target,
      ).toBe(true)
  })

  test('nothing else', () => {
    const foreign =
      /^(bin\/run\.js|dist\/.+\.(js|d\.ts)|docs\/.+\.md|drizzle\/[^/]+\.sql|drizzle\/meta\/_journal\.json|examples\/roster\.csv|\.envrc\.example|[^/]+\.(md|json)|LICENSE)$/
    expect(files.filter((file) => !foreign.test(file))).toEqual([])
  })
})

describe('the program of the tarball', () => {
  test('tells its version', async () => {
    const { stdout, code } = await classKeys('--version')
    expect(stdout).toContain(`class-keys/${manifest.version}`)
    expect(code).toBe(0)
  })

  test('tells its commands', async () => {
    const { stdout, code } = await classKeys('--help')
    expect(stdout).toContain('provision')
    expect(stdout).toContain('autocomplete')
    expect(code).toBe(0)
  })

  test('creates a ledger from the migrations that it brings', async () => {
    const { stdout, code, cwd } = await classKeys('init-db')
    expect(stdout).toContain('keys.db')
    expect(code).toBe(0)
    expect(statSync(join(cwd, 'keys.db')).mode & 0o777).toBe(0o600)
  })

  test('asks for a management key', async () => {
    const { stderr, code } = await classKeys('check')
    expect(stderr).toContain('OPENROUTER_PROVISIONING_KEY')
    expect(code).toBe(2)
  })

  test('suggests a command for a misspelt one', async () => {
    const { stderr, code } = await classKeys('provison')
    expect(stderr).toContain('provision')
    expect(code).toBe(2)
  })
})
