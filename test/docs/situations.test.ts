import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { isAsShown, readPage, rewritePage, type Shown } from './support/page.js'
import { openStage } from './support/stage.js'

// Every command of README.md's term and of docs/situations is run, and has to print what the page says.
// UPDATE=1 npx vitest run test/docs/situations.test.ts writes what is different into the pages.
const root = resolve(import.meta.dirname, '../..')
const situations = readdirSync(join(root, 'docs/situations')).filter((name) => name.endsWith('.md'))
const pages = ['README.md', ...situations.map((name) => `docs/situations/${name}`)]
const AT_ONCE = 2

/** What went otherwise than a page says: the command, and what it printed. */
interface Otherwise {
  shown: Shown
  printed: string[]
}

async function follow(page: string): Promise<Otherwise[]> {
  const stage = await openStage()
  const otherwise: Otherwise[] = []
  try {
    for (const step of readPage(readFileSync(join(root, page), 'utf8'))) {
      if (step.kind === 'happening') {
        await stage.happen(step.words)
        continue
      }
      const printed = await stage.run(step.command)
      if (!isAsShown(step.printed, printed)) otherwise.push({ shown: step, printed })
    }
  } finally {
    await stage.close()
  }
  return otherwise
}

/** Takes turns, so that no more pages than that are followed at a time. */
const lanes = Array.from({ length: AT_ONCE }, () => Promise.resolve())
const followed = pages.map((page, i) => {
  const result = (lanes[i % AT_ONCE] as Promise<void>).then(() => follow(page))
  lanes[i % AT_ONCE] = result.then(
    () => {},
    () => {},
  )
  return { page, result }
})

afterAll(() => Promise.all(lanes))

describe.each(followed)('$page', ({ page, result }) => {
  test('prints what it says', async () => {
    const otherwise = await result
    if (process.env.UPDATE) {
      const path = join(root, page)
      const now = new Map(otherwise.map(({ shown, printed }) => [shown, printed]))
      writeFileSync(path, rewritePage(readFileSync(path, 'utf8'), now))
      return
    }
    const text = (command: string, lines: string[]) => [`$ ${command}`, ...lines].join('\n')
    expect(otherwise.map(({ shown, printed }) => text(shown.command, printed)).join('\n')).toBe(
      otherwise.map(({ shown }) => text(shown.command, shown.printed)).join('\n'),
    )
  })
})
