import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const { commands } = JSON.parse(read('oclif.manifest.json'))
const shown = Object.keys(commands).filter((id) => !commands[id].hidden)
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

describe('README.md', () => {
  const readme = read('README.md')
  const beforeInstallation = readme.slice(0, readme.indexOf('## Installation'))

  test.each(['npm ci && npm run demo', 'npm ci && npm test'])('begins with %s', (line) => {
    expect(beforeInstallation).toContain(`${line} `)
    expect(beforeInstallation.split('\n').length).toBeLessThan(25)
  })

  test.each(shown)('has %s in its table and its reference', (id) => {
    expect(readme).toMatch(new RegExp(`^\\| \`${id}\\b.*\` \\|`, 'm'))
    expect(readme).toMatch(new RegExp(`^## \`class-keys ${id}\\b`, 'm'))
  })

  test('has no command that does not exist', () => {
    const named = [...readme.matchAll(/^\$ class-keys ([a-z][a-z-]*)/gm)].map(([, id]) => id)
    expect([...new Set(named)].filter((id) => !((id as string) in commands))).toEqual([])
  })

  test('has every variable of the environment that a flag can be set by', () => {
    for (const { flags } of Object.values<{ flags: Record<string, { env?: string }> }>(commands))
      for (const { env } of Object.values(flags)) if (env) expect(readme).toContain(env)
  })
})

describe('oclif.manifest.json', () => {
  test('has the commands of src/commands, and those that oclif brings', () => {
    const files = readdirSync(join(root, 'src/commands')).map((name) => name.replace(/\.ts$/, ''))
    const brought = ['help', 'autocomplete', 'autocomplete:create', 'autocomplete:script']
    expect(Object.keys(commands).sort()).toEqual([...files, ...brought].sort())
  })
})

describe('docs/json.md', () => {
  const json = read('docs/json.md')

  test('has every result that the package exports', () => {
    const results = [...read('src/lib/core/results.ts').matchAll(/^export interface (\w+Result)\b/gm)]
    const names = results.map(([, name]) => name as string)
    expect(names.filter((name) => !json.includes(`interface ${name} `))).toEqual([])
  })

  test('names no code of an error that does not exist', () => {
    const table = json.slice(json.indexOf('| Code |'), json.indexOf('## What all share'))
    const codes = [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell]) =>
      [...(cell as string).matchAll(/`(\w+)`/g)].map(([, code]) => code),
    )
    const source = readdirSync(join(root, 'src'), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => read(`src/${name}`))
      .join('\n')
    expect(codes.filter((code) => !source.includes(`'${code}'`))).toEqual([])
  })
})

describe.each(documents)('%s', (path) => {
  test('has no link that leads nowhere', () => {
    const text = read(path).replace(/```[\s\S]*?```/g, '')
    const headings = (file: string) =>
      [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, title]) => anchor(title as string))
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [file, heading] = (target as string).split('#')
      const place = file ? join(dirname(path), file) : path
      expect(existsSync(join(root, place)), `${target}`).toBe(true)
      if (heading) expect(headings(place), `${target}`).toContain(heading)
    }
  })
})

/** The name by which a heading can be linked to. */
function anchor(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')
}
