import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { newFolder, removeFolders } from './support/classroom.js'
import { run } from './support/program.js'

/* The package as an oclif plugin: mounted in a program that has a command of its own. */

vi.setConfig({ testTimeout: 60_000 })

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
let host: string

beforeAll(() => {
  host = newFolder()
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(host, name)), { recursive: true })
    writeFileSync(join(host, name), text)
  }
  const manifest = {
    name: 'faculty',
    version: '1.0.0',
    type: 'module',
    dependencies: { 'class-keys': '*' },
    oclif: { bin: 'faculty', topicSeparator: ' ', commands: './commands', plugins: ['class-keys'] },
  }
  write('package.json', JSON.stringify(manifest))
  write('run.js', "import { execute } from '@oclif/core/execute'\nawait execute({ dir: import.meta.url })\n")
  write(
    'commands/timetable.js',
    "import { Command } from '@oclif/core'\nexport default class extends Command {\n  async run() {\n    await this.parse()\n    this.log('Monday')\n  }\n}\n",
  )
  mkdirSync(join(host, 'node_modules'))
  symlinkSync(ROOT, join(host, 'node_modules', 'class-keys'))
  symlinkSync(join(ROOT, 'node_modules', '@oclif'), join(host, 'node_modules', '@oclif'))
})
afterAll(() => {
  // The link first: nothing behind it is to go.
  rmSync(join(host, 'node_modules', 'class-keys'))
  removeFolders()
})

const faculty = (...args: string[]) =>
  run([], { cwd: newFolder(), shell: `exec "$1" ${join(host, 'run.js')} ${args.join(' ')}` })

test('our commands are there beside those of the program', async () => {
  expect(await faculty('timetable')).toMatchObject({ code: 0, stdout: 'Monday\n' })
  expect((await faculty('help')).stdout).toMatch(/provision.*\n(.*\n)*.*timetable/)
  expect(await faculty('init-db')).toMatchObject({ code: 0 })
})

test.each(['timetabel', 'chek', 'zzzzqq'])(
  '%s, which is no command, is left to the program',
  async (word) => {
    const { code, stdout, stderr } = await faculty(word)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`command ${word} not found`)
    expect(stderr).not.toContain('class-keys')
  },
)

test('what we advise can be typed there', async () => {
  const { code, stderr } = await faculty('export-keys')
  expect(code).toBe(2)
  expect(stderr).toContain('faculty init-db')
  expect(stderr).not.toContain('class-keys init-db')
  const { stdout } = await faculty('export-keys', '--json')
  expect(JSON.parse(stdout).error.message).toContain('faculty init-db')
})
