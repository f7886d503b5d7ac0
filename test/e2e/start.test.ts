import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { newFolder, removeFolders } from './support/classroom.js'
import { run } from './support/program.js'

/* What is answered without oclif is what oclif answers; --json, which changes nothing there, leads to oclif. */

vi.setConfig({ testTimeout: 60_000 })
afterAll(removeFolders)

test.each([['--help'], ['-h'], ['help'], []])('%j shows the help that oclif shows', async (...args) => {
  for (const columns of ['40', '80', '100', '120', '200']) {
    for (const FORCE_COLOR of ['0', '1']) {
      const options = { cwd: newFolder(), env: { OCLIF_COLUMNS: columns, FORCE_COLOR } }
      const quick = await run(args, options)
      expect(quick).toEqual(await run(['--help', '--json'], options))
      expect(quick.code).toBe(0)
      expect(quick.stdout).toContain('provision')
    }
  }
})

test.each(['--version', '-v'])('%s tells the version that oclif tells', async (flag) => {
  const options = { cwd: newFolder() }
  const quick = await run([flag], options)
  expect(quick).toEqual(await run([flag, '--json'], options))
  expect(quick).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^class-keys\/\d/) })
})

test('what was compiled is kept in the folder of the cache, and nothing else is written', async () => {
  const cwd = newFolder()
  const cache = newFolder()
  const { code } = await run(['provision', '--help'], { cwd, env: { XDG_CACHE_HOME: cache } })
  expect(code).toBe(0)
  expect(readdirSync(cache)).toEqual(['class-keys'])
  expect(readdirSync(join(cache, 'class-keys'))).toEqual(['compiled'])
  expect(readdirSync(join(cache, 'class-keys', 'compiled'), { recursive: true }).length).toBeGreaterThan(1)
  expect(readdirSync(cwd)).toEqual([])
})

test('a cache that cannot be written is passed over in silence', async () => {
  const cwd = newFolder()
  const env = { XDG_CACHE_HOME: '/dev/null/cache' }
  expect(await run(['provision', '--help'], { cwd, env })).toMatchObject({ code: 0, stderr: '' })
  expect(await run(['init-db'], { cwd, env })).toMatchObject({
    code: 0,
    stderr: 'Create the ledger: keys.db\n',
  })
})

test('a cache of compiled code that was spoilt is not run', async () => {
  const cwd = newFolder()
  const cache = newFolder()
  const options = { cwd, env: { XDG_CACHE_HOME: cache } }
  const first = await run(['provision', '--help'], options)
  await run(['init-db'], {
    ...options,
    shell: `find ${cache} -type f -exec sh -c 'echo spoilt > "$1"' sh {} \\; ; exec "$@"`,
  })
  expect(await run(['provision', '--help'], options)).toEqual(first)
  expect(readFileSync(join(cwd, 'keys.db')).length).toBeGreaterThan(0)
})
