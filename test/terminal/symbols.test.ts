import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { withSymbols } from '../../src/lib/terminal/symbols.js'
import { ROOT } from '../support/command.js'

const TEXT = 'Zoë “王”: $3.00 → $5.00, 0123abcd…, ▁▂▃▄▅▆▇█'

it('leaves a text as it is in a pipe, and in a terminal that has the symbols', () => {
  expect(withSymbols(TEXT, { isTTY: false }, () => false)).toBe(TEXT)
  expect(withSymbols(TEXT, {}, () => false)).toBe(TEXT)
  expect(withSymbols(TEXT, { isTTY: true }, () => true)).toBe(TEXT)
})

it('puts plain characters in their place elsewhere, and leaves names alone', () => {
  expect(withSymbols(TEXT, { isTTY: true }, () => false)).toBe(
    'Zoë "王": $3.00 -> $5.00, 0123abcd~, _.,-~=*#',
  )
})

it('knows every symbol that the program prints', () => {
  const source = join(ROOT, 'src')
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    // The sandbox has made-up names of people, and no symbols.
    (name) => name.endsWith('.ts') && !name.includes('sandbox/people') && !name.endsWith('symbols.ts'),
  )
  const code = files
    .map((name) => readFileSync(join(source, name), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''))
    .join('\n')
  expect(withSymbols(code, { isTTY: true }, () => false).match(/\P{ASCII}/gu)).toBe(null)
})
