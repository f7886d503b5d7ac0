import { expect, it } from 'vitest'
import { wrapLines } from '../../src/lib/terminal/wrap.js'

const LINES = ['a short one', 'one that is longer than twenty', '  indented and longer than it may be']

it.each([{}, { columns: 20 }, { isTTY: false, columns: 20 }, { isTTY: true }, { isTTY: true, columns: 0 }])(
  'leaves each line one line in a pipe: %j',
  (stream) => expect(wrapLines(LINES, stream)).toBe(LINES.join('\n')),
)

it('breaks long lines between words in a terminal', () => {
  const text = wrapLines(LINES, { isTTY: true, columns: 20 })
  const lines = text.split('\n')
  expect(lines[0]).toBe('a short one')
  for (const line of lines) expect(line.trimEnd().length).toBeLessThanOrEqual(20)
  expect(text.replace(/\s+/g, ' ')).toBe(LINES.join(' ').replace(/\s+/g, ' '))
  expect(text).toContain('\n  indented')
})
